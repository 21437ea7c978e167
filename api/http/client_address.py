"""Who asks: the address of a client, also behind proxies that the operator has named."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from flask import Request

_MOST_HOPS: Final = 16
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Clients:
    """Tells clients apart. Only what a trusted proxy says in a header is believed: anyone can write one."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        """Each an address or a network. Raises ValueError for what is neither."""
        self._trusted: tuple[Network, ...] = tuple(ip_network(text) for text in trusted_proxies)

    def address(self, request: Request) -> str:
        """The nearest address that is no trusted proxy: the last hop but ours that X-Forwarded-For names."""
        nearest = request.remote_addr or ""
        if not self._is_trusted(nearest):
            return nearest
        hops = request.headers.get("X-Forwarded-For", "").split(",")[-_MOST_HOPS:]
        for hop in reversed(hops):
            address = parse(hop.strip())
            if address is None:
                break
            nearest = str(address)
            if not self._is_trusted(nearest):
                break
        return nearest

    def key(self, request: Request) -> str:
        """What is limited as one: an IPv4 address, or an IPv6 /64, which one household or machine holds."""
        text = self.address(request)
        address = parse(text)
        if isinstance(address, IPv6Address):
            return str(IPv6Network((address, 64), strict=False))
        return text

    def request_id(self, request: Request) -> str | None:
        """The id that a trusted proxy gave the request."""
        given = request.headers.get("X-Request-Id", "")
        if _REQUEST_ID.fullmatch(given) and self._is_trusted(request.remote_addr or ""):
            return given
        return None

    def _is_trusted(self, text: str) -> bool:
        if not self._trusted:
            return False
        address = parse(text)
        return address is not None and any(address in network for network in self._trusted)


@lru_cache(maxsize=1 << 10)
def parse(text: str) -> Address | None:
    """An address; an IPv4 one that came over an IPv6 socket as what it is. None for other text."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
