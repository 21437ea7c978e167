#!/usr/bin/env python3
"""Independent checker of a Peake DEX journal: one file, Python 3.8 or newer, nothing to install.

    python3 verify_journal.py JOURNAL VENUE_HASH [options]

JOURNAL is the output of `peakedex journal` or /api/journal, or of `peakedex journal --json` (- reads standard
input). The program shares no code with Peake DEX. It follows docs/protocol.md, section 9:

1. It recomputes the hash chain from the venue hash, and compares it with the hashes in the journal (--json
only) and
   with --journal-hash.
2. It adds the journal up: locks, fills, fees, transfers, expiry, withdrawals, payments, escrow holdings. Each
line must be
   possible after the lines before it: no overdrawn balance, no unknown order, no price beyond a limit, no
   amount that is not price times quantity, no missing number.
3. It derives the state text, whose SHA-256 is the state hash, and compares it with --state and --state-hash.

It does not match orders again: only a replay of the chain shows that the right orders traded. Some facts of a
venue are not in the journal. They are read from --venue (the output of `peakedex venue hash --text`, whose
hash must be the venue hash), or learned from the journal, or reported as not covered:

- the scale of price times quantity: learned from a pair's first trade or first closed buy;
- the fee account: without --venue, the only account that ever spends more than it has;
- the units of an outflow's decimal text: needs the token's precision, and that the token was listed.

Exit code 0: everything that was compared is right. 1: an error was found, and its place is printed. 2: usage.
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from typing import IO
from urllib.parse import unquote

AVAILABLE, LOCKED, WITHDRAWING = range(3)
MAX_UNITS = 2**63 - 1
HASH = re.compile("[0-9a-f]{64}")
TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
BLOCK = re.compile(f"block ([1-9][0-9]*) ([0-9a-f]{{40}}) ({TIME})")
NUMBER = re.compile("0|[1-9][0-9]{0,18}")
QUANTITY = re.compile(r"\+?(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?)0*([0-9]{1,2}))?")
SPACES = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff"
SPACES += "".join(map(chr, range(0x2000, 0x200B)))


class JournalError(Exception):
    """The journal cannot be right, with the reason."""


def need(condition: object, problem: str) -> None:
    if not condition:
        raise JournalError(problem)


def number(text: str) -> int:
    need(NUMBER.fullmatch(text), f"{text} is not a plain number")
    return int(text)


def amount(text: str) -> int:
    units = number(text)
    need(0 < units <= MAX_UNITS, f"{units} is not a possible amount")
    return units


def scaled(value: int, scale: int) -> int:
    """value × 10^scale, which must be whole."""
    if scale >= 0:
        return value * 10**scale
    whole, rest = divmod(value, 10**-scale)
    need(rest == 0, f"{value} is not a whole number of lots")
    return whole


def scale_of(quote: int, product: int) -> int:
    """The power of ten between price × quantity and the quote units."""
    for scale in range(-40, 41):
        if quote * 10 ** max(-scale, 0) == product * 10 ** max(scale, 0):
            return scale
    raise JournalError(f"{quote} is not price × quantity ({product}) times a power of ten")


class Facts:
    """Facts of the venue that are not in the journal."""

    def __init__(self) -> None:
        self.scales: dict[str, int] = {}
        self.precisions: dict[str, int] = {}
        self.fee_account: str | None = None
        self.later_fee_accounts: dict[str, str] = {}

    def read_venue(self, text: str, venue_hash: str) -> None:
        found = sha256(text.encode()).hexdigest()
        need(
            found == venue_hash,
            f"--venue has the hash {found}: it is of another venue, or not the output of --text",
        )
        pairs = []
        for line in text.splitlines():
            kind, *fields = line.split(" ")
            if kind == "fee_account":
                self.fee_account = fields[0]
            elif kind == "token":
                self.precisions[fields[0]] = int(fields[1])
            elif kind == "pair":
                pairs.append(fields)
        for name, price_decimals, *_ in pairs:
            base, quote = name.split("/")
            self.scales[name] = self.precisions[quote] - int(price_decimals) - self.precisions[base]

    def learn(self, text: Journal) -> None:
        """Learn the scales of pairs that --venue does not list from the first line that shows each."""
        buys: dict[str, tuple[str, int]] = {}
        for line in text.lines():
            with suppress(
                JournalError, ValueError, IndexError
            ):  # malformed lines are reported later, with their place
                self._learn_from_line(line.split(" "), buys)

    def _learn_from_line(self, words: list[str], buys: dict[str, tuple[str, int]]) -> None:
        kind, *fields = words
        if kind == "order" and fields[4:6] == ["buy", "limit"] and fields[3] not in self.scales:
            buys[fields[0]] = (fields[3], int(fields[6]) * int(fields[7]))
        elif kind == "trade" and fields[5] not in self.scales:
            self.scales[fields[5]] = scale_of(int(fields[8]), int(fields[6]) * int(fields[7]))
        elif kind == "close" and fields[0] in buys and int(fields[2]):
            pair, product = buys.pop(fields[0])
            if pair not in self.scales:  # it never traded: the whole lock is released
                self.scales[pair] = scale_of(int(fields[2]), product)

    def learn_from_state(self, text: str) -> None:
        for line in text.splitlines():
            kind, *fields = line.split(" ")
            if kind == "order" and fields[4] == "buy" and fields[3] not in self.scales:
                self.scales[fields[3]] = scale_of(int(fields[7]), int(fields[5]) * int(fields[6]))


class Order:
    """`remaining` is in base units; of a market buy in quote units."""

    __slots__ = ("account", "base", "expiry", "id", "is_buy", "lock", "market", "pair", "price", "quote")
    __slots__ += ("remaining", "seq", "was_expired")

    def __init__(self, fields: list[str]) -> None:
        self.id, seq, self.account, self.pair, side, kind, price, quantity, expiry = fields
        need(side in ("buy", "sell") and kind in ("limit", "market"), "unknown side or type of order")
        self.seq = number(seq)
        self.base, self.quote = self.pair.split("/")
        self.is_buy = side == "buy"
        self.market = kind == "market"
        self.price = None if price == "-" and self.market else amount(price)
        self.remaining = amount(quantity)
        self.expiry = None if expiry == "-" and self.market else number(expiry)
        self.lock: int | None = None
        self.was_expired = False

    @property
    def gives(self) -> str:
        return self.quote if self.is_buy else self.base


class Books:
    """Ledger that applies the journal line by line."""

    def __init__(self, venue_hash: str, facts: Facts) -> None:
        self.venue_hash = venue_hash
        self.facts = facts
        self.block = (0, "-")
        self.time = ""
        self.seconds = 0
        self.seq = self.trades = 0
        self.wallets: dict[tuple[str, str], list[int]] = {}
        self.owed: dict[str, int] = {}
        self.orders: dict[str, Order] = {}
        self.expiries: list[tuple[int, int, str]] = []
        self.withdrawals: dict[str, tuple[str, str, int, str]] = {}
        self.refunds: dict[str, str] = {}
        self.holdings: dict[str, int] = {}
        self.fee_account = facts.fee_account
        self.fees: dict[str, int] = {}
        self.must_close: str | None = None
        self.unknown_outflows: set[str] = set()
        self.updates: list[str] = []
        self.notes: list[str] = []
        self.kinds = {
            "expire": (self.expire, 1),
            "deposit": (self.deposit, 5),
            "refund": (self.refund, 5),
            "order": (self.order, 9),
            "trade": (self.trade, 11),
            "close": (self.close, 3),
            "withdraw": (self.withdraw, 6),
            "paid": (self.paid, 2),
            "return": (self.give_back, 1),
            "outflow": (self.outflow, 5),
            "internal": (self.internal, 5),
            "operator": (self.operator, 2),
            "reject": (self.reject, 4),
        }

    # ------------------------------------------------------------ blocks and lines

    def begin(self, line: str) -> None:
        """A new block."""
        found = BLOCK.fullmatch(line)
        need(found, "not a block line")
        assert found is not None
        height = int(found[1])
        need(int(found[2][:8], 16) == height, "the block id does not begin with the block number")
        need(height > self.block[0], f"it comes after block {self.block[0]}")
        need(found[3] >= self.time, f"its time is before that of block {self.block[0]}")
        self.block, self.time = (height, found[2]), found[3]
        self.seconds = seconds_of(found[3])

    def add(self, line: str) -> None:
        """One line of a block."""
        kind, *fields = line.split(" ")
        need(kind in self.kinds, "unknown kind of line")
        method, count = self.kinds[kind]
        need(len(fields) == count, f"{kind} needs {count} fields")
        if self.must_close is not None:
            need(
                kind == "close" and fields[0] == self.must_close, f"order {self.must_close} must close first"
            )
        method(*fields)

    def end(self) -> None:
        """End of a block: everything that was due must have happened."""
        while self.expiries and self.expiries[0][0] <= self.seconds:
            _, _, order_id = heapq.heappop(self.expiries)
            need(order_id not in self.orders, f"order {order_id} should have expired")
        need(self.must_close is None, f"order {self.must_close} did not close")

    # ------------------------------------------------------------ balances

    def wallet(self, account: str, symbol: str) -> list[int]:
        return self.wallets.setdefault((account, symbol), [0, 0, 0])

    def take(self, account: str, symbol: str, bucket: int, units: int) -> None:
        held = self.wallet(account, symbol)
        lacking = units - held[bucket]
        may_be_fees = bucket == AVAILABLE and self.fee_account is None
        if lacking > 0 and may_be_fees and self.fees.get(symbol, 0) >= lacking:
            self.assign_fees(account)  # only fees can explain it
        names = ("available", "locked", "withdrawing")
        need(held[bucket] >= units, f"{account} has {held[bucket]} {symbol} {names[bucket]}, not {units}")
        held[bucket] -= units

    def give(self, account: str, symbol: str, bucket: int, units: int) -> None:
        self.wallet(account, symbol)[bucket] += units

    def assign_fees(self, account: str) -> None:
        """Set the fee account, and credit the fees collected so far to it."""
        self.fee_account = account
        for symbol, units in self.fees.items():
            self.give(account, symbol, AVAILABLE, units)
        self.fees = {}
        self.notes.append(
            f"{account} is assumed to be the fee account: otherwise the journal does not add up"
        )

    def fee(self, symbol: str, units: int) -> None:
        if units and self.fee_account is not None:
            self.give(self.fee_account, symbol, AVAILABLE, units)
        elif units:
            self.fees[symbol] = self.fees.get(symbol, 0) + units

    def hold(self, symbol: str, change: int) -> None:
        self.holdings[symbol] = self.holdings.get(symbol, 0) + change

    def owe(self, symbol: str, change: int) -> None:
        self.owed[symbol] = self.owed.get(symbol, 0) + change
        need(0 <= self.owed[symbol] <= MAX_UNITS, f"liabilities in {symbol} would be {self.owed[symbol]}")

    def value(self, order: Order, quantity: int) -> int | None:
        """Quote units of a quantity at an order's own price; None while the pair's scale is unknown."""
        scale = self.facts.scales.get(order.pair)
        assert order.price is not None
        return None if scale is None else scaled(order.price * quantity, scale)

    # ------------------------------------------------------------ one method for each kind of line

    def deposit(self, _id: str, account: str, symbol: str, units: str, _escrow: str) -> None:
        self.owe(symbol, amount(units))
        self.give(account, symbol, AVAILABLE, int(units))
        self.hold(symbol, int(units))

    def refund(self, id_: str, account: str, symbol: str, quantity: str, escrow: str) -> None:
        need(id_ not in self.refunds, "this refund is already due")
        self.refunds[id_] = f"{account} {symbol} {quantity} {escrow}"

    def order(self, *fields: str) -> None:
        order = Order(list(fields))
        self.seq += 1
        need(order.seq == self.seq, f"its sequence must be {self.seq}")
        need(order.id not in self.orders, "this order is already open")
        whole = order.market or not order.is_buy
        order.lock = order.remaining if whole else self.value(order, order.remaining)
        self.orders[order.id] = order
        if order.expiry is not None:
            need(order.expiry > self.seconds, "it has already expired")
            heapq.heappush(self.expiries, (order.expiry, order.seq, order.id))
        if order.lock is not None:
            need(order.lock <= MAX_UNITS, f"it would lock {order.lock}")
            self.take(order.account, order.gives, AVAILABLE, order.lock)
            self.give(order.account, order.gives, LOCKED, order.lock)

    def trade(self, n: str, *fields: str) -> None:
        taker_id, maker_id, buyer, seller, pair, price, quantity, quote, buyer_fee, seller_fee = fields
        self.trades += 1
        need(number(n) == self.trades, f"its number must be {self.trades}")
        for id_ in (taker_id, maker_id):
            need(id_ in self.orders, f"order {id_} is not open")
        taker, maker = self.orders[taker_id], self.orders[maker_id]
        need(
            taker.is_buy != maker.is_buy and taker.pair == maker.pair == pair,
            "the orders are not on opposite sides of this pair",
        )
        need(maker.seq < taker.seq and not maker.market, "the maker was not resting")
        buy, sell = (taker, maker) if taker.is_buy else (maker, taker)
        need((buy.account, sell.account) == (buyer, seller), "the orders belong to other accounts")
        need(buy.price is None or buy.price >= amount(price), "the price is above the buyer's limit")
        need(sell.price is None or sell.price <= int(price), "the price is below the seller's limit")
        base_units, quote_units = amount(quantity), amount(quote)
        need(pair in self.facts.scales, "the quote amount is not price times quantity")
        worth = scaled(int(price) * base_units, self.facts.scales[pair])
        need(worth == quote_units, f"the quote amount must be {worth}")
        need(
            number(buyer_fee) <= base_units and number(seller_fee) <= quote_units, "a fee is above its amount"
        )
        self.fill(sell, base_units, base_units)
        spent = quote_units if buy.market else base_units
        need(spent <= buy.remaining, "it is more than the buy order has left")
        before = buy.lock
        buy.remaining -= spent
        buy.lock = buy.remaining if buy.market else self.value(buy, buy.remaining)
        assert before is not None
        assert buy.lock is not None
        self.take(buyer, buy.quote, LOCKED, before - buy.lock)
        self.give(buyer, buy.quote, AVAILABLE, before - buy.lock - quote_units)
        self.give(buyer, buy.base, AVAILABLE, base_units - int(buyer_fee))
        self.give(seller, buy.quote, AVAILABLE, quote_units - int(seller_fee))
        self.fee(buy.base, int(buyer_fee))
        self.fee(buy.quote, int(seller_fee))

    def fill(self, order: Order, quantity: int, units: int) -> None:
        need(quantity <= order.remaining, "it is more than the sell order has left")
        order.remaining -= quantity
        order.lock = order.remaining
        self.take(order.account, order.gives, LOCKED, units)

    def expire(self, id_: str) -> None:
        need(id_ in self.orders, f"order {id_} is not open")
        expiry = self.orders[id_].expiry
        need(expiry is not None and expiry <= self.seconds, "its expiry has not passed")
        self.orders[id_].was_expired = True
        self.must_close = id_

    def close(self, id_: str, status: str, released: str) -> None:
        need(id_ in self.orders, f"order {id_} is not open")
        order = self.orders.pop(id_)
        need(status in ("filled", "cancelled", "expired"), "unknown status")
        need(
            (status == "expired") == order.was_expired,
            "an order closes as expired if and only if `expire` precedes it",
        )
        if status == "filled" and not (order.market and order.is_buy):
            need(order.remaining == 0, f"it is not filled: {order.remaining} remains")
        if status != "filled":
            need(order.remaining > 0, "nothing remains: it is filled")
        need(order.lock == number(released), f"it must release {order.lock}")
        self.take(order.account, order.gives, LOCKED, int(released))
        self.give(order.account, order.gives, AVAILABLE, int(released))
        self.must_close = None

    def withdraw(self, id_: str, account: str, symbol: str, units: str, to: str, memo: str) -> None:
        need(id_ not in self.withdrawals, "this withdrawal is already pending")
        self.take(account, symbol, AVAILABLE, amount(units))
        self.give(account, symbol, WITHDRAWING, int(units))
        self.withdrawals[id_] = (account, symbol, int(units), f"{to} {memo}")

    def paid(self, id_: str, _movement: str) -> None:
        if id_ in self.withdrawals:
            account, symbol, units, _ = self.withdrawals.pop(id_)
            self.take(account, symbol, WITHDRAWING, units)
            self.owe(symbol, -units)
            self.hold(symbol, -units)
        else:
            need(id_ in self.refunds, "no such withdrawal is pending, and no such refund is due")
            del self.refunds[id_]

    def give_back(self, id_: str) -> None:
        need(id_ in self.withdrawals, "no such withdrawal is pending")
        account, symbol, units, _ = self.withdrawals.pop(id_)
        self.take(account, symbol, WITHDRAWING, units)
        self.give(account, symbol, AVAILABLE, units)

    def outflow(self, _id: str, _escrow: str, symbol: str, quantity: str, _to: str) -> None:
        precision = self.facts.precisions.get(symbol)
        units = None if precision is None else units_at_least(unquote(quantity), precision)
        if units is not None:
            self.hold(symbol, -units)
        elif precision is None:
            self.unknown_outflows.add(symbol)

    def internal(self, *_fields: str) -> None:
        """From one escrow account to another: total holdings do not change."""

    def operator(self, id_: str, action: str) -> None:
        if id_ in self.facts.later_fee_accounts:
            self.fee_account = self.facts.later_fee_accounts[id_]
        elif action == "updateVenue":
            self.updates.append(id_)

    def reject(self, *_fields: str) -> None:
        """Nothing changed."""

    # ------------------------------------------------------------ the state

    def not_covered(self) -> Iterator[str]:
        """Parts of the state text that do not follow from the journal alone."""
        for pair in sorted({order.pair for order in self.orders.values() if order.lock is None}):
            yield f"locks of open buys in {pair}, which has no trades: needs --venue or --state"
        if self.fees:
            symbols = ", ".join(sorted(self.fees))
            yield f"fee account, which received {symbols}: needs --venue, --state or --fee-account"
        for symbol in sorted(self.unknown_outflows & set(self.holdings)):
            yield f"escrow {symbol}: outflows in decimal text; needs --venue or --precision {symbol}=N"

    def state(self, block: tuple[int, str]) -> str:
        lines = ["peakedex-state 1", f"venue {self.venue_hash}", f"block {block[0]} {block[1]}"]
        for (account, symbol), held in sorted(self.wallets.items()):
            if any(held):
                lines.append(f"balance {account} {symbol} {held[0]} {held[1]} {held[2]}")
        for o in self.orders.values():  # in order of sequence, as they came
            side = "buy" if o.is_buy else "sell"
            head = f"order {o.seq} {o.id} {o.account} {o.pair} {side}"
            lines.append(f"{head} {o.price} {o.remaining} {o.lock} {o.expiry}")
        for id_, (account, symbol, units, rest) in self.withdrawals.items():
            lines.append(f"withdrawal {id_} {account} {symbol} {units} {rest}")
        lines += [f"refund {id_} {rest}" for id_, rest in self.refunds.items()]
        lines += [f"escrow {symbol} {units}" for symbol, units in sorted(self.holdings.items()) if units]
        return "".join(line + "\n" for line in lines)


def units_at_least(text: str, precision: int) -> int | None:
    """An outflow's decimal text in units, rounded up; None where it is no quantity (protocol, section 3)."""
    found = QUANTITY.fullmatch(text.strip(SPACES))
    if found is None or int(found[5] or 0) > 30:
        return None
    fraction = found[3] or found[2] or ""
    digits = ((found[1] or "") + fraction).lstrip("0")
    exponent = int(found[5] or 0) * (-1 if found[4] == "-" else 1) - len(fraction) + precision
    significant = digits.rstrip("0")
    if not significant:
        return 0
    exponent += len(digits) - len(significant)
    if len(significant) + exponent > 40:
        return 10**40
    if exponent >= 0:
        return int(significant) * 10**exponent
    return int(significant[:exponent] or "0") + 1


