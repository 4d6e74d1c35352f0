"""`mmdb init` and `mmdb uninstall`: fresh, again, at once, refused, without being superuser, restored and cloned."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import sql

from mmdb.errors import DatabaseError, InstallError
from mmdb.install import Loopback, Report, Roles, install, repoint, script, uninstall
from mmdb.install import functions as functions_module
from mmdb.install import init as install_module
from mmdb.install.unchanged import unchanged
from mmdb.worker import background, work
from tests.conftest import Database, MakeRole, Role, Server, newest_revision, temporary_database
from tests.db.conftest import ONCE, QUICK, check_rows
from tests.migration.dump import dump, dump_schema, run_program

PASSWORD = "hunter2"


@pytest.fixture
def roles(server: Server) -> Iterator[Roles]:
    """Group roles of the test's own: they belong to the whole server. Asked for first, they go last."""
    tail = secrets.token_hex(4)
    made = Roles(user=f"user {tail}", worker=f"worker {tail}")
    yield made
    with psycopg.connect(server.url, autocommit=True) as connection:
        for name in (made.user, made.worker):
            connection.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(name)))


def value(database: Database, query: str, *values: object) -> Any:
    with database.connect() as connection:
        row = connection.execute(query.encode(), values or None).fetchone()
    return row[0] if row else None


def run(database: Database, *statements: str) -> None:
    with database.connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())


def owned_by(database: Database, role: Role) -> None:
    run(database, f'alter database "{database.name}" owner to "{role.name}"')


def extensions(database: Database) -> None:
    run(database, *(f"create extension {name}" for name in install_module.EXTENSIONS))


def asks(database: Database, role: Role | None = None) -> str:
    """What mmdb.embed says where no worker runs: the loopback works if it is that no worker runs."""
    connection = role.connect(database) if role else database.connect()
    with connection, pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as caught:
        connection.execute("select mmdb.embed('cat', 'hash')")
    return f"{caught.value.diag.message_primary} ({caught.value.diag.message_hint})"


def iterative_scan(database: Database) -> str | None:
    """What the database sets for each session; None where it sets nothing."""
    found = value(
        database,
        "select split_part(c, '=', 2) from pg_database d, pg_db_role_setting s, unnest(s.setconfig) c "
        "where d.datname = current_database() and s.setdatabase = d.oid and starts_with(c, 'hnsw.iterative_scan=')",
    )
    return None if found is None else str(found)


def products(database: Database) -> None:
    """A table with an embedding that has its vectors; no worker is needed for the tests here."""
    run(
        database,
        "create table products (id integer primary key, gone text, title text)",
        "insert into products select g, 'gone', 'title ' || g from generate_series(1, 20) g",
        "alter table products drop column gone",
        "select mmdb.add_embedding('products', 'title', model => 'hash')",
        "update products set title_embedding = array_fill(id, array[m.dimensions])::halfvec "
        "from mmdb.models m where m.name = 'hash'",
    )


def nearest(database: Database) -> list[int]:
    with database.connect() as connection:
        rows = connection.execute(
            "select id from products_by_title((select title_embedding from products where id = 7)) "
            "order by distance, id limit 3"
        ).fetchall()
    return [row[0] for row in rows]


def state(server: Server, database: Database) -> tuple[str, str]:
    """The schema, and what the catalogue of foreign servers holds: the loopback with its password."""
    mapping = value(database, "select string_agg(m::text, ' ') from pg_user_mappings m")
    return dump_schema(server, database.url), mapping


def test_an_operator_of_a_stranger_is_not_taken(empty_database: Database) -> None:
    """Views bind operators when they are made, and one in public that fits better than PostgreSQL's own would win."""
    run(
        empty_database,
        "create function public.fits(oid, regclass) returns boolean language sql immutable as 'select $1 = $2::oid'",
        "create operator public.= (leftarg = oid, rightarg = regclass, function = public.fits)",
    )
    install(empty_database.url)
    found = "select count(*) from pg_depend where refclassid = 'pg_operator'::regclass and refobjid = %s::regoperator"
    assert value(empty_database, found, "public.=(oid,regclass)") == 0
    assert value(empty_database, "select current_setting('search_path')") == '"$user", public'


