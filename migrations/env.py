"""Alembic's entry point. mmdb.install hands over its connection, so that all is one transaction."""

from alembic import context
from sqlalchemy.engine import Connection

from mmdb.database.engine import connect


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        version_table="schema_version",
        version_table_schema="mmdb",
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with connect().begin() as own:
        run(own)
