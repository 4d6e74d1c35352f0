"""`embedding(...)`: an embedding where the columns are declared.

It makes a real mapped column, its HNSW index, and a note in the column's `info` of what `mmdb.add_embedding` needs to
know. The note travels with copies of the column (mixins, `to_metadata`) and is read by the DDL (orm/ddl.py), by queries
(orm/search.py) and by Alembic (orm/alembic).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal, get_args

from pgvector.sqlalchemy import BIT
from sqlalchemy import Column, FetchedValue, Index, Table, cast, event, func
from sqlalchemy.orm import MappedColumn, Mapper, mapped_column

from mmdb.errors import DeclarationError
from mmdb.models.registry import builtin_specs
from mmdb.models.spec import ModelSpec
from mmdb.orm.ddl import listen_for_ddl
from mmdb.orm.types import Embedding, Vec

INFO = "mmdb"
SUFFIX = "_embedding"
OPERATORS = {"cosine": "<=>", "l2": "<->", "inner_product": "<#>"}
OPERATOR_CLASSES = {"cosine": "halfvec_cosine_ops", "l2": "halfvec_l2_ops", "inner_product": "halfvec_ip_ops"}
NAME_LIMIT = 63
"""Bytes of a name in PostgreSQL."""

Distance = Literal["cosine", "l2", "inner_product"]
OnChange = Literal["unset", "keep"]
IndexOptions = Mapping[str, Any]
"""`m` and `ef_construction`, whole numbers, and `quantization`, "binary"."""


@dataclass(frozen=True)
class Declaration:
    """What an embedding column was declared with."""

    sources: tuple[str, ...]
    """Names of columns. Of attributes, until the class is mapped."""
    model: str
    dimensions: int
    distance: Distance
    modalities: frozenset[str] | None
    """What a query may be; None where only the database knows."""
    modality: str | None = None
    prefix: str | None = None
    index: bool = True
    index_options: IndexOptions = field(default_factory=dict)
    weights: tuple[float, ...] | None = None
    """One for each source, where each is embedded by itself."""
    on_change: OnChange = "unset"

    @property
    def operator(self) -> str:
        """pgvector's operator of the distance."""
        return OPERATORS[self.distance]

    @property
    def operator_class(self) -> str:
        return "bit_hamming_ops" if self.is_quantized else OPERATOR_CLASSES[self.distance]

    @property
    def is_quantized(self) -> bool:
        """Whether the index has the signs of the numbers alone."""
        return self.index_options.get("quantization") is not None


def embedding(
    *sources: str,
    model: str = "lite",
    name: str | None = None,
    modality: Literal["text", "image"] | None = None,
    dimensions: int | None = None,
    distance: Distance | None = None,
    index: bool | IndexOptions = True,
    prefix: str | None = None,
    weights: Sequence[float] | None = None,
    on_change: OnChange = "unset",
    **attribute: Any,
) -> MappedColumn[Vec | None]:
    """A mapped column that a worker keeps in step with `sources`, attributes or columns of the same class.

    Its value is a float32 array of shape (dimensions,), or None while it is pending or its sources are; it is deferred,
    so that it is loaded when it is asked for. The attribute is named NAME_embedding, by which the database knows the
    embedding as NAME; give `name` where it is to be another.

    `modality="image"` for a text column that holds URIs of pictures. `dimensions` (and `distance`, where it is not
    cosine) are needed for a model that mmdb has no description of. `index` may be False, or HNSW's `m` and
    `ef_construction`, and `quantization="binary"`, which `search` uses and `nearest` does not. `prefix` stands for the
    table in the names of search functions. With `weights`, one for
    each of several sources, each source (a text, or the bytes of a picture) is embedded by itself, and the vector is
    the weighted sum of theirs, of unit length; without, several texts are one source. `on_change="keep"`: a row whose
    source changed keeps its value, and is found by it, until it is embedded again. `attribute` takes what
    `mapped_column` takes for dataclasses: in a dataclass mapping, `init=False`.

    Raises DeclarationError; what only the mapping shows, when the class is mapped.
    """
    declaration = _declaration(sources, model, modality, dimensions, distance, index, prefix, weights, on_change)
    positional: list[Any] = [*([f"{name}{SUFFIX}"] if name else []), Embedding(declaration.dimensions)]
    mapped: MappedColumn[Vec | None] = mapped_column(
        *positional,
        nullable=True,
        deferred=True,
        server_onupdate=FetchedValue(),
        info={INFO: declaration},
        **attribute,
    )
    event.listen(mapped.column, "after_parent_attach", _attach, propagate=True)
    return mapped