def test_fresh(empty_database: Database) -> None:
    report = install(empty_database.url)
    assert report == Report(version=report.version, revision=newest_revision(), warnings=[])
    assert iterative_scan(empty_database) == "strict_order"
    assert value(empty_database, "select count(*) from mmdb.status") == 0
    assert value(empty_database, "select array_agg(name order by name) from mmdb.models") == ["hash", "lite"]
    assert asks(empty_database).startswith('no worker is running for model "hash"')


def test_second_install_changes_nothing(server: Server, empty_database: Database) -> None:
    first = install(empty_database.url)
    before = state(server, empty_database)
    assert install(empty_database.url) == first
    assert state(server, empty_database) == before


def test_an_install_with_nothing_to_do_begins_no_transaction_of_its_own(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = install(empty_database.url)

    def begun(_url: str | None) -> None:
        raise AssertionError("an install began")

    monkeypatch.setattr(install_module, "transaction", begun)
    assert install(empty_database.url) == first


def test_an_install_with_nothing_to_do_imports_no_migrations(empty_database: Database) -> None:
    install(empty_database.url)
    script = (
        "import sys, mmdb.install; mmdb.install.install(sys.argv[1]); print({'alembic', 'sqlalchemy'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, empty_database.url], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


DAMAGES = [
    "drop function mmdb.doctor()",
    "create function mmdb.of_old() returns void language sql as ''",
    "alter function mmdb.doctor() reset search_path",
    "alter function mmdb.doctor() security invoker",
    "grant execute on function mmdb.sweep() to public",
    "revoke execute on function mmdb.doctor() from mmdb_user",
    "revoke usage on schema mmdb from mmdb_user",
    "revoke select on mmdb.status from mmdb_user",
    "grant select on mmdb.leases to public",
    "drop view mmdb.failures",
    "create or replace function mmdb.worker_lock_class() returns integer language sql immutable as 'select 1'",
    "delete from mmdb.models where name = 'lite'",
    "update mmdb.models set options = '{}', backend = 'hash' where name = 'lite'",
    "alter database {database} reset hnsw.iterative_scan",
    "drop server mmdb_loopback cascade",
    "drop user mapping for current_user server mmdb_loopback",
    "delete from mmdb.settings where name = 'loopback_role'",
    "update mmdb.settings set value = 'nobody' where name = 'loopback_role'",
]


def standing(server: Server, database: Database) -> tuple[list[str], Any, str | None]:
    """All that an install makes, whatever the order in which rights were granted."""
    models = "select array_agg(to_jsonb(m) - 'created_at' order by name) from mmdb.models m"
    schema = dump_schema(server, database.url)
    return sorted(schema.splitlines()), value(database, models), iterative_scan(database)


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_was_damaged_is_mended(server: Server, empty_database: Database, damage: str) -> None:
    """An install that finds nothing to do must have looked at it."""
    install(empty_database.url)
    before = standing(server, empty_database)
    assert install(empty_database.url).warnings == []
    run(empty_database, damage.replace("{database}", empty_database.name))
    assert install(empty_database.url).warnings == []
    assert standing(server, empty_database) == before
    assert asks(empty_database).startswith("no worker")


def test_an_install_of_another_mmdb_has_something_to_do(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(empty_database.url)
    assert unchanged(empty_database.url) is not None
    monkeypatch.setattr("mmdb.install.unchanged.__version__", "another")
    assert unchanged(empty_database.url) is None


@pytest.mark.soak
def test_twenty_at_once(roles: Roles, server: Server, empty_database: Database) -> None:
    with ThreadPoolExecutor(20) as pool:
        reports = list(pool.map(lambda _: install(empty_database.url, roles), range(20)))
    assert reports == [reports[0]] * 20
    assert reports[0].warnings == []
    assert asks(empty_database).startswith("no worker")
    before = state(server, empty_database)
    install(empty_database.url)
    assert state(server, empty_database) == before


def test_several_databases_at_once(roles: Roles, server: Server, make_role: MakeRole) -> None:
    """They share the roles, which no lock of one database guards."""
    made = [temporary_database(server, "template1") for _ in range(4)]
    databases = [next(database) for database in made]
    try:
        with ThreadPoolExecutor(4) as pool:
            reports = list(pool.map(lambda database: install(database.url, roles), databases))
        assert [report.warnings for report in reports] == [[]] * 4
    finally:
        for database in databases:
            uninstall(database.url)
        for generator in made:
            next(generator, None)


def test_functions_that_are_no_more_go(empty_database: Database) -> None:
    install(empty_database.url)
    run(empty_database, "create function mmdb.of_an_earlier_version() returns int language sql as 'select 1'")
    install(empty_database.url)
    assert value(empty_database, "select to_regproc('mmdb.of_an_earlier_version')") is None


def test_functions_that_are_no_more_stay_while_somebody_may_be_in_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions_module, "PATIENCE_SECONDS", 0.2)
    run(database, "create function mmdb.of_an_earlier_version() returns int language sql as 'select 1'")
    with database.connect() as visitor, visitor.transaction():
        visitor.execute("select mmdb.of_an_earlier_version()")
        [warning] = install(database.url).warnings
        assert warning == "1 functions of the former version stay, transactions ran on: run mmdb init again"
        assert value(database, "select mmdb.of_an_earlier_version()") == 1
    assert install(database.url).warnings == []
    assert value(database, "select to_regproc('mmdb.of_an_earlier_version')") is None


def test_functions_that_are_no_more_stay_where_something_depends_on_them(database: Database) -> None:
    run(
        database,
        "create function mmdb.of_an_earlier_version() returns int language sql as 'select 1'",
        "create view wall as select mmdb.of_an_earlier_version() as one",
    )
    [warning] = install(database.url).warnings
    assert warning.startswith("function mmdb.of_an_earlier_version() of the former version stays: ")
    run(database, "drop view wall")
    assert install(database.url).warnings == []


def test_extensions_in_a_schema_of_their_own(empty_database: Database) -> None:
    run(empty_database, 'create schema "Ext ensions"')
    run(empty_database, *(f'create extension {name} schema "Ext ensions"' for name in install_module.EXTENSIONS))
    assert install(empty_database.url).warnings == []
    assert asks(empty_database).startswith("no worker")


def test_newer_schema_is_refused(server: Server, empty_database: Database) -> None:
    install(empty_database.url)
    run(empty_database, "update mmdb.schema_version set version_num = '9999'")
    before = state(server, empty_database)
    with pytest.raises(InstallError, match='revision "9999", newer than this mmdb knows') as caught:
        install(empty_database.url)
    assert "upgrade mmdb" in str(caught.value)
    assert state(server, empty_database) == before


def test_a_schema_too_old_to_upgrade_is_refused(server: Server, empty_database: Database) -> None:
    install(empty_database.url)
    run(empty_database, "update mmdb.schema_version set version_num = '0009'")
    before = state(server, empty_database)
    with pytest.raises(InstallError, match=r'revision "0009", older than this mmdb can upgrade \("0010"\)') as caught:
        install(empty_database.url)
    assert "of mmdb at commit cfd95bb first" in str(caught.value)
    assert state(server, empty_database) == before


def test_foreign_schema_is_left_alone(empty_database: Database) -> None:
    run(empty_database, "create schema mmdb", "create table mmdb.movies as select 'Metropolis' as title")
    with pytest.raises(InstallError, match='in use for something else: it has "movies"'):
        install(empty_database.url)
    assert uninstall(empty_database.url) == ["mmdb was not installed in this database"]
    assert value(empty_database, "select title from mmdb.movies") == "Metropolis"


def test_missing_extension(empty_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install_module, "EXTENSIONS", ("vector", "no_such_extension"))
    with pytest.raises(InstallError, match='extension "no_such_extension" is missing') as caught:
        install(empty_database.url)
    assert "database administrator" in str(caught.value)
    assert value(empty_database, "select to_regnamespace('mmdb')") is None
    assert value(empty_database, "select count(*) from pg_extension where extname = 'vector'") == 0


def test_old_vector(empty_database: Database) -> None:
    extensions(empty_database)
    run(empty_database, "update pg_extension set extversion = '0.7.4' where extname = 'vector'")
    with pytest.raises(InstallError, match=r'at version "0\.7\.4", expected 0\.8') as caught:
        install(empty_database.url)
    assert "alter extension vector update" in str(caught.value)


def test_other_encodings_are_refused(server: Server) -> None:
    name = f"test_{secrets.token_hex(6)}"
    database = Database(name, server.url_for(name))
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(
            f"create database {name} template template0 encoding 'LATIN1' locale 'C' locale_provider libc".encode()
        )
        try:
            with pytest.raises(InstallError, match='encoding "LATIN1", expected UTF8'):
                install(database.url)
        finally:
            connection.execute(f"drop database {name}".encode())


def test_unreachable_database() -> None:
    for call in (install, uninstall, repoint):
        with pytest.raises(DatabaseError, match="refused") as caught:
            call(f"postgresql://me:{PASSWORD}@127.0.0.1:1/d")
        assert PASSWORD not in str(caught.value)
        assert "MMDB_DATABASE_URL" in str(caught.value)


def test_wrong_password(empty_database: Database, make_role: MakeRole) -> None:
    role = make_role()
    url = Role(role.name, PASSWORD).url(empty_database)
    with pytest.raises(DatabaseError, match="password authentication failed") as caught:
        install(url)
    assert PASSWORD not in str(caught.value)


def test_role_names_are_kept(roles: Roles, empty_database: Database) -> None:
    install(empty_database.url, roles)
    install(empty_database.url)
    assert value(empty_database, "select mmdb.setting('user_role')") == roles.user
    with pytest.raises(InstallError, match=f'worker_role is "{roles.worker}" in this database') as caught:
        install(empty_database.url, Roles(user=roles.user, worker="another"))
    assert "set_setting" in str(caught.value)
    uninstall(empty_database.url)


def test_model_in_use_with_another_identity_is_a_warning(database: Database) -> None:
    products(database)
    run(database, "alter table mmdb.models disable trigger user")
    run(database, "update mmdb.models set identity = 'of an earlier version' where name = 'hash'")
    (warning,) = install(database.url).warnings
    assert 'model "hash" is in use with identity "of an earlier version"' in warning


# A role that owns the database and is not superuser.


def test_plain_owner_is_told_what_is_missing(roles: Roles, empty_database: Database, make_role: MakeRole) -> None:
    owner = make_role()
    with pytest.raises(InstallError, match=r'extension "\w+" is missing') as caught:
        install(owner.url(empty_database), roles)
    assert "--print-script" in str(caught.value)
    owned_by(empty_database, owner)
    with pytest.raises(InstallError, match=r'extension "\w+" is missing') as caught:
        install(owner.url(empty_database), roles)
    assert "--print-script" in str(caught.value)
    extensions(empty_database)
    with pytest.raises(InstallError, match=f'role "{roles.user}" does not exist and cannot be created') as caught:
        install(owner.url(empty_database), roles)
    assert "--print-script" in str(caught.value)
    run(empty_database, f'create role "{roles.user}"', f'create role "{roles.worker}"')
    with pytest.raises(InstallError, match='role "mmdb_loopback_') as caught:
        install(owner.url(empty_database), roles)
    assert "--print-script" in str(caught.value)
    assert value(empty_database, "select to_regnamespace('mmdb')") is None


def test_plain_owner_after_the_script(
    roles: Roles, server: Server, empty_database: Database, make_role: MakeRole
) -> None:
    owner, reader = make_role("the Owner"), make_role()
    owned_by(empty_database, owner)
    run_program(server, "psql", "-qX", "-vON_ERROR_STOP=1", empty_database.url, stdin=script(roles))
    assert install(owner.url(empty_database), roles).warnings == []
    assert value(empty_database, "select nspowner::regrole::text from pg_namespace where nspname = 'mmdb'") == (
        f'"{owner.name}"'
    )
    assert asks(empty_database, owner).startswith('no worker is running for model "hash"')
    run(empty_database, f'grant "{roles.user}" to "{reader.name}"')
    assert asks(empty_database, reader).startswith('no worker is running for model "hash"')
    before = state(server, empty_database)
    assert install(owner.url(empty_database)).warnings == []
    assert state(server, empty_database) == before
    # What the administrator made is the administrator's to drop.
    left = uninstall(owner.url(empty_database))
    assert [line.partition(" stays")[0] for line in sorted(left)] == [
        f'role "{name}"' for name in sorted([loopback_role(empty_database), roles.user, roles.worker])
    ]
    assert value(empty_database, "select to_regnamespace('mmdb')") is None


def loopback_role(database: Database) -> str:
    return str(value(database, "select 'mmdb_loopback_' || oid from pg_database where datname = current_database()"))


def test_script_again_gives_a_new_password(
    roles: Roles, server: Server, empty_database: Database, make_role: MakeRole
) -> None:
    owner = make_role()
    text = script(roles, owner=owner.name)
    assert "password" in text
    run(empty_database, text, f'grant create on database "{empty_database.name}" to "{owner.name}"')
    warnings = install(owner.url(empty_database), roles).warnings
    assert warnings == [f'hnsw.iterative_scan is not set: role "{owner.name}" does not own the database']
    _, before = state(server, empty_database)
    run(empty_database, text)
    assert state(server, empty_database)[1] != before
    assert asks(empty_database, owner).startswith("no worker")


def test_script_takes_names_and_addresses(roles: Roles, empty_database: Database) -> None:
    odd = Roles(user=roles.user, worker=roles.worker)
    run(empty_database, script(odd, Loopback(host="db's.example", port="6543")))
    options = value(empty_database, "select srvoptions from pg_foreign_server where srvname = 'mmdb_loopback'")
    assert options == ["host=db's.example", "port=6543", f"dbname={empty_database.name}", "connect_timeout=5"]


def test_plain_owner_who_may_create_roles(
    roles: Roles, server: Server, empty_database: Database, make_role: MakeRole
) -> None:
    owner = make_role()
    owned_by(empty_database, owner)
    extensions(empty_database)
    run(empty_database, f'alter role "{owner.name}" createrole')
    with pytest.raises(InstallError, match="foreign-data wrapper dblink_fdw") as caught:
        install(owner.url(empty_database), roles)
    assert "--print-script" in str(caught.value)
    run(empty_database, f'grant usage on foreign data wrapper dblink_fdw to "{owner.name}"')
    assert install(owner.url(empty_database), roles).warnings == []
    assert asks(empty_database, owner).startswith("no worker")
    run(empty_database, f'revoke usage on foreign data wrapper dblink_fdw from "{owner.name}"')
    assert install(owner.url(empty_database), roles).warnings == []
    assert uninstall(owner.url(empty_database)) == []
    assert value(empty_database, "select count(*) from pg_roles where rolname = %s", roles.user) == 0


def test_superuser_repairs_a_plain_owners_install(
    roles: Roles, server: Server, empty_database: Database, make_role: MakeRole
) -> None:
    owner = make_role()
    owned_by(empty_database, owner)
    run(empty_database, script(roles))
    install(owner.url(empty_database), roles)
    before = state(server, empty_database)
    run(empty_database, "drop function mmdb.doctor()", "drop server mmdb_loopback cascade")
    assert install(empty_database.url).warnings == []
    assert state(server, empty_database)[0] == before[0]
    assert asks(empty_database, owner).startswith("no worker")
    strangers = "select count(*) from pg_proc where pronamespace = 'mmdb'::regnamespace and proowner <> %s::regrole"
    assert value(empty_database, strangers, f'"{owner.name}"') == 0


def test_another_role_is_told_whose_the_schema_is(database: Database, make_role: MakeRole) -> None:
    role = make_role()
    with pytest.raises(InstallError, match='schema "mmdb" belongs to role "postgres"'):
        install(role.url(database))


def test_who_may_not_create_a_schema_is_told_so(roles: Roles, empty_database: Database, make_role: MakeRole) -> None:
    role = make_role("Odd role")
    extensions(empty_database)
    with pytest.raises(InstallError, match=f'role "{role.name}" may not create a schema in database') as caught:
        install(role.url(empty_database), roles)
    assert "--print-script" in (caught.value.hint or "")
    run(empty_database, script(roles, owner=role.name))
    assert "does not own the database" in install(role.url(empty_database), roles).warnings[0]


def test_a_database_that_holds_no_text_is_refused(server: Server) -> None:
    name = f"bytes_{secrets.token_hex(4)}"
    made = "create database {} encoding sql_ascii template template0 locale 'C' locale_provider libc"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL(made).format(sql.Identifier(name)))
        try:
            with pytest.raises(InstallError, match='has encoding "SQL_ASCII", expected UTF8'):
                install(server.url_for(name))
        finally:
            connection.execute(sql.SQL("drop database {}").format(sql.Identifier(name)))


def test_a_database_that_is_read_only_by_default_is_refused(database: Database) -> None:
    """By whoever would write: init, the worker, a declaration. It may be so because the disk is full."""
    run(database, f"alter database {database.name} set default_transaction_read_only = on")
    with pytest.raises(InstallError, match="is read only by default") as caught:
        install(database.url)
    assert "default_transaction_read_only = off" in (caught.value.hint or "")
    with pytest.raises(DatabaseError, match="in a read-only transaction") as refused:
        work(database.url, options=ONCE)
    assert "default_transaction_read_only" in (refused.value.hint or "")


def test_queries_by_text_work_where_only_the_worker_may_write(database: Database, make_role: MakeRole) -> None:
    worker = make_role("worker")
    run(database, f"grant mmdb_worker to {worker.name}")
    run(database, f"alter role {worker.name} set default_transaction_read_only = off")
    run(database, f"alter database {database.name} set default_transaction_read_only = on")
    with background(worker.url(database), options=QUICK), database.connect() as connection:
        assert connection.execute("select mmdb.embed('cat', 'hash') is not null").fetchone() == (True,)


# The loopback.


def test_loopback_that_does_not_work_is_a_warning(empty_database: Database) -> None:
    (warning,) = install(empty_database.url, loopback=Loopback(port="1")).warnings
    assert warning.startswith("queries by text and image will fail: the loopback connection of mmdb cannot be opened")
    assert install(empty_database.url, loopback=Loopback(host="localhost")).warnings == []
    options = value(empty_database, "select srvoptions from pg_foreign_server where srvname = 'mmdb_loopback'")
    assert "host=localhost" in options


def test_a_database_that_not_everybody_may_connect_to(
    roles: Roles, server: Server, empty_database: Database, make_role: MakeRole
) -> None:
    """As hardening guides have it; before the install and after it, by the owner and by the administrator's script."""
    owner = make_role()
    owned_by(empty_database, owner)
    run(empty_database, f'revoke connect on database "{empty_database.name}" from public', script(roles))
    assert install(owner.url(empty_database), roles).warnings == []
    assert asks(empty_database, owner).startswith("no worker")
    shut_out = f'revoke connect on database "{empty_database.name}" from "{loopback_role(empty_database)}"'
    run(empty_database, shut_out)
    assert install(owner.url(empty_database), roles).warnings == []
    assert asks(empty_database, owner).startswith("no worker")
    run(empty_database, f'alter database "{empty_database.name}" owner to postgres', shut_out)
    run(empty_database, f'grant connect, create on database "{empty_database.name}" to "{owner.name}"')
    warnings = install(owner.url(empty_database), roles).warnings
    assert "is to grant it CONNECT" in warnings[0]
    assert "permission denied for database" in warnings[-1]
    assert "grant connect on database" in warnings[-1]
    assert install(empty_database.url, roles).warnings == []
    assert uninstall(empty_database.url) == []


def test_clone_must_not_post_to_the_original(server: Server, database: Database) -> None:
    products(database)
    for clone in temporary_database(server, "template1"):
        run(clone, "select 1")
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"drop database {clone.name}".encode())
            connection.execute(f"create database {clone.name} template {database.name}".encode())
        assert asks(clone) == (
            f'the loopback connection of mmdb leads to another server or database than "{clone.name}" '
            "(this database was cloned or moved: run `mmdb init` on it)"
        )
        assert iterative_scan(clone) is None
        assert install(clone.url).warnings == []
        assert asks(clone).startswith("no worker")
        assert iterative_scan(clone) == "strict_order"
        assert value(clone, "select drift from mmdb.status") is None
        assert nearest(clone) == [7, 1, 2] or len(nearest(clone)) == 3
        former = loopback_role(database)
        assert not value(clone, "select has_schema_privilege(%s, 'mmdb', 'usage')", former)