def seconds_of(time: str) -> int:
    """Seconds since 1970 (UTC) of a time like 2016-03-24T16:05:00."""
    year, month, day, hour, minute, second = map(int, re.split("[-T:]", time))
    shifted = year - (month <= 2)
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400 + day_of_year - 719468
    return days * 86400 + hour * 3600 + minute * 60 + second


class Journal:
    """A journal file. In the --json format each line is one block with its hash."""

    def __init__(self, path: str) -> None:
        if path == "-":
            self._file: IO[bytes] = tempfile.TemporaryFile()
            shutil.copyfileobj(sys.stdin.buffer, self._file)
        else:
            self._file = gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb")

    def blocks(self) -> Iterator[tuple[str, str | None]]:
        """Each block's text, and the journal hash after it where the file has one."""
        self._file.seek(0)
        held: list[str] = []
        for raw in self._file:
            line = raw.decode("utf-8")
            if line.startswith("{"):
                found = json.loads(line)
                need(isinstance(found["lines"], str), "`lines` is not text")
                yield found["lines"], found["journal_hash"]
                continue
            if line.startswith("block ") and held:
                yield "".join(held), None
                held = []
            held.append(line)
        if held:
            yield "".join(held), None

    def lines(self) -> Iterator[str]:
        for text, _ in self.blocks():
            yield from text.split("\n")


