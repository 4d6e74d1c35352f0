"""What a worker tells whoever started it. The command line shows it; nobody need listen."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Called from several threads."""

    def log(self, message: str) -> None:
        """One line about something that happened."""

    def progress(self, embedding: str, done: int, total: int) -> None:
        """Of the `total` rows of one embedding that were pending when it began, `done` are embedded or failed."""


class Silence:
    """The reporter of who does not want one."""

    def log(self, message: str) -> None:
        pass

    def progress(self, embedding: str, done: int, total: int) -> None:
        pass