def test_dump_and_restore(server: Server, database: Database) -> None:
    products(database)
    expected = nearest(database)
    text = run_program(server, "pg_dump", database.url)
    for restored in temporary_database(server, "template0"):
        run_program(server, "psql", "-qX", "-vON_ERROR_STOP=1", restored.url, stdin=text)
        assert "was restored or copied" in value(restored, "select drift from mmdb.status")
        assert install(restored.url).warnings == []
        assert value(restored, "select drift from mmdb.status") is None
        assert value(restored, "select (rows, embedded, pending, failed)::text from mmdb.status") == "(20,20,0,0)"
        assert nearest(restored) == expected
        run(restored, "update products set title = 'new' where id = 7")
        assert value(restored, "select pending from mmdb.status") == 1
        assert asks(restored).startswith("no worker")


def test_restored_table_of_another_owner_is_a_warning(
    roles: Roles, server: Server, empty_database: Database, make_role: MakeRole
) -> None:
    owner = make_role()
    owned_by(empty_database, owner)
    run(empty_database, script(roles))
    install(owner.url(empty_database), roles)
    products(empty_database)
    run(empty_database, "update mmdb.embeddings set attached_to = 'elsewhere'")
    (warning,) = install(owner.url(empty_database)).warnings
    assert "the functions of products are out of date" in warning
    assert "must be owner of table public.products" in warning
    assert install(empty_database.url).warnings == []


