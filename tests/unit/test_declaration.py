"""A declaration: there and back, what is left unsaid, and how one differs from what a database has."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mmdb.declaration import Declaration, Options, options

FULL = Declaration(
    sources=("title", "größe"),
    name="both",
    model="hash",
    modality="text",
    distance="l2",
    index_options={"m": 8, "quantization": "binary"},
    prefix="shop",
    weights=(0.7, 0.3),
    on_change="keep",
    columns="without vectors",
    storage="column",
)
OTHER: dict[str, Any] = {
    "sources": ("title",),
    "name": "other",
    "model": "lite",
    "modality": "image",
    "index_options": {"m": 9},
    "prefix": "store",
    "weights": (1.0, 1.0),
    "on_change": "unset",
    "columns": "all",
    "storage": "table",
}
UNSAID = {"sources", "weights"}
"""Options of which nothing is something, too."""


def test_every_option_is_known_to_type_checkers() -> None:
    keywords = {known.keyword for known in options().values()}
    assert keywords - {"sources", "name"} == Options.__annotations__.keys()


def test_json_there_and_back() -> None:
    assert None not in vars(FULL).values(), "every option is tried"
    assert Declaration.from_json(FULL.to_json()) == FULL
    assert Declaration.from_json(json.loads(FULL.to_json())) == FULL


def test_json_has_what_is_given_in_a_fixed_order() -> None:
    declaration = Declaration.of(["größe"], on_change="keep", model="hash", weights=None, index=True)
    assert declaration.to_json() == '{"sources": ["größe"], "model": "hash", "on_change": "keep"}'


def test_an_option_of_a_newer_database_is_left_out() -> None:
    assert Declaration.from_json({"sources": ["a"], "invented": 1}) == Declaration(("a",))


@pytest.mark.parametrize(
    ("given", "value", "again"),
    [
        (True, None, {}),
        (False, {"type": "none"}, {"index": False}),
        ({}, None, {}),
        ({"m": 8}, {"m": 8}, {"index": {"m": 8}}),
        ({"type": "hnsw"}, {"type": "hnsw"}, {}),
    ],
)
def test_the_argument_index(given: Any, value: Any, again: dict[str, Any]) -> None:
    declaration = Declaration.of(["a"], index=given)
    assert declaration.index_options == value
    assert declaration.keywords() == again


def test_keywords_that_say_it() -> None:
    said = FULL.keywords()
    assert "storage" not in said, "it has its default"
    assert Declaration.of(FULL.sources, **said, storage="column") == FULL
    assert Declaration(("a", "b"), name="a_b", distance="cosine", on_change="unset").keywords() == {}


def test_flags_of_the_command_line() -> None:
    given = {"model": "hash", "weight": [0.7, 0.3], "quantization": "binary", "prefix": None}
    assert Declaration.from_flags(["a", "b"], given) == Declaration(
        ("a", "b"), model="hash", weights=(0.7, 0.3), index_options={"quantization": "binary"}
    )
    assert Declaration.from_flags(["a"], {"weight": []}) == Declaration(("a",))


def test_an_unknown_option_is_no_option() -> None:
    with pytest.raises(TypeError, match="no option 'wieghts'; it has: "):
        Declaration.of(["a", "b"], wieghts=(1, 2))


@pytest.mark.parametrize("name", options())
def test_a_difference_is_seen(name: str) -> None:
    """But for the distance: it is the model's."""
    assert FULL.differences(FULL) == []
    other: dict[str, Any] = {name: OTHER.get(name)}
    there = replace(FULL, **other)
    assert FULL.differences(there) == ([] if name == "distance" else [name])


@pytest.mark.parametrize("name", sorted(options().keys() - UNSAID))
def test_what_is_not_given_agrees_with_anything(name: str) -> None:
    given: dict[str, Any] = {name: None}
    assert replace(FULL, **given).differences(FULL) == []


def test_what_is_not_given_is_filled() -> None:
    bare = Declaration(("a", "b"))
    assert bare.differences(replace(FULL, sources=("a", "b"), weights=None)) == []
    filled = bare.filled()
    assert (filled.name, filled.distance, filled.on_change, filled.storage) == ("a_b", "cosine", "unset", "column")
    assert filled.differences(replace(FULL, sources=("a", "b"), weights=None)) == ["name", "on_change", "columns"]
    assert (filled.model, filled.modality, filled.prefix) == (None, None, None), "the database's to find out"


def test_an_option_that_came_after_the_embedding_has_its_default() -> None:
    there = Declaration.from_json({"sources": ["a"], "model": "hash"})
    assert Declaration(("a",), model="hash").filled().differences(there) == []
    assert Declaration(("a",), on_change="keep").differences(there) == ["on_change"]


def test_what_the_database_found_out_need_not_be_said() -> None:
    there = replace(FULL, weights=None, prefix="products")
    said = there.as_said("products")
    assert (said.prefix, said.modality, said.distance) == (None, None, None)
    assert replace(there, modality="image").as_said("goods") == replace(there, modality="image", distance=None)
    assert replace(FULL, modality="mixed").as_said("products").modality is None, "that of each column"
