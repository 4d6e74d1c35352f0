"""The environment, read in one place.

Every other module takes a `Settings` (or one of its values) and never looks at `os.environ` itself. A value that
cannot be used is a `ConfigError` that names the variable, the value and the remedy; the database URL, which may hold
a password, is the one value that is neither shown in `repr` nor in an error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import TypeAlias, overload
from urllib.parse import urlsplit

import platformdirs

from mmdb.errors import ConfigError

SCHEMES = ("file", "https", "http")
PROVIDERS = "https://api.openai.com=OPENAI_API_KEY"
"""What MMDB_PROVIDERS is where it is not set."""
PORTS = {"https": 443, "http": 80}
# Root's own home (/root, mode 0700) cannot be entered by the unprivileged user that the embedded server runs as.
ROOT_HOME = Path("/var/lib/mmdb")

Network = IPv4Network | IPv6Network
Origin: TypeAlias = tuple[str, str, int]
"""Scheme, lower-case host and port: what a key may be sent to."""


@dataclass(frozen=True)
class Provider:
    """A server of models that this worker may call. Its key goes there and nowhere else."""

    origin: Origin
    variable: str | None = None
    """The variable that holds the key; None for a server that wants none."""
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Settings:
    """What the operator set. Media settings apply where media are loaded: in the worker."""

    database_url: str | None = field(repr=False)
    home: Path
    cache: Path
    media_roots: tuple[Path, ...] = ()
    media_schemes: tuple[str, ...] = SCHEMES
    media_allow_hosts: frozenset[tuple[str, int]] = frozenset()
    """(lower-case host, port) pairs that may be private addresses."""
    media_allow_networks: tuple[Network, ...] = ()
    """Networks whose private addresses may be fetched from."""
    models: Path | None = None
    """Where local copies of models are looked for; None is the folder "models" in `home`."""
    providers: tuple[Provider, ...] = ()
    """The servers of models that may be called."""

    @property
    def models_folder(self) -> Path:
        return self.models or self.home / "models"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """The settings of `environment` (default `os.environ`); an empty variable counts as unset.

        Raises ConfigError for a value that cannot be used.
        """
        values = os.environ if environment is None else environment
        hosts, networks = _allowed(values.get("MMDB_MEDIA_ALLOW_PRIVATE", ""))
        return cls(
            database_url=values.get("MMDB_DATABASE_URL", "").strip() or None,
            home=_folder("MMDB_HOME", values, default_home()),
            cache=_folder("MMDB_CACHE", values, Path(platformdirs.user_cache_dir("mmdb"))),
            media_roots=_roots(values.get("MMDB_MEDIA_ROOTS", "")),
            media_schemes=_schemes(values.get("MMDB_MEDIA_SCHEMES", "")),
            media_allow_hosts=hosts,
            media_allow_networks=networks,
            models=_folder("MMDB_MODELS", values, None),
            providers=_providers(values),
        )


def default_home() -> Path:
    """The data folder when MMDB_HOME is not set: the user's, or /var/lib/mmdb for root."""
    if sys.platform != "win32" and os.geteuid() == 0:
        return ROOT_HOME
    return Path(platformdirs.user_data_dir("mmdb"))


@overload
def _folder(variable: str, values: Mapping[str, str], default: Path) -> Path: ...
@overload
def _folder(variable: str, values: Mapping[str, str], default: None) -> Path | None: ...
def _folder(variable: str, values: Mapping[str, str], default: Path | None) -> Path | None:
    value = values.get(variable, "")
    if not value:
        return default
    path = _absolute(variable, value, example=str(default or "/srv/models"))
    if path.exists() and not path.is_dir():
        raise ConfigError(
            f'{variable} is "{value}", which is a file, expected a folder',
            hint=f"set {variable} to a folder; it is created where it is missing",
        )
    return path


def _roots(value: str) -> tuple[Path, ...]:
    parts = [part for part in value.split(os.pathsep) if part]
    return tuple(_root(part) for part in parts)


