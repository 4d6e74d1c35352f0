"""The roles of an installation, and the loopback: the foreign server by which the database reaches itself.

mmdb.embed posts its request through it (sql/20_requests.sql). It logs in as a role of its own, one a database, which
may post and poll and nothing else; its password stands in the user mapping of the role that owns schema mmdb.
Whoever may not make these (no superuser, no CREATEROLE) has a database administrator run `script` once.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import errors as pg
from psycopg.sql import SQL, Identifier, Literal

from mmdb.database.problems import said
from mmdb.database.statements import statements
from mmdb.errors import InstallError
from mmdb.install.transaction import SCRIPT_HINT, TOPIC, Database

ADDRESS = SQL(statements(TOPIC)["loopback_address"])


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


def make_roles(database: Database, owner: str, roles: Roles | None) -> list[str]:
    """Create the group roles and make `owner`, the role of schema mmdb, a member of both. Returns warnings."""
    warnings = []
    for setting, name in _role_names(database, roles).items():
        ensure_role(database, name)
        if not database.value("is_member", {"name": name, "member": owner}):
            warnings += _grant_role(database, name, owner)
        database.run("keep_setting", {"name": setting, "value": name})
    return warnings


def ensure_role(database: Database, name: str) -> None:
    """A group role, created where it is missing."""
    if not database.value("has_role", {"name": name}):
        _create_role(database, "create_role", name)


def _role_names(database: Database, roles: Roles | None) -> dict[str, str]:
    """Setting -> role name; once installed, grants all over the database name the roles, so that they stay."""
    kept = {row["name"]: row["value"] for row in database.rows("settings")}
    asked = {"user_role": roles.user, "worker_role": roles.worker} if roles else {}
    for setting, name in asked.items():
        if kept.get(setting, name) != name:
            raise InstallError(
                f'{setting} is "{kept[setting]}" in this database and cannot become "{name}"',
                hint=f"leave it out, or rename the role and say so: mmdb.set_setting('{setting}', '{name}')",
            )
    kept = {name: kept[name] for name in ("user_role", "worker_role") if name in kept}
    return {"user_role": Roles().user, "worker_role": Roles().worker} | kept | asked


def _create_role(database: Database, how: str, name: str) -> None:
    # Roles belong to the cluster and our lock to the database: another install may be as quick.
    try:
        database.attempt(how, role=name)
    except (pg.DuplicateObject, pg.UniqueViolation):
        pass
    except pg.InsufficientPrivilege as error:
        raise InstallError(
            f'role "{name}" does not exist and cannot be created: {said(error)}', hint=SCRIPT_HINT
        ) from error


def _grant_role(database: Database, name: str, owner: str) -> list[str]:
    try:
        database.attempt("grant_role", role=name, member=owner)
    except (pg.UniqueViolation, pg.InternalError_):  # "tuple concurrently updated": somebody granted it just now
        return []
    except pg.InsufficientPrivilege:
        grant = f"grant {Identifier(name).as_string()} to {Identifier(owner).as_string()}"
        return [f'role "{owner}" is no member of "{name}": a database administrator may run: {grant}']
    return []


def make_loopback(database: Database, owner: str, loopback: Loopback, *, replace: bool = False) -> list[str]:
    """Make the loopback's role, server and mapping, unless they are there and lead to this very database.

    Returns warnings.
    """
    with database.acting_as(owner):  # who alone sees the mapping, but for superusers
        found = database.rows("loopback", address=ADDRESS)[0]
    mapped = (found["mapped_role"], found["mapped_database"])
    there = mapped == (found["role"], found["database"]) and found["role_exists"]
    if not there or replace or loopback != Loopback():
        _replace_loopback(database, owner, loopback, found)
    warnings = _let_in(database, found["role"])
    former = database.value("former_loopback", {"role": found["role"]})
    if former is not None:  # a clone: the role of the original may call nothing here
        database.run("revoke_loopback", role=former)
    database.run("keep_setting", {"name": "loopback_role", "value": found["role"]})
    return warnings


def _let_in(database: Database, role: str) -> list[str]:
    """Where not everybody may connect, the loopback's role gets the right by name."""
    connects = database.rows("may_connect", {"role": role})[0]
    if connects["already"]:
        return []
    if not connects["grantable"]:
        name = connects["database"]
        return [f'role "{role}" may not connect: the owner of database "{name}" is to grant it CONNECT']
    database.run("grant_connect", database=connects["database"], role=role)
    return []


def _replace_loopback(database: Database, owner: str, loopback: Loopback, found: Mapping[str, Any]) -> None:
    if not found["role_exists"]:
        _create_role(database, "create_loopback_role", found["role"])
    password = Literal(secrets.token_urlsafe(24))
    database.run("set_password", role=found["role"], password=password)
    database.run("drop_server")
    host, port = loopback.host or found["host"], loopback.port or found["port"]
    database.run("create_server", host=Literal(host), port=Literal(port), database=Literal(found["database"]))
    database.run("own_server", owner=owner)
    database.run("create_mapping", owner=owner, role=Literal(found["role"]), password=password)


def script(roles: Roles | None = None, loopback: Loopback | None = None, owner: str | None = None) -> str:
    """The SQL that lets a role without rights of its own run `mmdb init`; needs no database.

    A superuser runs it once, connected to the database. `owner` is who will run `mmdb init`, by default the owner of
    the database. It holds no password: the server makes one.
    """
    roles, loopback = roles or Roles(), loopback or Loopback()
    made = SQL(statements("install_script")["script"]).format(
        owner=Literal(owner),
        user_role=Literal(roles.user),
        worker_role=Literal(roles.worker),
        host=Literal(loopback.host),
        port=Literal(loopback.port),
        address=ADDRESS,
    )
    return made.as_string() + "\n"
