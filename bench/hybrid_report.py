"""What `bench.hybrid` found, as a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from bench.quality import LANGUAGES
from bench.relevance import Answers, Quality, judge
from bench.report import RESULTS, circumstances

TASKS = {
    "stamp": "A stamp by its caption in another language",
    "kind": "The stamps of a kind by its name",
}
ABOUT = """# Words, meaning and pictures together: `bench/hybrid.py`

A catalogue of 307 stamps, each a picture and a caption. Legs: *caption*, its embedding by `lite`; *picture*, its
embedding by `lite`; *keywords*, the caption's words (`mmdb.add_keywords`). *fused* is `T_search` with the weights that
it ships with. No query is a caption of the catalogue that it is asked in:

- *stamp*: the query is a caption in one of de, es, fr, ja, ru and zh, the catalogue is in English (an English query: in
  German). Relevant are the stamps that are called so, mostly one.
- *kind*: the query is the name of a category of the data in one of seven languages, the catalogue is in English.
  Relevant are the stamps of that category, 3 to 18, whose captions mostly do not name it.

Recall@k is of k, or of all that are relevant where those are fewer. Defaults were chosen on the other half of the
queries.
"""


def write(conn: psycopg.Connection[Any], answers: Answers, folder: Path = RESULTS) -> None:
    folder.mkdir(exist_ok=True)
    body = "\n".join([ABOUT, circumstances(conn), *_tables(answers), ""])
    (folder / "hybrid.md").write_text(body, "utf-8")


def _tables(answers: Answers) -> Iterator[str]:
    for task, title in TASKS.items():
        of_task = {leg: [a for a in given if a[0].task == task] for leg, given in answers.items()}
        yield f"\n## {title}\n"
        yield f"{len(next(iter(of_task.values())))} queries.\n"
        yield "| | recall@1 | recall@5 | recall@10 | nDCG@10 |\n| --- | --- | --- | --- | --- |"
        for leg, given in of_task.items():
            yield _line(leg, judge(given))
        yield f"\nnDCG@10 by the query's language:\n\n| | {' | '.join(LANGUAGES)} |\n| {'--- | ' * 8}".rstrip()
        for leg, given in of_task.items():
            each = [judge([a for a in given if a[0].language == language]).ndcg_10 for language in LANGUAGES]
            yield f"| {leg} | {' | '.join(f'{value:.3f}' for value in each)} |"


def _line(leg: str, q: Quality) -> str:
    return f"| {leg} | {q.recall_1:.3f} | {q.recall_5:.3f} | {q.recall_10:.3f} | {q.ndcg_10:.3f} |"
