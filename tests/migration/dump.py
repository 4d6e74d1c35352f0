"""pg_dump of the test server, and the committed dump of a fresh install: `python -m tests.migration.dump` writes it.

The dump is what reviewers read when tables or functions change, so what depends on the server's version, on the
owner or on chance is left out.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from mmdb.install import install
from mmdb.server import embedded
from mmdb.server.layout import Layout, server_environment
from tests.conftest import Server

SCHEMA = Path(__file__).with_name("schema.sql")
HEADER = "-- Schema mmdb of a fresh install, written by `make schema`. Do not edit: change sql/ or migrations/.\n\n"
NOISE = re.compile(r"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*|)$")


def run_program(server: Server, program: str, *arguments: str, stdin: str | None = None) -> str:
    """The output of one of PostgreSQL's own programs: the embedded server's, or for another server that of the PATH."""
    path, environment = Path(program), None
    if isinstance(server, embedded.ServerInfo):
        layout = Layout(server.home)
        (installation,) = layout.installations.glob("*/")
        path, environment = installation / "bin" / program, server_environment(layout, installation)
    answer = subprocess.run(
        [path, *arguments],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def dump(server: Server, url: str, *options: str) -> str:
    """The database's schema as SQL, without what differs from one dump to the next."""
    text = run_program(server, "pg_dump", "--schema-only", *options, url)
    lines = [line for line in text.splitlines() if not NOISE.match(line)]
    return re.sub(r"mmdb_loopback_\d+", "mmdb_loopback", "\n".join(lines)) + "\n"


def dump_schema(server: Server, url: str) -> str:
    """Schema mmdb, as it is committed."""
    return HEADER + dump(server, url, "--schema=mmdb", "--no-owner")


def main() -> None:
    """Write schema.sql from a fresh install in a server that lives for this only."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)
        try:
            server = embedded.start(home)
            install(server.url)
            SCHEMA.write_text(dump_schema(server, server.url), "utf-8")
        finally:
            embedded.stop(home)


if __name__ == "__main__":
    main()
