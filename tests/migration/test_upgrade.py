"""A database made by a former commit is taken over by `mmdb init` of this one, and nobody's searches break.

The former code itself makes it, in a process of its own: two owners, each with a table for every way in which a
declaration can differ. Its generated functions then get another text, so that this version finds all of them out of
date. A plain user searches without a pause from before the install until after `mmdb.refresh`.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from PIL import Image
from psycopg import sql

from mmdb.install import install
from mmdb.worker import WorkerOptions, background
from tests.conftest import Database, MakeRole, Role, Server, temporary_database
from tests.db.conftest import one, until
from tests.migration.dump import dump_schema
from tests.migration.former import Former, installed_by, unpack

Connection = psycopg.Connection[Any]
Answers = dict[str, list[Any]]

FORMER_COMMIT = "cfd95bb"
FOLDER = Path(__file__).parent
TABLES = ("Goods", "notes", "parts", "items", "switched", "fresh")
STAYS = "of the former version stay, transactions ran on"
WORKER = WorkerOptions(poll_seconds=0.05, models=("hash", "wide"))
ADD_MODEL = (
    "select mmdb.add_model('wide', 'hash', 'sha256', 96, array['text', 'image'], 'hash/1 dimensions=96', "
    "options => '{\"dimensions\": 96}')"
)
TUNE = """
select recall from mmdb.tune('near(halfvec)', (
  select jsonb_agg(jsonb_build_array(g.photo_embedding::text)) from "Goods" g where g."Id" < 4), 0.5)
"""


@dataclass(frozen=True)
class Owner:
    """A role with tables of its own in a schema of its own."""

    role: Role
    schema: str

    @contextmanager
    def session(self, database: Database, role: Role | None = None) -> Iterator[Connection]:
        """A session of the owner, or of another role, in which the owner's tables need no schema."""
        with (role or self.role).connect(database) as connection:
            connection.execute(sql.SQL("set search_path to {}, public").format(sql.Identifier(self.schema)))
            yield connection


@dataclass
class Upgraded:
    """The database of a test with those who use it."""

    database: Database
    installer: str
    owners: tuple[Owner, Owner]
    reader: Role
    former: Former

    @property
    def by_superuser(self) -> bool:
        """Else the first owner installs, who may not act for the second."""
        return self.installer == self.database.url

    def answers(self) -> dict[tuple[str, str], Answers]:
        """What every search says, to each owner and to the plain user."""
        found = {}
        for owner in self.owners:
            for role in (owner.role, self.reader):
                with owner.session(self.database, role) as connection:
                    found[owner.schema, role.name] = ask(connection)
        return found


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The former commit's code."""
    return unpack(FORMER_COMMIT, tmp_path_factory.mktemp("former"))


@pytest.fixture(params=["superuser", "first owner"])
def upgraded(
    request: pytest.FixtureRequest, code: Path, server: Server, template_db: str, make_role: MakeRole
) -> Iterator[Upgraded]:
    """A former database, all embedded, its worker still running; the group roles outlive it as the template's."""
    owners = (Owner(make_role("one"), "One's shop"), Owner(make_role("two"), "two"))
    reader = make_role("reader")
    for database in temporary_database(server, "template1"):
        installer = database.url if request.param == "superuser" else owners[0].role.url(database)
        with database.connect() as admin, ExitStack() as stack:
            admin.execute(f'alter database "{database.name}" owner to "{owners[0].role.name}"'.encode())
            former = stack.enter_context(installed_by(code, database.url, installer))
            prepare(admin, owners, reader)
            for owner in owners:
                with owner.session(database) as connection:
                    connection.execute(read("former_owner"))
            former.start_worker()
            for owner in owners:
                finish(database, owner)
            admin.execute(read("former_aged"))
            yield Upgraded(database, installer, owners, reader, former)


def prepare(admin: Connection, owners: tuple[Owner, Owner], reader: Role) -> None:
    """A second model, pictures, and rights: the plain user may read all tables."""
    admin.execute(ADD_MODEL)
    admin.execute("create table public.pictures (no integer primary key, photo bytea)")
    for no in range(1, 13):
        admin.execute("insert into public.pictures values (%s, %s)", [no, picture(no)])
    admin.execute("grant select on public.pictures to public")
    for role in (owners[0].role, owners[1].role, reader):
        admin.execute(f'grant mmdb_user to "{role.name}"'.encode())
    for owner in owners:
        names = {"schema": sql.Identifier(owner.schema), "owner": sql.Identifier(owner.role.name)}
        admin.execute(
            sql.SQL(
                "create schema {schema} authorization {owner}; grant usage on schema {schema} to {reader};"
                "alter default privileges for role {owner} in schema {schema} grant select on tables to {reader}"
            ).format(**names, reader=sql.Identifier(reader.name))
        )


def finish(database: Database, owner: Owner) -> None:
    """What needs vectors: a model that is switched, a query that is tuned. One picture is none and has failed."""
    with owner.session(database) as connection:
        connection.execute("select mmdb.change_model('switched', 'txt', 'wide')")
        until(lambda: bool(one(connection, "select sum(pending) = 0 from mmdb.status")))
        connection.execute("select mmdb.switch_model('switched', 'txt')")
        connection.execute(TUNE.encode())


def picture(no: int) -> bytes:
    """A PNG of its own for each number."""
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (no, 20 * no, 255 - no)).save(stream, "PNG")
    return stream.getvalue()


def read(name: str) -> bytes:
    return (FOLDER / f"{name}.sql").read_bytes()