def embedding_column(
    name: str,
    *sources: str,
    model: str = "lite",
    modality: Literal["text", "image"] | None = None,
    dimensions: int | None = None,
    distance: Distance | None = None,
    index: bool | IndexOptions = True,
    prefix: str | None = None,
    weights: Sequence[float] | None = None,
    on_change: OnChange = "unset",
) -> Column[Vec | None]:
    """The column NAME_embedding for a `Table` of SQLAlchemy Core; the arguments are those of `embedding`."""
    declaration = _declaration(sources, model, modality, dimensions, distance, index, prefix, weights, on_change)
    column: Column[Vec | None] = Column(
        f"{name}{SUFFIX}",
        Embedding(declaration.dimensions),
        nullable=True,
        server_onupdate=FetchedValue(),
        info={INFO: declaration},
    )
    event.listen(column, "after_parent_attach", _attach, propagate=True)
    return column


def _declaration(
    sources: tuple[str, ...],
    model: str,
    modality: Literal["text", "image"] | None,
    dimensions: int | None,
    distance: Distance | None,
    index: bool | IndexOptions,
    prefix: str | None,
    weights: Sequence[float] | None,
    on_change: OnChange,
) -> Declaration:
    if not sources:
        raise DeclarationError("an embedding needs a source", hint='as in: photo_embedding = embedding("photo")')
    if any(not isinstance(source, str) for source in sources):
        raise DeclarationError(
            "a source of an embedding is given by its name", hint='as in: photo_embedding = embedding("photo")'
        )
    twice = next((source for source in sources if sources.count(source) > 1), None)
    if twice is not None:
        raise DeclarationError(
            f'source "{twice}" is named twice', hint="name each column once; weights=(…) makes one count for more"
        )
    if distance is not None and distance not in OPERATORS:
        raise DeclarationError(f'unknown distance "{distance}"', hint=f"distances: {', '.join(OPERATORS)}")
    if on_change not in get_args(OnChange):
        raise DeclarationError(f'on_change is "{on_change}"', hint=f"expected {' or '.join(get_args(OnChange))}")
    known = known_models().get(model)
    if known is None and dimensions is None:
        raise DeclarationError(
            f'model "{model}" is none that mmdb has a description of',
            hint=f"say how wide it is: dimensions=…; described are: {', '.join(known_models())}",
        )
    _check_known(known, dimensions, distance, modality)
    return Declaration(
        sources=sources,
        model=model,
        dimensions=dimensions or (known.dimensions if known else 0),
        distance=distance or _distance(known),
        modalities=frozenset(known.modalities) if known else None,
        modality=modality,
        prefix=prefix,
        index=index is not False,
        index_options=dict(index) if isinstance(index, Mapping) else {},
        weights=_weights(sources, weights, modality),
        on_change=on_change,
    )


def _weights(
    sources: tuple[str, ...], weights: Sequence[float] | None, modality: str | None
) -> tuple[float, ...] | None:
    if weights is None:
        return None
    given = tuple(float(weight) for weight in weights)
    if len(sources) < 2 or len(given) != len(sources):
        raise DeclarationError(
            f"there are {len(given)} weights for {len(sources)} sources",
            hint='one for each of several: embedding("title", "photo", weights=(0.7, 0.3))',
        )
    for weight in given:
        if not (math.isfinite(weight) and weight > 0):
            raise DeclarationError(
                f'weight "{weight}" is not a positive number', hint="leave a source out that is to have no weight"
            )
    if modality is not None:
        raise DeclarationError(
            f'sources with weights take no modality "{modality}"',
            hint="it is that of each column: bytea is an image; pictures by URI take no weights",
        )
    return given


def _check_known(
    known: ModelSpec | None, dimensions: int | None, distance: Distance | None, modality: str | None
) -> None:
    if known is None:
        return
    for what, given, true in (
        ("dimensions", dimensions, known.dimensions),
        ("distance", distance, known.distance),
    ):
        if given not in (None, true):
            raise DeclarationError(
                f'model "{known.name}" has {what} "{true}", not "{given}"',
                hint=f"leave {what} out, or name another model",
            )
    if modality is not None and modality not in known.modalities:
        raise DeclarationError(
            f'model "{known.name}" does not embed modality "{modality}"',
            hint=f"it embeds: {', '.join(known.modalities)}",
        )


