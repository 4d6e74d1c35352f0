"""`mmdb init`: everything mmdb has in a database, made or brought up to date.

In one transaction: tables by migration, functions replaced whole, roles, the loopback connection, the database's
settings. Then, in one for each table, the functions that were made for tables in another way; until then these go on
answering. An advisory lock lets any number of installs run at once; a restored or cloned database is repaired by the
same call. What is made belongs to the role that owns schema mmdb, whoever runs this.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors as pg

from mmdb.catalogue import write_spec
from mmdb.database.problems import said
from mmdb.database.statements import resource
from mmdb.errors import DatabaseError, InstallError
from mmdb.install.functions import drop_former, replace_functions
from mmdb.install.roles import Loopback, Roles, make_loopback, make_roles
from mmdb.install.transaction import SCRIPT_HINT, Database, transaction
from mmdb.install.unchanged import newest_revision, remember, unchanged
from mmdb.models.registry import builtin_specs
from mmdb.packages import UPGRADE

if TYPE_CHECKING:  # else imported where they are used: an install with nothing to do is to be quick
    from alembic.config import Config
    from alembic.script import ScriptDirectory

EXTENSIONS = ("vector", "dblink", "pg_trgm")
MINIMUM_VECTOR = (0, 8)
MINIMUM_SERVER = 150000
LAST_OF_THE_CHAIN = "cfd95bb"
"""The last commit that has migrations 0001 to 0010 one by one; they are one since."""
ALEMBIC = threading.Lock()
"""alembic.context, by which env.py finds its connection, is one for all threads of a process."""


@dataclass(slots=True)
class Report:
    """What an install did, and what it could not do but can be done without."""

    version: str
    revision: str
    warnings: list[str] = field(default_factory=list)


def install(url: str | None = None, roles: Roles | None = None, loopback: Loopback | None = None) -> Report:
    """Bring the database at `url` up to date. Raises InstallError and changes nothing where it cannot.

    Roles and loopback, where not given, stay as they are or get their defaults; where nothing has changed since the
    last install, no more is done than to see that. What follows table by table, once the rest is committed, ends in
    warnings at worst.
    """
    version = unchanged(url) if roles is None and loopback is None else None
    if version is not None:
        return Report(version, newest_revision())
    with transaction(url) as database:
        report, former = _install(database, roles, loopback or Loopback())
    report.warnings += _refresh_out_of_date(url)
    report.warnings += drop_former(url, former)
    report.warnings += _check_loopback(url)
    if not report.warnings:
        remember(url)
    return report


def repoint(url: str) -> None:
    """Only the loopback of `install`: what a database cloned from an installed one needs."""
    with transaction(url) as database:
        database.run("lock")
        owner = database.rows("schema_owner")[0]["owner"]
        make_loopback(database, owner, Loopback(), replace=True)
        with database.acting_as(owner):
            database.run("grant_privileges")


def _install(database: Database, roles: Roles | None, loopback: Loopback) -> tuple[Report, list[str]]:
    """Returns also the functions that only an older version has."""
    database.run("lock")
    facts = _check_server(database)
    schemas = _ensure_extensions(database)
    owner = _ensure_schema(database, facts)
    with database.acting_as(owner), database.pinned_path():
        report = Report(facts["version_text"], _migrate(database))
    report.warnings += make_roles(database, owner, roles)
    report.warnings += make_loopback(database, owner, loopback)
    with database.acting_as(owner):
        with database.pinned_path():
            former = replace_functions(database, schemas)
        report.warnings += _register_models(database)
        database.run("grant_privileges")
    report.warnings += _set_iterative_scan(database, facts)
    return report, former


def _check_server(database: Database) -> dict[str, Any]:
    facts = database.rows("facts")[0]
    if facts["version"] < MINIMUM_SERVER:
        raise InstallError(
            f'PostgreSQL "{facts["version_text"]}" is too old, expected 15 or later', hint="upgrade the server"
        )
    if facts["encoding"] != "UTF8":
        raise InstallError(
            f'database "{facts["database"]}" has encoding "{facts["encoding"]}", expected UTF8',
            hint="create the database with encoding 'UTF8' and template template0",
        )
    if facts["standby"]:
        raise InstallError(
            f'database "{facts["database"]}" is on a standby', hint="run `mmdb init` on the primary: standbys follow it"
        )
    if facts["read_only"]:
        raise InstallError(
            f'database "{facts["database"]}" is read only by default for role "{facts["role"]}"',
            hint="see why; then: alter role … set default_transaction_read_only = off, for this role and the workers'",
        )
    return facts


def _ensure_extensions(database: Database) -> dict[str, str]:
    """Extension -> the schema that it lives in, quoted where need be."""
    return {name: _ensure_extension(database, name) for name in EXTENSIONS}


def _ensure_extension(database: Database, name: str) -> str:
    if not database.rows("extension", {"name": name}):
        _create_extension(database, name)
    found = database.rows("extension", {"name": name})[0]
    version = tuple(int(part) for part in found["extversion"].split(".")[:2])
    if name == "vector" and version < MINIMUM_VECTOR:
        raise InstallError(
            f'extension "vector" is at version "{found["extversion"]}", expected 0.8 or later',
            hint="install pgvector 0.8 on the server, then: alter extension vector update",
        )
    return str(found["schema"])


def _create_extension(database: Database, name: str) -> None:
    try:
        database.attempt("create_extension", extension=name)
    except (pg.InsufficientPrivilege, pg.UndefinedFile, pg.FeatureNotSupported) as error:
        raise InstallError(
            f'extension "{name}" is missing and cannot be created: {said(error)}',
            hint="a database administrator must see that the server has it, and run once what "
            "`mmdb init --print-script` writes",
        ) from error


def _ensure_schema(database: Database, facts: Mapping[str, Any]) -> str:
    """The role that owns schema mmdb, which is created where it is missing."""
    if not database.rows("schema_owner"):
        if not facts["may_create_schema"]:
            raise InstallError(
                f'role "{facts["role"]}" may not create a schema in database "{facts["database"]}"', hint=SCRIPT_HINT
            )
        database.run("create_schema")
    found = database.rows("schema_owner")[0]
    if not found["usable"]:
        raise InstallError(
            f'schema "mmdb" belongs to role "{found["owner"]}"', hint="run `mmdb init` as that role or a member of it"
        )
    stranger = None if database.value("has_revision") else database.value("strangers")
    if stranger is not None:
        raise InstallError(
            f'schema "mmdb" is in use for something else: it has "{stranger}"',
            hint="rename it: alter schema mmdb rename to …",
        )
    return str(found["owner"])


def alembic_config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(resource("migrations")).replace("%", "%%"))
    return config


def _migrate(database: Database) -> str:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config()
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_current_head() or ""
    if database.value("has_revision"):
        _check_revision(str(database.value("schema_revision")), scripts)
    config.attributes["connection"] = database.connection
    with ALEMBIC:
        command.upgrade(config, "head")
    return head


def _check_revision(current: str, scripts: ScriptDirectory) -> None:
    """Refuse a schema that no migration here starts from. Revisions are numbers of four digits and sort as text."""
    known = sorted(script.revision for script in scripts.walk_revisions())
    if current in known:
        return
    if current < known[0]:
        raise InstallError(
            f'schema mmdb is at revision "{current}", older than this mmdb can upgrade ("{known[0]}")',
            hint=f"run `mmdb init` of mmdb at commit {LAST_OF_THE_CHAIN} first, then that of this one",
        )
    raise InstallError(
        f'schema mmdb is at revision "{current}", newer than this mmdb knows ("{known[-1]}")',
        hint=UPGRADE,
    )


def _register_models(database: Database) -> list[str]:
    warnings = []
    for spec in builtin_specs():
        try:
            with database.raw.transaction():
                write_spec(database.raw, spec)
        except pg.ObjectInUse as error:
            warnings.append(f"{said(error)}: a worker of this version will refuse it")
    return warnings


def _refresh_out_of_date(url: str | None) -> list[str]:
    """After a restore, a clone, or an upgrade of mmdb. Only the tables' owners may set that right.

    Each table by itself: a search has its table locked before it reads ours, which a migration locks.
    """
    with transaction(url) as database:
        tables = [table["relation"] for table in database.rows("out_of_date")]
    return [warning for relation in tables for warning in _refresh(url, relation)]


def _refresh(url: str | None, relation: str) -> list[str]:
    with transaction(url) as database:
        database.run("lock")
        try:
            database.attempt("refresh", {"relation": relation})
        except psycopg.Error as error:
            message = f"the functions of {relation} are out of date until: select mmdb.refresh('{relation}')"
            return [f"{message} ({said(error)})"]
    return []


def _set_iterative_scan(database: Database, facts: Mapping[str, Any]) -> list[str]:
    """Without it pgvector returns too few rows of a filtered search. An operator's own choice is kept."""
    if database.value("has_database_setting", {"prefix": "hnsw.iterative_scan=%"}):
        return []
    if not facts["owns_database"]:
        return [f'hnsw.iterative_scan is not set: role "{facts["role"]}" does not own the database']
    database.run("load_extensions")  # only a setting that is known can be set without being superuser
    database.run("set_iterative_scan", database=facts["database"])
    return []


def _check_loopback(url: str | None) -> list[str]:
    """In a session of its own, as every user of mmdb.embed will be."""
    try:
        with transaction(url) as database, database.acting_as(database.rows("schema_owner")[0]["owner"]):
            tried = database.rows("try_loopback")[0]
    except DatabaseError as error:
        return [f"queries by text and image will fail: {error}"]
    if tried["problem"] is None:
        return []
    return [f"queries by text and image will fail: {DatabaseError(tried['problem'], hint=tried['remedy'])}"]
