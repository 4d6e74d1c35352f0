"""A migration that has landed is never edited: databases went through it as it was."""

from __future__ import annotations

import hashlib
from pathlib import Path

VERSIONS = Path(__file__).parents[2] / "migrations/versions"
LANDED = {
    "0010_base.py": "c8bacf39b3c974ded47bd7cfadbb8ee6a940c7b9c44fea8a4db48f3c5b5161c8",
    "0010_base.sql": "98d6d9cd56ba2089b59550e7091bc86e5fb1658cbd95b71e78b949663caa71c1",
    "0011_derivations.py": "676e6b004d5a92bef9b2106fac9a791faab87cbdef7623ba3c33b889989cacc6",
    "0011_derivations.sql": "3eff9f97f5f78cefe305d5cac8b78a14a2a0aaab7459be95f733c12c6a654c8d",
    "0012_requests.py": "8e55d778dade822821d4db687d8c7e5c5d8efebdc56452c8669096d9a3de5efa",
    "0012_requests.sql": "2b6c60dddf092c5d43bd259dcca8a38c1867581158ba22221c2e03e4aec39e97",
    "0013_partitions.py": "9df833f3c126d732f81ca20aa1456d86151b0c78b7e295957be0abc57327041d",
    "0013_partitions.sql": "2956077110b9a8f7860d7a15edebcae30f7b63bf9abe3254128eeef8345a5097",
}
"""The SHA-256 of each file."""


def test_migrations_that_landed_are_as_they_were() -> None:
    edited = [name for name, digest in LANDED.items() if digest_of(VERSIONS / name) != digest]
    assert not edited, (
        f"{', '.join(edited)} is not what databases were made by: restore it, and make the change in a new migration "
        "(alembic revision --rev-id 0013 -m '…'), which those databases run too"
    )


def test_every_migration_is_frozen() -> None:
    new = sorted({file.name for file in VERSIONS.glob("*.*")} - LANDED.keys())
    assert not new, "add to LANDED what lands here:\n" + "\n".join(
        f'    "{name}": "{digest_of(VERSIONS / name)}",' for name in new
    )


def digest_of(file: Path) -> str:
    """The SHA-256 of a file; empty where there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""
