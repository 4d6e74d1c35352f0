"""How the .sql files are written, as far as a program can tell: short lines, and every function whole in one place."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmdb.database.statements import PACKAGE, function_files

FILES = function_files()
LIMIT = 120
CREATED = re.compile(r"^create or replace (function|procedure|aggregate|view) (mmdb\.\w+)", re.MULTILINE)
VOLATILITY = {"immutable", "stable", "volatile"}
SECURITY = {"security invoker", "security definer"}


def created(text: str) -> Iterator[tuple[str, str, str]]:
    """Kind, name and text of everything that a file creates, each up to the next."""
    found = list(CREATED.finditer(text))
    for one, after in zip(found, [*found[1:], None], strict=True):
        yield one[1], one[2], text[one.start() : after.start() if after else len(text)]


def body_and_rest(text: str) -> tuple[str, str]:
    """The words between name and body, and everything behind the body; what has no body is all words."""
    head, *body = re.split(r"\nas (\$\w*\$)", text, maxsplit=1)
    return head, body[1].partition(f"{body[0]};\n")[2] if body else ""


def test_there_are_files() -> None:
    assert len(FILES) > 30
    assert FILES[-1].name == "90_privileges.sql"


@pytest.mark.parametrize("file", [*FILES, *sorted((PACKAGE / "statements").glob("*.sql"))], ids=lambda file: file.name)
def test_lines_are_short(file: Path) -> None:
    lines = file.read_text("utf-8").splitlines()
    assert [f"{number}: {line}" for number, line in enumerate(lines, 1) if len(line) > LIMIT] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_says_what_it_is_for(file: Path) -> None:
    assert re.match(r"(--.*\n)+\n", file.read_text("utf-8"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_comment_stands_right_behind_its_function(file: Path) -> None:
    far = []
    for kind, name, text in created(file.read_text("utf-8")):
        rest = text.partition(";\n")[2] if kind in ("aggregate", "view") else body_and_rest(text)[1]
        if not re.match(rf"comment on {kind} {re.escape(name)}\b", rest) or rest.count("comment on ") != 1:
            far.append(name)
    assert far == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_function_states_volatility_and_security(file: Path) -> None:
    silent = []
    for kind, name, text in created(file.read_text("utf-8")):
        words = set(re.findall(r"security \w+|\w+", body_and_rest(text)[0].partition("\nlanguage ")[2]))
        # A procedure has no volatility.
        if kind in ("function", "procedure") and not (words & SECURITY and (words & VOLATILITY or kind == "procedure")):
            silent.append(name)
    assert silent == []


@pytest.mark.parametrize("file", [*FILES, *sorted((PACKAGE / "statements").glob("*.sql"))], ids=lambda file: file.name)
def test_a_backslash_stands_in_an_escape_string(file: Path) -> None:
    """In '…' what it means depends on standard_conforming_strings, which bodies meet as a session has it."""
    text = re.sub(r"--.*", "", file.read_text("utf-8"))
    joined = re.sub(r"'\s*\n\s*'", "", text)  # as PostgreSQL reads a literal that goes on in the next line
    literals = re.findall(r"(\w?)('(?:[^']|'')*')", joined)
    assert [literal for mark, literal in literals if "\\" in literal and mark != "E"] == []


def test_no_type_is_read_out_of_a_text() -> None:
    """mmdb.embeddings has the type of a vector and its width; only an error's text is made of column_type."""
    cut = re.compile(r"column_type\b[^,;]*(?: like | ~ |substring)|substring\([^()]*column_type")
    files = [*FILES, *(PACKAGE / "statements").glob("*.sql")]
    assert [file.name for file in files if cut.search(file.read_text("utf-8"))] == []


def test_a_name_is_defined_in_one_file() -> None:
    """All overloads of a name but those of mmdb.check_weights, which check other things (an array, and jsonb), and what
    stays for functions that an earlier mmdb made.
    """
    places = defaultdict(set)
    for file in FILES:
        if "_former" in file.name:
            continue
        for _, name, _ in created(file.read_text("utf-8")):
            places[name].add(file.name)
    assert {name: files for name, files in places.items() if len(files) > 1} == {
        "mmdb.check_weights": {"32_sources.sql", "64_search.sql"}
    }
