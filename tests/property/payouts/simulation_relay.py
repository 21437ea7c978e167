"""Relays of the simulation: the real bundle store, reached by the real relay client without a network."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import cast
from urllib.parse import parse_qs, urlsplit

from settlement.net.http_client import Answer, NoAnswer
from settlement.payouts.chain.nodes import ChainError
from settlement.payouts.cosign.relay import BundleStore, Limits

URLS = ("http://relay-one", "http://relay-two")


class Relays:
    """Two relays. Either may restart, which loses what it holds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._stores = {url: self._new() for url in URLS}

    def _new(self) -> BundleStore:
        return BundleStore(Limits(), self._clock)

    def restart(self, url: str) -> None:
        """It starts again, empty."""
        self._stores[url] = self._new()

    def post(self, url: str, body: bytes) -> bytes:
        """Answer to a bundle."""
        return b'{"number":%d}' % self._stores[_relay_of(url)].add(body)

    def get(self, url: str) -> bytes:
        """The bundles after a number."""
        store = self._stores[_relay_of(url)]
        last, bundles = store.after(int(parse_qs(urlsplit(url).query)["after"][0]))
        page = {"relay": store.id, "last": last, "bundles": [json.loads(bundle) for bundle in bundles]}
        return json.dumps(page).encode()


def _relay_of(url: str) -> str:
    return url.partition("/bundles")[0]


class RelayHttp:
    """HTTP client of a payouts process, which asks the simulation instead of a network."""

    def __init__(self, ask: Callable[..., object]) -> None:
        self._ask = ask

    def post_json(self, url: str, body: bytes, _limits: object = None) -> bytes:
        return self._answer(url, "relay_post", url, body)

    def get(self, url: str, _limits: object = None) -> Answer:
        return Answer(self._answer(url, "relay_get", url), {})

    def _answer(self, url: str, *question: object) -> bytes:
        try:
            return cast(bytes, self._ask(*question))
        except ChainError:
            raise NoAnswer(url, "no answer in time") from None