# Uninstall.


def test_uninstall_leaves_the_tables(roles: Roles, server: Server, empty_database: Database) -> None:
    run(
        empty_database,
        "create schema shop",
        "create table shop.products (id integer primary key, title text, photo bytea)",
        "insert into shop.products values (1, 'one'), (2, 'two')",
        "create table shop.parts (id integer, part integer, title text, primary key (id, part)) partition by hash (id)",
        "create table shop.part_0 partition of shop.parts for values with (modulus 1, remainder 0)",
        "create table shop.dropped (id integer primary key, title text)",
        "create table shop.words (id integer primary key, title text, words tsvector)",
        "create index on shop.words using gin (words)",
    )
    extensions(empty_database)
    before = dump(server, empty_database.url)
    install(empty_database.url, roles)
    run(
        empty_database,
        "select mmdb.add_embedding('shop.products', 'title', model => 'hash')",
        "select mmdb.add_embedding('shop.products', 'photo', model => 'hash')",
        "select mmdb.add_embedding('shop.parts', 'title', model => 'hash')",
        "select mmdb.add_embedding('shop.dropped', 'title', model => 'hash')",
        "select mmdb.add_keywords('shop.parts', array['title'], 'english')",
        "select mmdb.add_keywords('shop.dropped', array['title'], 'english')",
        *(
            f"select mmdb.add_keywords('shop.products', array['title'], '{language}', name => '{language}')"
            for language in ("english", "chinese", "trigram")
        ),
        "select mmdb.add_keywords('shop.words', array['title'])",
        "select mmdb.add_keywords('shop.words', array['words'], name => 'stored')",
    )
    run(empty_database, "drop table shop.dropped")
    made = [loopback_role(empty_database), roles.user, roles.worker]
    assert value(empty_database, "select count(*) from pg_roles where rolname = any(%s)", made) == 3
    assert uninstall(empty_database.url) == []
    run(empty_database, "create table shop.dropped (id integer primary key, title text)")
    assert dump(server, empty_database.url) == before
    assert value(empty_database, "select count(*) from shop.products") == 2
    assert value(empty_database, "select count(*) from pg_roles where rolname = any(%s)", made) == 0
    assert iterative_scan(empty_database) is None
    assert uninstall(empty_database.url) == ["mmdb was not installed in this database"]
    assert install(empty_database.url, roles).warnings == []
    uninstall(empty_database.url)