def add_up(journal: Journal, books: Books) -> tuple[str, int, int]:
    """Apply all blocks; returns the journal hash and the number of blocks and lines.

    Raises JournalError with the place.
    """
    value = books.venue_hash
    blocks = count = 0
    for text, said in journal.blocks():
        *lines, rest = text.split("\n")
        for index, line in enumerate(lines):
            try:
                if index == 0:
                    books.begin(line)
                else:
                    books.add(line)
                    need(index < len(lines) - 1 or not rest, "the text is truncated")
            except (JournalError, ValueError, KeyError) as error:
                place = (
                    f"block {books.block[0]}, line {index + 1}" if index else f"after block {books.block[0]}"
                )
                raise JournalError(f"{place}: {line}\n  {error}") from None
        try:
            need(not rest and lines, "the text is truncated")
            need(len(lines) > 1, "it has no lines")
            books.end()
        except JournalError as error:
            raise JournalError(f"block {books.block[0]}: {error}") from None
        value = sha256(f"{value}\n{text}".encode()).hexdigest()
        need(
            said in (None, value),
            f"block {books.block[0]}: the journal hash is {value}, the journal file says {said}",
        )
        blocks, count = blocks + 1, count + len(lines)
    return value, blocks, count


def compare_state(books: Books, theirs: str) -> str:
    """Compare the derived state text with theirs. Raises JournalError with the first line that differs."""
    found = re.search(r"^block ([0-9]+) (\S+)$", theirs, re.MULTILINE)
    need(found, "--state: it has no line `block`")
    assert found is not None
    block = (int(found[1]), found[2])
    need(
        block == books.block or block[0] > books.block[0],
        f"--state is of block {block[0]}, the journal continues after it",
    )
    differ = differing(books.state(block), theirs)
    accounts = {line.split(" ")[1] for pair in differ for line in pair if line.startswith("balance ")}
    if books.fees and len(accounts) == 1:
        books.assign_fees(accounts.pop())
        differ = differing(books.state(block), theirs)
    skipped = tuple(f"escrow {symbol} " for symbol in books.unknown_outflows)
    for ours, other in differ:
        if not (skipped and (ours or other).startswith(skipped)):
            raise JournalError(
                f"the state differs\n  derived {ours or '(none)'}\n  theirs  {other or '(none)'}"
            )
    return theirs


