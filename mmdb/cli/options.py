"""The options of an embedding on the command line: out of the fields of a declaration, each with its help."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from inspect import Parameter
from typing import Annotated, Any, TypeVar

import typer

from mmdb.declaration import Flag, options

Command = TypeVar("Command", bound=Callable[..., None])
FIRST = ("model", "modality", "name", "prefix", "weights")
"""What the help lists before the command's own option, being asked for most."""


def takes_options(command: Command) -> Command:
    """`command`, whose `**options` become those of a declaration, and whose last parameter is an option of its own."""
    flags = {name: known.flag for name, known in options().items() if known.flag is not None}
    first = [_parameter(flags[name]) for name in FIRST]
    others = [_parameter(flag) for name, flag in flags.items() if name not in FIRST]
    *arguments, own, _options = inspect.signature(command, eval_str=True).parameters.values()
    signature = inspect.Signature([*arguments, *first, own, *others])
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    return command


def _parameter(flag: Flag) -> Parameter:
    given: Any = flag.type | None
    annotation = Annotated[given, typer.Option(help=flag.meaning, metavar=flag.metavar)]
    return Parameter(flag.name, Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation)
