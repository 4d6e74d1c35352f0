"""From a model's name to the folder with its files, and what its vectors depend on in there.

A model is looked for, in this order: as an absolute path; in the folder of local copies, MMDB_MODELS; at the hub, which
looks into its own cache first. What is loaded is always a folder, and `fingerprint` hashes what is in it: so a copy in
a folder and a download of the same revision are one model, and one whose files have changed is another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from mmdb.config import Settings
from mmdb.errors import ModelUnavailableError
from mmdb.models.spec import ModelSpec

WEIGHTS = ("*.safetensors",)
PICKLED_WEIGHTS = ("*.bin",)
"""Read where there are no others. The libraries unpickle nothing but tensors of them."""
SETTINGS = ("*.json", "*.txt", "*.model", "*.spm", "*.vocab", "*.tiktoken", "*.jinja")
IGNORED = (".*", "*/.*", "training_args.bin", "optimizer*.bin")
_CHUNK = 1 << 20
_COMMIT = 40


@dataclass(frozen=True, slots=True)
class Found:
    """Where a model's files are; `revision` is the commit of a download."""

    folder: Path
    revision: str | None = None


def find_folder(spec: ModelSpec, settings: Settings, wanted: Sequence[str], ignored: Sequence[str] = IGNORED) -> Found:
    """The folder of `spec`. A download takes what matches `wanted`.

    Raises ModelUnavailableError that says what was tried.
    """
    places = list(_local_places(spec, settings))
    for place in places:
        if place.is_dir():
            return Found(place)
    tried = f'there is no folder "{places[0]}"' if places else "it is not a name of a model"
    if not places or places[0] == Path(spec.model):
        raise _not_found(spec, tried, "copy it there, or name the folder in which it is")
    try:
        return _download(spec, wanted, ignored)
    except ModuleNotFoundError as error:
        problem = "and the hub needs the package huggingface_hub"
        cause: Exception = error
    except Exception as error:  # a dozen classes of two libraries
        problem = f"and the hub said: {_first_line(error)}"
        cause = error
    hint = f'download it where there is a connection and copy it to "{settings.models_folder / spec.model}", or set'
    raise _not_found(spec, f"{tried}, {problem}", f"{hint} MMDB_MODELS to the folder that holds such copies") from cause


def _local_places(spec: ModelSpec, settings: Settings) -> Iterator[Path]:
    name = PurePosixPath(spec.model)
    if name.is_absolute():
        yield Path(spec.model)
    elif ".." not in name.parts and spec.model.strip():
        yield settings.models_folder / name


def _not_found(spec: ModelSpec, problem: str, hint: str) -> ModelUnavailableError:
    revision = f' at revision "{spec.revision}"' if spec.revision else ""
    return ModelUnavailableError(f'"{spec.model}"{revision} of model "{spec.name}" was not found: {problem}', hint=hint)


def _download(spec: ModelSpec, wanted: Sequence[str], ignored: Sequence[str]) -> Found:
    from huggingface_hub import snapshot_download

    folder = Path(
        snapshot_download(
            spec.model, revision=spec.revision, allow_patterns=list(wanted), ignore_patterns=list(ignored)
        )
    )
    return Found(folder, folder.name if len(folder.name) == _COMMIT else None)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def matching(folder: Path, wanted: Sequence[str], ignored: Sequence[str] = IGNORED) -> list[PurePosixPath]:
    """The files below `folder` that match, in order, named from there."""
    names = (PurePosixPath(path.relative_to(folder).as_posix()) for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if _matches(name, wanted) and not _matches(name, ignored))


def _matches(name: PurePosixPath, patterns: Sequence[str]) -> bool:
    return any(fnmatch(str(name), pattern) for pattern in patterns)


def fingerprint(folder: Path, names: Sequence[PurePosixPath]) -> str:
    """A short SHA-256 of those files and their names; a gigabyte takes some 2 s."""
    whole = hashlib.sha256()
    for name in names:
        whole.update(f"{name}\0{hash_file(folder / name)}\n".encode())
    return whole.hexdigest()[:16]


def hash_file(path: Path) -> str:
    """The SHA-256 of its content."""
    content = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            content.update(chunk)
    return content.hexdigest()
