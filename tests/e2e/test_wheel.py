"""The wheel holds all that mmdb needs: installed into an environment of its own, far from the checkout, it works."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import Database, newest_revision

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    answer = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    # Quick, and without a download, where the build backend is installed anyway.
    isolation = ["--no-isolation"] if importlib.util.find_spec("hatchling") else []
    run(sys.executable, "-m", "build", "--wheel", *isolation, "--outdir", folder, ROOT, cwd=folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel, which borrows the packages that it needs from ours."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin/python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=folder)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    # Behind the environment's own, so that mmdb is the wheel's; a .pth file in a borrowed folder has no effect.
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_files_that_are_not_python(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder, place in (("sql", "_sql"), ("migrations", "_migrations"), ("examples/shop", "_examples/shop")):
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert f"mmdb/{place}/{file.relative_to(ROOT / folder).as_posix()}" in inside
    for file in (ROOT / "mmdb").rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            assert file.relative_to(ROOT).as_posix() in inside


def test_it_is_the_wheel_that_runs(python: Path, tmp_path: Path) -> None:
    script = (
        "import mmdb; from mmdb.database.statements import resource; "
        "print(mmdb.__file__, resource('sql'), resource('examples/shop'))"
    )
    for place in run(python, "-c", script, cwd=tmp_path).split():
        assert Path(place).is_relative_to(python.parents[1])


def test_init_and_uninstall(python: Path, tmp_path: Path, empty_database: Database) -> None:
    command = python.with_name("mmdb")
    run(command, "init", cwd=tmp_path, MMDB_DATABASE_URL=empty_database.url)
    with empty_database.connect() as connection:
        assert connection.execute("select version_num from mmdb.schema_version").fetchone() == (newest_revision(),)
        assert connection.execute("select count(*) > 0 from mmdb.doctor()").fetchone() == (True,)
    run(command, "uninstall", "--yes", cwd=tmp_path, MMDB_DATABASE_URL=empty_database.url)
    with empty_database.connect() as connection:
        assert connection.execute("select to_regnamespace('mmdb')").fetchone() == (None,)


def test_statements_are_found(python: Path, tmp_path: Path) -> None:
    script = "from mmdb.install import script; print(script())"
    assert "create user mapping" in run(python, "-c", script, cwd=tmp_path)
