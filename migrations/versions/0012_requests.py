"""What a backend asks of a worker is a request of some task, no longer only a query to embed."""

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))


def downgrade() -> None:
    """`mmdb uninstall` is the way down: it also removes what mmdb made in the users' schemas."""
    raise NotImplementedError("run `mmdb uninstall`")
