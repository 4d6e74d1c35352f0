"""The tables and types of mmdb; ten migrations before the first release, in one.

It keeps the number of the last of them: a database that went through all ten is at this revision, and stays as it is.
"""

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))


def downgrade() -> None:
    """`mmdb uninstall` is the way down: it also removes what mmdb made in the users' schemas."""
    raise NotImplementedError("run `mmdb uninstall`")
