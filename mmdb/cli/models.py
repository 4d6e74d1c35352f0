"""`mmdb models`: the list, `add`, `test` and `remove`. A model is loaded where the command runs, as by a worker."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from psycopg.types.json import Jsonb
from rich.text import Text

from mmdb.cli.render import Format, console, note, plain, show, show_json
from mmdb.cli.target import TOPIC, Connection, Row, Target
from mmdb.config import Settings
from mmdb.database.statements import statement
from mmdb.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmdb.models.embed.base import Embedder, Item, Modality
    from mmdb.models.spec import ModelSpec

MEASURE_SECONDS = 2.0
"""How long `mmdb models test` embeds, for each modality."""
SENTENCE = "number {} of some texts as they stand in a catalogue: a red shoe with white laces, almost new"
MEGABYTE = 1024 * 1024

Name = Annotated[str, typer.Argument(help="The name by which embeddings and queries call it.", metavar="NAME")]

group = typer.Typer(
    rich_markup_mode=None, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)


@group.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    form: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.TABLE,
) -> None:
    """List the models that an embedding can be bound to; add, test and remove them.

    \b
    Example:
      mmdb models
      mmdb models add minilm --backend sentence_transformers --model sentence-transformers/all-MiniLM-L6-v2
    """
    if context.invoked_subcommand is None:
        _list(context.obj, form)


@group.command("list")
def list_models(
    context: typer.Context,
    form: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.TABLE,
) -> None:
    """List the models, as `mmdb models` does.

    \b
    Example:
      mmdb models list --format json
    """
    _list(context.obj, form)


def _list(target: Target, form: Format) -> None:
    columns = ["name", "backend", "model", "dimensions", "modalities", "distance", "embeddings"]
    with target.connect() as connection:
        show(connection.execute(statement(TOPIC, "models")).fetchall(), columns, form)


@group.command("add")
def add_model(
    context: typer.Context,
    name: Name,
    backend: Annotated[str, typer.Option(help="sentence_transformers, open_clip, openai or hash.")],
    model: Annotated[
        str, typer.Option(help="What the backend calls it: a hub's name, a folder's absolute path, a server's model.")
    ],
    revision: Annotated[str | None, typer.Option(help="A commit or tag at the hub. Default: the newest.")] = None,
    dimensions: Annotated[
        int | None, typer.Option(min=1, help="Fewer than its own, if it was trained for that.")
    ] = None,
    query_prompt: Annotated[
        str | None, typer.Option(help="Goes before each query. Default: the model's own.", metavar="TEXT")
    ] = None,
    document_prompt: Annotated[
        str | None, typer.Option(help="Goes before each text of a row. Default: the model's own.", metavar="TEXT")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="An option of the backend: docs/models.md. May be given several times.", metavar="KEY=VALUE"),
    ] = None,
) -> None:
    """Register a model, after loading it here to see what it is.

    Its identity, which is what its vectors depend on (weights, settings, prompts), is fixed once an embedding uses it:
    the same name cannot become another model. Workers take it up within seconds, if they have what it needs.

    \b
    Example:
      mmdb models add minilm --backend sentence_transformers --model sentence-transformers/all-MiniLM-L6-v2
      mmdb models add clip --backend open_clip --model ViT-B-32 --option pretrained=laion2b_s34b_b79k
      mmdb models add small --backend openai --model text-embedding-3-small --dimensions 512
      mmdb models add local --backend openai --model bge-m3 --option base_url=http://127.0.0.1:8000/v1
    """
    from mmdb.models.spec import ModelSpec

    options = dict(map(_option, option or [])) | ({} if dimensions is None else {"dimensions": dimensions})
    spec = ModelSpec(
        name,
        backend,
        model,
        dimensions=0,
        modalities=(),
        identity="",
        revision=revision,
        query_prompt=query_prompt,
        document_prompt=document_prompt,
        options=options,
    )
    _refuse_builtin(name)
    with context.obj.connect() as connection:
        _add(connection, spec)


def _option(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError(f'option "{text}" is not understood, expected KEY=VALUE', hint="as in batch_items=32")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _refuse_builtin(name: str) -> None:
    from mmdb.models.registry import builtin_specs

    if name in {spec.name for spec in builtin_specs()}:
        raise ModelError(f'model "{name}" is one of mmdb\'s own', hint="choose another name")


def _add(connection: Connection, spec: ModelSpec) -> None:
    from mmdb.models.registry import describe

    there = connection.execute(statement(TOPIC, "model"), {"name": spec.name}).fetchone()
    described, _ = describe(spec, Settings.from_environment())
    values = asdict(described) | {"modalities": list(described.modalities), "options": Jsonb(dict(described.options))}
    connection.execute(statement(TOPIC, "add_model"), values)
    what = f"{described.dimensions} dimensions, {' and '.join(described.modalities)}; {described.identity}"
    note(f'{"replaced" if there else "added"} model "{spec.name}": {what}')
    note(f"try it: `mmdb models test {spec.name}`; use it: `mmdb add TABLE SOURCE --model {spec.name}`")


@group.command("test")
def try_model(
    context: typer.Context,
    name: Name,
    form: Annotated[Format, typer.Option("--format", help="table or json.")] = Format.TABLE,
) -> None:
    """Load a model here, embed a text and a picture, and show width, speed and memory.

    \b
    Example:
      mmdb models test lite
    """
    from mmdb.models.registry import load
    from mmdb.models.spec import ModelSpec

    if form is Format.CSV:
        raise ConfigError('the format "csv" is for one table of rows', hint="use --format json")
    with context.obj.connect() as connection:
        row = connection.execute(statement(TOPIC, "model"), {"name": name}).fetchone()
    if row is None:
        raise ModelError(f'model "{name}" does not exist', hint="`mmdb models` lists them")
    before, began = _memory(), time.monotonic()
    embedder = load(ModelSpec(**{**row, "modalities": tuple(row["modalities"])}), Settings.from_environment())
    loading = time.monotonic() - began
    measured = [_measured(embedder, modality) for modality in row["modalities"]]
    seen = {"name": name, "identity": row["identity"], "dimensions": embedder.dimensions, "seconds_to_load": loading}
    if form is Format.JSON:
        show_json({**seen, "memory_mb": _growth(before), "modalities": measured})
    else:
        _show_test(seen, _growth(before), measured)


def _show_test(seen: Row, memory: int | None, measured: list[Row]) -> None:
    out = console()
    out.print(Text(plain(f"{seen['name']}: {seen['identity']}")), soft_wrap=True)
    grown = "" if memory is None else f", at most {memory} MB more memory than before"
    out.print(f"{seen['dimensions']} dimensions; loaded in {seen['seconds_to_load']:.1f} s{grown}")
    shown = [
        {key: f"{value:.1f}" if isinstance(value, float) else value for key, value in row.items()} for row in measured
    ]
    show(shown, list(shown[0]))


def _measured(embedder: Embedder, modality: Modality) -> Row:
    """One item as a query, then batches for MEASURE_SECONDS; the first call, which makes caches, is not counted."""
    item: Item = SENTENCE.format(0) if modality == "text" else _picture()
    embedder.embed([item], "query")
    began = time.monotonic()
    embedder.embed([item], "query")
    alone = time.monotonic() - began
    batch = [SENTENCE.format(place) if modality == "text" else item for place in range(embedder.batch_size)]
    done, seconds = _timed(embedder, batch)
    return {
        "modality": modality,
        "milliseconds alone": round(1000 * alone, 1),
        "a second in batches": round(done / seconds, 1),
        "batch": len(batch),
    }


def _timed(embedder: Embedder, batch: Sequence[Item]) -> tuple[int, float]:
    done, began = 0, time.monotonic()
    while True:
        embedder.embed(batch)
        done += len(batch)
        seconds = time.monotonic() - began
        if seconds > MEASURE_SECONDS:
            return done, seconds


def _picture() -> Image:
    """A picture of many colours, 640 x 480."""
    from PIL import Image

    return Image.merge("RGB", [Image.linear_gradient("L").rotate(turn).resize((640, 480)) for turn in (0, 90, 180)])


def _memory() -> int | None:
    """Bytes that this process holds now; None where that cannot be read (macOS)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmRSS:"))


def _growth(before: int | None) -> int | None:
    """Megabytes by which the most that was held since exceeds `before`."""
    if before is None or sys.platform == "win32":
        return None
    import resource

    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before) // MEGABYTE


@group.command("remove")
def remove_model(context: typer.Context, name: Name) -> None:
    """Forget a model that no embedding uses.

    \b
    Example:
      mmdb models remove small
    """
    with context.obj.connect() as connection:
        connection.execute(statement(TOPIC, "remove_model"), {"name": name})
    note(f'removed model "{name}"')
