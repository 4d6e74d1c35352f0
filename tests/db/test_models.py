"""mmdb.add_model and mmdb.remove_model: a model that is in use stays what it is."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import errors as pg

Connection = psycopg.Connection[Any]


def test_a_model_in_use_keeps_its_identity(items: Connection) -> None:
    call = "select (mmdb.add_model('hash', 'hash', 'hash', 64, array['text', 'image'], %s)).identity"
    with pytest.raises(pg.ObjectInUse, match="cannot become"):
        items.execute(call, ["another"])
    items.execute("select mmdb.drop_embedding('items', 'txt')")
    assert items.execute(call, ["another"]).fetchone() == ("another",)


def test_a_model_is_removed_only_where_nothing_needs_it(items: Connection) -> None:
    with pytest.raises(pg.ObjectInUse, match=r'model "hash" is in use by public\.items\.txt'):
        items.execute("select mmdb.remove_model('hash')")
    with pytest.raises(pg.ObjectInUse, match='model "lite" is the default model'):
        items.execute("select mmdb.remove_model('lite')")
    with pytest.raises(pg.UndefinedObject, match='model "nix" does not exist'):
        items.execute("select mmdb.remove_model('nix')")
    items.execute("select mmdb.drop_embedding('items', 'txt')")
    items.execute("insert into mmdb.requests (task, hash, model) select 'embedding', 'x', name from mmdb.models")
    items.execute("select mmdb.remove_model('hash')")
    assert items.execute("select name from mmdb.models").fetchall() == [("lite",)]
    assert items.execute("select model from mmdb.requests").fetchall() == [("lite",)]
