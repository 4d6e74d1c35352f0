"""Which addresses are public, and that a connection goes to an address that was checked."""

from __future__ import annotations

import socket
import time
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import httpcore
import pytest

from mmdb.config import Settings
from mmdb.errors import MediaError
from mmdb.media.address import CheckedBackend, checked_addresses, refusal

NONE = Settings(database_url=None, home=Path("/nowhere"), cache=Path("/nowhere"))


def answers(monkeypatch: pytest.MonkeyPatch, *answers_: list[str]) -> list[str]:
    """Let the resolver give one answer after the other; returns the names that it is asked for."""
    asked: list[str] = []
    coming = iter(answers_)

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in next(coming)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("10.0.0.1", "private"),
        ("100.64.0.1", "shared (carrier-grade NAT)"),
        ("100.100.100.200", "shared (carrier-grade NAT)"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("168.63.129.16", "a cloud's own service"),
        ("169.254.169.254", "link-local"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.0.0.192", "reserved"),
        ("192.168.1.1", "private"),
        ("198.19.0.1", "reserved"),
        ("203.0.113.9", "reserved"),
        ("224.0.0.1", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::127.0.0.1", "reserved"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("::ffff:169.254.169.254", "link-local"),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b::a00:1", "private"),
        ("64:ff9b:1::808:808", "reserved"),
        ("100::1", "reserved"),
        ("2001::7f00:1", "reserved"),
        ("2001:db8::1", "reserved"),
        ("2002:7f00:1::1", "reserved"),
        ("2002:808:808::1", "reserved"),
        ("3fff::1", "reserved"),
        ("fc00::1", "private"),
        ("fd00:ec2::254", "private"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("fec0::1", "private"),
        ("ff02::1", "multicast"),
    ],
)
def test_not_public(address: str, kind: str) -> None:
    assert refusal(ip_address(address)) == kind


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2a00:1450:4001::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)
def test_public(address: str) -> None:
    assert refusal(ip_address(address)) is None


def test_every_address_of_a_name_must_be_public(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(MediaError) as caught:
        checked_addresses("both.example", 80, NONE)
    assert caught.value.message == (
        'host "both.example" has the address 10.0.0.1, which is private, expected a public one'
    )
    assert caught.value.permanent
    assert "MMDB_MEDIA_ALLOW_PRIVATE" in (caught.value.hint or "")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "::1"])
def test_spellings_of_loopback(host: str) -> None:
    """Whatever the resolver takes for an address is checked as that address; or it does not take it at
    all."""
    with pytest.raises(MediaError, match=r"which is loopback|cannot be resolved"):
        checked_addresses(host, 80, NONE)


def allowing(*networks: str, hosts: frozenset[tuple[str, int]] = frozenset()) -> Settings:
    return Settings(
        database_url=None,
        home=Path("/nowhere"),
        cache=Path("/nowhere"),
        media_allow_hosts=hosts,
        media_allow_networks=tuple(ip_network(network) for network in networks),
    )


def test_allowed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, ["10.1.0.1"], ["10.2.0.1"], ["::ffff:10.1.0.1"], ["8.8.8.8", "10.1.0.1"])
    settings = allowing("10.1.0.0/16", "fd00::/8")
    assert checked_addresses("one.example", 80, settings) == ["10.1.0.1"]
    with pytest.raises(MediaError, match=r"10\.2\.0\.1, which is private"):
        checked_addresses("two.example", 80, settings)
    assert checked_addresses("mapped.example", 80, settings) == ["::ffff:10.1.0.1"]
    assert checked_addresses("both.example", 80, settings) == ["8.8.8.8", "10.1.0.1"]


def test_allowed_host_is_allowed_on_its_port_only(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, ["10.1.0.1"], ["10.1.0.1"])
    settings = allowing(hosts=frozenset({("media.internal", 8080)}))
    assert checked_addresses("Media.Internal", 8080, settings) == ["10.1.0.1"]
    with pytest.raises(MediaError, match="which is private"):
        checked_addresses("media.internal", 80, settings)


def test_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(MediaError) as caught:
        checked_addresses("nowhere.example", 80, NONE)
    assert caught.value.message == 'host "nowhere.example" cannot be resolved: Name or service not known'
    assert not caught.value.permanent


def test_name_that_is_none() -> None:
    with pytest.raises(MediaError, match="is not a host name") as caught:
        checked_addresses("a" * 70 + ".example", 80, NONE)
    assert caught.value.permanent


class Dialled(Exception):
    pass


def test_rebinding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is public when it is checked and loopback right after: the connection goes where the check
    went."""
    asked = answers(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    dialled: list[tuple[str, int]] = []

    def create_connection(address: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        dialled.append(address)
        raise OSError("no network here")

    monkeypatch.setattr(socket, "create_connection", create_connection)
    with pytest.raises(httpcore.ConnectError):
        CheckedBackend(NONE, time.monotonic() + 9).connect_tcp("rebinding.example", 80)
    assert dialled == [("8.8.8.8", 80)]
    assert asked == ["rebinding.example"]


def test_second_address_where_the_first_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        real = socket.create_connection

        def create_connection(address: tuple[str, int], *rest: Any, **options: Any) -> socket.socket:
            if address[0] == "8.8.8.8":
                raise TimeoutError
            monkeypatch.undo()  # let the address be parsed by the real resolver
            return real(address, *rest, **options)

        answers(monkeypatch, ["8.8.8.8", "127.0.0.1"])
        monkeypatch.setattr(socket, "create_connection", create_connection)
        backend = CheckedBackend(allowing("127.0.0.0/8"), time.monotonic() + 9)
        stream = backend.connect_tcp("two.example", port)
        assert stream.get_extra_info("server_addr") == ("127.0.0.1", port)
        stream.close()


def test_no_time_left() -> None:
    settings = allowing("127.0.0.0/8", "::1/128")
    with pytest.raises(httpcore.TimeoutException):
        CheckedBackend(settings, time.monotonic() - 1).connect_tcp("127.0.0.1", 1)
