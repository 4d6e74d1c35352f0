"""Connections of `uri.py`: only to addresses that were checked, and only until the fetch's time is over.

A URI comes from a table that many may write, and is fetched from inside the operator's network. So a name
is resolved once, each of its addresses must be public (or allowed by MMDB_MEDIA_ALLOW_PRIVATE), and the
connection goes to one of those addresses: a second answer of the name's DNS server, given after the check,
reaches nobody. TLS and the Host header still use the name. httpcore, which httpx stands on, opens every
connection through `CheckedBackend`, those of redirects too, so there is no way around it.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpcore

from mmdb.config import Network, Settings
from mmdb.errors import MediaError

CONNECT_SECONDS = 5.0
"""For one address; a name may have several."""

Address = IPv4Address | IPv6Address

# Not taken from `ipaddress.is_global`, whose answers differ between the versions of Python that are
# supported. Source: the IANA special-purpose address registries.
_REFUSED_4: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "unspecified"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared (carrier-grade NAT)"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "a cloud's own service"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "reserved"),
    ("192.88.99.0/24", "reserved"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "reserved"),
    ("198.51.100.0/24", "reserved"),
    ("203.0.113.0/24", "reserved"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
)
_REFUSED_6: tuple[tuple[str, str], ...] = (
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("2001::/23", "reserved"),  # with Teredo, which embeds an IPv4 address
    ("2001:db8::/32", "reserved"),
    ("2002::/16", "reserved"),  # 6to4, which embeds an IPv4 address
    ("3fff::/20", "reserved"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "private"),
    ("ff00::/8", "multicast"),
)
_REFUSED = tuple((ip_network(network), kind) for network, kind in _REFUSED_4 + _REFUSED_6)
_GLOBAL_6 = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")


def refusal(address: Address) -> str | None:
    """Why `address` is not public ("loopback", "private", ...), or None where it is."""
    address = _embedded(address)
    for network, kind in _REFUSED:
        if address in network:
            return kind
    return None if address.version == 4 or address in _GLOBAL_6 else "reserved"


def _embedded(address: Address) -> Address:
    """The IPv4 address that a mapped one, or one of DNS64, stands for."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def checked_addresses(host: str, port: int, settings: Settings) -> list[str]:
    """The addresses of `host`, all of which may be connected to.

    Raises MediaError where one of them may not (permanent) or the name cannot be resolved (not permanent).
    """
    addresses = _resolve(host, port)
    if (host.lower(), port) not in settings.media_allow_hosts:
        for address in addresses:
            _check(host, ip_address(address), settings.media_allow_networks)
    return addresses


def _check(host: str, address: Address, allowed: tuple[Network, ...]) -> None:
    kind = refusal(address)
    if kind is None or any(each in network for each in (address, _embedded(address)) for network in allowed):
        return
    raise MediaError(
        f'host "{host}" has the address {address}, which is {kind}, expected a public one',
        hint="the operator of the worker can allow it with MMDB_MEDIA_ALLOW_PRIVATE",
    )


def _resolve(host: str, port: int) -> list[str]:
    # Cannot be given a time limit; the system's resolver has one, 10 to 30 seconds as it is usually set.
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except OSError as error:
        reason = error.strerror or str(error)
        raise MediaError(f'host "{host}" cannot be resolved: {reason}', permanent=False) from error
    except UnicodeError as error:
        raise MediaError(f'"{host}" is not a host name') from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class CheckedBackend(httpcore.NetworkBackend):
    """Opens TCP connections to checked addresses; nothing on them waits beyond `end` (of
    `time.monotonic`)."""

    def __init__(self, settings: Settings, end: float) -> None:
        self._settings = settings
        self._end = end
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failed: httpcore.NetworkError | httpcore.TimeoutException | None = None
        for address in checked_addresses(host, port, self._settings):
            seconds = min(CONNECT_SECONDS, _left(self._end))
            try:
                return _Stream(self._backend.connect_tcp(address, port, seconds), self._end)
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:
                failed = error
        raise failed or httpcore.ConnectError("the host has no address")


class _Stream(httpcore.NetworkStream):
    """A time limit on every read would let a server that sends a byte at a time go on for ever; this is one
    on all."""

    def __init__(self, stream: httpcore.NetworkStream, end: float) -> None:
        self._stream = stream
        self._end = end

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._end))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._end))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(self._end)), self._end)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def _left(end: float) -> float:
    seconds = end - time.monotonic()
    if seconds <= 0:
        raise httpcore.ReadTimeout("the time is over")
    return seconds
