"""Another model in two migrations: `op.change_model` has a second generation filled, `op.switch_model` has it serve.

Between the two the workers embed every row by the new model, while searches go on (docs/changing-the-model.md).
"""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations

from mmdb.orm.alembic.operations import NamedOp, bare_table, call
from mmdb.orm.ddl import OfGenerations


class GenerationOp(NamedOp):
    """A directive about the generations of one embedding."""

    def run(self, operations: Operations, function: str, *arguments: str, **flags: bool) -> None:
        table = bare_table(self.table_name, self.schema)
        operations.execute(OfGenerations(table, function, (self.name, *arguments), flags))


@Operations.register_operation("change_model")
class ChangeModelOp(GenerationOp):
    """Begin to change the model of an embedding."""

    def __init__(
        self, table_name: str, name: str, model: str, *, schema: str | None = None, build_indexes: bool = True
    ) -> None:
        super().__init__(table_name, name, schema=schema)
        self.model = model
        self.build_indexes = build_indexes

    @classmethod
    def change_model(
        cls,
        operations: Operations,
        table_name: str,
        name: str,
        model: str,
        *,
        schema: str | None = None,
        build_indexes: bool = True,
    ) -> None:
        """Begin to change the model of the embedding `name`: a second generation is filled beside the one that serves.
        `build_indexes=False` leaves its indexes to `mmdb change TABLE NAME MODEL`, which blocks no writer."""
        operations.invoke(cls(table_name, name, model, schema=schema, build_indexes=build_indexes))

    def reverse(self) -> DropGenerationOp:
        return DropGenerationOp(self.table_name, self.name, schema=self.schema)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("change_model", self.schema, self.table_name, self.name, self.model)


@Operations.register_operation("switch_model")
class SwitchModelOp(GenerationOp):
    """Have the other generation of an embedding serve searches. Its reverse is the same."""

    def __init__(self, table_name: str, name: str, *, schema: str | None = None, force: bool = False) -> None:
        super().__init__(table_name, name, schema=schema)
        self.force = force

    @classmethod
    def switch_model(
        cls, operations: Operations, table_name: str, name: str, *, schema: str | None = None, force: bool = False
    ) -> None:
        """Have the generation serve that does not. Refused while rows wait to be embedded, unless forced."""
        operations.invoke(cls(table_name, name, schema=schema, force=force))

    def reverse(self) -> SwitchModelOp:
        return SwitchModelOp(self.table_name, self.name, schema=self.schema, force=self.force)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("switch_model", self.schema, self.table_name, self.name)


@Operations.register_operation("drop_generation")
class DropGenerationOp(GenerationOp):
    """Drop the generation that does not serve."""

    @classmethod
    def drop_generation(cls, operations: Operations, table_name: str, name: str, *, schema: str | None = None) -> None:
        """Drop the generation of the embedding `name` that does not serve; after that there is no way back."""
        operations.invoke(cls(table_name, name, schema=schema))

    def reverse(self) -> MigrateOperation:
        raise ValueError(f"the model of the other generation of {self.name} of {self.table_name} is not known")

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("drop_generation", self.schema, self.table_name, self.name)


@Operations.implementation_for(ChangeModelOp)
def _change(operations: Operations, op: ChangeModelOp) -> None:
    op.run(operations, "change_model", op.model, **({} if op.build_indexes else {"index": False}))


@Operations.implementation_for(SwitchModelOp)
def _switch(operations: Operations, op: SwitchModelOp) -> None:
    op.run(operations, "switch_model", **({"force": True} if op.force else {}))


@Operations.implementation_for(DropGenerationOp)
def _drop(operations: Operations, op: DropGenerationOp) -> None:
    op.run(operations, "drop_generation")


@renderers.dispatch_for(SwitchModelOp)
def _render_switch(context: AutogenContext, op: SwitchModelOp) -> str:
    return call(context, "switch_model", op.table_name, op.name, schema=op.schema, force=op.force or None)
