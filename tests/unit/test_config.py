"""The environment: defaults, every variable, and what is said of a value that cannot be used."""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path

import pytest

from mmdb import config
from mmdb.config import Settings
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
