"""The directives of a migration script, what they execute, and how autogenerate writes them.

Everything is plain SQL with literals in it, so that `alembic upgrade --sql` writes it too.
"""

from __future__ import annotations

from typing import Any, ClassVar, Unpack

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations
from sqlalchemy import DDL, MetaData, Table, TextClause
from sqlalchemy.dialects import postgresql

from mmdb.declaration import Declaration, Options
from mmdb.errors import DeclarationError
from mmdb.orm.ddl import AddEmbedding, DropEmbedding, RefreshEmbeddings, ReleaseSources
from mmdb.orm.declared import SUFFIX
from mmdb.orm.indexes import HnswIndex

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


class TableOp(MigrateOperation):
    """A directive about a table."""

    def __init__(self, table_name: str, *, schema: str | None = None) -> None:
        self.table_name = table_name
        self.schema = schema


class NamedOp(TableOp):
    """A directive about what has a name on a table."""

    def __init__(self, table_name: str, name: str, *, schema: str | None = None) -> None:
        super().__init__(table_name, schema=schema)
        self.name = name


class DropNamedOp(NamedOp):
    """A directive that takes away what has a name on a table. Its reverse is what made it, where that is known."""

    kind: ClassVar[str]

    def __init__(
        self,
        table_name: str,
        name: str,
        *,
        schema: str | None = None,
        if_exists: bool = False,
        reverse: MigrateOperation | None = None,
    ) -> None:
        super().__init__(table_name, name, schema=schema)
        self.if_exists = if_exists
        self._reverse = reverse

    def reverse(self) -> MigrateOperation:
        if self._reverse is None:
            raise ValueError(f"the declaration of {self.kind} {self.name} of {self.table_name} is not known")
        return self._reverse


@Operations.register_operation("add_embedding")
class AddEmbeddingOp(TableOp):
    """Declare an embedding: column, trigger, indexes, search functions. Existing rows are pending from then on."""

    def __init__(
        self, table_name: str, declaration: Declaration, *, schema: str | None = None, build_indexes: bool = True
    ) -> None:
        super().__init__(table_name, schema=schema)
        self.declaration = declaration
        self.build_indexes = build_indexes

    @classmethod
    def add_embedding(
        cls,
        operations: Operations,
        table_name: str,
        *sources: str,
        schema: str | None = None,
        name: str | None = None,
        build_indexes: bool = True,
        **options: Unpack[Options],
    ) -> None:
        """Declare an embedding of `sources`; the options are those of `mmdb.orm.embedding`, and one that is not given
        is the database's own default. `weights`, one for each of several sources, embed each by itself.

        The column is added, or adopted where it is there. The table is locked for a moment; a worker fills the column
        while the application runs. `build_indexes=False` leaves both indexes to `mmdb add TABLE SOURCE`, which builds
        them without blocking writers, for a table of millions of rows. `on_change="keep"`: a
        row whose source changed is found by its old vector until it is embedded again.
        """
        if not sources:
            raise DeclarationError(
                "op.add_embedding needs a source column", hint='op.add_embedding("products", "photo")'
            )
        declaration = Declaration.of(sources, name, **options).check()
        operations.invoke(cls(table_name, declaration, schema=schema, build_indexes=build_indexes))

    @property
    def name(self) -> str:
        return self.declaration.called

    def reverse(self) -> DropEmbeddingOp:
        return DropEmbeddingOp(self.table_name, self.name, schema=self.schema, reverse=self)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("add_embedding", self.schema, self.table_name, self.name, self.declaration.model)


@Operations.register_operation("drop_embedding")
class DropEmbeddingOp(DropNamedOp):
    """Remove an embedding and its column."""

    kind = "embedding"

    @classmethod
    def drop_embedding(
        cls, operations: Operations, table_name: str, name: str, *, schema: str | None = None, if_exists: bool = False
    ) -> None:
        """Remove the embedding `name`: its column, trigger, indexes and search functions."""
        operations.invoke(cls(table_name, name, schema=schema, if_exists=if_exists))

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("drop_embedding", self.schema, self.table_name, self.name)


@Operations.register_operation("refresh_embeddings")
class RefreshEmbeddingsOp(TableOp):
    """Make the search functions of a table again, after its columns changed or it was renamed."""

    @classmethod
    def refresh_embeddings(cls, operations: Operations, table_name: str, *, schema: str | None = None) -> None:
        """Make the functions of the table's embeddings again. To be called after `op.rename_table` and after changes of
        columns; autogenerate writes it where it changes columns."""
        operations.invoke(cls(table_name, schema=schema))

    def reverse(self) -> MigrateOperation:
        return RefreshOnlyDown(self.table_name, schema=self.schema)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("refresh_embeddings", self.schema, self.table_name)


