"""`mmdb init`: everything mmdb has in a database, made or brought up to date in one transaction.

Tables by migration, functions replaced whole, roles, the loopback connection, the database's settings. An
advisory lock lets any number of installs run at once; a restored or cloned database is repaired by the same call.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import errors as pg
from psycopg.rows import dict_row
from psycopg.sql import Literal
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, Engine

from mmdb.connect import connect
from mmdb.embedders.registry import builtin_specs
from mmdb.errors import InstallError
from mmdb.sql import function_files, resource, statement

EXTENSIONS = ("vector", "dblink", "pg_trgm")
MINIMUM_VECTOR = (0, 8)
MINIMUM_SERVER = 150000
TOPIC = "install"


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of the group roles: who may search, and who may work."""

    user: str = "mmdb_user"
    worker: str = "mmdb_worker"


@dataclass(frozen=True, slots=True)
class Loopback:
    """How the server reaches itself: None is found out from the server's own settings."""

    host: str | None = None
    port: str | None = None


@dataclass(slots=True)
class Report:
    """What an install did, and what it could not do but can be done without."""

    version: str
    revision: str
    warnings: list[str] = field(default_factory=list)


class Database:
    """One connection inside the install's transaction, which runs the named statements of install.sql."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        raw = connection.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        self.raw: psycopg.Connection[Any] = raw

    def run(self, name: str, values: Mapping[str, object] | None = None, **filled: Any) -> None:
        self.raw.execute(statement(TOPIC, name, **filled), values or {})

    def rows(self, name: str, values: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        with self.raw.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement(TOPIC, name), values or {}).fetchall()

    def value(self, name: str, values: Mapping[str, object] | None = None) -> Any:
        row = self.raw.execute(statement(TOPIC, name), values or {}).fetchone()
        return row[0] if row else None


def install(
    url: str | None = None, roles: Roles | None = None, loopback: Loopback | None = None
) -> Report:
    """Bring the database at `url` up to date. Raises InstallError and changes nothing where it cannot."""
    engine = connect(url)
    try:
        with _translated(), engine.begin() as connection:
            report = _install(Database(connection), roles or Roles(), loopback or Loopback())
        report.warnings += _check_loopback(engine)
    finally:
        engine.dispose()
    return report


def repoint(url: str) -> None:
    """Only the loopback of `install`: what a database cloned from an installed one needs."""
    engine = connect(url)
    try:
        with _translated(), engine.begin() as connection:
            database = Database(connection)
            database.run("lock")
            _make_loopback(database, database.rows("facts")[0], Loopback(), replace=True)
            database.run("grant_privileges")
    finally:
        engine.dispose()


def _install(database: Database, roles: Roles, loopback: Loopback) -> Report:
    database.run("lock")
    facts = _check_server(database)
    schemas = _ensure_extensions(database)
    database.run("create_schema")
    _check_schema_owner(database)
    revision = _migrate(database)
    _make_roles(database, roles)
    _replace_functions(database, schemas)
    _make_loopback(database, facts, loopback, replace=False)
    _register_models(database)
    database.run("grant_privileges")
    _refresh_restored(database)
    report = Report(facts["version_text"], revision)
    report.warnings += _set_iterative_scan(database, facts)
    return report


@contextmanager
def _translated() -> Iterator[None]:
    """The one place at which a driver's error during an install becomes ours."""
    try:
        yield
    except psycopg.Error as error:
        raise InstallError(
            str(error.diag.message_primary or error).strip(), hint=error.diag.message_hint or _remedy(error)
        ) from error


def _remedy(error: psycopg.Error) -> str:
    if isinstance(error, pg.InsufficientPrivilege):
        return "`mmdb init --print-script` writes what a database administrator must run once"
    return "`mmdb doctor` checks the database"


