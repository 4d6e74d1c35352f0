"""The embedded PostgreSQL as its users meet it: started, stopped, crashed, crowded, and in odd places.

Each test has a home of its own; the programs are not unpacked anew but linked from the run's server. The one
test that unpacks is the ordinary user's.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from mmdb.errors import EmbeddedError
from mmdb.server import embedded, machine
from mmdb.server.embedded import ServerInfo
from mmdb.server.machine import until
from tests.conftest import needs_embedded, open_folder

pytestmark = needs_embedded
NOBODY = 65534
ROOT = os.geteuid() == 0


class MakeHome(Protocol):
    """The `make_home` fixture: a home has a cluster already unless it is to be fresh."""

    def __call__(self, name: str = "home", *, fresh: bool = False) -> Path: ...


@pytest.fixture(scope="module")
def prepared(server: ServerInfo) -> Iterator[Path]:
    """A home in which a server ran once: making a cluster takes 2 s and copying it 0.1 s."""
    with open_folder() as folder:
        (folder / "postgres/installation").mkdir(parents=True)
        for installation in (server.home / "postgres/installation").iterdir():
            (folder / "postgres/installation" / installation.name).symlink_to(installation)
        embedded.start(folder)
        embedded.stop(folder)
        yield folder


@pytest.fixture
def make_home(prepared: Path) -> Iterator[MakeHome]:
    """A function that makes an MMDB_HOME, in which nothing runs any more when the test is over."""
    homes: list[Path] = []
    with open_folder() as folder:

        def make(name: str = "home", *, fresh: bool = False) -> Path:
            home = folder / name
            home.mkdir(parents=True)
            subprocess.run(["cp", "-Rp", f"{prepared}/postgres", f"{home}/postgres"], check=True)
            if fresh:
                shutil.rmtree(home / "postgres/data")
                for name_kept in ("password", "port"):
                    (home / "postgres" / name_kept).unlink()
            else:
                (home / "postgres/port").unlink()  # or tests side by side would take it from each other
            homes.append(home)
            return home

        yield make
        for home in homes:
            embedded.stop(home)


@pytest.fixture
def home(make_home: MakeHome) -> Path:
    return make_home()


@pytest.fixture
def fresh_home(make_home: MakeHome) -> Path:
    return make_home(fresh=True)


def connect(info: ServerInfo) -> psycopg.Connection[Any]:
    return psycopg.connect(info.url, autocommit=True)


def setting(info: ServerInfo, name: str) -> str:
    with connect(info) as connection:
        row = connection.execute("select current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def server_processes(info: ServerInfo) -> list[int]:
    with connect(info) as connection:
        rows = connection.execute("select pid from pg_stat_activity where pid <> pg_backend_pid()").fetchall()
    assert info.pid is not None
    return [info.pid, *(pid for (pid,) in rows)]


def kill(info: ServerInfo, pids: list[int]) -> None:
    """Kill processes, the postmaster among them, and wait until it is seen to be dead."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert until(lambda: not embedded.status(info.home).running, 10)


def insert_numbers(info: ServerInfo) -> int:
    """Commit row after row until the server is killed below us; how many commits were acknowledged."""
    committed = 0
    with contextlib.suppress(psycopg.OperationalError), connect(info) as connection:
        connection.execute("create table numbers (n integer)")
        while committed < 500:
            connection.execute("insert into numbers values (%s)", [committed])
            committed += 1
            if committed == 200:
                kill(info, server_processes(info))
    return committed


def count_numbers(info: ServerInfo) -> int:
    with connect(info) as connection:
        row = connection.execute("select count(*) from numbers").fetchone()
    assert row is not None
    return int(row[0])


