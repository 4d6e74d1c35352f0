"""Zero-shot classification: the softmax of the similarities to labels, with the rights of who asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import errors as pg

from tests.conftest import Database, MakeRole
from tests.db.conftest import Connection, expected

LABELS = ["item 1", "item 2", "a castle"]


def softmax(values: Any) -> np.ndarray[Any, Any]:
    weights = np.exp(values - np.max(values))
    return np.asarray(weights / weights.sum())


def classified(conn: Connection, call: str, *values: Any) -> list[tuple[str, float]]:
    return conn.execute(f"select label, probability from mmdb.classify({call})", values).fetchall()


def test_classify_is_the_softmax_of_the_similarities(items: Connection, worker: None) -> None:
    found = classified(items, "mmdb.embed('item 2', 'hash'), %s, 'hash', 7.5", LABELS)
    vectors = np.stack([expected(label) for label in LABELS])
    true = dict(zip(LABELS, softmax(7.5 * vectors @ expected("item 2")), strict=True))
    assert [label for label, _ in found] == sorted(LABELS, key=lambda label: -true[label])
    assert found[0][0] == "item 2"
    assert [probability for _, probability in found] == pytest.approx([true[label] for label, _ in found], abs=1e-3)
    assert sum(probability for _, probability in found) == pytest.approx(1)


FORMS = [
    "mmdb.embed('item 2', 'hash'), %s, 'hash'",
    "mmdb.embed('item 2', 'hash')::halfvec, %s, model => 'hash'",
    "mmdb.embed('item 2', 'hash'), %s, (select mmdb.embed_labels(%s, 'hash')), 100",
    "mmdb.embed('item 2', 'hash')::halfvec, %s, mmdb.embed_labels(%s, 'hash'), scale => 100",
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_classify_says_the_same(items: Connection, worker: None, form: str) -> None:
    first = classified(items, FORMS[0], LABELS)
    found = classified(items, form, *[LABELS] * form.count("%s"))
    assert [label for label, _ in found] == [label for label, _ in first]
    assert [p for _, p in found] == pytest.approx([p for _, p in first], abs=1e-3)


def test_a_scale_that_is_not_given_is_the_models(items: Connection, worker: None) -> None:
    found = classified(items, "mmdb.embed('item 2', 'hash'), %s, 'hash'", LABELS)
    assert found == classified(items, "mmdb.embed('item 2', 'hash'), %s, 'hash', 100", LABELS)
    items.execute("""update mmdb.models set options = options || '{"logit_scale": 3}' where name = 'hash'""")
    found = classified(items, "mmdb.embed('item 2', 'hash'), %s, 'hash'", LABELS)
    assert found == classified(items, "mmdb.embed('item 2', 'hash'), %s, 'hash', 3", LABELS)
    assert items.execute("select mmdb.label_scale(), mmdb.label_scale('lite')").fetchone() == (20, 20)


def test_classify_of_many_rows_embeds_the_labels_once(items: Connection, worker: None) -> None:
    """The sub-select that embeds them became an InitPlan of one loop; the function itself is gone from the plan."""
    items.execute("select mmdb.wait_until_embedded('items')")
    query = (
        "select i.id, c.label from items i, lateral (select * from mmdb.classify(i.txt_embedding, "
        "array['item 1', 'item 2'], 'hash') limit 1) c order by 1"
    )
    assert items.execute(query.encode()).fetchall()[:2] == [(1, "item 1"), (2, "item 2")]
    (plan,) = items.execute(b"explain (analyze, verbose, format json) " + query.encode()).fetchone() or ([],)
    nodes = list(walk(plan[0]["Plan"]))
    once = [node for node in nodes if "embed_labels" in json.dumps(node.get("Output", []))]
    assert [node["Actual Loops"] for node in once] == [1]
    assert not any("classify" in node.get("Function Name", "") for node in nodes)
    assert [node["Actual Loops"] for node in nodes if node["Node Type"] == "Function Scan"] == [5]


def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from walk(child)


def test_a_row_that_is_pending_has_no_label(items: Connection, worker: None) -> None:
    assert classified(items, "null::halfvec, %s, 'hash'", LABELS) == []


def test_similarities_of_any_size_do_not_overflow(conn: Connection) -> None:
    call = "'[1,0]'::vector, array['a', 'b', 'c'], array['[1,0]', '[-1,0]', '[0,1]']::vector[], 1e6"
    assert [(label, round(p, 6)) for label, p in classified(conn, call)] == [("a", 1), ("b", 0), ("c", 0)]


BAD_LABELS = [
    ("v, '{}'::text[], 'hash'", pg.InvalidParameterValue, "there are no labels"),
    ("v, null::text[], 'hash'", pg.InvalidParameterValue, "there are no labels"),
    ("v, array['a', null], 'hash'", pg.NullValueNotAllowed, "label 2 is null"),
    ("v, array['a', 'b', 'a'], 'hash'", pg.InvalidParameterValue, 'label "a" is there twice'),
    ("v, array['a', ' '], 'hash'", psycopg.DataError, "the query is empty"),
    ("v, array['a'], 'nothing'", pg.UndefinedObject, 'model "nothing" does not exist'),
    ("'[1,2]'::vector, array['a'], 'hash'", pg.DataException, "has 2 dimensions, and those of the labels have 64"),
    ("array_fill(0, array[64])::vector, array['a'], 'hash'", pg.DataException, "no direction"),
    ("v, array['a'], 'hash', 0", pg.InvalidParameterValue, "the scale is 0"),
    ("v, array['a'], 'hash', 'NaN'", pg.InvalidParameterValue, "the scale is NaN"),
    ("v, array['a', 'b'], array[v]", pg.InvalidParameterValue, "there are 2 labels and 1 vectors of labels"),
    ("v, array['a', 'b'], array[v, null]", pg.NullValueNotAllowed, "the vector of label 2 is null"),
    ("v, array['a', 'b'], array[null, v]", pg.NullValueNotAllowed, "the vector of label 1 is null"),
    ("v, '{}', array[]::vector[]", pg.InvalidParameterValue, "there are no labels"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), BAD_LABELS)
def test_labels_that_make_no_sense(
    conn: Connection, worker: None, call: str, error: type[psycopg.Error], message: str
) -> None:
    with pytest.raises(error, match=message):
        conn.execute(f"select c.* from (select mmdb.embed('x', 'hash')) e(v), mmdb.classify({call}) c")


def test_the_analytics_are_the_users(items: Connection, worker: None, database: Database, make_role: MakeRole) -> None:
    """Who may use mmdb may classify, with no right on any table; who may not, may not; nobody by PUBLIC."""
    items.execute("select mmdb.wait_until_embedded('items')")
    user, stranger = make_role("analyst"), make_role("stranger")
    items.execute(f"grant mmdb_user to {user.name}")
    with user.connect(database) as analyst:
        assert classified(analyst, "mmdb.embed('item 2', 'hash'), %s, 'hash'", LABELS)[0][0] == "item 2"
    with stranger.connect(database) as other, pytest.raises(pg.InsufficientPrivilege):
        classified(other, "'[1]'::vector, %s, array['[1]', '[1]', '[1]']::vector[]", LABELS)
    public = items.execute(
        "select p.oid::regprocedure from pg_proc p where p.pronamespace = 'mmdb'::regnamespace "
        "and has_function_privilege('public', p.oid, 'execute') and p.proname ~ 'classify|label'"
    ).fetchall()
    assert public == []


def test_an_attackers_operators_are_not_used(
    items: Connection, worker: None, database: Database, make_role: MakeRole
) -> None:
    """classify is inlined into statements with whatever search path."""
    items.execute("select mmdb.embed_labels(%s, 'hash')", [LABELS])
    items.execute("create schema evil")
    items.execute("create function evil.unnest(text[], double precision[]) returns table (a text, b double precision) "
                  "language sql as $$ select 'evil', 1.0 $$")  # fmt: skip
    items.execute("create function evil.cardinality(anyarray) returns int language sql as $$ select 1 $$")
    items.execute("set search_path = evil, pg_catalog, public")
    for form in FORMS:
        found = classified(items, form, *[LABELS] * form.count("%s"))
        assert found[0][0] == "item 2"
