"""Type checkers accept how the ORM is used, and see the types that the docs promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUBJECT = "tests/orm/typed.py"
MISTAKES = """
from mmdb.orm import embedding, like, recommend, search, wait_until_embedded
embedding("photo", model=3)
embedding("photo", modality="sound")
embedding(7)
recommend(int, 7)
like(int, 7, diversity="much")
search(int, "shoes", depht=50)
wait_until_embedded("a session", int)
"""


def check(program: str, *arguments: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-m", program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("program", "fine"),
    [
        (("mypy", "--strict", "--no-incremental"), "Success: no issues found"),
        (("basedpyright", "--level", "error"), "0 errors"),
    ],
    ids=["mypy", "pyright"],
)
def test_what_users_write_is_accepted(program: tuple[str, ...], fine: str) -> None:
    assert fine in check(*program, SUBJECT)


@pytest.mark.parametrize("program", ["mypy", "basedpyright"])
def test_mistakes_are_seen(program: str, tmp_path: Path) -> None:
    file = tmp_path / "mistakes.py"
    file.write_text(MISTAKES)
    answer = check(program, str(file))
    for line in (3, 4, 5, 6, 7, 8, 9):
        assert f"mistakes.py:{line}:" in answer
