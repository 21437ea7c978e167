"""Test vectors of Hive-Engine's market contract: which are comparable, and how to run one.

Format: tests/data/vectors/README.md. What is left out, and why: docs/vectors.md.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from settlement.core.events import Action, BlockHeader, JsonNumber, Movement
from settlement.core.journal import lines
from settlement.core.state_machine import StateMachine
from settlement.core.venue import PairRules, TokenRules, Venue

FOLDER = Path(__file__).parents[2] / "data" / "vectors"
FILES = {"peer-test": "market_peer_tests", "random": "market_random_public"}
QUOTE_PRECISION = 8
PLAIN = re.compile(r"(?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,18})?")
TOLERATED = {"lazy_expiry"}  # these cases also hold the expected result with prompt expiry

Case = dict[str, Any]


def cases(origin: str) -> list[Case]:
    """The cases of one file, JSON numbers as literal text."""
    text = gzip.decompress((FOLDER / f"{FILES[origin]}.json.gz").read_bytes())
    found: list[Case] = json.loads(text, parse_int=JsonNumber, parse_float=JsonNumber)
    return found


# ---------------------------------------------------------------- which cases can be compared


def places(text: object) -> int:
    """Decimals of a number without trailing zeros; 0 for anything that is not a plain number."""
    if not isinstance(text, str) or not PLAIN.fullmatch(text):
        return 0
    return len(text.partition(".")[2].rstrip("0"))


def eagerly(case: Case) -> Case:
    """Expectations with expired orders removed at the start of every block."""
    expected: Any = case.get("expect_eager", case["expect"])
    return dict(expected)


def decimals(case: Case) -> tuple[int, int]:
    """(price decimals, quantity decimals): the most that the case's actions and expectations use."""
    prices: list[object] = ["0"]
    quantities: list[object] = ["0"]
    for action in case["actions"]:
        payload = action["payload"]
        if action["action"] in ("buy", "sell"):
            prices.append(payload.get("price"))
        if action["action"] in ("buy", "sell", "marketSell"):
            quantities.append(payload.get("quantity"))
    for expected in (case["expect"], eagerly(case)):
        for row in (*expected["trades"], *expected["buy_book"], *expected["sell_book"]):
            prices.append(row["price"])
            quantities.append(row["quantity"])
    return max(map(places, prices)), max(map(places, quantities))


def left_out(case: Case) -> str | None:
    """Why a case cannot be compared; None if it can."""
    quirks = sorted(set(case.get("quirks", ())) - TOLERATED)
    if quirks:
        return "quirk " + ", ".join(quirks)
    if sum(decimals(case)) > QUOTE_PRECISION:
        return "price and quantity together have more than 8 decimals"
    named = {action["txid"]: action["action"] for action in case["actions"]}
    for action in case["actions"]:
        payload = action["payload"]
        if action["action"] == "cancel":
            target = payload.get("id")
            if isinstance(target, str) and named.get(target, payload.get("type")) != payload.get("type"):
                return "a cancel names an action that is not an order of the given side"
        elif any(isinstance(payload.get(key), JsonNumber) for key in ("price", "quantity")):
            return "a price or quantity is a JSON number, which the contract rejects and the protocol accepts"
    return None


# ---------------------------------------------------------------- running one


class Outcome(NamedTuple):
    """What can be compared: trades, both books, free + locked of each account, accepted limit orders."""

    trades: list[tuple[object, ...]]
    bids: list[tuple[object, ...]]
    asks: list[tuple[object, ...]]
    totals: dict[tuple[str, str], int]
    orders: set[str]


def seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp())


def units(text: str, precision: int) -> int:
    value = Fraction(text) * 10**precision
    assert value.denominator == 1
    return int(value)


def venue_for(case: Case) -> Venue:
    price_decimals, quantity_decimals = decimals(case)
    base, quote = case["base"], case["quote"]
    return Venue(
        name="Peer",
        contract="market",
        custom_json_id="ssc-mainnet-hive",
        start_block=1,
        operator="operator",
        checkpoint_account="operator",
        fee_account="fees",
        max_open_orders=200,
        order_lifetime=2_592_000,
        accept_flat_intents=False,
        tokens=(
            TokenRules(base, int(case["base_precision"]), "dex.escrow", 1),
            TokenRules(quote, QUOTE_PRECISION, "dex.escrow", 1),
        ),
        pairs=(PairRules(base, quote, price_decimals, quantity_decimals, self_trade="allow"),),
    )


def blocks(case: Case) -> Iterator[tuple[BlockHeader, list[Action | Movement]]]:
    """The deposits in a block of their own, then the case's blocks, renumbered without gaps."""
    first = seconds(case["actions"][0]["time"])
    yield (
        BlockHeader(1, "01", first),
        [
            Movement(f"d{n}", "hive-engine", d["account"], "dex.escrow", d["symbol"], d["quantity"], None)
            for n, d in enumerate(case["deposits"])
        ],
    )
    for number, (_, group) in enumerate(groupby(case["actions"], key=lambda a: a["block"]), 2):
        actions = list(group)
        yield (
            BlockHeader(number, f"{number:02x}", seconds(actions[0]["time"])),
            [Action(a["txid"], a["sender"], a["active_key"], a["action"], a["payload"]) for a in actions],
        )


