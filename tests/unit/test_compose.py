"""docker-compose.yml, as far as it can be checked without Docker."""

from __future__ import annotations

from pathlib import Path

import yaml

from mmdb.config import Settings

COMPOSE = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text("utf-8"))


def test_services_name_what_exists() -> None:
    services, volumes = COMPOSE["services"], COMPOSE["volumes"]
    for service in services.values():
        assert "image" in service
        assert set(service.get("depends_on", {})) <= set(services)
        named = [volume.split(":")[0] for volume in service.get("volumes", []) if not volume.startswith(".")]
        assert set(named) <= set(volumes)


def test_nothing_is_published_beyond_this_machine() -> None:
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_the_workers_environment_is_understood() -> None:
    given = {name: str(value) for name, value in COMPOSE["services"]["worker"]["environment"].items()}
    settings = Settings.from_environment(given)
    assert settings.database_url is not None
    assert settings.database_url.endswith("@postgres:5432/mmdb")
    assert str(settings.cache) == given["MMDB_CACHE"]
