"""Client addresses: forwarding headers count only from trusted proxies."""

from __future__ import annotations

import pytest
from flask import Request
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from api.http.client_address import ClientAddresses


def request(remote: str, forwarded: str | None = None, **headers: str) -> Request:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if forwarded is not None:
        given["X-Forwarded-For"] = forwarded
    builder = EnvironBuilder(headers=Headers(given), environ_base={"REMOTE_ADDR": remote})
    return Request(builder.get_environ())


TRUSTED = ("10.0.0.1", "192.168.0.0/16", "fd00::/8")


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # an untrusted client that claims another address
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),  # the client's own entry precedes the proxy's
        ("10.0.0.1", "198.51.100.1, 192.168.3.4", "198.51.100.1"),  # two trusted proxies
        ("10.0.0.1", "192.168.3.4, 192.168.3.5", "192.168.3.4"),
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, 192.168.3.4, <script>", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("fd00::1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.2", "198.51.100.1", "10.0.0.2"),
    ],
)
def test_the_address_of_a_client(remote: str, forwarded: str | None, address: str) -> None:
    assert ClientAddresses(TRUSTED).address(request(remote, forwarded)) == address


def test_without_named_proxies_nobody_is_believed() -> None:
    assert ClientAddresses(()).address(request("10.0.0.1", "198.51.100.1")) == "10.0.0.1"


def test_a_long_list_of_hops_is_not_walked_to_its_end() -> None:
    hops = ", ".join(["198.51.100.1", *["192.168.0.1"] * 5000])
    assert ClientAddresses(TRUSTED).address(request("10.0.0.1", hops)) == "192.168.0.1"


def test_ipv6_clients_are_one_by_their_network() -> None:
    clients = ClientAddresses(())
    first, second = request("2001:db8:1:2::3"), request("2001:db8:1:2:ffff::9")
    assert clients.rate_limit_key(first) == clients.rate_limit_key(second) == "2001:db8:1:2::/64"
    assert clients.rate_limit_key(request("2001:db8:1:3::3")) != clients.rate_limit_key(first)
    assert clients.rate_limit_key(request("198.51.100.7")) == "198.51.100.7"


def test_only_a_trusted_proxy_names_requests() -> None:
    clients = ClientAddresses(TRUSTED)
    assert clients.request_id(request("10.0.0.1", X_Request_Id="abcdef-123456")) == "abcdef-123456"
    assert clients.request_id(request("203.0.113.9", X_Request_Id="abcdef-123456")) is None
    for bad in ("short", "x" * 65, "with space 123", "new\tline1234", "<b>12345678</b>"):
        assert clients.request_id(request("10.0.0.1", X_Request_Id=bad)) is None