def ours(case: Case) -> Outcome:
    machine = StateMachine(venue_for(case))
    trades: list[tuple[object, ...]] = []
    orders: set[str] = set()
    sides: dict[str, str] = {}
    for header, events in blocks(case):
        done = machine.apply(header, events)
        for line in done.lines():
            if isinstance(line, lines.Order):
                sides[line.id] = line.side
                orders |= {line.id} if line.type == "limit" else set()
            elif isinstance(line, lines.Trade):
                amounts = (line.quantity, line.price, line.quote_amount)
                trades.append((line.taker, line.maker, *amounts, sides[line.taker]))
    state = machine.state
    (pair,) = state.pairs.values()
    books: list[list[tuple[object, ...]]] = [
        [
            (order.id, order.account.name, order.remaining, order.price, order.expiry)
            for order in sorted(state.orders.values(), key=lambda o: (side.sign * (o.price or 0), o.seq))
            if order.is_buy == is_buy
        ]
        for is_buy, side in ((True, pair.bids), (False, pair.asks))
    ]
    totals = Counter(
        {
            (account.name, symbol): sum(balance.buckets[:3])
            for account in state.accounts.values()
            for symbol, balance in account.balances.items()
        }
    )
    return Outcome(trades, books[0], books[1], +totals, orders)


def theirs(case: Case) -> Outcome:
    """What the contract does. It keeps price improvement in a buy's lock, so free and locked are summed."""
    expected = eagerly(case)
    price_decimals, _ = decimals(case)
    precision = {case["base"]: int(case["base_precision"]), case["quote"]: QUOTE_PRECISION}
    base = precision[case["base"]]
    trades: list[tuple[object, ...]] = [
        (
            t["taker_txid"],
            t["maker_txid"],
            units(t["quantity"], base),
            units(t["price"], price_decimals),
            units(t["volume"], QUOTE_PRECISION),
            t["taker_side"],
        )
        for t in expected["trades"]
    ]
    totals: Counter[tuple[str, str]] = Counter()
    for account, held in expected["balances"].items():
        for symbol, quantity in held.items():
            totals[account, symbol] += units(quantity, precision[symbol])
    books: list[list[tuple[object, ...]]] = []
    for name, symbol in (("buy_book", case["quote"]), ("sell_book", case["base"])):
        books.append([])
        for o in expected[name]:
            totals[o["account"], symbol] += units(o["locked"], precision[symbol])
            quantity, price = units(o["quantity"], base), units(o["price"], price_decimals)
            books[-1].append((o["txid"], o["account"], quantity, price, int(o["expiration"])))
    kinds = {a["txid"]: a["action"] for a in case["actions"]}
    orders = {
        outcome["txid"]
        for outcome in expected["outcomes"]
        if outcome["accepted"] and kinds[outcome["txid"]] in ("buy", "sell")
    }
    return Outcome(trades, books[0], books[1], +totals, orders)


# ---------------------------------------------------------------- the document

HEAD = """\
# Test vectors of Hive-Engine's market contract

`tests/data/vectors` holds recorded cases of Hive-Engine's own market contract (format: the README there). The
contract rounds at 8 decimals; the protocol never rounds. Where price and quantity together have at most 8
decimals, both are exact, and the same actions must give the same trades, books and totals under
`self_trade = "allow"` without fees. `tests/unit/core/test_peer_vectors.py` checks this for every case that is
not listed below. This page is generated: `python -m tests.unit.core.peer_vectors`.

Compared are: every trade (taker, maker, quantity, price, volume, side), both books (order, account, quantity,
price, expiration), which limit orders were accepted, and free + locked of each account. Free and locked are not
compared separately: the contract keeps a buyer's price improvement locked until the order closes, the protocol
releases it at the fill. Cases tagged `lazy_expiry` are compared with prompt expiry.
"""


def document() -> str:
    """The text of docs/vectors.md."""
    lines = [HEAD]
    for origin, file in FILES.items():
        found = cases(origin)
        reasons: dict[str, list[str]] = {}
        for case in found:
            reason = left_out(case)
            if reason is not None:
                reasons.setdefault(reason, []).append(case["name"])
        out = sum(map(len, reasons.values()))
        lines.append(f"## `{file}`: {len(found)} cases, {len(found) - out} compared, {out} left out\n")
        for reason, names in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0])):
            lines.append(f"### {reason} ({len(names)})\n")
            lines += [f"- {name}" for name in names]
            lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    (Path(__file__).parents[3] / "docs" / "vectors.md").write_text(document())