def searches() -> list[str]:
    """The statements of former_searches.sql, each of which ends a line with a semicolon."""
    lines = [line for line in read("former_searches").decode().splitlines() if not line.startswith("--")]
    return [statement.strip() for statement in "\n".join(lines).split(";\n") if statement.strip(" ;\n")]


def ask(connection: Connection) -> Answers:
    return {statement: [rounded(row) for row in connection.execute(statement.encode())] for statement in searches()}


def rounded(value: Any) -> Any:
    """To six digits, so that a sum may be taken in another order."""
    match value:
        case float() | Decimal():
            return round(float(value), 6)
        case tuple() | list():
            return [rounded(one) for one in value]
        case dict():
            return {key: rounded(one) for key, one in value.items()}
    return value


def differences(before: dict[tuple[str, str], Answers], now: dict[tuple[str, str], Answers]) -> list[str]:
    """The searches that no longer say the same, with both answers."""
    return [
        f"{role} in {schema}: {statement}\n  before: {answer}\n  now:    {now[schema, role][statement]}"
        for (schema, role), answers in before.items()
        for statement, answer in answers.items()
        if answer != now[schema, role][statement]
    ]


class Visitor:
    """A plain user who asks all there is to ask, over and over, until told to leave."""

    def __init__(self, upgraded: Upgraded) -> None:
        self.upgraded = upgraded
        self.asked = 0
        self.errors: list[str] = []
        self.leaving = threading.Event()

    def visit(self) -> None:
        with ExitStack() as stack:
            sessions = [
                stack.enter_context(owner.session(self.upgraded.database, self.upgraded.reader))
                for owner in self.upgraded.owners
            ]
            while not self.leaving.is_set():
                for connection in sessions:
                    self.ask(connection)

    def ask(self, connection: Connection) -> None:
        for statement in searches():
            try:
                connection.execute(statement.encode()).fetchall()
            except psycopg.Error as error:
                self.errors.append(f"{statement}: {error}")
            self.asked += 1

    def go_round(self) -> None:
        """Return once everything was asked again, of both owners' tables."""
        goal = self.asked + 1 + 2 * len(searches())
        until(lambda: self.asked >= goal, 120)


@contextmanager
def visitor(upgraded: Upgraded) -> Iterator[Visitor]:
    """A plain user at work in a thread of this process; in the end no search may have failed."""
    visiting = Visitor(upgraded)
    thread = threading.Thread(target=visiting.visit)
    thread.start()
    try:
        visiting.go_round()
        yield visiting
        visiting.go_round()
    finally:
        visiting.leaving.set()
        thread.join()
    assert visiting.errors == []


def drifts(upgraded: Upgraded) -> dict[tuple[str, str], set[str | None]]:
    """Schema and table -> what mmdb.status says of its embeddings."""
    with upgraded.database.connect() as admin:
        rows = admin.execute(
            "select c.relnamespace::regnamespace::text, s.relation::text, array_agg(distinct s.drift) "
            "from mmdb.status s join pg_class c on c.oid = s.relation group by 1, 2"
        ).fetchall()
    return {(schema.strip('"'), relation): set(drift) for schema, relation, drift in rows}


def test_every_search_answers_before_during_and_after_an_upgrade(
    upgraded: Upgraded, server: Server, database: Database
) -> None:
    before = upgraded.answers()
    with visitor(upgraded):
        warnings = install(upgraded.installer).warnings
        upgraded.former.stop()
        with background(upgraded.database.url, options=WORKER):
            assert differences(before, upgraded.answers()) == []
            check_drift(upgraded, warnings)
            for owner in upgraded.owners:
                check_worker(upgraded.database, owner)
            refresh(upgraded)
            assert differences(before, upgraded.answers()) == []
        assert set().union(*drifts(upgraded).values()) == {None}
    if upgraded.by_superuser:
        install(upgraded.installer)  # who was in the middle of a former function has left
        fresh = dump_schema(server, database.url)
        assert dump_schema(server, upgraded.database.url) == fresh, "an upgraded schema is that of a fresh install"


def check_drift(upgraded: Upgraded, warnings: list[str]) -> None:
    """What the installer may not mend is named by the install and by mmdb.status, each time with the remedy."""
    said = drifts(upgraded)
    second = upgraded.owners[1].schema
    left = {(schema, relation) for schema, relation in said if schema == second and not upgraded.by_superuser}
    for place, drifted in said.items():
        remedy = f": select mmdb.refresh('{place[1]}')"
        assert {drift and drift.endswith(remedy) for drift in drifted} == ({True} if place in left else {None})
    assert {warning.partition(" (")[0] for warning in warnings if STAYS not in warning} == {
        f"the functions of {relation} are out of date until: select mmdb.refresh('{relation}')" for _, relation in left
    }


def check_worker(database: Database, owner: Owner) -> None:
    """The new worker serves both owners, also the one whose functions are still those of the former commit."""
    nearest = "select id, distance from fresh_top_by_txt(%s, 1)"
    with owner.session(database) as connection:
        connection.execute("insert into fresh values (5, 'a new row')")
        connection.execute("update fresh set txt = 'a changed row' where id = 1")
        connection.execute("select mmdb.wait_until_embedded('fresh')")
        assert one(connection, nearest, "a new row") == (5, pytest.approx(0, abs=1e-3))
        assert one(connection, nearest, "a changed row") == (1, pytest.approx(0, abs=1e-3))
        assert one(connection, "select count(*) from fresh where txt_stale") == 0


def refresh(upgraded: Upgraded) -> None:
    """What mmdb.status asks the owners for."""
    for owner in upgraded.owners:
        with owner.session(upgraded.database) as connection:
            for table in TABLES:
                connection.execute("select mmdb.refresh(%s::text::regclass)", [f'"{table}"'])
