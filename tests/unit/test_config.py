"""The environment: defaults, every variable, and what is said of a value that cannot be used."""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path

import pytest

from mmdb import config
from mmdb.config import Provider, Settings
from mmdb.errors import ConfigError


def settings(**values: str) -> Settings:
    return Settings.from_environment(values)


def refused(**values: str) -> str:
    """The message of the ConfigError; it names the variable and ends in a remedy."""
    (variable,) = values
    with pytest.raises(ConfigError) as caught:
        settings(**values)
    assert variable in caught.value.message
    assert caught.value.hint
    return str(caught.value)


def test_defaults() -> None:
    found = settings()
    assert found.database_url is None
    assert found.home == config.default_home()
    assert found.home.is_absolute()
    assert found.cache.is_absolute()
    assert found.media_schemes == ("file", "https", "http")
    assert (found.media_roots, found.media_allow_hosts, found.media_allow_networks) == ((), frozenset(), ())


def test_empty_variables_count_as_unset() -> None:
    names = ("DATABASE_URL", "HOME", "CACHE", "MEDIA_ROOTS", "MEDIA_SCHEMES", "MEDIA_ALLOW_PRIVATE")
    assert settings(**{f"MMDB_{name}": "" for name in names}) == settings()
    assert settings(MMDB_DATABASE_URL="  ") == settings()


def test_os_environ_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MMDB_HOME", str(tmp_path))
    assert Settings.from_environment().home == tmp_path


def test_roots_home_can_be_entered_by_the_servers_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert config.default_home() == Path("/var/lib/mmdb")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert config.default_home().name == "mmdb"
    assert config.default_home() != Path("/var/lib/mmdb")


def test_database_url_is_not_shown() -> None:
    found = settings(MMDB_DATABASE_URL=" postgresql://me:hunter2@h/d ")
    assert found.database_url == "postgresql://me:hunter2@h/d"
    assert "hunter2" not in repr(found)


def test_folders(tmp_path: Path) -> None:
    found = settings(MMDB_HOME=f"{tmp_path}/not yet there", MMDB_CACHE="~/cache")
    assert found.home == tmp_path / "not yet there"
    assert found.cache == Path.home() / "cache"


@pytest.mark.parametrize("variable", ["MMDB_HOME", "MMDB_CACHE", "MMDB_MEDIA_ROOTS"])
@pytest.mark.parametrize("value", ["relative/folder", "/with\nbreak", "~nobody-of-this-name/x"])
def test_folders_must_be_absolute(variable: str, value: str) -> None:
    assert f'"{value}"' in refused(**{variable: value})


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert "which is a file" in refused(MMDB_HOME=str(file))
    assert "not a folder" in refused(MMDB_MEDIA_ROOTS=f"{tmp_path}{os.pathsep}{file}")


def test_media_roots(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    found = settings(MMDB_MEDIA_ROOTS=os.pathsep.join(["", str(tmp_path), str(tmp_path / "a b")]))
    assert found.media_roots == (tmp_path, tmp_path / "a b")


def test_media_schemes() -> None:
    assert settings(MMDB_MEDIA_SCHEMES="HTTPS, file").media_schemes == ("https", "file")
    assert '"ftp"' in refused(MMDB_MEDIA_SCHEMES="https,ftp")


def test_private_addresses_that_are_allowed() -> None:
    value = "Media.Internal:8080, 10.1.0.0/16, 192.168.0.7, [::1]:9000, fd00::/8, ::1, [fd00::7]"
    found = settings(MMDB_MEDIA_ALLOW_PRIVATE=value)
    assert found.media_allow_hosts == {("media.internal", 8080), ("::1", 9000)}
    networks = ["10.1.0.0/16", "192.168.0.7/32", "fd00::/8", "::1/128", "fd00::7/128"]
    assert found.media_allow_networks == tuple(map(ip_network, networks))


@pytest.mark.parametrize(
    "item", ["media.internal", "h:0", "h:65536", "h:x", ":80", "10.1.2.3/16", "10.0.0.0/33", "a:b:80", "h:²"]
)
def test_private_addresses_that_are_not_understood(item: str) -> None:
    assert f'"{item}"' in refused(MMDB_MEDIA_ALLOW_PRIVATE=f"ok:80,{item}")


# Servers and copies of models.


def test_without_a_setting_only_openai_may_be_called_with_its_own_key() -> None:
    (provider,) = Settings.from_environment({"OPENAI_API_KEY": "sk-1"}).providers
    assert provider == Provider(("https", "api.openai.com", 443), "OPENAI_API_KEY", "sk-1")


def test_each_server_has_its_own_key_or_none() -> None:
    value = "https://API.mistral.ai=MISTRAL_KEY, http://127.0.0.1:8000,http://[::1]:9/=EMPTY"
    settings = Settings.from_environment({"MMDB_PROVIDERS": value, "MISTRAL_KEY": "m", "OPENAI_API_KEY": "o"})
    assert settings.providers == (
        Provider(("https", "api.mistral.ai", 443), "MISTRAL_KEY", "m"),
        Provider(("http", "127.0.0.1", 8000)),
        Provider(("http", "::1", 9), "EMPTY", None),
    )
    assert "'m'" not in repr(settings)


@pytest.mark.parametrize(
    "value",
    [
        "api.openai.com=OPENAI_API_KEY",
        "ftp://host",
        "https://",
        "https://host/v1",
        "https://host:x",
        "https://user:secret@host",
        "https://host=",
        "https://host=sk-a-key-itself",
        "https://host?a=b",
    ],
)
def test_a_server_that_cannot_be_meant(value: str) -> None:
    with pytest.raises(ConfigError, match="MMDB_PROVIDERS names") as caught:
        Settings.from_environment({"MMDB_PROVIDERS": value})
    assert "secret" not in str(caught.value)
    assert "a-key-itself" not in str(caught.value)


def test_where_copies_of_models_are_looked_for(tmp_path: Path) -> None:
    assert Settings.from_environment({"MMDB_HOME": "/srv/mmdb"}).models_folder == Path("/srv/mmdb/models")
    assert Settings.from_environment({"MMDB_MODELS": str(tmp_path)}).models_folder == tmp_path
    with pytest.raises(ConfigError, match='MMDB_MODELS is "models", expected an absolute path'):
        Settings.from_environment({"MMDB_MODELS": "models"})