@pytest.mark.parametrize(
    ("view", "named"),
    [
        (
            "select id, title_embedding from products",
            r'column "title_embedding" of table public\.products is to be dropped, and is read by view public\.wall',
        ),
        (
            "select id from products_by_title('red')",
            r"function public\.products_by_title\(text\) is .*, and is used by: view public\.wall",
        ),
        ("select name from mmdb.status", r"mmdb is used by view wall \("),
        ("select mmdb.embed('red')", r"mmdb is used by view wall \("),
    ],
)
def test_uninstall_names_a_view_that_is_in_its_way(empty_database: Database, view: str, named: str) -> None:
    install(empty_database.url)
    products(empty_database)
    run(empty_database, f"create view wall as {view}")
    with pytest.raises(InstallError, match=named) as caught:
        uninstall(empty_database.url)
    assert "drop" in (caught.value.hint or "")
    assert value(empty_database, "select count(*) from mmdb.embeddings") == 1
    run(empty_database, "drop view wall")
    uninstall(empty_database.url)


@pytest.mark.parametrize(
    ("made", "named"),
    [
        ("create policy ours on products using (mmdb.setting(title) is null)", "policy ours on table products"),
        (
            "alter table products alter title set default mmdb.setting('x')",
            "default value for column title of table products",
        ),
        (
            "alter table products add constraint known check (mmdb.setting(title) is null)",
            "constraint known on table products",
        ),
        (
            "create function ask(text) returns vector stable begin atomic select mmdb.embed($1); end",
            r"function ask\(text\)",
        ),
    ],
)
def test_uninstall_names_what_would_go_with_the_schema(empty_database: Database, made: str, named: str) -> None:
    """A policy that went in silence would open or close a table."""
    install(empty_database.url)
    products(empty_database)
    run(empty_database, made)
    with pytest.raises(InstallError, match=rf"mmdb is used by {named} \("):
        uninstall(empty_database.url)
    assert value(empty_database, "select count(*) from mmdb.embeddings") == 1


