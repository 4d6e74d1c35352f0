"""`mmdb models`: the list, `add`, `test` and `remove`. A model is loaded where the command runs, as by a worker."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.text import Text

from mmdb.cli.embeddings import refuse_csv
from mmdb.cli.render import Format, console, note, plain, show, show_json
from mmdb.cli.target import Target
from mmdb.config import Settings
from mmdb.errors import ConfigError
from mmdb.operations import models as operations
from mmdb.operations.models import Speed, Trial

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
        show([asdict(model) for model in operations.list_models(connection)], columns, form)


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
    options = dict(map(_option, option or [])) | ({} if dimensions is None else {"dimensions": dimensions})
    asked = operations.requested(
        name,
        backend,
        model,
        revision=revision,
        query_prompt=query_prompt,
        document_prompt=document_prompt,
        options=options,
    )
    with context.obj.connect() as connection:
        added = operations.add(connection, asked, Settings.from_environment())
    spec = added.spec
    what = f"{spec.dimensions} dimensions, {' and '.join(spec.modalities)}; {spec.identity}"
    note(f'{"replaced" if added.replaced else "added"} model "{name}": {what}')
    note(f"try it: `mmdb models test {name}`; use it: `mmdb add TABLE SOURCE --model {name}`")


def _option(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError(f'option "{text}" is not understood, expected KEY=VALUE', hint="as in batch_items=32")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


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
    refuse_csv(form)
    with context.obj.connect() as connection:
        spec = operations.model_of(connection, name)
    trial = operations.measure(spec, Settings.from_environment())
    modalities = [_speed_row(speed) for speed in trial.speeds]
    if form is Format.JSON:
        seen = asdict(trial)
        del seen["speeds"]
        show_json({**seen, "modalities": modalities})
    else:
        _show_trial(trial, modalities)


def _speed_row(speed: Speed) -> dict[str, Any]:
    return {
        "modality": speed.modality,
        "milliseconds alone": round(speed.milliseconds_alone, 1),
        "a second in batches": round(speed.a_second, 1),
        "batch": speed.batch,
    }


def _show_trial(trial: Trial, modalities: list[dict[str, Any]]) -> None:
    out = console()
    out.print(Text(plain(f"{trial.name}: {trial.identity}")), soft_wrap=True)
    grown = f"at most {trial.memory_mb} MB more memory than before"
    out.print(f"{trial.dimensions} dimensions; loaded in {trial.seconds_to_load:.1f} s, {grown}")
    shown = [
        {key: f"{value:.1f}" if isinstance(value, float) else value for key, value in row.items()} for row in modalities
    ]
    show(shown, list(shown[0]))


@group.command("remove")
def remove_model(context: typer.Context, name: Name) -> None:
    """Forget a model that no embedding uses.

    \b
    Example:
      mmdb models remove small
    """
    with context.obj.connect() as connection:
        operations.remove(connection, name)
    note(f'removed model "{name}"')