def _root(value: str) -> Path:
    path = _absolute("MMDB_MEDIA_ROOTS", value, example="/srv/media")
    if not path.is_dir():
        raise ConfigError(
            f'MMDB_MEDIA_ROOTS names "{value}", which is not a folder',
            hint=f'create it, or leave it out; several folders are separated by "{os.pathsep}"',
        )
    return path


def _absolute(variable: str, value: str, *, example: str) -> Path:
    try:
        path = Path(value).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f'{variable} is "{value}", whose home folder is not known',
            hint=f'write it in full, as in "{example}"',
        ) from error
    if "\0" in value or "\n" in value or not path.is_absolute():
        raise ConfigError(
            f'{variable} is "{value}", expected an absolute path', hint=f'write it in full, as in "{example}"'
        )
    return path


def _schemes(value: str) -> tuple[str, ...]:
    schemes = tuple(part.lower() for part in _items(value))
    for scheme in schemes:
        if scheme not in SCHEMES:
            raise ConfigError(
                f'MMDB_MEDIA_SCHEMES names "{scheme}", expected a comma-separated list out of {", ".join(SCHEMES)}',
                hint="remove it, or fetch such media yourself and store the bytes",
            )
    return schemes or SCHEMES


def _allowed(value: str) -> tuple[frozenset[tuple[str, int]], tuple[Network, ...]]:
    hosts: set[tuple[str, int]] = set()
    networks: list[Network] = []
    for item in _items(value):
        network = _network(item)
        if network is not None:
            networks.append(network)
        else:
            hosts.add(_host_and_port(item))
    return frozenset(hosts), tuple(networks)


def _network(item: str) -> Network | None:
    """`item` as a network, or None where it is not an address at all and so may be a host with a port."""
    if "/" not in item:
        try:
            return ip_network(ip_address(item.strip("[]")))
        except ValueError:
            return None
    try:
        return ip_network(item)
    except ValueError as error:
        raise _not_allowable(item) from error


def _host_and_port(item: str) -> tuple[str, int]:
    host, colon, port = item.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or (":" in host and not bracketed):
        raise _not_allowable(item)
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise _not_allowable(item)
    return host.strip("[]").lower(), int(port)


def _not_allowable(item: str) -> ConfigError:
    return ConfigError(
        f'MMDB_MEDIA_ALLOW_PRIVATE names "{item}", expected host:port, an address or a network',
        hint='for example "media.internal:8080,10.1.0.0/16"',
    )


def origin_of(url: str) -> Origin:
    """The origin of an http or https URL that holds no user, query or fragment. Raises ValueError."""
    parts = urlsplit(url)
    port = parts.port or PORTS.get(parts.scheme)
    plain = "@" not in parts.netloc and not {"?", "#"} & set(url) and url.isprintable() and " " not in url
    if port is None or parts.scheme not in PORTS or not parts.hostname or not plain:
        raise ValueError(url)
    return parts.scheme, parts.hostname, port


def _providers(values: Mapping[str, str]) -> tuple[Provider, ...]:
    return tuple(_provider(item, values) for item in _items(values.get("MMDB_PROVIDERS", "") or PROVIDERS))


def _provider(item: str, values: Mapping[str, str]) -> Provider:
    """`item` is URL or URL=VARIABLE. A path would promise what is not kept: the key is bound to the server alone."""
    url, equals, variable = item.partition("=")
    try:
        if urlsplit(url).path not in ("", "/") or bool(equals) != variable.isidentifier():
            raise ValueError(item)
        return Provider(origin_of(url), variable or None, values.get(variable, "").strip() or None)
    except ValueError as error:  # not quoted whole: somebody may have written the key itself
        raise ConfigError(
            f'MMDB_PROVIDERS names "{url.rpartition("@")[2]}" in a way that is not understood, expected the'
            " address of a server, and after = the name of the variable that holds its key",
            hint='for example "https://api.openai.com=OPENAI_API_KEY,http://vllm.internal:8000"',
        ) from error


def _items(value: str) -> list[str]:
    return [item for item in (part.strip() for part in value.split(",")) if item]
