"""`mmdb restore`: what a database must be like before a dump with mmdb in it comes, and what of a dump is left out."""

from __future__ import annotations

from mmdb.errors import InstallError
from mmdb.install.roles import Roles, ensure_role
from mmdb.install.transaction import Database, transaction

MADE_BY_INIT = (
    " ACL mmdb ",
    " ACL - SCHEMA mmdb ",
    " SERVER - mmdb_loopback ",
    " ACL - FOREIGN SERVER mmdb_loopback ",
    " SERVER mmdb_loopback ",
)
"""Entries of a dump's list that name roles of the database that was dumped: `mmdb init` makes them anew."""


def prepare(url: str) -> None:
    """Make room in the database at `url`: what an install without any embedding left there goes, the roles come.

    Raises InstallError and changes nothing where there are tables.
    """
    with transaction(url) as database:
        database.run("lock")
        _refuse_tables(database)
        if database.value("has_revision"):
            database.run("drop_server")
            database.run("drop_schema")
        for role in (Roles().user, Roles().worker):
            ensure_role(database, role)


def _refuse_tables(database: Database) -> None:
    name, table = database.rows("facts")[0]["database"], database.value("any_table")
    if table is not None:
        raise InstallError(
            f'database "{name}" is not empty: it has table {table}',
            hint='restore into a new one: mmdb psql -c "create database …", and name it in MMDB_DATABASE_URL',
        )


def restored(entries: str) -> str:
    """Of the list of a dump (`pg_restore --list`) what is to be restored."""
    return "".join(line for line in entries.splitlines(keepends=True) if not any(part in line for part in MADE_BY_INIT))
