"""`embedding(...)`: an embedding where the columns are declared.

It makes a real mapped column, its HNSW index, and a note in the column's `info` (orm/declared.py) of what
`mmdb.add_embedding` needs to know.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Unpack, get_args

from pgvector.sqlalchemy import BIT
from sqlalchemy import Column, FetchedValue, Index, Table, cast, event, func
from sqlalchemy.orm import MappedColumn, Mapper, mapped_column

from mmdb.declaration import DEFAULT_MODEL, Declaration, Distance, Options, options
from mmdb.errors import DeclarationError
from mmdb.models.registry import builtin_specs
from mmdb.models.spec import ModelSpec
from mmdb.orm.ddl import listen_for_ddl
from mmdb.orm.declared import INFO, SUFFIX, MappedEmbedding, embedding_name, embeddings_of, index_name, mapped_embedding
from mmdb.orm.types import Embedding, Vec


class ColumnOptions(Options, total=False):
    """What a column takes beside the options of its embedding."""

    dimensions: int | None


class AttributeOptions(ColumnOptions, total=False):
    """What `mapped_column` takes beside, and a column of this kind can have."""

    init: bool
    repr: bool
    default: Any
    default_factory: Any
    compare: bool
    kw_only: bool
    hash: bool | None
    dataclass_metadata: Any
    active_history: bool
    autoincrement: Any
    comment: str | None
    deferred_group: str | None
    deferred_raiseload: bool | None
    doc: str | None
    insert_default: Any
    key: str | None
    quote: bool | None
    sort_order: int
    system: bool
    use_existing_column: bool


def embedding(*sources: str, name: str | None = None, **given: Unpack[AttributeOptions]) -> MappedColumn[Vec | None]:
    """A mapped column that a worker keeps in step with `sources`, attributes or columns of the same class.

    Its value is a float32 array of shape (dimensions,), or None while it is pending or its sources are; it is deferred,
    so that it is loaded when it is asked for. The attribute is named NAME_embedding, by which the database knows the
    embedding as NAME; give `name` where it is to be another.

    `model` is "lite" unless given. `modality="image"` for a text column that holds URIs of pictures. `dimensions` (and
    `distance`, where it is not cosine) are needed for a model that mmdb has no description of. `index` may be False, or
    HNSW's `m` and `ef_construction`, and `quantization="binary"`, which `search` uses and `nearest` does not. `prefix`
    stands for the table in the names of search functions. With `weights`, one for each of several sources, each source
    (a text, or the bytes of a picture) is embedded by itself, and the vector is the weighted sum of theirs, of unit
    length; without, several texts are one source. `on_change="keep"`: a row whose source changed keeps its value, and
    is found by it, until it is embedded again. The rest is what `mapped_column` takes for dataclasses: in a dataclass
    mapping, `init=False`.

    Raises DeclarationError; what only the mapping shows, when the class is mapped.
    """
    own, attribute = _parted(dict(given))
    mapped = _mapped(sources, name, **own)
    positional: list[Any] = [*([f"{name}{SUFFIX}"] if name else []), Embedding(mapped.dimensions)]
    made: MappedColumn[Vec | None] = mapped_column(
        *positional,
        nullable=True,
        deferred=True,
        server_onupdate=FetchedValue(),
        info={INFO: mapped},
        **attribute,
    )
    event.listen(made.column, "after_parent_attach", _attach, propagate=True)
    return made


def embedding_column(name: str, *sources: str, **given: Unpack[ColumnOptions]) -> Column[Vec | None]:
    """The column NAME_embedding for a `Table` of SQLAlchemy Core; the arguments are those of `embedding`."""
    mapped = _mapped(sources, name, **given)
    column: Column[Vec | None] = Column(
        f"{name}{SUFFIX}",
        Embedding(mapped.dimensions),
        nullable=True,
        server_onupdate=FetchedValue(),
        info={INFO: mapped},
    )
    event.listen(column, "after_parent_attach", _attach, propagate=True)
    return column


def _parted(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is said of the embedding, and what of the attribute."""
    known = {"dimensions", *(option.keyword for option in options().values())}
    own = {keyword: value for keyword, value in given.items() if keyword in known}
    return own, {keyword: value for keyword, value in given.items() if keyword not in known}


