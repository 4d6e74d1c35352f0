"""Loading with a fake database: every claimed row is in the batch, as ready, failed, gone or released."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

import psycopg
import pytest
from psycopg import errors as pg

from mmdb.config import Settings
from mmdb.media.kinds import MAX_MEDIA_BYTES, MAX_TEXT_BYTES, MAX_URI_BYTES
from mmdb.worker.load import Fetcher, Load
from mmdb.worker.steps import Steps
from mmdb.worker.values import Batch, Claim, Claimed, Part, Row, Source, Task
from tests.unit.worker import NOTES

PHOTOS = replace(NOTES, id=2, relation="photos", modality="image")


class FakeSteps:
    """Rows by key; loading a key in `errors` raises."""

    broken = False

    def __init__(self, **contents: str | bytes) -> None:
        self.contents = contents
        self.errors: dict[str, psycopg.Error] = {}
        self.attempts: list[Row] = []
        self.limits: list[int] = []

    def load(self, task: Task, keys: Sequence[str], limits: Sequence[int]) -> list[Source]:
        self.limits = list(limits)
        for key in keys:
            if key in self.errors:
                raise self.errors[key]
        there = [(key, self.contents[key]) for key in keys if key in self.contents]
        return [Source(key, "7", (Part(len(content), content),)) for key, content in there]

    def note_attempt(self, task: Task, row: Row) -> None:
        self.attempts.append(row)


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    fetcher = Fetcher(Settings.from_environment({}))
    yield fetcher
    fetcher.close()


def claim(key: str, attempts: int = 1) -> Claim:
    return Claim(key, attempts, None, None, None)


def loaded(fetcher: Fetcher, steps: FakeSteps, *claims: Claim, task: Task = NOTES) -> Batch:
    return Load(cast("Steps", steps), fetcher, "hash", ("text", "image")).batch(Claimed(task, claims))


def failures(batch: Batch) -> dict[str, tuple[str, bool]]:
    return {failure.row.key: (failure.error, failure.permanent) for failure in batch.failures}


def test_every_claimed_row_is_somewhere(fetcher: Fetcher) -> None:
    batch = loaded(fetcher, FakeSteps(a="one", b=" "), *map(claim, "abc"))
    assert [(row.key, row.state) for row in batch.rows] == [("a", "7")]
    assert [mixture.items for mixture in batch.mixtures] == [("one",)]
    assert failures(batch) == {"b": ("the text is empty", True)}
    assert (batch.gone, batch.released, batch.problem) == (["c"], [], None)


def test_the_very_same_source_that_failed_for_good_is_not_tried_again(fetcher: Fetcher) -> None:
    steps = FakeSteps(a="one", b="two")
    before = Source("a", "1", (Part(3, "one"),)).hash
    batch = loaded(fetcher, steps, Claim("a", 1, "0", before, "no"), Claim("b", 2, "0", before, "no"))
    assert failures(batch) == {"a": ("no", True)}
    assert [row.key for row in batch.rows] == ["b"], "its source has changed"
    assert [row.key for row in steps.attempts] == ["b"]


def test_a_row_that_is_as_it_was_when_the_table_refused_it_is_not_tried_again(fetcher: Fetcher) -> None:
    steps = FakeSteps(a="one", b="two")
    batch = loaded(fetcher, steps, Claim("a", 1, "7", None, "no"), Claim("b", 1, "6", None, "no"))
    assert failures(batch) == {"a": ("no", True)}
    assert [row.key for row in batch.rows] == ["b"], "it was touched, and the source was not to blame"


def test_what_is_tried_again_is_written_down_first(fetcher: Fetcher) -> None:
    steps = FakeSteps(a="one", b="two")
    loaded(fetcher, steps, claim("a", 1), claim("b", 2))
    assert [row.key for row in steps.attempts] == ["b"]


def test_one_row_that_the_database_cannot_read_fails_alone(fetcher: Fetcher) -> None:
    steps = FakeSteps(a="one", b="two", c="three")
    steps.errors["b"] = pg.InternalError_("invalid page")
    batch = loaded(fetcher, steps, *map(claim, "abc"))
    assert [row.key for row in batch.rows] == ["a", "c"]
    assert failures(batch) == {"b": ("the database cannot read the row: invalid page", False)}


def test_where_the_database_cannot_serve_just_now_all_are_released(fetcher: Fetcher) -> None:
    steps = FakeSteps(a="one", b="two")
    steps.errors["b"] = pg.LockNotAvailable("locked")
    batch = loaded(fetcher, steps, *map(claim, "ab"))
    assert (batch.released, batch.problem) == (["a", "b"], steps.errors["b"])
    assert batch.is_released


def test_a_lock_in_the_midst_of_unreadable_rows_loses_none_of_them(fetcher: Fetcher) -> None:
    steps = FakeSteps(a="one", d="four")
    steps.errors |= {"b": pg.DataError("unreadable"), "c": pg.LockNotAvailable("locked")}
    batch = loaded(fetcher, steps, *map(claim, "abcd"))
    assert [row.key for row in batch.rows] == ["a", "d"]
    assert (list(failures(batch)), batch.released, batch.problem) == (["b"], ["c"], steps.errors["c"])


def test_a_broken_connection_is_raised(fetcher: Fetcher) -> None:
    steps = FakeSteps()
    steps.broken, steps.errors["a"] = True, pg.AdminShutdown("cut")
    with pytest.raises(pg.AdminShutdown):
        loaded(fetcher, steps, claim("a"))


def test_bytes_of_another_kind_are_their_rows_failure_for_good(fetcher: Fetcher) -> None:
    batch = loaded(fetcher, FakeSteps(a=b"%PDF-1.7\n"), claim("a"), task=PHOTOS)
    assert failures(batch) == {"a": ('the bytes are a PDF document, and model "hash" takes text, image', True)}


@pytest.mark.parametrize(
    ("task", "limits"),
    [
        (NOTES, [MAX_TEXT_BYTES]),
        (PHOTOS, [MAX_MEDIA_BYTES]),
        (replace(PHOTOS, by_uri=True), [MAX_URI_BYTES]),
        (
            replace(NOTES, modality="mixed", sources=["t", "p"], source_modalities=["text", "image"]),
            [MAX_TEXT_BYTES, MAX_MEDIA_BYTES],
        ),
    ],
    ids=["text", "image", "uri", "both"],
)
def test_the_kind_of_a_source_limits_it(fetcher: Fetcher, task: Task, limits: list[int]) -> None:
    steps = FakeSteps()
    loaded(fetcher, steps, claim("a"), task=task)
    assert steps.limits == limits