def differing(ours: str, theirs: str) -> list[tuple[str, str]]:
    """Pairs of differing lines, matched by their first three fields."""
    mine, others = (
        {tuple(line.split(" ")[:3]): line for line in text.split("\n")} for text in (ours, theirs)
    )
    pairs = [(mine.get(key, ""), others.get(key, "")) for key in {**mine, **others}]
    found = [(one, other) for one, other in pairs if one != other]
    if not found and ours != theirs:
        return [next((a, b) for a, b in zip(ours.split("\n"), theirs.split("\n")) if a != b)]
    return found


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check a Peake DEX journal without Peake DEX.")
    parser.add_argument("journal", help="journal file, plain or .gz; - for standard input")
    parser.add_argument("venue_hash", help="64 hexadecimal digits")
    parser.add_argument(
        "--venue", metavar="FILE", help="canonical text of the venue (peakedex venue hash --text)"
    )
    parser.add_argument("--journal-hash", metavar="HASH", help="expected journal hash")
    parser.add_argument("--state", metavar="FILE", help="state text to compare with")
    parser.add_argument("--state-hash", metavar="HASH", help="expected state hash")
    parser.add_argument(
        "--block", metavar="NUMBER:ID", help="block of the state, if it is after the journal's last block"
    )
    parser.add_argument("--fee-account", metavar="NAME[@ID]", action="append", default=[], help=FEE_HELP)
    parser.add_argument(
        "--precision", metavar="SYMBOL=N", action="append", default=[], help="decimals of a token"
    )
    parser.add_argument("--print-state", action="store_true", help="print only the derived state")
    return parser.parse_args()


