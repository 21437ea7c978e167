"""Client addresses, also behind reverse proxies that the operator trusts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from flask import Request

_MAX_HOPS: Final = 16
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class ClientAddresses:
    """Reads client addresses. Forwarding headers count only if a trusted proxy sent them."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        """Addresses or networks. Raises ValueError for anything else."""
        self._trusted: tuple[Network, ...] = tuple(ip_network(text) for text in trusted_proxies)

    def address(self, request: Request) -> str:
        """The last address in X-Forwarded-For that is not a trusted proxy, else the peer's."""
        nearest = request.remote_addr or ""
        if not self._is_trusted(nearest):
            return nearest
        hops = request.headers.get("X-Forwarded-For", "").split(",")[-_MAX_HOPS:]
        for hop in reversed(hops):
            address = parse_address(hop.strip())
            if address is None:
                break
            nearest = str(address)
            if not self._is_trusted(nearest):
                break
        return nearest

    def rate_limit_key(self, request: Request) -> str:
        """An IPv4 address, or the /64 network of an IPv6 address, which one household or machine holds."""
        text = self.address(request)
        address = parse_address(text)
        if isinstance(address, IPv6Address):
            return str(IPv6Network((address, 64), strict=False))
        return text

    def request_id(self, request: Request) -> str | None:
        """The X-Request-Id that a trusted proxy sent."""
        given = request.headers.get("X-Request-Id", "")
        if _REQUEST_ID.fullmatch(given) and self._is_trusted(request.remote_addr or ""):
            return given
        return None

    def _is_trusted(self, text: str) -> bool:
        if not self._trusted:
            return False
        address = parse_address(text)
        return address is not None and any(address in network for network in self._trusted)


@lru_cache(maxsize=1 << 10)
def parse_address(text: str) -> Address | None:
    """An IP address, with IPv4-mapped IPv6 addresses as IPv4; None for other text."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