def _check_server(database: Database) -> dict[str, Any]:
    facts = database.rows("facts")[0]
    if facts["version"] < MINIMUM_SERVER:
        raise InstallError(
            f'PostgreSQL "{facts["version_text"]}" is too old, expected 15 or later', hint="upgrade the server"
        )
    if facts["encoding"] != "UTF8":
        raise InstallError(
            f'database "{facts["database"]}" has encoding "{facts["encoding"]}", expected UTF8',
            hint="create the database with encoding 'UTF8'",
        )
    return facts


def _ensure_extensions(database: Database) -> dict[str, str]:
    """Extension -> the schema that it lives in."""
    schemas = {}
    for name in EXTENSIONS:
        if not database.rows("extension", {"name": name}):
            _create_extension(database, name)
        found = database.rows("extension", {"name": name})[0]
        schemas[name] = found["schema"]
        version = tuple(int(part) for part in found["extversion"].split(".")[:2])
        if name == "vector" and version < MINIMUM_VECTOR:
            raise InstallError(
                f'extension vector is at version "{found["extversion"]}", expected 0.8 or later',
                hint="install pgvector 0.8 on the server, then: alter extension vector update",
            )
    return schemas


def _create_extension(database: Database, name: str) -> None:
    try:
        with database.raw.transaction():
            database.run("create_extension", extension=name)
    except (pg.InsufficientPrivilege, pg.UndefinedFile, pg.FeatureNotSupported) as error:
        raise InstallError(
            f'extension "{name}" is missing and cannot be created: {error.diag.message_primary}',
            hint=f"have a database administrator install it on the server and run: create extension {name}",
        ) from error


def _check_schema_owner(database: Database) -> None:
    owner = database.rows("schema_owner")[0]
    if not owner["usable"]:
        raise InstallError(
            f'schema mmdb belongs to role "{owner["owner"]}"', hint="run `mmdb init` as that role or a member of it"
        )


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resource("migrations")).replace("%", "%%"))
    return config


def _migrate(database: Database) -> str:
    config = alembic_config()
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_current_head() or ""
    if database.value("has_revision"):
        current = database.value("schema_revision")
        if current not in {script.revision for script in scripts.walk_revisions()}:
            raise InstallError(
                f'schema mmdb is at revision "{current}", newer than this mmdb knows ("{head}")',
                hint="upgrade mmdb: pip install -U mmdb",
            )
    config.attributes["connection"] = database.connection
    command.upgrade(config, "head")
    return head


def _replace_functions(database: Database, schemas: Mapping[str, str]) -> None:
    # SQL functions may name functions of a later file.
    database.run("unchecked_bodies")
    for file in function_files():
        text = file.read_text("utf-8")
        for extension, schema in schemas.items():
            text = text.replace(f"@extschema:{extension}@", schema)
        database.raw.execute(text.encode())
    for stale in database.rows("stale_functions"):
        database.raw.execute(f"drop function {stale['function']}".encode())


def _make_roles(database: Database, roles: Roles) -> None:
    for setting, name in (("user_role", roles.user), ("worker_role", roles.worker)):
        if not database.value("has_role", {"name": name}):
            _create_role(database, "create_role", name)
        if not database.value("member_of", {"name": name}):
            database.run("grant_role", role=name)
        database.run("keep_setting", {"name": setting, "value": name})


def _create_role(database: Database, how: str, name: str) -> None:
    # Roles belong to the cluster and our lock to the database: another install may be as quick.
    try:
        with database.raw.transaction():
            database.run(how, role=name)
    except (pg.DuplicateObject, pg.UniqueViolation):
        pass
    except pg.InsufficientPrivilege as error:
        raise InstallError(
            f'role "{name}" does not exist and cannot be created: {error.diag.message_primary}',
            hint="`mmdb init --print-script` writes what a database administrator must run once",
        ) from error


def loopback_role(facts: Mapping[str, Any]) -> str:
    """One role a database: a password changed in one must not break another."""
    return f"mmdb_loopback_{facts['database_oid']}"