def test_start_status_stop(fresh_home: Path) -> None:
    before = embedded.status(fresh_home)
    assert (before.running, before.pid, before.password) == (False, None, None)

    started = embedded.start(fresh_home)
    assert embedded.status(fresh_home) == started
    assert embedded.start(fresh_home) == started
    assert started.running
    assert setting(started, "search_path")
    assert started.url.endswith("/mmdb")

    assert embedded.stop(fresh_home)
    assert not embedded.stop(fresh_home)
    after = embedded.status(fresh_home)
    assert (after.running, after.pid, after.port) == (False, None, started.port)

    again = embedded.start(fresh_home)
    assert (again.url, again.pid != started.pid) == (started.url, True)


def test_url_before_the_first_start_says_what_to_do(fresh_home: Path) -> None:
    with pytest.raises(EmbeddedError, match="no server was ever started") as caught:
        embedded.status(fresh_home).url_for("postgres")
    assert "mmdb up" in str(caught.value)
    assert not embedded.stop(fresh_home)
    assert not embedded.stop(fresh_home / "nowhere")


def test_commits_reach_the_disk(home: Path) -> None:
    info = embedded.start(home)
    assert [setting(info, name) for name in ("fsync", "synchronous_commit", "full_page_writes")] == ["on"] * 3


def test_memory_settings_are_in_effect(home: Path) -> None:
    from mmdb.server.settings import fitting_settings

    expected = fitting_settings()
    info = embedded.start(home)
    with connect(info) as connection:
        for name in ("shared_buffers", "maintenance_work_mem"):
            row = connection.execute(
                "select pg_size_bytes(current_setting(%s)) = pg_size_bytes(%s)", [name, expected[name]]
            ).fetchone()
            assert row == (True,), name


def test_settings_of_the_caller_win_for_one_start(home: Path) -> None:
    assert setting(embedded.start(home, settings={"work_mem": "17MB"}), "work_mem") == "17MB"
    embedded.stop(home)
    assert setting(embedded.start(home), "work_mem") == "4MB"


def test_password_is_private_and_needed(fresh_home: Path) -> None:
    info = embedded.start(fresh_home)
    file = fresh_home / "postgres/password"
    assert file.stat().st_mode & 0o777 == 0o600
    assert info.password == file.read_text().strip()
    assert len(info.password) > 40
    assert info.password not in repr(info)
    for password in ("wrong", ""):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(info.url, password=password)
    with connect(info) as connection:
        methods = connection.execute("select distinct auth_method from pg_hba_file_rules").fetchall()
    assert methods == [("scram-sha-256",)]


def test_listens_on_this_machine_only(home: Path) -> None:
    info = embedded.start(home)
    assert setting(info, "listen_addresses") == "127.0.0.1"
    assert info.socket_directory == home / "postgres/run"
    assert info.socket_directory.stat().st_mode & 0o777 == 0o700
    with connect(info) as connection:
        connection.execute("alter system set listen_addresses = '*'")
    embedded.stop(home)
    assert setting(embedded.start(home), "listen_addresses") == "127.0.0.1"


def test_socket_takes_the_password_too(home: Path) -> None:
    info = embedded.start(home)
    with psycopg.connect(info.url, host=str(info.socket_directory)) as connection:
        assert connection.execute("select inet_server_addr()").fetchone() == (None,)


@pytest.mark.parametrize("name", ["with blanks", "ünï cödé 猫", 'it\'s, "quoted" $HOME `x` \\ %s'])
def test_odd_paths(make_home: MakeHome, name: str) -> None:
    home = make_home(name, fresh=True)
    info = embedded.start(home)
    assert setting(info, "data_directory") == str(home / "postgres/data")
    if info.socket_directory is not None:
        with psycopg.connect(info.url, host=str(info.socket_directory)) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    assert embedded.stop(home)


def test_long_path_goes_without_a_socket(make_home: MakeHome) -> None:
    home = make_home("/".join(["long" * 20] * 3), fresh=True)
    info = embedded.start(home)
    assert info.socket_directory is None
    assert setting(info, "unix_socket_directories") == ""


