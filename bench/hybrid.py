"""How well words, meaning and pictures search together: T_search against each of its legs, on the stamps data.

`python -m bench hybrid` writes `bench/results/hybrid.md`; tests/quality/test_hybrid_quality.py holds the promise. The
catalogue is 307 stamps, each a picture and a caption, all captions in one language. No query is a caption of the
catalogue it is asked in. Two tasks:

    stamp   the query is the caption of a stamp in another language (de, es, fr, ja, ru, zh in the English catalogue, en
            in the German one); relevant are the stamps that are called so in that language, one but for duplicates
    kind    the query is the name of a category of the data, in seven languages (`hybrid_kinds.tsv`), in the English
            catalogue; relevant are the stamps of that category, 3 to 18. Captions mostly do not name it.

Defaults of T_search are chosen on one half of the queries, figures are of the other.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg

from bench import hybrid_report
from bench.harness import Result, connection
from bench.quality import LANGUAGES, STAMPS
from bench.relevance import Answers, Question, judge
from mmdb.worker import WorkerOptions, background

KINDS = Path(__file__).with_name("hybrid_kinds.tsv")
CATALOGUES = {"en": "english", "de": "german"}
"""Languages of captions, and PostgreSQL's name for them; the table is stamps_en, stamps_de."""
LEGS = ("caption", "picture", "keywords")
FUSED = "fused"
DECLARE = """
create table stamps_{language} (id int primary key, category text, caption text, picture bytea);
select mmdb.add_embedding('stamps_{language}', 'caption', model => 'lite');
select mmdb.add_embedding('stamps_{language}', 'picture', model => 'lite', modality => 'image');
select mmdb.add_keywords('stamps_{language}', array['caption'], '{configuration}')
"""


Items = list[dict[str, Any]]


def read_items(folder: Path = STAMPS) -> Items:
    return [json.loads(line) for line in (folder / "items.jsonl").read_text("utf-8").splitlines()]


def questions(items: Items) -> list[Question]:
    return [*_stamp_questions(items), *_kind_questions(items)]


def _stamp_questions(items: Items) -> Iterator[Question]:
    """Halves by stamp: all captions of one are in the same half."""
    for language in LANGUAGES:
        called: dict[str, set[int]] = defaultdict(set)
        for number, item in enumerate(items):
            if language in item["captions"]:
                called[item["captions"][language]].add(number)
        table = "stamps_de" if language == "en" else "stamps_en"
        for caption, numbers in called.items():
            yield Question("stamp", language, table, caption, frozenset(numbers), min(numbers) % 2 == 1)


def _kind_questions(items: Items) -> Iterator[Question]:
    with KINDS.open(encoding="utf-8", newline="") as file:
        for place, kind in enumerate(csv.DictReader(file, delimiter="\t")):
            category = kind.pop("category")
            relevant = frozenset(n for n, item in enumerate(items) if f"{item['category']}/".startswith(f"{category}/"))
            for language, name in kind.items():
                yield Question("kind", language, "stamps_en", name, relevant, place % 2 == 1)


def fill(conn: psycopg.Connection[Any], items: Items, folder: Path = STAMPS) -> None:
    """Both catalogues, embedded by a worker that is running; the pictures' vectors are made once."""
    for language, configuration in CATALOGUES.items():
        conn.execute(DECLARE.format(language=language, configuration=configuration))
    for number, item in enumerate(items):
        picture = (folder / item["image"]).read_bytes()
        row = [number, item["category"], item["captions"]["en"], picture]
        conn.execute("insert into stamps_en values (%s, %s, %s, %s)", row)
    conn.execute("select mmdb.wait_until_embedded('stamps_en', timeout => '5 minutes')")
    for number, item in enumerate(items):
        conn.execute(
            "insert into stamps_de select id, category, %s, picture, null, picture_embedding "
            "from stamps_en where id = %s",
            [item["captions"]["de"], number],
        )
    conn.execute("select mmdb.wait_until_embedded('stamps_de', timeout => '5 minutes')")
    conn.execute("analyze stamps_en; analyze stamps_de")


def found(conn: psycopg.Connection[Any], question: Question, leg: str) -> list[int]:
    """Ten keys, best first, by one leg alone, or by all with the weights that T_search ships with."""
    weights = None if leg == FUSED else json.dumps({other: 0 for other in LEGS if other != leg})
    statement = f"select id from {question.table}_search(%s, k => 10, weights => %s)"
    return [id for (id,) in conn.execute(statement, [question.query, weights])]


def ask(conn: psycopg.Connection[Any], asked: Sequence[Question]) -> Answers:
    return {leg: [(question, found(conn, question, leg)) for question in asked] for leg in (*LEGS, FUSED)}


def results(answers: Answers) -> Iterator[Result]:
    for task in ("stamp", "kind"):
        quality = {leg: judge([a for a in given if a[0].task == task]) for leg, given in answers.items()}
        best = max(LEGS, key=lambda leg: quality[leg].ndcg_10)
        fused, single = quality[FUSED].ndcg_10, quality[best].ndcg_10
        detail = f'nDCG@10 {fused:.3f}, the best leg, "{best}", {single:.3f}'
        yield Result(f"hybrid against its best leg: {task}", f"{fused - single:+.3f}", ">= 0", fused >= single, detail)


def run(url: str) -> list[Result]:
    items = read_items()
    with connection(url) as conn, background(url, options=WorkerOptions(models=("lite",))):
        fill(conn, items)
        answers = ask(conn, [question for question in questions(items) if question.held_out])
        hybrid_report.write(conn, answers)
    return list(results(answers))
