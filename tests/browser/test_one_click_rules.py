"""js/wallet/grant-coverage.js and grant-intents.js agree with the rules: what one-click trading signs with the posting
key is accepted, and what it does not would be refused."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page

from indexer.intents.drafts import venue_of_api
from settlement.core.codes import Code
from settlement.core.events import HIVE_ENGINE, Action, BlockHeader, Event, JsonNumber, Movement
from settlement.core.journal.lines import Accept, Reject
from settlement.core.parsing.amounts import show_units
from settlement.core.state_machine import StateMachine
from settlement.core.trading.order_book import Order
from tests.browser.venue import venue

NOW = 1_790_000_000
PAIRS = ["PEK/SWAP.HIVE", "PEK/HBD"]
GRANT = {
    "to": "posting",
    "pairs": ["PEK/SWAP.HIVE"],
    "perDay": {"PEK": "4000", "SWAP.HIVE": "50"},
    "bandBps": 300,
    "until": NOW + 80_000,
}
REFUSALS = {Code.E_GRANT, Code.E_AUTH}
BEFORE_THE_GRANT = {Code.E_NOT_FOUND, Code.E_OWNER, Code.E_PRECISION, Code.E_RANGE, Code.E_INPUT}
"""Codes of tests that come before some of the grant's: the grant may not cover it either."""


@dataclass
class Exchange:
    """The rules with what the site would read from the API, and the cases met so far."""

    machine: StateMachine = field(default_factory=lambda: StateMachine(venue_of_api(venue())))
    now: int = NOW
    block: int = 0
    serial: int = 0
    cases: list[dict[str, Any]] = field(default_factory=list)
    codes: list[Code | None] = field(default_factory=list)

    def apply(self, *events: Event) -> list[Any]:
        self.block += 1
        self.now += 3
        return list(
            self.machine.apply(BlockHeader(self.block, f"{self.block:040x}", self.now), events).lines()
        )

    def act(
        self, signer: str, name: str, payload: dict[str, Any], *, active: bool = True
    ) -> tuple[str, Code | None]:
        """Apply an action in a block of its own: its id, and the code of a rejection."""
        self.serial += 1
        id = f"{self.serial:040x}"
        decoded = json.loads(json.dumps(payload), parse_int=JsonNumber)
        lines = self.apply(Action(id, signer, active, name, decoded))
        rejected = [Code(line.code) for line in lines if isinstance(line, Reject) and line.id == id]
        assert rejected or any(isinstance(line, Accept) and line.id == id for line in lines)
        return id, rejected[0] if rejected else None

    def fund(self, name: str) -> None:
        for symbol, amount in {"PEK": "1000000", "SWAP.HIVE": "10000", "BIG": "1000"}.items():
            self.serial += 1
            escrow = {"PEK": "peakedex.pek", "SWAP.HIVE": "peakedex.hive", "BIG": "peakedex.big"}[symbol]
            self.apply(Movement(f"{self.serial:040x}", HIVE_ENGINE, name, escrow, symbol, amount, None))

    def orders(self) -> list[dict[str, Any]]:
        """Alice's open orders and stops as rows of /api/orders."""
        return [self.row(one) for one in self.machine.state.account("alice").orders.values()]

    def row(self, one: Any) -> dict[str, Any]:
        is_order = isinstance(one, Order)
        price = one.pair.price_decimals
        gives = self.machine.state.tokens[one.gives.symbol]
        return {
            "id": one.id,
            "base": one.pair.base.symbol,
            "quote": one.pair.quote.symbol,
            "side": "buy" if one.is_buy else "sell",
            "status": "open" if is_order else "waiting",
            "price": None if one.price is None else show_units(one.price, price),
            "remaining": show_units(one.remaining if is_order else one.quantity, one.pair.base.precision),
            "locked": show_units(one.locked, gives.precision),
            "settle": "wallet" if is_order and one.to_wallet else "venue",
            "stop_price": show_units(one.stop_price, price)
            if is_order and one.stop_price is not None
            else None,
        }

    def grant(self) -> dict[str, Any] | None:
        """The grant as a row of /api/grants."""
        grant = self.machine.state.grants.get(("alice", "posting"))
        if grant is None:
            return None
        precision = {symbol: token.precision for symbol, token in self.machine.state.tokens.items()}
        used = grant.used if grant.day == self.now // 86_400 else {}
        return {
            "to": "posting",
            "until": _iso(grant.until),
            "band_bps": grant.band_bps,
            "pairs": [dict(zip(("base", "quote"), name.split("/"), strict=True)) for name in grant.pairs],
            "allowances": [
                {
                    "symbol": symbol,
                    "per_day": show_units(units, precision[symbol]),
                    "left_today": show_units(max(0, units - used.get(symbol, 0)), precision[symbol]),
                }
                for symbol, units in grant.per_day.items()
            ],
        }

    def marks(self) -> dict[str, Any]:
        return {
            name: {"text": "1", "base": str(pair.mark.base), "quote": str(pair.mark.quote)}
            for name, pair in self.machine.state.pairs.items()
            if pair.mark.base
        }

    def try_posting(self, name: str, payload: dict[str, Any]) -> Code | None:
        """Note what the site would know, then have the rules decide the same action signed with the posting key."""
        rows = self.orders()
        self.cases.append(
            {
                "action": name,
                "payload": payload,
                "grant": self.grant(),
                "order": next((row for row in rows if row["id"] == payload.get("id")), None),
                "open": rows,
                "marks": self.marks(),
                "ts": _iso(self.now),
            }
        )
        _, code = self.act("alice", name, payload, active=False)
        self.codes.append(code)
        return code


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def exchange() -> Exchange:
    """A market around 0.010000 with a mark, in which alice has given her posting key a grant."""
    one = Exchange()
    for name in ("alice", "bob", "carol"):
        one.fund(name)
    pair = {"symbol": "PEK", "quote": "SWAP.HIVE"}
    for price, quantity in (("0.009900", "700"), ("0.010033", "310"), ("0.010001", "55.5")):
        one.act("bob", "sell", {**pair, "quantity": quantity, "price": price})
        one.act("carol", "buy", {**pair, "quantity": quantity, "price": price})
    _, code = one.act("alice", "grant", GRANT)
    assert code is None
    return one


