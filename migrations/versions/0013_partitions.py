"""An embedding knows the partitions that it has seen."""

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))


def downgrade() -> None:
    """`mmdb uninstall` is the way down: it also removes what mmdb made in the users' schemas."""
    raise NotImplementedError("run `mmdb uninstall`")
