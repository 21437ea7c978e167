"""Invalid parameters: rejected with name, reason and fix."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.support.api_client import ApiClient
from tests.system.api.problems import problem

HOSTILE = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "'; DROP TABLE orders; --",
    "%",
    "_",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "é" * 20,
    "\u202eevil",
    "１２",
    "null",
    "true",
    "{}",
    "[]",
    "9" * 40,
    "-1",
    "x" * 5000,
    "\n",
]
NUMBERS = [
    "-1",
    "0",
    "1001",
    "1.0",
    "1e2",
    "+1",
    "01",
    " 1",
    "1 ",
    "0x10",
    "1_0",
    "٣",
    "9" * 5000,
    "NaN",
    "null",
]
SLOTS = [
    ("/api/orderbook?quote=SWAP.HIVE&base={}", "base"),
    ("/api/orderbook?base=PEK&quote={}", "quote"),
    ("/api/orderbook?base=PEK&quote=SWAP.HIVE&depth={}", "depth"),
    ("/api/history?base=PEK&quote=SWAP.HIVE&limit={}", "limit"),
    ("/api/history?base=PEK&quote=SWAP.HIVE&cursor={}", "cursor"),
    ("/api/price?base={}&quote=SWAP.HIVE", "base"),
    ("/api/balances?user={}", "user"),
    ("/api/orders?status={}", "status"),
    ("/api/orders?user={}", "user"),
    ("/api/orders/abc?limit={}", "limit"),
    ("/api/candles?base=PEK&quote=HBD&interval={}", "interval"),
    ("/api/candles?base=PEK&quote=HBD&from={}", "from"),
    ("/api/candles?base=PEK&quote=HBD&cursor={}", "cursor"),
    ("/api/deposits?user={}", "user"),
    ("/api/deposits?user=bob&cursor={}", "cursor"),
    ("/api/withdrawals?status={}", "status"),
    ("/api/withdrawals?user=bob&cursor={}", "cursor"),
    ("/api/transfers?user={}", "user"),
    ("/api/transfers?user=bob&cursor={}", "cursor"),
    ("/api/journal?to={}", "to"),
    ("/api/journal?from={}", "from"),
    ("/api/state?block={}", "block"),
    ("/api/proof?user={}", "user"),
    ("/api/liabilities?block={}", "block"),
    ("/api/liabilities?day={}", "day"),
    ("/api/balances?user=bob&block={}", "block"),
]


# `null` and `true` are fine account names.
REFUSED = [
    (path, name, value)
    for path, name in SLOTS
    for value in HOSTILE
    if not (name == "user" and value in ("null", "true"))
]


@pytest.mark.parametrize(("path", "name", "value"), REFUSED)
def test_hostile_text_is_refused_by_name(client: ApiClient, path: str, name: str, value: str) -> None:
    if name == "cursor" and value in ("null", "true", "_", "-1", "9" * 40):
        name = "cursor belongs"
    answer = client.get(path.format(quote(value, safe="")))
    assert (answer.status_code, answer.json["code"]) == (400, "E_INPUT")
    assert answer.json["error"].startswith(name)
    assert len(answer.json["error"]) < 200


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("path", ["/api/orders/{}", "/api/intents/{}"])
def test_hostile_text_in_the_path(client: ApiClient, path: str, value: str) -> None:
    answer = client.get(path.format(quote(value, safe="")))
    assert answer.status_code in (400, 404)
    assert answer.json["ok"] is False


@pytest.mark.parametrize("value", NUMBERS)
def test_only_plain_digits_are_a_number(client: ApiClient, value: str) -> None:
    answer = client.get(f"/api/orders?limit={quote(value, safe='')}")
    assert (answer.status_code, answer.json["error"]) == (400, "limit must be a whole number from 1 to 1000.")


@pytest.mark.parametrize(("value", "status"), [("1", 200), ("500", 200), ("501", 400), ("0", 400)])
def test_depth_has_bounds(client: ApiClient, value: str, status: int) -> None:
    assert client.get(f"/api/orderbook?base=PEK&quote=HBD&depth={value}").status_code == status


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/api/pairs?x=1", "'x' is not a parameter of this address. It takes none."),
        ("/api/health?x=1", "'x' is not a parameter of this address. It takes none."),
        ("/api/ready?block=1", "'block' is not a parameter of this address. It takes none."),
        (
            "/api/price?base=PEK&quote=HBD&block=1",
            "'block' is not a parameter of this address. It takes base, quote.",
        ),
        (
            "/api/orders/abc?id=def",
            "'id' is not a parameter of this address. It takes limit, cursor, block.",
        ),
        ("/api/balances?user=bob&user=bob", "user is given 2 times: give it once."),
        ("/api/balances?User=bob", "'User' is not a parameter of this address. It takes user, block."),
        ("/api/balances", "user is missing: give the name of a Hive account, like alice."),
        (
            "/api/orderbook?base=PEK",
            "quote is missing: give the symbol of a token, like PEK or SWAP.HIVE.",
        ),
        ("/api/orders?base=PEK", "give base and quote together, or neither."),
        (
            "/api/orders?status=rejected",
            "status=rejected requires user, and takes neither base nor quote.",
        ),
        (
            "/api/orders?status=OPEN",
            "status must be one of open, filled, cancelled, expired, triggered, waiting, rejected.",
        ),
    ],
)
def test_the_error_says_what_to_do(client: ApiClient, path: str, error: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json) == (400, problem("E_INPUT", error))


def test_an_unknown_name_is_shown_short_and_printable(client: ApiClient) -> None:
    error = client.get(f"/api/pairs?{quote('é' + chr(0) + 'x' * 5000)}=1").json["error"]
    assert error.isascii()
    assert error.isprintable()
    assert len(error) < 140


def test_thousands_of_parameters(client: ApiClient) -> None:
    assert client.get("/api/pairs?" + "&".join(f"p{n}=1" for n in range(5000))).status_code == 400