class RefreshOnlyDown(RefreshEmbeddingsOp):
    """First in an upgrade, where it does nothing: a downgrade runs the reverse of all in reverse order."""

    def reverse(self) -> MigrateOperation:
        return RefreshEmbeddingsOp(self.table_name, schema=self.schema)


@Operations.register_operation("release_sources")
class ReleaseSourcesOp(TableOp):
    """Let the types of a table's sources be changed; `op.refresh_embeddings` comes after it."""

    @classmethod
    def release_sources(cls, operations: Operations, table_name: str, *, schema: str | None = None) -> None:
        """Have the triggers of the table's embeddings name no source, since PostgreSQL changes no type of a column that
        a trigger names. To be called before `op.alter_column(…, type_=…)` of a source, with `op.refresh_embeddings`
        after it; autogenerate writes both. The vectors stay."""
        operations.invoke(cls(table_name, schema=schema))

    def reverse(self) -> MigrateOperation:
        return RefreshReleasedOp(self.table_name, schema=self.schema)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("release_sources", self.schema, self.table_name)


class RefreshReleasedOp(RefreshEmbeddingsOp):
    """The other end of what `op.release_sources` begins, in both directions."""

    def reverse(self) -> MigrateOperation:
        return ReleaseSourcesOp(self.table_name, schema=self.schema)


@Operations.register_operation("create_hnsw_index")
class CreateHnswIndexOp(MigrateOperation):
    """Build an HNSW index of a vector column or expression."""

    def __init__(self, definition: HnswIndex, *, concurrently: bool = False, if_not_exists: bool = False) -> None:
        self.definition = definition
        self.concurrently = concurrently
        self.if_not_exists = if_not_exists

    @classmethod
    def create_hnsw_index(
        cls,
        operations: Operations,
        index_name: str,
        table_name: str,
        element: str | TextClause,
        operator_class: str,
        *,
        m: int | None = None,
        ef_construction: int | None = None,
        where: str | None = None,
        schema: str | None = None,
        concurrently: bool = False,
        if_not_exists: bool = False,
    ) -> None:
        """Build an HNSW index over `element`, a column's name or `sa.text("an expression")`, with a mandatory operator
        class such as "halfvec_cosine_ops". `concurrently` blocks no writer and wants
        `with op.get_context().autocommit_block():`."""
        parameters = {"m": m, "ef_construction": ef_construction}
        expression = str(element) if str(element).startswith("(") else f"({element})"
        definition = HnswIndex(
            name=index_name,
            table=table_name,
            schema=schema,
            element=DIALECT.identifier_preparer.quote(element) if isinstance(element, str) else expression,
            column=element if isinstance(element, str) else None,
            operator_class=operator_class,
            parameters={name: value for name, value in parameters.items() if value is not None},
            predicate=where,
        )
        operations.invoke(cls(definition, concurrently=concurrently, if_not_exists=if_not_exists))

    def reverse(self) -> DropHnswIndexOp:
        index = self.definition
        return DropHnswIndexOp(index.name, index.table, schema=index.schema, reverse=self)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("create_hnsw_index", self.definition)


@Operations.register_operation("drop_hnsw_index")
class DropHnswIndexOp(MigrateOperation):
    """Drop an HNSW index."""

    def __init__(
        self,
        index_name: str,
        table_name: str,
        *,
        schema: str | None = None,
        concurrently: bool = False,
        if_exists: bool = False,
        reverse: CreateHnswIndexOp | None = None,
    ) -> None:
        self.index_name = index_name
        self.table_name = table_name
        self.schema = schema
        self.concurrently = concurrently
        self.if_exists = if_exists
        self._reverse = reverse

    @classmethod
    def drop_hnsw_index(
        cls,
        operations: Operations,
        index_name: str,
        table_name: str,
        *,
        schema: str | None = None,
        concurrently: bool = False,
        if_exists: bool = False,
    ) -> None:
        """Drop the HNSW index `index_name`; `concurrently` wants `with op.get_context().autocommit_block():`."""
        operations.invoke(cls(index_name, table_name, schema=schema, concurrently=concurrently, if_exists=if_exists))

    def reverse(self) -> CreateHnswIndexOp:
        if self._reverse is None:
            raise ValueError(f"what index {self.index_name} was built with is not known")
        return self._reverse

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("drop_hnsw_index", self.schema, self.index_name)


# What they execute.


def bare_table(name: str, schema: str | None) -> Table:
    """A table of which nothing is known but its name."""
    return Table(name, MetaData(), schema=schema)