def _mapped(
    sources: tuple[str, ...], name: str | None, *, dimensions: int | None = None, **given: Any
) -> MappedEmbedding:
    declaration = Declaration.of(sources, name, **given).check()
    model = declaration.model or DEFAULT_MODEL
    known = known_models().get(model)
    if known is None and dimensions is None:
        raise DeclarationError(
            f'model "{model}" is none that mmdb has a description of',
            hint=f"say how wide it is: dimensions=…; described are: {', '.join(known_models())}",
        )
    _check_known(known, dimensions, declaration)
    mapped = MappedEmbedding(
        declaration=declaration,
        dimensions=dimensions or (known.dimensions if known else 0),
        modalities=frozenset(known.modalities) if known else None,
    )
    return mapped.with_options(model=model, distance=declaration.distance or _distance(known))


def _check_known(known: ModelSpec | None, dimensions: int | None, declaration: Declaration) -> None:
    if known is None:
        return
    for what, given, true in (
        ("dimensions", dimensions, known.dimensions),
        ("distance", declaration.distance, known.distance),
    ):
        if given not in (None, true):
            raise DeclarationError(
                f'model "{known.name}" has {what} "{true}", not "{given}"',
                hint=f"leave {what} out, or name another model",
            )
    if declaration.modality is not None and declaration.modality not in known.modalities:
        raise DeclarationError(
            f'model "{known.name}" does not embed modality "{declaration.modality}"',
            hint=f"it embeds: {', '.join(known.modalities)}",
        )


def _distance(known: ModelSpec | None) -> str:
    """The model's; cosine unless it is known to be another."""
    return known.distance if known is not None and known.distance in get_args(Distance) else "cosine"


@cache
def known_models() -> dict[str, ModelSpec]:
    """The models whose width is known without asking a database, by name."""
    return {spec.name: spec for spec in builtin_specs()}


# From here on: what the surroundings tell.


def _attach(column: Column[Any], table: Any) -> None:
    """A table got an embedding column: name, index and DDL."""
    mapped = mapped_embedding(column)
    if mapped is None or not isinstance(table, Table):
        return
    if not column.name.endswith(SUFFIX) or column.name == SUFFIX:
        raise DeclarationError(
            f'the embedding "{column.name}" of table "{table.name}" has a name that does not end in "{SUFFIX}"',
            hint=f'call the attribute {column.name}{SUFFIX}, or say embedding(…, name="{column.name}")',
        )
    column.info[INFO] = mapped.with_options(name=embedding_name(column))
    if mapped.is_indexed:
        signs = cast(func.binary_quantize(column), BIT(mapped.dimensions))
        Index(
            index_name(column),
            signs.label(column.key) if mapped.is_quantized else column,
            # As of a column's own `index=True`: copied with the column, and by nobody else.
            _column_flag=True,
            postgresql_using="hnsw",
            postgresql_ops={column.key: mapped.operator_class},
            postgresql_with=mapped.index_parameters,
        )
    listen_for_ddl(table)


@event.listens_for(Mapper, "after_mapper_constructed")
def _check_mapped(mapper: Mapper[Any], class_: type[Any]) -> None:
    """Now the class is known: its sources become columns, or the mistake is named."""
    table = mapper.local_table
    if not isinstance(table, Table):
        return
    for column, mapped in embeddings_of(table):
        inherited = mapper.inherits is not None and mapper.inherits.columns.contains_column(column)
        if mapper.columns.contains_column(column) and not inherited:
            where = f"{class_.__name__}.{mapper.get_property_by_column(column).key}"
            sources = tuple(source_column(mapper, table, source, where) for source in mapped.declaration.sources)
            column.info[INFO] = mapped.with_options(sources=sources)
            if not table.primary_key.columns:
                raise DeclarationError(
                    f'{where}: table "{table.name}" has no primary key',
                    hint="mmdb finds a row again by its key: primary_key=True on the columns that make it",
                )


def source_column(mapper: Mapper[Any], table: Table, source: str, where: str) -> str:
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
