"""Autogenerate, after Alembic's own comparison: its operations on embedding columns become operations on embeddings.

A new embedding is one `op.add_embedding` instead of a column and an index; one that changed is dropped and added, but
for another model whose generation waits, which is one `op.switch_model`; a dropped table takes its embeddings back
first. Operations on other HNSW indexes become `op.create_hnsw_index`, and schema mmdb is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from alembic.autogenerate import comparators
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, ops
from alembic.operations.ops import ModifyTableOps, UpgradeOps
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import Column, Connection, Table

from mmdb.declaration import Declaration
from mmdb.orm.alembic.generations import SwitchModelOp
from mmdb.orm.alembic.implementation import Place, declarations, generations, out_of_date, own_columns, place_of
from mmdb.orm.alembic.operations import (
    AddEmbeddingOp,
    CreateHnswIndexOp,
    DropEmbeddingOp,
    DropHnswIndexOp,
    RefreshEmbeddingsOp,
    RefreshOnlyDown,
    RefreshReleasedOp,
    ReleaseSourcesOp,
)
from mmdb.orm.alembic.words import compare_keywords
from mmdb.orm.declared import SUFFIX, embeddings_of
from mmdb.orm.indexes import hnsw_index, is_hnsw, read_index

OWN_SCHEMA = "mmdb"


@dataclass(frozen=True)
class Found:
    """An embedding as the database has it."""

    place: Place
    column: str
    declaration: Declaration

    def dropped(self) -> DropEmbeddingOp:
        schema, table = self.place
        again = AddEmbeddingOp(table, self.declaration.as_said(table), schema=schema)
        return DropEmbeddingOp(table, again.name, schema=schema, reverse=again)


@comparators.dispatch_for("schema", qualifier="postgresql", priority=DispatchPriority.LAST)
def compare_embeddings(
    context: AutogenContext, upgrade: UpgradeOps, schemas: set[str | None]
) -> PriorityDispatchResult:
    """Turn the operations of Alembic's comparison into ours, and add those that it does not know."""
    connection = context.connection
    assert connection is not None
    default = context.dialect.default_schema_name if context.dialect else None
    found = _found(connection, default)
    upgrade.ops = [op for op in upgrade.ops if getattr(op, "schema", None) != OWN_SCHEMA]
    for own in own_columns(connection):
        _strip(upgrade, place_of(own, default), {own.name})
    unfit = {place_of(row, default) for row in out_of_date(connection)}
    waiting = {(place_of(row, default), row.name): row.model for row in generations(connection)}
    tables = _declared_tables(context, default)
    removed: list[MigrateOperation] = []
    added: list[MigrateOperation] = []
    for place, table in tables.items():
        known = found.pop(place, {})
        gone, new, switched = _compare_table(table, place, known, waiting)
        removed += gone
        added += [*new, *switched]
        touched = {op.name for op in gone} | {op.name for op in new}
        _strip(upgrade, place, {name + SUFFIX for name in touched | {op.name for op in switched}})
        kept = [there for name, there in known.items() if name not in touched]
        if kept and (changed := _changed_columns(upgrade, place)):
            _refresh_around(upgrade, place, {source for there in kept for source in there.declaration.sources}, changed)
        elif kept and place in unfit:
            upgrade.ops.append(RefreshEmbeddingsOp(place[1], schema=place[0]))
    removed += _of_other_tables(upgrade, found)
    unsearched, searched = compare_keywords(connection, tables, _dropped_tables(upgrade), default)
    upgrade.ops = [*unsearched, *removed, *upgrade.ops, *added, *searched]
    _rewrite_indexes(upgrade.ops, connection, context)
    upgrade.ops = list(_beside_batches(upgrade.ops))
    return PriorityDispatchResult.CONTINUE


def _found(connection: Connection, default: str | None) -> dict[Place, dict[str, Found]]:
    found: dict[Place, dict[str, Found]] = {}
    for row in declarations(connection):
        place = place_of(row, default)
        there = Found(place, row.column_name, Declaration.from_json(row.declaration))
        found.setdefault(place, {})[row.name] = there
    return found


def _declared_tables(context: AutogenContext, default: str | None) -> dict[Place, Table]:
    """The tables of the application's metadata that its own filters let through."""
    tables = {}
    for table in context.sorted_tables:
        place = (None if table.schema == default else table.schema, table.name)
        if context.run_object_filters(table, table.name, "table", False, None):
            tables[place] = table
    return tables


def _compare_table(
    table: Table, place: Place, known: dict[str, Found], waiting: Mapping[tuple[Place, str], str]
) -> tuple[list[DropEmbeddingOp], list[AddEmbeddingOp], list[SwitchModelOp]]:
    """What is to be dropped and added, and which embeddings have their other generation serve."""
    gone, new, switched = [], [], []
    schema, table_name = place
    declared = {mapped.declaration.called: mapped.declaration for _column, mapped in embeddings_of(table)}
    for name, declaration in declared.items():
        there = known.get(name)
        differences = ["all"] if there is None else _differences(declaration, there.declaration)
        if not differences:
            continue
        if differences == ["model"] and waiting.get((place, name)) == declaration.model:
            switched.append(SwitchModelOp(table_name, name, schema=schema))
            continue
        if there is not None:
            gone.append(there.dropped())
        new.append(AddEmbeddingOp(table_name, declaration, schema=schema))
    for name, there in known.items():
        if name not in declared and there.column not in table.columns:
            gone.append(there.dropped())
    return gone, new, switched