def _distance(known: ModelSpec | None) -> Distance:
    for distance in OPERATORS:
        if known is not None and known.distance == distance:
            return distance  # type: ignore[return-value]
    return "cosine"


@cache
def known_models() -> dict[str, ModelSpec]:
    """The models whose width is known without asking a database, by name."""
    return {spec.name: spec for spec in builtin_specs()}


# From here on: what the surroundings tell.


def declaration_of(column: Column[Any]) -> Declaration | None:
    """What a column was declared with, None for one that is no embedding."""
    found = column.info.get(INFO)
    return found if isinstance(found, Declaration) else None


def embeddings_of(table: Table) -> list[tuple[Column[Any], Declaration]]:
    """The embedding columns of a table."""
    pairs = ((column, declaration_of(column)) for column in table.columns)
    return [(column, declaration) for column, declaration in pairs if declaration is not None]


def embedding_name(column: Column[Any]) -> str:
    """The name by which the database knows the embedding."""
    return column.name.removesuffix(SUFFIX)


def index_name(column: Column[Any]) -> str:
    """The name of the column's HNSW index: the one that mmdb.add_embedding would give it."""
    declaration = declaration_of(column)
    prefix = (declaration.prefix if declaration else None) or column.table.name
    name = f"{prefix}_{embedding_name(column)}_hnsw"
    if len(name.encode()) <= NAME_LIMIT:
        return name
    tail = "_" + hashlib.sha256(name.encode()).hexdigest()[:8]
    return name.encode()[: NAME_LIMIT - len(tail)].decode(errors="ignore") + tail


def _attach(column: Column[Any], table: Any) -> None:
    """A table got an embedding column: index and DDL."""
    declaration = declaration_of(column)
    if declaration is None or not isinstance(table, Table):
        return
    if not column.name.endswith(SUFFIX) or column.name == SUFFIX:
        raise DeclarationError(
            f'the embedding "{column.name}" of table "{table.name}" has a name that does not end in "{SUFFIX}"',
            hint=f'call the attribute {column.name}{SUFFIX}, or say embedding(…, name="{column.name}")',
        )
    if declaration.index:
        signs = cast(func.binary_quantize(column), BIT(declaration.dimensions))
        Index(
            index_name(column),
            signs.label(column.key) if declaration.is_quantized else column,
            # As of a column's own `index=True`: copied with the column, and by nobody else.
            _column_flag=True,
            postgresql_using="hnsw",
            postgresql_ops={column.key: declaration.operator_class},
            postgresql_with={key: value for key, value in declaration.index_options.items() if key != "quantization"},
        )
    listen_for_ddl(table)


@event.listens_for(Mapper, "after_mapper_constructed")
def _check_mapped(mapper: Mapper[Any], class_: type[Any]) -> None:
    """Now the class is known: its sources become columns, or the mistake is named."""
    table = mapper.local_table
    if not isinstance(table, Table):
        return
    for column, declaration in embeddings_of(table):
        inherited = mapper.inherits is not None and mapper.inherits.columns.contains_column(column)
        if mapper.columns.contains_column(column) and not inherited:
            where = f"{class_.__name__}.{mapper.get_property_by_column(column).key}"
            sources = tuple(_source(mapper, table, source, where) for source in declaration.sources)
            column.info[INFO] = replace(declaration, sources=sources)
            if not table.primary_key.columns:
                raise DeclarationError(
                    f'{where}: table "{table.name}" has no primary key',
                    hint="mmdb finds a row again by its key: primary_key=True on the columns that make it",
                )


def _source(mapper: Mapper[Any], table: Table, source: str, where: str) -> str:
    """The name of the column that the attribute or column `source` stands for."""
    if source in mapper.columns:
        column = mapper.columns[source]
    elif source in table.columns:
        column = table.columns[source]
    else:
        names = ", ".join(sorted(set(mapper.columns.keys()) | set(table.columns.keys())))
        raise DeclarationError(f'{where}: "{source}" is not a mapped column', hint=f"mapped are: {names}")
    if column.table is not table:
        raise DeclarationError(
            f'{where}: "{source}" is a column of table "{column.table.name}", not of "{table.name}"',
            hint="declare the embedding in the class whose table has the source",
        )
    return str(column.name)