FEE_HELP = "fee account from the beginning, or from the operator action @ID on"


def known_facts(options: argparse.Namespace) -> Facts:
    facts = Facts()
    if options.venue:
        with open(options.venue, encoding="utf-8") as file:
            facts.read_venue(file.read(), options.venue_hash)
    for text in options.fee_account:
        name, _, id_ = text.partition("@")
        if id_:
            facts.later_fee_accounts[id_] = name
        else:
            facts.fee_account = name
    for text in options.precision:
        symbol, _, digits = text.partition("=")
        facts.precisions[symbol] = int(digits)
    return facts


def run(options: argparse.Namespace) -> list[str]:
    """Run all checks; returns the lines to print. Raises JournalError."""
    need(HASH.fullmatch(options.venue_hash), "the venue hash is not 64 hexadecimal digits")
    facts, journal = known_facts(options), Journal(options.journal)
    facts.learn(journal)
    theirs = None
    if options.state:
        with open(options.state, encoding="utf-8", newline="") as file:
            theirs = file.read()
        facts.learn_from_state(theirs)
    books = Books(options.venue_hash, facts)
    journal_hash, blocks, lines = add_up(journal, books)
    expected = options.journal_hash
    need(expected in (None, journal_hash), f"the journal hash is {journal_hash}, not {expected}")
    block = books.block
    if options.block:
        height, _, id_ = options.block.partition(":")
        block = (int(height), id_)
    state = books.state(block) if theirs is None else compare_state(books, theirs)
    missing = list(books.not_covered())
    if options.print_state:
        need(not missing, "the state is not complete: " + "; ".join(missing))
        return [state[:-1]]
    found = sha256(state.encode()).hexdigest()
    report = [f"OK: {blocks} blocks, {lines} lines, up to block {books.block[0]} {books.block[1]}"]
    report.append(f"journal_hash {journal_hash}")
    if not missing:
        expected = options.state_hash
        need(expected in (None, found), f"the state hash is {found}, not {expected}")
        report.append(f"state_hash   {found}")
    else:
        need(not options.state_hash, "the state hash cannot be computed: " + "; ".join(missing))
        report += [f"not covered: {line}" for line in missing]
    if books.updates:
        books.notes.append(
            f"{len(books.updates)} operator actions `updateVenue`, the first is {books.updates[0]}: "
            "if one changed the fee account, which the journal does not show, give --fee-account NAME@ID"
        )
    return report + [f"note: {note}" for note in books.notes]


def main() -> int:
    options = read_options()
    try:
        print("\n".join(run(options)))
    except (OSError, EOFError) as error:
        print(f"cannot read: {error}", file=sys.stderr)
        return 2
    except (JournalError, ValueError, KeyError) as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
