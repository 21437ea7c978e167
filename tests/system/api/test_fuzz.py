"""Every parameter of every path with invalid values: documented responses, never an internal error."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.api_client import ApiClient
from tests.system.api.described import Described
from tests.system.api.test_contract import described_paths
from tests.system.api.world import World

HOSTILE = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "alice\n",
    "'; DROP TABLE orders; --",
    "%",
    "_",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "é" * 20,
    "\u202eevil",
    "\ud7ff\ue000\U0001f600",
    "１２",
    "null",
    "true",
    "{}",
    "[]",
    "0",
    "-0",
    "-1",
    "1e400",
    "NaN",
    "0x10",
    "1_0",
    str(2**31),
    str(2**32),
    str(2**63 - 1),
    str(2**63),
    "9" * 40,
    "9" * 5000,
    "x" * 5000,
    "1970-01-01T00:00:00Z",
    "9999-99-99",
    "A" * 10,
    "alice,bob",
    "AAAAAAAAAAAAAAAA",
]


class Fuzzed:
    """A path with good values for what it needs, to be spoiled one by one."""

    def __init__(self, client: ApiClient, described: Described, path: str) -> None:
        self._client = client
        self._described = described
        self._path = path
        self._parameters = described.document["paths"][path]["get"]["parameters"]
        self.good = {each["name"]: str(each.get("example", "1")) for each in self._parameters}
        self.names = [each["name"] for each in self._parameters]
        self.in_query = [each["name"] for each in self._parameters if each["in"] == "query"]

    def ask(self, values: dict[str, str], more: str = "") -> int:
        """Ask, and fail unless the answer is as described; the status."""
        address = re.sub(r"{(\w+)}", lambda found: quote(values[found[1]], safe=""), self._path)
        query = "&".join(f"{name}={quote(values[name], safe='')}" for name in self.in_query if name in values)
        answer = self._client.get(f"{address}?{query}{more}")
        if answer.status_code != 404 or answer.json["code"] != "E_NOT_FOUND":  # also: no such route
            self._described.check_answer(self._path, answer)
        assert answer.status_code < 500
        assert len(answer.headers["X-Request-Id"]) == 32
        return answer.status_code


@pytest.fixture(scope="module")
def described(world: World) -> Described:
    return Described(world.client())


@pytest.fixture(scope="module")
def patient(world: World) -> ApiClient:
    """An API that asks no Hive node."""
    return world.client()


@pytest.mark.parametrize("path", described_paths())
def test_hostile_values_anywhere(patient: ApiClient, described: Described, path: str) -> None:
    fuzzed = Fuzzed(patient, described, path)
    statuses = [fuzzed.ask({**fuzzed.good, name: value}) for name in fuzzed.names for value in HOSTILE]
    assert not fuzzed.names or 400 in statuses


@pytest.mark.parametrize("path", described_paths())
def test_what_is_not_known_or_given_twice_is_an_error(
    patient: ApiClient, described: Described, path: str
) -> None:
    fuzzed = Fuzzed(patient, described, path)
    for more in ("&x=1", "&X", "&%00=1", "&" + "é" * 300 + "=1", "&a[]=1&a[]=2"):
        assert fuzzed.ask(fuzzed.good, more) == 400
    for name in fuzzed.in_query:
        assert fuzzed.ask(fuzzed.good, f"&{name}={quote(fuzzed.good[name])}&{name}=1") == 400


@pytest.mark.parametrize("path", described_paths())
def test_what_is_needed_and_missing_is_named(patient: ApiClient, described: Described, path: str) -> None:
    parameters: list[dict[str, Any]] = described.document["paths"][path]["get"]["parameters"]
    fuzzed = Fuzzed(patient, described, path)
    for parameter in parameters:
        if parameter["required"] and parameter["in"] == "query":
            left = {name: value for name, value in fuzzed.good.items() if name != parameter["name"]}
            assert fuzzed.ask(left) == 400


def test_thousands_of_parameters(patient: ApiClient) -> None:
    assert patient.get("/api/pairs?" + "&".join(f"p{n}=1" for n in range(5000))).status_code == 400
