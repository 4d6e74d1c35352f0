"""Runs in a process of its own, on the code of a former commit (see former.py): installs mmdb, then works.

`python former_process.py ADMINISTRATOR_URL INSTALLER_URL`: two addresses of one database. It says "installed", waits
for a line on its standard input, says "ready" once the worker is registered, and works until the input is closed.
"""

import sys

import psycopg

from mmdb.install import install, script
from mmdb.worker import WorkerOptions, background


def main(administrator: str, installer: str) -> None:
    if installer != administrator:
        with psycopg.connect(administrator) as connection:
            connection.execute(script().encode())
    report = install(installer)
    print("installed", *report.warnings, flush=True)
    sys.stdin.readline()
    with background(administrator, options=WorkerOptions(poll_seconds=0.05, models=("hash", "wide"))):
        print("ready", flush=True)
        sys.stdin.read()


main(*sys.argv[1:])
