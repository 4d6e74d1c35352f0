"""`mmdb uninstall`: take mmdb out of a database and leave the tables' own data."""

from __future__ import annotations

import psycopg

from mmdb.database.problems import said
from mmdb.errors import InstallError
from mmdb.install.transaction import Database, transaction


def uninstall(url: str | None = None) -> list[str]:
    """Take mmdb out of a database: embedding columns, indexes, functions, schema, roles that nothing else uses.

    Returns what was left and why. The tables' own data, and the extensions, stay. Raises InstallError and changes
    nothing where a table belongs to somebody else, or a view, a policy, a default or the like of yours uses what is to
    go; functions whose body is text stay, and fail when they are called.
    """
    with transaction(url) as database:
        database.run("lock")
        if not database.value("has_revision"):
            return ["mmdb was not installed in this database"]
        settings = {row["name"]: row["value"] for row in database.rows("settings")}
        _drop_declared(database)
        _refuse_dependents(database)
        for schema in database.rows("worker_schemas", {"role": settings["worker_role"]}):
            database.run("revoke_schema", schema=schema["name"], role=settings["worker_role"])
        database.run("drop_server")
        database.run("drop_schema")
        _reset_iterative_scan(database)
        _shut_out(database, settings["loopback_role"])
        return _drop_roles(database, [settings[f"{name}_role"] for name in ("loopback", "worker", "user")])


def _drop_declared(database: Database) -> None:
    for embedding in database.rows("embeddings"):
        database.run("drop_embedding", embedding)
    for keywords in database.rows("keywords"):
        database.run("drop_keywords", keywords)
    for orphan in database.rows("orphans"):  # of tables that were dropped before a worker could clean up
        database.raw.execute(f"drop function {orphan['function']}".encode())


def _refuse_dependents(database: Database) -> None:
    """What of yours would go with schema mmdb, which is dropped with all that depends on it."""
    names = [row["name"] for row in database.rows("dependents")]
    if names:
        raise InstallError(f"mmdb is used by {', '.join(names)}", hint="drop these first")


def _reset_iterative_scan(database: Database) -> None:
    facts = database.rows("facts")[0]
    ours = database.value("has_database_setting", {"prefix": "hnsw.iterative_scan=strict_order"})
    if ours and facts["owns_database"]:
        database.run("load_extensions")
        database.run("reset_iterative_scan", database=facts["database"])


def _shut_out(database: Database, role: str) -> None:
    """A role with a right on a database cannot be dropped."""
    facts = database.rows("facts")[0]
    if facts["owns_database"] and database.value("was_let_in", {"role": role}):
        database.run("revoke_connect", database=facts["database"], role=role)


def _drop_roles(database: Database, roles: list[str]) -> list[str]:
    """Drop the roles that no other database uses; what stays, and why."""
    kept = []
    for name in roles:
        try:
            database.attempt("drop_role", role=name)
        except psycopg.Error as error:
            kept.append(f'role "{name}" stays: {said(error)}')
    return kept
