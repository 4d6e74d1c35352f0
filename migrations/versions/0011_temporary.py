"""Stands in for the migration that is being written beside this one."""

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    """`mmdb uninstall` is the way down: it also removes what mmdb made in the users' schemas."""
    raise NotImplementedError("run `mmdb uninstall`")
