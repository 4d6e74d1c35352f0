"""The models of a database: rows of mmdb.models as `ModelSpec`, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mmdb.database.statements import statement
from mmdb.models.spec import ModelSpec

if TYPE_CHECKING:  # else imported where they are used: `import mmdb` comes here and is to be quick
    import psycopg

    from mmdb.models.embed.base import Modality

TOPIC = "catalogue"


def read_specs(connection: psycopg.Connection[Any]) -> dict[str, ModelSpec]:
    """All models by name."""
    return {spec.name: spec for spec in _specs(connection, None)}


def read_spec(connection: psycopg.Connection[Any], name: str) -> ModelSpec | None:
    """The model `name`; None where there is none."""
    return next(iter(_specs(connection, name)), None)


def _specs(connection: psycopg.Connection[Any], name: str | None) -> list[ModelSpec]:
    from psycopg.rows import kwargs_row

    with connection.cursor(row_factory=kwargs_row(_spec)) as cursor:
        return cursor.execute(statement(TOPIC, "models"), {"name": name}).fetchall()


def _spec(*, modalities: Sequence[Modality], **others: Any) -> ModelSpec:
    return ModelSpec(modalities=tuple(modalities), **others)


def write_spec(connection: psycopg.Connection[Any], spec: ModelSpec) -> None:
    """Add the model, or replace the one of its name. PostgreSQL refuses another identity where that is in use."""
    from psycopg.types.json import Jsonb

    values = {**asdict(spec), "modalities": list(spec.modalities), "options": Jsonb(dict(spec.options))}
    connection.execute(statement(TOPIC, "add_model"), values)
