"""What is told of processes: those that live, those that nobody reaped, those that are gone."""

from __future__ import annotations

import subprocess
import sys

from mmdb.server.machine import command_line, until


def test_the_command_line_of_a_process_while_it_lives() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()", "two words"], stdin=subprocess.PIPE)
    try:
        assert until(lambda: (command_line(process.pid) or "").endswith("-c input() two words"), 20)
        process.kill()
        assert until(lambda: command_line(process.pid) is None, 20), "a zombie has none"
    finally:
        process.kill()
        process.communicate()
    assert command_line(process.pid) is None