def draw(rng: random.Random, one: Exchange) -> tuple[str, dict[str, Any]]:
    """A random action near the limits of the grant."""
    rows = one.orders()
    pair = {"symbol": "PEK", "quote": rng.choice(["SWAP.HIVE"] * 9 + ["HBD"])}
    mark = one.machine.state.pairs["PEK/SWAP.HIVE"].mark
    near = mark.quote * 10**6 // mark.base  # both tokens have eight decimals
    edge = rng.choice([near * 103 // 100, near * 97 // 100, near, near * 9 // 10])
    price = show_units(max(1, edge + rng.randint(-2, 2)), 6 if pair["quote"] == "SWAP.HIVE" else 3)
    left = {
        row["symbol"]: float(row["left_today"]) for row in (one.grant() or {"allowances": []})["allowances"]
    }
    lots = rng.choice(
        [rng.randint(1, 40_000), int(left.get("PEK", 0) * 100) + rng.randint(0, 1), rng.randint(1, 300_000)]
    )
    quantity = show_units(max(1, lots), 2)
    match rng.randint(0, 9):
        case 0 | 1 | 2 | 3:
            payload = {**pair, "quantity": quantity, "price": price}
            extras: list[dict[str, Any]] = [{}] * 6
            extras += [
                {"stopPrice": "0.000001", "stopLimit": "0.000001"},
                {"settle": "venue"},
                {"postOnly": True},
            ]
            return rng.choice(["buy", "sell"]), {**payload, **rng.choice(extras)}
        case 4:
            budget = show_units(max(1, int(left.get("SWAP.HIVE", 0) * 10**8) + rng.randint(-1, 1)), 8)
            amount = rng.choice([budget, "0.5"])
            return "marketBuy", {
                **pair,
                "quantity": amount,
                **rng.choice([{}, {"price": price}, {"price": price}]),
            }
        case 5:
            return "marketSell", {
                **pair,
                "quantity": quantity,
                **rng.choice([{}, {"price": price}, {"price": price}]),
            }
        case 6 | 7 if rows:
            row = rng.choice(rows)
            change = rng.choice(
                [{"price": price}, {"quantity": quantity}, {"price": price, "quantity": quantity}]
            )
            return "replace", {"id": row["id"], **change}
        case 8 if rows:
            return "cancel", {"id": rng.choice(rows)["id"]}
    return rng.choice(["cancel", "cancelAllAfter"]), {"id": "f" * 40, "seconds": 60}


def place_with_active_key(rng: random.Random, one: Exchange) -> None:
    """Orders that a grant cannot touch: of another pair, with a stop, to the wallet, and a waiting stop."""
    pair = {"symbol": "PEK", "quote": "SWAP.HIVE"}
    quantity = show_units(rng.randint(100, 9_000), 2)
    payload = rng.choice(
        [
            {**pair, "price": "0.012000"},
            {**pair, "price": "0.012500", "stopPrice": "0.000002", "stopLimit": "0.000001"},
            {**pair, "price": "0.013000", "settle": "wallet"},
            {"symbol": "PEK", "quote": "HBD", "price": "0.900"},
            {**pair, "price": "0.009000", "triggerPrice": "0.000003", "triggerWhen": "below"},
        ]
    )
    one.act("alice", "sell", {**payload, "quantity": "100" if payload["quote"] == "HBD" else quantity})


EVALUATE = """async ([venue, cases]) => {
  const { whyNotCovered } = await import("/js/wallet/grant-coverage.js");
  return cases.map(({ action, payload, grant, order, open, marks, ts }) => {
    const draft = { action, about: { order: payload.id }, elements: [{ contractName: venue.contract, contractAction: action, contractPayload: payload }] };
    const mark = ([name, { text, base, quote }]) => [name, { text, base: BigInt(base), quote: BigInt(quote) }];
    const facts = { marks: new Map(Object.entries(marks).map(mark)), order, open, ts, pending: {} };
    return whyNotCovered(venue, draft, grant, facts);
  });
}"""


def reasons(page: Page, cases: list[dict[str, Any]]) -> list[str]:
    page.clock.set_fixed_time(NOW)
    found: list[str] = page.evaluate(EVALUATE, [venue(), cases])
    return found


def test_a_grant_covers_exactly_what_the_rules_accept(blank: Page) -> None:
    """Random actions at the limits: band, allowance, pairs, replaces, stops, and orders that no grant reaches."""
    rng = random.Random(20_261_129)
    found: list[Exchange] = []
    for _ in range(12):
        one = exchange()
        found.append(one)
        for _ in range(40):
            if rng.random() < 0.2:
                place_with_active_key(rng, one)
            one.try_posting(*draw(rng, one))
    seen: set[tuple[str, bool]] = set()
    for one in found:
        for case, code, reason in zip(one.cases, one.codes, reasons(blank, one.cases), strict=True):
            told = f"{case['action']} {case['payload']}: {code}, {reason!r}; {case['order']} {case['grant']}"
            if reason == "":
                assert code not in REFUSALS, told
            else:
                assert code in REFUSALS | BEFORE_THE_GRANT, told
            seen.add((case["action"], reason == ""))
    actions = ("buy", "sell", "marketBuy", "marketSell", "replace", "cancel")
    assert seen >= {(action, covered) for action in actions for covered in (True, False)}


def test_cancel_all_is_covered_only_if_it_reaches_all_orders(blank: Page) -> None:
    one = exchange()
    pair = {"symbol": "PEK", "quote": "SWAP.HIVE", "price": "0.012000", "quantity": "10"}
    one.act("alice", "sell", pair)
    one.act("alice", "sell", pair)
    assert one.try_posting("cancelAll", {}) is None
    assert one.orders() == []
    one.act("alice", "sell", pair)
    one.act("alice", "sell", {**pair, "stopPrice": "0.000002", "stopLimit": "0.000001"})
    assert one.try_posting("cancelAll", {}) is None
    assert [row["stop_price"] for row in one.orders()] == ["0.000002"]  # passed over
    all_, some = reasons(blank, one.cases)
    assert all_ == ""
    assert "stop loss" in some


def test_nothing_is_covered_without_a_grant(blank: Page) -> None:
    one = exchange()
    one.act("alice", "revoke", {"to": "posting"})
    assert one.try_posting("cancelAllAfter", {"seconds": 60}) is Code.E_AUTH
    assert (
        one.try_posting("buy", {"symbol": "PEK", "quote": "SWAP.HIVE", "price": "0.01", "quantity": "1"})
        is Code.E_AUTH
    )
    assert all("expired or was revoked" in reason for reason in reasons(blank, one.cases))


def test_the_allowance_starts_anew_at_midnight_utc(blank: Page) -> None:
    one = exchange()
    order = {"symbol": "PEK", "quote": "SWAP.HIVE", "price": "0.012000", "quantity": "3000"}
    assert one.try_posting("sell", order) is None
    assert one.try_posting("sell", order) is Code.E_GRANT
    evening = one.cases[-1]
    midnight = (NOW // 86_400 + 1) * 86_400
    one.now = midnight
    assert one.try_posting("sell", order) is None
    assert "above today's allowance (1,000 of 4,000 PEK left)" in reasons(blank, [evening])[0]
    blank.clock.set_fixed_time(midnight + 1)
    assert blank.evaluate(EVALUATE, [venue(), [evening]]) == [""]  # the same facts, read the day before


# -- grants ------------------------------------------------------------------------------------------------------------

BUILD = """async ([venue, name, list]) => {
  const module = await import("/js/wallet/grant-intents.js");
  try {
    const [terms, ...more] = list;
    if (terms?.perDay) terms.perDay = Object.fromEntries(Object.entries(terms.perDay).map(([symbol, units]) => [symbol, BigInt(units)]));
    return module[name](venue, "alice", terms, ...more);
  } catch (error) {
    if (error.field === undefined) throw error;
    return { field: error.field, problem: error.message };
  }
}"""
TERMS: dict[str, Any] = {
    "to": "posting",
    "pairs": [{"base": "PEK", "quote": "SWAP.HIVE"}],
    "perDay": {"PEK": "125000000", "SWAP.HIVE": "50"},
    "bandBps": 250,
    "until": NOW + 1000,
}


def build(page: Page, name: str, *arguments: Any) -> dict[str, Any]:
    draft: dict[str, Any] = page.evaluate(BUILD, [venue(), name, list(arguments)])
    return draft


@pytest.mark.parametrize("to", ["posting", "alice.bot"])
def test_the_rules_accept_a_grant_and_its_revoke(modules: Page, to: str) -> None:
    one = Exchange()
    draft = build(modules, "grant", {**TERMS, "to": to}, NOW)
    element = json.loads(draft["json"])
    assert element["contractPayload"]["perDay"] == {"PEK": "1.25000000", "SWAP.HIVE": "0.00000050"}
    assert one.act("alice", "grant", element["contractPayload"])[1] is None
    who = "my posting key" if to == "posting" else "@alice.bot"
    assert draft["message"] == (
        f"Peake DEX: ALLOW {who} to trade PEK/SWAP.HIVE for me until 2026-09-21 14:30:00 UTC: orders of at most"
        " 1.25 PEK and 0.0000005 SWAP.HIVE a day (UTC), at most 2.5 % worse than the mark, no withdrawals"
    )
    ended = json.loads(build(modules, "revoke", to)["json"])
    assert one.act("alice", "revoke", ended["contractPayload"])[1] is None
    assert one.machine.state.grants == {}


@pytest.mark.parametrize(
    ("change", "field_"),
    [
        ({"to": "alice"}, "to"),
        ({"to": "active"}, "to"),
        ({"to": "Bot"}, "to"),
        ({"pairs": []}, "pairs"),
        ({"pairs": [{"base": "PEK", "quote": "NONE"}]}, "pairs"),
        ({"perDay": {}}, "perDay"),
        ({"perDay": {"PEK": "0"}}, "perDay.PEK"),
        ({"perDay": {"PEK": str(2**63)}}, "perDay.PEK"),
        ({"bandBps": -1}, "bandBps"),
        ({"bandBps": 10_001}, "bandBps"),
        ({"bandBps": 1.5}, "bandBps"),
        ({"until": NOW}, "until"),
        ({"until": NOW + 7_776_001}, "until"),
    ],
)
def test_an_invalid_grant_names_the_field_and_the_rules_refuse_it(
    modules: Page, change: dict[str, Any], field_: str
) -> None:
    built = build(modules, "grant", {**TERMS, **change}, NOW)
    assert built.get("field") == field_, built
    assert built["problem"].endswith((".", "%"))
    terms = {**TERMS, **change}
    payload = {
        **terms,
        "pairs": [f"{pair['base']}/{pair['quote']}" for pair in terms["pairs"]],
        "perDay": {symbol: show_units(int(units), 8) for symbol, units in terms["perDay"].items()},
    }
    one = Exchange(now=NOW - 3)
    assert one.act("alice", "grant", payload)[1] is not None


@pytest.mark.parametrize(
    ("seconds", "valid"), [(0, True), (14, False), (15, True), (86_400, True), (86_401, False), (20.5, False)]
)
def test_the_cancel_all_timer(modules: Page, seconds: float, valid: bool) -> None:
    built = build(modules, "cancelAllAfter", seconds)
    assert ("json" in built) is valid
    if valid:
        assert (
            Exchange().act("alice", "cancelAllAfter", json.loads(built["json"])["contractPayload"])[1] is None
        )
    else:
        assert built["field"] == "seconds"