def loopback_address(facts: Mapping[str, Any], loopback: Loopback) -> tuple[str, str]:
    listening = [part.strip() for part in facts["listen_addresses"].split(",")]
    if loopback.host:
        host = loopback.host
    elif {"*", "0.0.0.0", "localhost", "127.0.0.1"} & set(listening):
        host = "127.0.0.1"
    else:
        host = listening[0] or "/var/run/postgresql"
    return host, loopback.port or facts["port"]


def _make_loopback(database: Database, facts: Mapping[str, Any], loopback: Loopback, *, replace: bool) -> None:
    role = loopback_role(facts)
    database.run("keep_setting", {"name": "loopback_role", "value": role})
    options = database.value("server_options") or {}
    right_place = options.get("dbname") == facts["database"]
    if loopback == Loopback() and right_place and not replace and database.value("has_mapping"):
        return
    if not database.value("has_role", {"name": role}):
        _create_role(database, "create_loopback_role", role)
    host, port = loopback_address(facts, loopback)
    password = secrets.token_urlsafe(24)
    database.run("set_password", role=role, password=Literal(password))
    database.run("drop_server")
    database.run("create_server", host=Literal(host), port=Literal(port), database=Literal(facts["database"]))
    database.run("create_mapping", role=Literal(role), password=Literal(password))


def _register_models(database: Database) -> None:
    for spec in builtin_specs():
        values = {
            "name": spec.name,
            "backend": spec.backend,
            "model": spec.model,
            "revision": spec.revision,
            "dimensions": spec.dimensions,
            "modalities": list(spec.modalities),
            "distance": spec.distance,
            "query_prompt": spec.query_prompt,
            "document_prompt": spec.document_prompt,
            "options": Jsonb(dict(spec.options)),
            "identity": spec.identity,
        }
        database.run("model", values)


def _refresh_restored(database: Database) -> None:
    for restored in database.rows("restored"):
        database.run("refresh", {"relation": restored["relation"]})


def _set_iterative_scan(database: Database, facts: Mapping[str, Any]) -> list[str]:
    """Without it pgvector returns too few rows of a filtered search. An operator's own choice is kept."""
    if database.value("has_database_setting", {"prefix": "hnsw.iterative_scan=%"}):
        return []
    if not facts["owns_database"]:
        return [f'hnsw.iterative_scan is not set: role "{facts["owner"]}" does not own the database']
    database.run("set_iterative_scan", database=facts["database"])
    return []


def _check_loopback(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        database = Database(connection)
        try:
            problem = database.value("check_loopback")
        except psycopg.Error as error:
            return [f"queries by text and image will fail: {error.diag.message_primary}"]
    return [] if problem == "no worker" else [f"the loopback leads to another database ({problem})"]


def uninstall(url: str | None = None) -> list[str]:
    """Take mmdb out of a database: embedding columns, functions, schema, roles that nothing else uses.

    Returns what was left and why. The tables' own data, and the extensions, stay.
    """
    engine = connect(url)
    try:
        with _translated(), engine.begin() as connection:
            return _uninstall(Database(connection))
    finally:
        engine.dispose()


def _uninstall(database: Database) -> list[str]:
    database.run("lock")
    if not database.value("has_revision"):
        return ["mmdb was not installed in this database"]
    facts = database.rows("facts")[0]
    settings = {row["name"]: row["value"] for row in database.rows("settings")}
    for embedding in database.rows("embeddings"):
        if embedding["there"]:
            values = {"relation": embedding["relation"], "name": embedding["name"]}
            database.run("drop_embedding", values)
    database.run("drop_server")
    database.run("drop_schema")
    if facts["owns_database"]:
        database.run("reset_iterative_scan", database=facts["database"])
    kept = []
    for name in ("loopback_role", "worker_role", "user_role"):
        try:
            with database.raw.transaction():
                database.run("drop_role", role=settings[name])
        except (pg.DependentObjectsStillExist, pg.InsufficientPrivilege) as error:
            kept.append(f'role "{settings[name]}" stays: {error.diag.message_primary}')
    return kept