def test_starts_at_once_make_one_server(fresh_home: Path) -> None:
    script = "import sys, pathlib, mmdb.server.embedded as e; print(e.start(pathlib.Path(sys.argv[1])).pid)"
    starts = [
        subprocess.Popen([sys.executable, "-c", script, str(fresh_home)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    pids = {start.communicate(timeout=120)[0].strip() for start in starts}
    assert [start.returncode for start in starts] == [0] * 4
    assert pids == {str(embedded.status(fresh_home).pid)}


def test_server_outlives_its_starter_and_holds_no_descriptor_of_it(home: Path) -> None:
    script = "import sys, pathlib, mmdb.server.embedded as e; e.start(pathlib.Path(sys.argv[1]))"
    # Returns only when the pipe is closed: a server that had inherited it would keep it open.
    subprocess.run([sys.executable, "-c", script, str(home)], stdout=subprocess.PIPE, check=True, timeout=60)
    assert embedded.status(home).running


def test_killed_server_loses_no_committed_row(home: Path) -> None:
    info = embedded.start(home)
    committed = insert_numbers(info)
    assert 200 <= committed < 500
    assert not embedded.status(home).running
    # The row whose commit was under way when the server died may be there or not.
    assert count_numbers(embedded.start(home)) in (committed, committed + 1)


def test_killed_postmaster_with_busy_backends(home: Path) -> None:
    info = embedded.start(home)
    with connect(info) as busy:
        busy.execute("create table numbers as select 1 as n")
        assert info.pid is not None
        kill(info, [info.pid])
        again = embedded.start(home)
    assert again.pid != info.pid
    assert count_numbers(again) == 1


def test_stop_after_a_crash_finds_nothing(home: Path) -> None:
    info = embedded.start(home)
    kill(info, server_processes(info))
    assert not embedded.stop(home)


@pytest.mark.parametrize("content", ["recycled", "empty"])
def test_stale_pid_file(home: Path, content: str) -> None:
    info = embedded.start(home)
    pid_file = info.data / "postmaster.pid"
    lines = pid_file.read_text()
    kill(info, server_processes(info))
    with subprocess.Popen(["sleep", "300"]) as other:
        first = f"{other.pid}\n"
        pid_file.write_text(first + lines.partition("\n")[2] if content == "recycled" else "")
        try:
            assert not embedded.status(home).running
            assert embedded.start(home).pid != other.pid
            assert other.poll() is None
        finally:
            other.kill()


def test_taken_port_is_left_alone(home: Path) -> None:
    port = embedded.start(home).port
    embedded.stop(home)
    with socket.create_server(("127.0.0.1", int(port or 0))):
        info = embedded.start(home)
    assert info.port != port
    assert embedded.status(home).port == info.port


def test_port_taken_at_the_last_moment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmdb.server import layout

    choose = layout.choose_port
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [taken.getsockname()[1], taken.getsockname()[1]]
        monkeypatch.setattr(layout, "choose_port", lambda layout: ports.pop() if ports else choose(layout))
        assert embedded.start(home).port != taken.getsockname()[1]
    assert ports == []


def test_interrupted_first_start_is_taken_up_again(fresh_home: Path) -> None:
    base = fresh_home / "postgres"
    for left in ("data.new/half", "data", "installation/.unpacking-1/half"):
        (base / left).mkdir(parents=True)
    (base / "password").write_text("kept-from-the-first-try\n")
    (base / "password").chmod(0o600)
    info = embedded.start(fresh_home)
    assert info.password == "kept-from-the-first-try"
    assert setting(info, "server_version")
    assert not (base / "data.new").exists()
    assert not (base / "installation/.unpacking-1").exists()


def test_no_second_cluster_over_foreign_files(fresh_home: Path) -> None:
    (fresh_home / "postgres/data").mkdir()
    (fresh_home / "postgres/data/thesis.tex").write_text("years of work")
    if ROOT:
        (fresh_home / "postgres/data").chmod(0o755)
    with pytest.raises(EmbeddedError, match="not a database cluster"):
        embedded.start(fresh_home)
    assert (fresh_home / "postgres/data/thesis.tex").read_text() == "years of work"


def test_cluster_of_another_major_version_is_refused(home: Path) -> None:
    info = embedded.start(home)
    embedded.stop(home)
    (info.data / "PG_VERSION").write_text("14\n")
    with pytest.raises(EmbeddedError, match="made by PostgreSQL 14") as caught:
        embedded.start(home)
    assert "pg_dumpall" in str(caught.value)


def test_lost_password_file(home: Path) -> None:
    info = embedded.start(home)
    embedded.stop(home)
    (home / "postgres/password").unlink()
    with pytest.raises(EmbeddedError, match="password file"):
        embedded.start(home)
    assert not embedded.status(info.home).running


def test_failed_start_shows_the_log(home: Path) -> None:
    with pytest.raises(EmbeddedError, match="work_mem") as caught:
        embedded.start(home, settings={"work_mem": "a lot"})
    assert "server.log" in str(caught.value)
    assert not embedded.status(home).running


def test_environment_does_not_leak_into_the_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = secrets.token_hex(8)
    monkeypatch.setenv("OPENAI_API_KEY", secret)
    monkeypatch.setenv("PGPASSWORD", secret)
    pid = embedded.start(home).pid
    if not machine.LINUX:
        pytest.skip("a process's environment is seen through /proc")
    if ROOT:
        assert secret.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    with connect(embedded.status(home)) as connection:
        environ = connection.execute("select pg_read_binary_file('/proc/self/environ', 0, 100000)").fetchone()
    assert environ is not None
    assert secret.encode() not in bytes(environ[0])


# Everything is imported while still root: the interpreter may lie where nobody may look.
AS_NOBODY = """
import os, sys
from pathlib import Path
import encodings.idna, psycopg
from mmdb import errors
from mmdb.server import embedded, layout
os.setgroups([]); os.setgid(65534); os.setuid(65534)
"""


def run_as_nobody(script: str, *arguments: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-c", AS_NOBODY + textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


@pytest.mark.skipif(not ROOT, reason="the whole suite runs as an ordinary user")
def test_ordinary_user_unpacks_starts_and_stops() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        said = run_as_nobody(
            """
            home = Path(sys.argv[1]) / "home"
            info = embedded.start(home)
            try:
                row = psycopg.connect(info.url).execute("select current_setting('fsync')").fetchone()
                owner = os.stat(info.data).st_uid
            finally:
                stopped = embedded.stop(home)
            print(row[0], owner, stopped)
            """,
            folder,
        )
    assert said == f"on {NOBODY} True"


@pytest.mark.skipif(not ROOT, reason="needs a second user")
def test_another_users_server_is_refused(home: Path) -> None:
    embedded.start(home)
    said = run_as_nobody(
        """
        for call in (embedded.start, embedded.stop, embedded.status):
            try:
                call(Path(sys.argv[1]))
            except errors.EmbeddedError as error:
                print(error)
        """,
        str(home),
    )
    assert said.count("MMDB_HOME") == 3, said


@pytest.mark.skipif(not ROOT, reason="only root changes users")
def test_root_runs_the_server_as_somebody_else(home: Path) -> None:
    info = embedded.start(home)
    assert info.data.stat().st_uid != 0
    assert Path(f"/proc/{info.pid}").stat().st_uid == info.data.stat().st_uid


@pytest.mark.skipif(not ROOT, reason="only root changes users")
def test_roots_closed_folder_is_refused(make_home: MakeHome) -> None:
    home = make_home("closed/inside")
    home.parent.chmod(0o700)
    with pytest.raises(EmbeddedError, match="cannot enter"):
        embedded.start(home)
