"""Write docs/sql.md from the comments of the SQL functions and docs/cli.md from the help texts: `make docs`.

A test compares both with what is committed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import psycopg

from mmdb.install import install
from mmdb.server import embedded

FOLDER = Path(__file__).parent
CALLED = {
    "Declaring": (
        "add_embedding",
        "drop_embedding",
        "refresh",
        "release_sources",
        "index_statements",
        "declaration_options",
        "declarations",
    ),
    "Changing the model": ("change_model", "compare_models", "switch_model", "rollback_model", "drop_generation"),
    "Searching": (
        "add_keywords",
        "drop_keywords",
        "words_of",
        "words_query",
        "filter",
        "rrf",
        "embed",
        "embed_for",
        "model_of",
        "has_direction",
        "explain",
    ),
    "Stored queries": ("find", "context"),
    "Recall": ("recall", "tune", "drop_contract"),
    "Analytics": (
        "classify",
        "embed_labels",
        "label_scale",
        "near_duplicates",
        "store_near_duplicates",
        "neighbours",
        "page_end",
    ),
    "Operating": ("wait_until_embedded", "retry", "doctor", "set_setting", "drift", "live_workers"),
    "Models": ("add_model", "remove_model"),
}
"""What people call, in the order of the page; all else in schema mmdb is mmdb's own."""
FUNCTIONS = """
select p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), obj_description(p.oid, 'pg_proc')
from pg_proc p where p.pronamespace = 'mmdb'::regnamespace order by p.proname, p.pronargs, p.oid::regprocedure::text
"""
RELATIONS = """
select c.relname, obj_description(c.oid, 'pg_class'),
       (select string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' order by a.attnum)
        from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)
from pg_class c where c.relnamespace = 'mmdb'::regnamespace
  and c.relname in ('status', 'failures', 'workers', 'models', 'embeddings', 'keywords',
                    'contracts', 'recall_log') order by c.relname
"""
SEARCH_VIEWS = """
## Search views

`add_embedding` makes them in the table's schema, named `TABLE_by_NAME`, or `PREFIX_by_NAME` with a prefix of your own.

| call | returns |
| --- | --- |
| `T_by_NAME(text)` | every embedded row of T and its `distance` from the text |
| `T_by_NAME(bytea)` | the same for a picture |
| `T_by_NAME(halfvec)` | the same for a vector, such as another row's embedding |
| `T_top_by_NAME(query, k, filter, within, after)` | the k nearest rows that pass, complete, in order: for each kind |
| `T_search(query, image, k, …)` | what words and all embeddings of T find together, with `score`, `ranks` |
| `T_like(key, k, …)` | what is most like a row of T, with `score`, `ranks` |
| `T_recommend(liked, disliked, k, …)` | what is like some rows and unlike others, with `score`, `ranks` |

The arguments of the last four, and what they promise, are in [search](search.md).

To a search view add `order by distance limit k`. The distance is pgvector's: for cosine 0 (the same) to 2
(the opposite).
"""


def sql_reference(conn: psycopg.Connection[Any]) -> str:
    """The text of docs/sql.md."""
    functions = conn.execute(FUNCTIONS).fetchall()
    parts = ["# SQL reference\n\nMade by `make docs` from the comments in the database (`\\df+ mmdb.*`).\n"]
    for title, names in CALLED.items():
        parts.append(f"\n## {title}\n")
        parts += [_function(row) for name in names for row in functions if row[0] == name]
    parts += [SEARCH_VIEWS, "\n## Views and tables\n"]
    parts += [
        f"\n### mmdb.{name}\n\n{comment}\n\nColumns: {columns}.\n" for name, comment, columns in conn.execute(RELATIONS)
    ]
    return "".join(parts)


def _function(row: tuple[str, str, str, str]) -> str:
    name, arguments, result, comment = row
    separated = ",\n  ".join(arguments.split(", "))
    call = f"mmdb.{name}({arguments})" if len(arguments) < 80 else f"mmdb.{name}(\n  {separated}\n)"
    returned = f" returns {result}" if result else ""  # a procedure returns nothing
    return f"\n### mmdb.{name}\n\n```\n{call}{returned}\n```\n\n{comment}\n"


def cli_reference() -> str:
    """The text of docs/cli.md."""
    from mmdb.cli import models
    from mmdb.cli.app import COMMANDS

    names = ["", *(command.__name__ for command in COMMANDS)]
    place = names.index("models") + 1
    names[place:place] = [f"models {command.name}" for command in models.group.registered_commands]
    return "# Command line\n\nMade by `make docs` from `mmdb --help`.\n" + "".join(map(_help, names))


def _help(command: str) -> str:
    from typer.testing import CliRunner

    from mmdb.cli.app import app

    words = [*command.split(), "--help"]
    answer = CliRunner().invoke(app, words, prog_name="mmdb", env={"COLUMNS": "100", "TERMINAL_WIDTH": "100"})
    assert answer.exit_code == 0, answer.output
    return f"\n## mmdb {command}".rstrip() + f"\n\n```\n{answer.stdout.strip()}\n```\n"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mmdb-docs-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        try:
            url = embedded.start(home).url
            install(url)
            with psycopg.connect(url) as conn:
                (FOLDER / "sql.md").write_text(sql_reference(conn), "utf-8")
        finally:
            embedded.stop(home)
    (FOLDER / "cli.md").write_text(cli_reference(), "utf-8")


if __name__ == "__main__":
    main()
