"""What a model is, as a row of mmdb.models says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmdb.errors import ModelError
from mmdb.models.embed.base import Modality


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model as the catalogue has it; `identity` is what its vectors depend on (see `Embedder.identity`)."""

    name: str
    backend: str
    model: str
    dimensions: int
    modalities: tuple[Modality, ...]
    identity: str
    distance: str = "cosine"
    revision: str | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def accept_options(self, *known: str) -> None:
        """Raise ModelError for an option outside `known`."""
        for option in self.options:
            if option not in known:
                raise ModelError(
                    f'backend "{self.backend}" has no option "{option}"',
                    hint=f"it has: {', '.join(known) or 'none'}",
                )

    def refuse_prompts(self) -> None:
        """Raise ModelError for prompts: the calling backend has none."""
        if self.query_prompt or self.document_prompt:
            raise ModelError(
                f'backend "{self.backend}" has no prompts, but model "{self.name}" sets one',
                hint="leave query_prompt and document_prompt empty",
            )

    def wrong_option(self, option: str, expected: str) -> ModelError:
        value = self.options[option]
        return ModelError(f'option "{option}" of model "{self.name}" is "{value}", expected {expected}')

    def number(self, option: str, default: int, most: int) -> int:
        """A whole number from 1 to `most` out of the options."""
        value = self.options.get(option, default)
        if type(value) is not int or not 1 <= value <= most:
            raise self.wrong_option(option, f"a whole number from 1 to {most}")
        return value

    def choice(self, option: str, *known: str) -> str:
        """One of `known` out of the options, by default the first."""
        value = self.options.get(option, known[0])
        if value not in known:
            raise self.wrong_option(option, f"one of {', '.join(known)}")
        return str(value)