@Operations.implementation_for(AddEmbeddingOp)
def _add(operations: Operations, op: AddEmbeddingOp) -> None:
    table = bare_table(op.table_name, op.schema)
    operations.execute(AddEmbedding(table, op.declaration, build_indexes=op.build_indexes))


@Operations.implementation_for(DropEmbeddingOp)
def _drop(operations: Operations, op: DropEmbeddingOp) -> None:
    operations.execute(DropEmbedding(bare_table(op.table_name, op.schema), op.name, if_exists=op.if_exists))
    # One that was there when the embedding was declared stays otherwise.
    quote = DIALECT.identifier_preparer.quote
    table = f"{quote(op.schema)}.{quote(op.table_name)}" if op.schema else quote(op.table_name)
    operations.execute(_ddl(f"ALTER TABLE {table} DROP COLUMN IF EXISTS {quote(op.name + SUFFIX)}"))


@Operations.implementation_for(RefreshEmbeddingsOp)
def _refresh(operations: Operations, op: RefreshEmbeddingsOp) -> None:
    if not isinstance(op, RefreshOnlyDown):
        operations.execute(RefreshEmbeddings(bare_table(op.table_name, op.schema)))


@Operations.implementation_for(ReleaseSourcesOp)
def _release(operations: Operations, op: ReleaseSourcesOp) -> None:
    operations.execute(ReleaseSources(bare_table(op.table_name, op.schema)))


@Operations.implementation_for(CreateHnswIndexOp)
def _create_index(operations: Operations, op: CreateHnswIndexOp) -> None:
    operations.execute(
        _ddl(op.definition.create(DIALECT, concurrently=op.concurrently, if_not_exists=op.if_not_exists))
    )


@Operations.implementation_for(DropHnswIndexOp)
def _drop_index(operations: Operations, op: DropHnswIndexOp) -> None:
    quote = DIALECT.identifier_preparer.quote
    name = f"{quote(op.schema)}.{quote(op.index_name)}" if op.schema else quote(op.index_name)
    words = ["DROP INDEX", "CONCURRENTLY" if op.concurrently else "", "IF EXISTS" if op.if_exists else "", name]
    operations.execute(_ddl(" ".join(filter(None, words))))


def _ddl(statement: str) -> DDL:
    return DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]


# How autogenerate writes them.


def call(context: AutogenContext, directive: str, /, *positional: Any, **named: Any) -> str:
    """`op.directive(…)`, without the arguments that have their default."""
    prefix = context.opts["alembic_module_prefix"]
    parts = [value if isinstance(value, Code) else repr(value) for value in positional]
    parts += [f"{key}={value!r}" for key, value in named.items() if value is not None]
    return f"{prefix}{directive}({', '.join(parts)})"


class Code(str):
    """A part of a rendered call that is Python already."""

    __slots__ = ()


@renderers.dispatch_for(AddEmbeddingOp)
def _render_add(context: AutogenContext, op: AddEmbeddingOp) -> str:
    declared = op.declaration
    return call(context, "add_embedding", op.table_name, *declared.sources, **declared.keywords(), schema=op.schema)


@renderers.dispatch_for(DropEmbeddingOp)
def _render_drop(context: AutogenContext, op: DropEmbeddingOp) -> str:
    return call(context, "drop_embedding", op.table_name, op.name, schema=op.schema)


@renderers.dispatch_for(RefreshEmbeddingsOp)
def _render_refresh(context: AutogenContext, op: RefreshEmbeddingsOp) -> str:
    return call(context, "refresh_embeddings", op.table_name, schema=op.schema)


@renderers.dispatch_for(RefreshOnlyDown)
def _render_nothing(context: AutogenContext, op: RefreshOnlyDown) -> list[str]:
    return []


@renderers.dispatch_for(ReleaseSourcesOp)
def _render_release(context: AutogenContext, op: ReleaseSourcesOp) -> str:
    return call(context, "release_sources", op.table_name, schema=op.schema)


@renderers.dispatch_for(CreateHnswIndexOp)
def _render_create_index(context: AutogenContext, op: CreateHnswIndexOp) -> str:
    index = op.definition
    text = f"{context.opts['sqlalchemy_module_prefix']}text({index.element!r})"
    return call(
        context,
        "create_hnsw_index",
        index.name,
        index.table,
        index.column if index.column is not None else Code(text),
        index.operator_class,
        **index.parameters,
        where=index.predicate,
        schema=index.schema,
    )


@renderers.dispatch_for(DropHnswIndexOp)
def _render_drop_index(context: AutogenContext, op: DropHnswIndexOp) -> str:
    return call(context, "drop_hnsw_index", op.index_name, op.table_name, schema=op.schema)
