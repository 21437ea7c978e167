"""Rate limits: 429 per client address; exempt monitoring; failing stores."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from limits.errors import StorageError
from limits.storage import MemoryStorage

from api.app import create_app
from api.settings import ApiSettings, SettingsError
from tests.support.api_client import ApiClient
from tests.system.api.problems import problem
from tests.system.api.world import World


def statuses(client: ApiClient, times: int, path: str = "/api/pairs", **asked: Any) -> list[int]:
    return [client.get(path, **asked).status_code for _ in range(times)]


def from_address(address: str, forwarded: str | None = None) -> dict[str, Any]:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return {"environ_base": {"REMOTE_ADDR": address}, "headers": headers}


def test_too_many_requests_are_told_with_the_time_to_wait(world: World) -> None:
    client = world.client(rate_limit="3/minute")
    assert statuses(client, 3) == [200, 200, 200]
    answer = client.get("/api/venue")  # all paths count together
    assert answer.status_code == 429
    assert answer.json == problem("E_TOO_MANY", "Too many requests from your address: the limit is 3/minute.")
    assert 1 <= int(answer.headers["Retry-After"]) <= 61  # rounded up
    assert answer.headers["Cache-Control"] == "no-store"


def test_another_address_is_another_client(world: World) -> None:
    client = world.client(rate_limit="2/minute")
    assert statuses(client, 3, **from_address("198.51.100.1")) == [200, 200, 429]
    assert statuses(client, 3, **from_address("198.51.100.2")) == [200, 200, 429]
    assert statuses(client, 2, **from_address("2001:db8::1")) == [200, 200]
    assert statuses(client, 1, **from_address("2001:db8::2")) == [429]


def test_behind_a_named_proxy_each_client_counts_for_itself(world: World) -> None:
    client = world.client(rate_limit="2/minute", trusted_proxies=("10.0.0.0/8",))
    assert statuses(client, 3, **from_address("10.0.0.1", "198.51.100.1")) == [200, 200, 429]
    assert statuses(client, 2, **from_address("10.0.0.1", "198.51.100.2")) == [200, 200]


def test_a_header_gives_no_stranger_another_address(world: World) -> None:
    client = world.client(rate_limit="2/minute")
    seen = [client.get("/api/pairs", **from_address("203.0.113.9", f"198.51.100.{n}")) for n in range(4)]
    assert [answer.status_code for answer in seen] == [200, 200, 429, 429]


@pytest.mark.parametrize("path", ["/api/health", "/api/ready", "/metrics"])
def test_those_that_watch_over_it_always_see_it(world: World, path: str) -> None:
    client = world.client(rate_limit="1/hour")
    assert statuses(client, 2) == [200, 429]
    assert statuses(client, 5, path) == [200] * 5


def test_what_a_client_holds_already_counts_too(world: World) -> None:
    client = world.client(rate_limit="2/minute")
    etag = {"If-None-Match": client.get("/api/pairs").headers["ETag"]}
    assert statuses(client, 2, headers=etag) == [304, 429]


def test_several_limits_at_once(world: World) -> None:
    client = world.client(rate_limit="100/second;3/minute")
    assert statuses(client, 4)[-1] == 429


def test_without_a_limit_there_is_none(world: World) -> None:
    assert set(statuses(world.client(), 200)) == {200}


class UnreachableStorage(MemoryStorage):
    """A store in another machine that does not answer."""

    STORAGE_SCHEME: list[str] = ["unreachable"]  # noqa: RUF012  as the base class declares it

    def incr(self, *_: object, **__: object) -> int:
        raise StorageError(ConnectionError("no route to the store"))

    def check(self) -> bool:
        return False


def test_a_store_that_fails_does_not_stop_the_api(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Requests are counted in memory until the store is back."""
    client = world.client(rate_limit="2/minute", limit_store="unreachable://")
    with caplog.at_level(logging.WARNING):
        assert statuses(client, 3) == [200, 200, 429]
    assert "falling back" in caplog.text


@pytest.mark.parametrize("limit", ["", "many", "5", "5 per", "-1/second", "5/fortnight"])
def test_a_limit_that_is_none_is_refused_at_start(limit: str) -> None:
    with pytest.raises(SettingsError, match=r"rate_limit: .* is not a limit"):
        ApiSettings(database_url="sqlite:///x.db", rate_limit=limit)


@pytest.mark.parametrize("store", ["redis-without-scheme", "ftp://host", "redis://"])
def test_a_store_that_cannot_be_used_is_refused_at_start(store: str) -> None:
    settings = ApiSettings(database_url="sqlite:///x.db", rate_limit="5/second", limit_store=store)
    with pytest.raises(SettingsError, match=r"limit_store: .*peakedex\[redis\]"):
        create_app(settings)


@pytest.mark.parametrize("proxy", ["", "proxy.example", "10.0.0.1/8", "10.0.0.0/33"])
def test_a_proxy_that_is_no_address_is_refused_at_start(proxy: str) -> None:
    with pytest.raises(SettingsError, match="trusted_proxies"):
        ApiSettings(database_url="sqlite:///x.db", trusted_proxies=(proxy,))