def test_uninstall_keeps_what_others_use(database: Database, template_db: str) -> None:
    left = uninstall(database.url)
    assert any('role "mmdb_user" stays' in line for line in left)


def test_uninstall_keeps_an_operators_setting(roles: Roles, empty_database: Database) -> None:
    extensions(empty_database)
    name = empty_database.name
    run(empty_database, "select '[1]'::vector", f"alter database {name} set hnsw.iterative_scan = 'relaxed_order'")
    install(empty_database.url, roles)
    uninstall(empty_database.url)
    assert iterative_scan(empty_database) == "relaxed_order"


def test_uninstall_by_who_does_not_own_a_table(
    roles: Roles, server: Server, empty_database: Database, make_role: MakeRole
) -> None:
    owner = make_role()
    owned_by(empty_database, owner)
    run(empty_database, script(roles))
    install(owner.url(empty_database), roles)
    products(empty_database)
    before = state(server, empty_database)
    with pytest.raises(InstallError, match=r"must be owner of table public\.products"):
        uninstall(owner.url(empty_database))
    assert state(server, empty_database) == before


OLDER = (
    "drop view mmdb.status, mmdb.failures",
    "drop function mmdb.count_rows_of",
    "create function mmdb.count_rows_of(id bigint) returns table (total bigint) language sql as 'select 1::bigint'",
    "create view mmdb.failures as select 1 as one",
    "create view mmdb.status as select n.total from mmdb.count_rows_of(1) n",
    "create function mmdb.of_old() returns void language sql as ''",
)
"""A function that returns something else, views upon it and with other columns, and one that is no more."""