def _differences(declaration: Declaration, there: Declaration) -> list[str]:
    """Option by option, but for the index: it is compared as one (orm/alembic/implementation.py)."""
    return replace(declaration.filled(), index_options=None).differences(there)


def _of_other_tables(upgrade: UpgradeOps, found: dict[Place, dict[str, Found]]) -> list[DropEmbeddingOp]:
    """The embeddings of tables that are being dropped."""
    gone = [there.dropped() for place in _dropped_tables(upgrade) for there in found.get(place, {}).values()]
    for op in gone:
        _strip(upgrade, (op.schema, op.table_name), {op.name + SUFFIX})
    return gone


def _dropped_tables(upgrade: UpgradeOps) -> list[Place]:
    return [_place(op) for op in upgrade.ops if isinstance(op, ops.DropTableOp)]


def _strip(upgrade: UpgradeOps, place: Place, columns: set[str]) -> None:
    """Remove what Alembic would do to these columns and their indexes."""
    kept: list[MigrateOperation] = []
    for op in upgrade.ops:
        if isinstance(op, ops.CreateTableOp) and _place(op) == place:
            op.columns = _without(op.columns, columns)
        elif isinstance(op, ops.DropTableOp) and _place(op) == place and op._reverse is not None:
            op._reverse.columns = _without(op._reverse.columns, columns)
        elif isinstance(op, ModifyTableOps) and _place(op) == place:
            op.ops = [inner for inner in op.ops if not _concerns(inner, columns)]
            if not op.ops:
                continue
        kept.append(op)
    upgrade.ops = kept


def _without(items: Sequence[Any], columns: set[str]) -> list[Any]:
    return [item for item in items if not (isinstance(item, Column) and item.name in columns)]


def _concerns(op: MigrateOperation, columns: set[str]) -> bool:
    if isinstance(op, ops.AddColumnOp):
        return op.column.name in columns
    if isinstance(op, ops.DropColumnOp | ops.AlterColumnOp):
        return op.column_name in columns
    if isinstance(op, ops.CreateIndexOp):
        return is_hnsw(op.to_index()) and _names(op.to_index().expressions) <= columns
    if isinstance(op, ops.DropIndexOp):
        return is_hnsw(op.to_index()) and _names(op.to_index().expressions) <= columns
    return False


def _names(expressions: Iterable[Any]) -> set[str]:
    return {str(getattr(expression, "name", expression)) for expression in expressions}


def _changed_columns(upgrade: UpgradeOps, place: Place) -> list[MigrateOperation]:
    changes = (ops.AddColumnOp, ops.DropColumnOp, ops.AlterColumnOp)
    return [inner for op in _of_table(upgrade, place) for inner in op.ops if isinstance(inner, changes)]


def _of_table(upgrade: UpgradeOps, place: Place) -> list[ModifyTableOps]:
    return [op for op in upgrade.ops if isinstance(op, ModifyTableOps) and _place(op) == place]


def _refresh_around(upgrade: UpgradeOps, place: Place, sources: set[str], changed: list[MigrateOperation]) -> None:
    """Before and behind the changes of a table what has to be there in an upgrade, and in a downgrade."""
    schema, table = place
    first: MigrateOperation = RefreshOnlyDown(table, schema=schema)
    last: MigrateOperation = RefreshEmbeddingsOp(table, schema=schema)
    if any(_changes_type(op, sources) for op in changed):
        first, last = ReleaseSourcesOp(table, schema=schema), RefreshReleasedOp(table, schema=schema)
    there = _of_table(upgrade, place)
    upgrade.ops.insert(upgrade.ops.index(there[-1]) + 1, last)
    upgrade.ops.insert(upgrade.ops.index(there[0]), first)


def _changes_type(op: MigrateOperation, sources: set[str]) -> bool:
    return isinstance(op, ops.AlterColumnOp) and op.modify_type is not None and op.column_name in sources


def _beside_batches(operations: list[MigrateOperation]) -> Iterator[MigrateOperation]:
    """Ours stand beside a table's other operations: among them, in batch mode, they would run before all of them."""
    for op in operations:
        if not isinstance(op, ModifyTableOps):
            yield op
            continue
        for is_ours, group in groupby(op.ops, lambda inner: isinstance(inner, CreateHnswIndexOp | DropHnswIndexOp)):
            if is_ours:
                yield from group
            else:
                yield ModifyTableOps(op.table_name, list(group), schema=op.schema)


def _rewrite_indexes(operations: list[MigrateOperation], connection: Connection, context: AutogenContext) -> None:
    """Operations on HNSW indexes that keep the operator class."""
    for place, op in enumerate(operations):
        if isinstance(op, ModifyTableOps):
            _rewrite_indexes(op.ops, connection, context)
        elif isinstance(op, ops.CreateIndexOp) and is_hnsw(op.to_index()):
            assert context.dialect is not None
            operations[place] = CreateHnswIndexOp(hnsw_index(op.to_index(), context.dialect))
        elif isinstance(op, ops.DropIndexOp) and is_hnsw(op.to_index()):
            operations[place] = _dropped_index(op, connection)


def _dropped_index(op: ops.DropIndexOp, connection: Connection) -> DropHnswIndexOp:
    there = read_index(connection, str(op.index_name), str(op.table_name), op.schema)
    reverse = None if there is None else CreateHnswIndexOp(there)
    return DropHnswIndexOp(str(op.index_name), str(op.table_name), schema=op.schema, reverse=reverse)


def _place(op: Any) -> Place:
    return op.schema, op.table_name