def test_views_and_results_of_an_older_version_are_replaced(database: Database) -> None:
    seen = "select array[pg_get_viewdef(oid), relacl::text] from pg_class where oid = 'mmdb.status'::regclass"
    before = value(database, seen)
    run(database, *OLDER)
    install(database.url)
    assert value(database, seen) == before
    assert value(database, "select to_regproc('mmdb.of_old')") is None


def test_an_upgrade_names_the_view_that_is_in_its_way(database: Database) -> None:
    run(database, *OLDER, "create view public.wall as select total from mmdb.status")
    with pytest.raises(InstallError, match=r"view public.wall depends on view mmdb\.status") as caught:
        install(database.url)
    assert caught.value.hint == "drop those first, and make them again afterwards"


def test_an_install_of_the_same_version_leaves_views_upon_it(database: Database) -> None:
    run(database, "create view wall as select name from mmdb.status")
    install(database.url)
    assert value(database, "select count(*) from wall") == 0


@pytest.mark.parametrize("function", ["items_by_txt", "items_top_by_txt", "items_search", "items_like"])
def test_a_search_function_of_other_words_is_made_again(
    items: psycopg.Connection[Any], database: Database, function: str
) -> None:
    text = "select min(prosrc) from pg_proc where proname = %s"
    before = value(database, text, function)
    items.execute(
        "do $$ begin execute (select string_agg(replace(pg_get_functiondef(oid), E'\\n', E'\\n\\n'), ';') "
        f"from pg_proc where proname = '{function}'); end $$"
    )
    assert value(database, text, function) != before
    assert install(database.url).warnings == []
    assert value(database, text, function) == before


def test_functions_of_an_older_version_are_made_again(items: psycopg.Connection[Any], database: Database) -> None:
    """As an upgrade of mmdb would find them."""
    items.execute("drop function mmdb_pending_1")
    items.execute(
        "create or replace function mmdb_load_1(pass uuid, keys text[], max_bytes bigint) "
        "returns table (key text, state text, size bigint, content text, data bytea) "
        "language plpgsql security definer as $$ begin return; end $$"
    )
    assert install(database.url).warnings == []
    assert items.execute("select drift from mmdb.status").fetchone() == (None,)
    work(database.url, options=ONCE)
    check_rows(items)
