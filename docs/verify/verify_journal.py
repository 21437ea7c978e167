#!/usr/bin/env python3
"""Independent checker of a Peake DEX journal: one file, Python 3.8 or newer, nothing to install.

    python3 verify_journal.py JOURNAL VENUE [options]

JOURNAL is the output of `peakedex journal` or /api/journal, or of `peakedex journal --json` (- reads standard
input; .gz is read too). VENUE is the venue file (needs Python 3.11), or the output of
`peakedex venue hash --text`. The program shares no code with Peake DEX. It follows docs/protocol.md:

1. It recomputes the venue hash and, block by block, the journal hash.
2. It keeps the whole state as the lines say it: balances, orders, stops, timers, grants and what was used of
   them, withdrawals, refunds, marks, holdings. Each line must be possible after the lines before it: covered
   balances, the best order first, prices by policy, exact fees, due things in their order, settlements to the
   wallet, stops exactly when their price is reached, grants within their band and allowance.
3. It checks conservation: for each token, what all accounts hold is what was deposited less what was paid.
4. It writes the state text, whose SHA-256 is the state hash, and compares it with --state and --state-hash.

With --from-state it goes on from a state text, to check a journal that begins later than the venue.

To read this file (an hour): `Books.advance` is the order of work in a block. `Books.add` hands each line to
the method `on_<kind>`, which checks what the line needs and carries out what it says; `expected` holds the
lines that must come next. `Books.state` writes the state text. Sections are those of docs/protocol.md.

Not covered: whether the chain's operations were decoded rightly, and whether rejected ones had to be. Only a
replay of the blocks shows that.

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
from collections import Counter, deque
from collections.abc import Iterator
from hashlib import sha256
from typing import IO, Any
from urllib.parse import unquote

try:
    import tomllib
except ImportError:  # before Python 3.11
    tomllib = None

# The kinds of journal lines and their fields (docs/auditor.md says what each means).
KINDS = {
    "expire": "id",
    "timeout": "account by",
    "accept": "id account by action ref",
    "reject": "id account action ref code",
    "order": "id seq account pair side type price quantity expiry maker_fee_bps taker_fee_bps settle "
    "stop_price stop_limit",
    "stop": "id seq account pair side type price quantity expiry taker_fee_bps when trigger_price "
    "time_in_force post",
    "trigger": "id",
    "trade": "n taker maker buyer seller pair price quantity quote_amount buyer_fee seller_fee",
    "close": "id status released",
    "timer": "account by due",
    "grant": "account to until band_bps pairs per_day",
    "revoke": "account to",
    "deposit": "id account symbol amount escrow",
    "refund": "id account symbol quantity escrow",
    "ignore": "id account chain symbol quantity escrow",
    "withdraw": "id account symbol amount to memo",
    "returning": "id due",
    "return": "id",
    "paid": "id movement",
    "outflow": "id escrow chain symbol amount to",
    "internal": "id sender recipient chain symbol amount",
    "token": "symbol precision escrow min_withdrawal",
    "pair": "pair price_decimals quantity_decimals maker_fee_bps taker_fee_bps price_policy self_trade "
    "status",
    "rules": "max_open_orders fee_account",
    "checkpoint": "block state_hash journal_hash",
    "upgrade": "protocol text block",
}
# The line that must follow `accept`, by action.
FOLLOWS = {
    "buy": ("order", "stop"),
    "sell": ("order", "stop"),
    "marketBuy": ("order", "stop"),
    "marketSell": ("order", "stop"),
    "cancel": ("close",),
    "cancelAll": (),
    "cancelAllAfter": ("timer",),
    "replace": ("close",),
    "withdraw": ("withdraw",),
    "cancelWithdrawal": ("returning",),
    "grant": ("grant",),
    "revoke": ("revoke",),
    "listToken": ("token",),
    "listPair": ("pair",),
    "updatePair": ("pair",),
    "updateVenue": ("rules",),
    "checkpoint": ("checkpoint",),
    "returnWithdrawal": ("returning",),
    "upgrade": ("upgrade",),
}
# Lines that come only where the line before them asks for them.
ONLY_EXPECTED = {kind for kinds in FOLLOWS.values() for kind in kinds if kind != "close"}
OPERATOR = ("listToken", "listPair", "updatePair", "updateVenue", "checkpoint", "returnWithdrawal", "upgrade")
ORDERS = ("buy", "sell", "marketBuy", "marketSell", "replace")
UNDER_GRANT = (*ORDERS, "cancel", "cancelAll", "cancelAllAfter")
BOOK_CODES = ("E_FUNDS", "E_POST_ONLY", "E_FOK", "E_SELF_TRADE", "E_NO_LIQUIDITY")
CODES = ("E_INPUT", "E_AUTH", "E_GRANT", "E_LATE", "E_NOT_FOUND", "E_OWNER", "E_TOKEN", "E_PAIR", "E_PAUSED")
CODES += ("E_PRECISION", "E_RANGE", "E_FEE", "E_LIMIT", "E_MINIMUM", "E_TRIGGER", *BOOK_CODES)
# The kinds of state lines after the head.
STATE_KINDS = ("last", "rules", "upgrade", "token", "pair", "balance", "order", "stop", "timer", "grant")
STATE_KINDS += ("withdrawal", "refund", "mark", "left", "escrow")
# The order of work in a block (section 3).
EXPIRY, TIMERS, LEFT_OVER, OPERATIONS, RETURNS, FIRING = range(6)

AVAILABLE, LOCKED, WITHDRAWING = range(3)
MAX_UNITS = 2**63 - 1
MAX_FIRED = 1_000
HASH = re.compile("[0-9a-f]{64}")
TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
BLOCK = re.compile(f"block ([1-9][0-9]*) ([0-9a-f]{{40}}) ({TIME})")
NUMBER = re.compile("0|[1-9][0-9]{0,18}")
ANY_NUMBER = re.compile("0|[1-9][0-9]*")
REF = re.compile("[A-Za-z0-9_.-]{1,32}")
DECIMAL = re.compile(r"(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?)0*([0-9]{1,4}))?")
PREFIXED = {
    16: re.compile(r"(?:(?:0x)+|(?:0X)+)(?=[0-9a-f.]+$|[0-9A-F.]+$)([0-9a-fA-F]+)(?:\.([0-9a-fA-F]*))?"),
    8: re.compile(r"(?:(?:0o)+|(?:0O)+)([0-7]+)(?:\.([0-7]*))?"),
    2: re.compile(r"(?:(?:0b)+|(?:0B)+)([01]+)(?:\.([01]*))?"),
}
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


def signed(text: str) -> int:
    return -number(text[1:]) if text[:1] == "-" else number(text)


def amount(text: str) -> int:
    units = number(text)
    need(0 < units <= MAX_UNITS, f"{units} is not a possible amount")
    return units


def optional(text: str) -> int | None:
    return None if text == "-" else amount(text)


def show(value: int | None) -> str:
    return "-" if value is None else str(value)


def read_quantity(text: str) -> tuple[int, int] | None:
    """A literal quantity by its value, as mantissa × 10^exponent; None where it is no number (section 4)."""
    text = text.strip(SPACES)
    text = text[1:] if text.startswith("+") else text
    found = DECIMAL.fullmatch(text)
    if found is not None:
        fraction = found[3] or found[2] or ""
        exponent = int(found[5] or 0) * (-1 if found[4] == "-" else 1)
        return int((found[1] or "") + fraction or "0"), exponent - len(fraction)
    for base, pattern in PREFIXED.items():
        found = pattern.fullmatch(text)
        if found is not None:
            whole, fraction = found[1], found[2] or ""
            places = len(fraction) * {16: 4, 8: 3, 2: 1}[base]
            return int(whole + fraction, base) * 5**places, -places
    return None


def literal_quantity(text: str) -> tuple[int, int] | None:
    """The same of percent-encoded text, as lines have it; empty text is written %."""
    return None if text == "%" else read_quantity(unquote(text, errors="surrogatepass"))


def in_units(quantity: tuple[int, int], precision: int) -> tuple[int, bool]:
    """A quantity in units, rounded down, and whether it is whole."""
    mantissa, exponent = quantity[0], quantity[1] + precision
    if exponent >= 0:
        return mantissa * 10**exponent, True
    units, rest = divmod(mantissa, 10**-exponent)
    return units, rest == 0


def seconds_of(time: str) -> int:
    """Seconds since 1970 (UTC) of a time like 2016-03-24T16:05:00."""
    year, month, day, hour, minute, second = map(int, re.split("[-T:]", time))
    shifted = year - (month <= 2)
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400 + day_of_year - 719468
    return days * 86400 + hour * 3600 + minute * 60 + second


# ---------------------------------------------------------------- the venue


def canonical_text(text: str) -> str:
    """The venue's canonical text, out of itself or out of a venue file (section 2)."""
    if text.startswith("peakedex-venue "):
        return text
    need(
        tomllib is not None, "a venue file needs Python 3.11; give the output of `peakedex venue hash --text`"
    )
    document = tomllib.loads(text)
    venue = document["venue"]
    need(venue["protocol"] == 2, "the venue file is not of protocol 2")
    flat = venue.get("accept_flat_intents", True)
    lines = ["peakedex-venue 2"]
    lines += [f"{key} {venue[key]}" for key in ("contract", "custom_json_id", "start_block", "operator")]
    lines.append(f"checkpoint_account {venue.get('checkpoint_account', venue['operator'])}")
    lines.append(f"fee_account {venue['fee_account']}")
    lines.append(f"max_open_orders {venue.get('max_open_orders', 200)}")
    lines.append(f"order_lifetime {venue.get('order_lifetime', 2592000)}")
    lines.append(f"accept_flat_intents {'true' if flat else 'false'}")
    tokens, pairs = [], []
    for symbol, token in document.get("tokens", {}).items():
        quantity = read_quantity(str(token["min_withdrawal"]))
        assert quantity is not None
        units, _ = in_units(quantity, token["precision"])
        tokens.append(f"token {symbol} {token['precision']} {token['escrow']} {units}")
    for pair in document.get("pairs", []):
        fees = f"{pair.get('maker_fee_bps', 0)} {pair.get('taker_fee_bps', 0)}"
        policies = f"{pair.get('price_policy', 'maker')} {pair.get('self_trade', 'cancel_resting')}"
        decimals = f"{pair['price_decimals']} {pair['quantity_decimals']}"
        status = pair.get("status", "active")
        pairs.append(f"pair {pair['base']}/{pair['quote']} {decimals} {fees} {policies} {status}")
    lines += [*sorted(tokens, key=lambda line: line.split(" ")[1])]
    lines += [*sorted(pairs, key=lambda line: line.split(" ")[1])]
    return "".join(f"{line}\n" for line in lines)


class Token:
    def __init__(self, symbol: str, precision: str, escrow: str, min_withdrawal: str) -> None:
        self.symbol, self.escrow = symbol, escrow
        self.precision, self.minimum = number(precision), amount(min_withdrawal)
        self.chain = "hive" if symbol in ("HIVE", "HBD") else "hive-engine"
        self.holdings = 0
        self.owed = 0  # by all accounts together

    def line(self) -> str:
        return f"token {self.symbol} {self.precision} {self.escrow} {self.minimum}"


class Waiting:
    """Orders and stops that wait for the mark on one side, the first to be reached first."""

    def __init__(self, above: bool) -> None:
        self.above = above
        self.heap: list[tuple[int, int, Any]] = []

    def add(self, price: int, item: Any) -> None:
        heapq.heappush(self.heap, (price if self.above else -price, item.seq, item))

    def take_reached(self, pair: Pair) -> list[Any]:
        """Remove and return what the mark has reached."""
        reached = []
        while self.heap:
            price, _, item = self.heap[0]
            if item.is_open:
                if not pair.is_reached(abs(price), self.above):
                    break
                reached.append(item)
            heapq.heappop(self.heap)
        return reached


class Pair:
    """A pair, its mark, its book, and what waits for the mark."""

    def __init__(self, name: str, base: Token, quote: Token) -> None:
        self.name, self.base, self.quote = name, base, quote
        self.mark: list[list[int]] = []  # block, base units, quote units
        self.total_base = self.total_quote = 0
        self.books: tuple[list[Any], list[Any]] = ([], [])  # asks, bids: heaps of (price key, seq, order)
        self.above, self.below = Waiting(True), Waiting(False)
        self.fired = 0

    def set(self, fields: list[str]) -> None:
        self.price_decimals, self.quantity_decimals = number(fields[0]), signed(fields[1])
        need(-12 <= self.quantity_decimals <= self.base.precision, "not a possible lot")
        need(0 <= self.price_decimals <= 18, "not a possible tick")
        fits = self.price_decimals + self.quantity_decimals <= self.quote.precision
        need(fits, "the decimals do not fit those of the quote")
        self.maker_fee, self.taker_fee = number(fields[2]), number(fields[3])
        need(max(self.maker_fee, self.taker_fee) <= 1000, "not a possible fee")
        self.policy, self.self_trade, self.status = fields[4:]
        need(self.policy in ("maker", "ask", "bid", "midpoint"), "unknown price policy")
        need(self.self_trade in ("cancel_resting", "cancel_incoming", "allow"), "unknown self-trade policy")
        need(self.status in ("active", "paused", "closed"), "unknown status")
        self.lot = 10 ** (self.base.precision - self.quantity_decimals)
        self.factor = 10 ** (self.quote.precision - self.price_decimals - self.quantity_decimals)

    def line(self) -> str:
        fields = (self.price_decimals, self.quantity_decimals, self.maker_fee, self.taker_fee)
        words = (self.name, *map(str, fields), self.policy, self.self_trade, self.status)
        return "pair " + " ".join(words)

    def value(self, price: int, base: int) -> int:
        lots, rest = divmod(base, self.lot)
        need(rest == 0, f"{base} is not a whole number of lots")
        return price * lots * self.factor

    def count(self, block: int, base: int, quote: int) -> None:
        """A trade between two accounts in the mark."""
        if not self.mark or self.mark[-1][0] != block:
            self.mark.append([block, 0, 0])
        self.mark[-1][1] += base
        self.mark[-1][2] += quote
        self.total_base += base
        self.total_quote += quote
        if len(self.mark) > 10:
            _, old_base, old_quote = self.mark.pop(0)
            self.total_base -= old_base
            self.total_quote -= old_quote

    def is_reached(self, price: int, above: bool) -> bool:
        if not self.total_base:
            return False
        value = self.value(price, self.total_base)
        return self.total_quote >= value if above else self.total_quote <= value

    def best(self, of_bids: bool) -> Any:
        """The resting order that trades next on that side, or None."""
        heap = self.books[of_bids]
        while heap and not heap[0][2].rests:
            heapq.heappop(heap)
        return heap[0][2] if heap else None


class Item:
    """An order or a stop. Amounts in base units; `remaining` of a market buy is its budget."""

    is_stop = False
    rests = False
    is_open = True
    received = released = 0
    budget = 0  # what its close released
    maker_fee: int | None = None
    taker_fee = 0
    settle = "venue"
    stop_price: int | None = None
    stop_limit: int | None = None
    above, trigger = False, 0  # of a stop
    rest = ""  # a stop's last fields
    fired_fee: int | None = None  # of a fired order: the taker fee at the acceptance of its stop or order

    def __init__(self, words: list[str], pair: Pair) -> None:
        self.id, seq, self.account, _, side, kind, price, quantity, expiry = words[:9]
        need(side in ("buy", "sell") and kind in ("limit", "market"), "unknown side or type")
        self.seq, self.pair = number(seq), pair
        self.is_buy, self.market = side == "buy", kind == "market"
        self.price, self.quantity = optional(price), amount(quantity)
        self.remaining = self.quantity
        self.expiry = None if expiry == "-" else number(expiry)
        need(self.market or self.price is not None, "a limit order needs a price")
        self.gives = pair.quote if self.is_buy else pair.base
        self.gets = pair.base if self.is_buy else pair.quote
        if self.is_buy and not self.market:
            assert self.price is not None
            self.locked = pair.value(self.price, self.quantity)
        else:
            self.locked = self.quantity
        if not (self.market and self.is_buy):
            need(self.quantity % pair.lot == 0, "not a whole number of lots")
        need(self.locked <= MAX_UNITS, f"it would lock {self.locked}")

    @property
    def side(self) -> str:
        return "buy" if self.is_buy else "sell"


class Grant:
    def __init__(self, account: str, to: str, until: str, band: str, pairs: str, per_day: str) -> None:
        self.account, self.to, self.until, self.band = account, to, number(until), number(band)
        self.pairs_text, self.per_day_text = pairs, per_day
        self.pairs = pairs.split(",")
        need(self.pairs == sorted(set(self.pairs)), "the pairs are not sorted or not distinct")
        self.per_day: dict[str, int] = {}
        for part in per_day.split(","):
            symbol, _, units = part.partition(":")
            self.per_day[symbol] = amount(units)
        need(list(self.per_day) == sorted(self.per_day), "the allowances are not sorted")
        self.day: int | None = None
        self.used: dict[str, int] = {}


class Withdrawal:
    """A pending withdrawal."""

    due: int | None = None  # when it is returned
    n = 0  # counts all that were opened

    def __init__(self, account: str, symbol: str, units: int, to: str, memo: str) -> None:
        self.account, self.symbol, self.units = account, symbol, units
        self.to, self.memo = to, memo


# ---------------------------------------------------------------- the state, line by line


class Books:
    """The venue's state, as the journal's lines say it."""

    def __init__(self, venue: str) -> None:
        self.venue_hash = sha256(venue.encode()).hexdigest()
        self.number, self.id, self.time, self.now = 0, "-", "-", 0
        self.seq = self.trades = 0
        self.tokens: dict[str, Token] = {}
        self.pairs: dict[str, Pair] = {}
        self.wallets: dict[tuple[str, str], list[int]] = {}
        self.items: dict[str, Item] = {}  # open orders and stops, in order of sequence
        self.expiries: list[tuple[int, int, Item]] = []
        self.items_of: dict[str, dict[str, Item]] = {}  # the same by account
        self.timers: dict[tuple[str, str], int] = {}
        self.timer_queue: list[tuple[int, str, str]] = []  # a heap, with timers that are gone
        self.grants: dict[tuple[str, str], Grant] = {}
        self.grant_queue: list[tuple[int, str, str]] = []  # a heap, with grants that are gone
        self.grants_of: Counter[str] = Counter()
        self.return_queue: list[tuple[int, int, str]] = []  # a heap, with withdrawals that are gone
        self.withdrawals: dict[str, Withdrawal] = {}  # in order of opening
        self.pending: Counter[str] = Counter()  # withdrawals by account
        self.opened = 0
        self.refunds: dict[str, tuple[str, str, str, str]] = {}
        self.refunds_of: Counter[str] = Counter()
        self.upgrade: list[str] | None = None
        self.left: list[str] = []
        self.expected: list[tuple[str, ...]] = []  # each a choice of beginnings that the next line must have
        self.taker: Item | None = None  # the incoming order that matches
        self.own_count = 0  # open orders and stops of its account when it was accepted
        self.action: list[str] = []  # fields of the last `accept`
        self.replaced: Item | None = None
        self.to_close: list[Item] = []  # by a timer, a cancelAll, or the closing of a pair
        self.any_of = False  # by a cancelAll: its filters are not in the journal, so that any part may close
        self.was_expected = False  # the line: by the line before it
        self.settled: set[str] = set()  # withdrawals that the close of an order opens
        self.step = EXPIRY
        self.round: deque[Item] = deque()  # what still fires in this round
        self.firing: list[Pair] = []  # pairs whose firing is not finished
        self.traded: set[str] = set()
        self.ids: set[tuple[bool, str]] = set()  # of this block's actions (True) and movements
        self.fired: dict[str, Item] = {}  # id of the order that must come → what fired
        self.read_venue(venue)

    def read_venue(self, text: str) -> None:
        settings = {}
        for line in text.splitlines():
            kind, *words = line.split(" ")
            if kind == "token":
                self.tokens[words[0]] = Token(*words)
            elif kind == "pair":
                base, quote = words[0].split("/")
                self.pairs[words[0]] = Pair(words[0], self.tokens[base], self.tokens[quote])
                self.pairs[words[0]].set(words[1:])
            else:
                settings[kind] = words[0]
        need(settings.get("peakedex-venue") == "2", "the venue is not of protocol 2")
        self.start = number(settings["start_block"])
        self.operator, self.checkpointer = settings["operator"], settings["checkpoint_account"]
        self.max_open, self.fee_account = number(settings["max_open_orders"]), settings["fee_account"]
        self.lifetime = number(settings["order_lifetime"])
        self.escrows = {token.escrow for token in self.tokens.values()}

    # ------------------------------------------------------------ going on from a state text

    def load(self, text: str) -> str:
        """Go on from a state text instead of the beginning; returns its journal hash."""
        need(self.number == 0 and text.endswith("\n"), "not a whole state text")
        head, *lines = text[:-1].split("\n")
        need(head == "peakedex-state 2", "not a state text of protocol 2")
        journal_hash = self.venue_hash
        for line in lines:
            kind, *words = line.split(" ")
            if kind == "venue":
                need(words == [self.venue_hash], "the state is of another venue")
            elif kind == "block":
                need(len(words) == 3, "it has no block")
                self.number, self.id, self.time = number(words[0]), words[1], words[2]
                self.now = seconds_of(self.time) if self.number else 0
            elif kind == "journal":
                journal_hash = words[0]
            else:
                need(kind in STATE_KINDS, f"unknown kind of line in the state: {kind}")
                getattr(self, f"load_{kind}")(*words)
        self.items = dict(sorted(self.items.items(), key=lambda entry: entry[1].seq))
        for item in self.items.values():
            self.items_of.setdefault(item.account, {})[item.id] = item
        self.check_all_totals()
        need(self.state(journal_hash) == text, "the state text is not sorted, or not complete")
        return journal_hash

    def load_last(self, seq: str, trades: str) -> None:
        self.seq, self.trades = number(seq), number(trades)

    def load_rules(self, max_open: str, fee_account: str) -> None:
        self.max_open, self.fee_account = number(max_open), fee_account

    def load_upgrade(self, *words: str) -> None:
        self.upgrade = list(words)

    def load_token(self, *words: str) -> None:
        self.tokens[words[0]] = Token(*words)

    def load_pair(self, name: str, *words: str) -> None:
        base, quote = name.split("/")
        self.pairs[name] = Pair(name, self.token(base), self.token(quote))
        self.pairs[name].set(list(words))

    def load_balance(self, account: str, symbol: str, *buckets: str) -> None:
        self.wallets[account, symbol] = [number(units) for units in buckets]
        self.token(symbol).owed += sum(self.wallets[account, symbol])

    def load_item(self, item: Item) -> None:
        self.items[item.id] = item
        self.stay(item)

    def load_order(self, seq: str, id_: str, account: str, pair: str, side: str, *words: str) -> None:
        price, quantity, remaining, locked, received, released, expiry, *rest = words
        fields = [id_, seq, account, pair, side, "limit", price, quantity, expiry]
        item = Item(fields, self.pair(pair))
        item.remaining, item.locked = amount(remaining), amount(locked)
        item.received, item.released = number(received), number(released)
        item.maker_fee, item.taker_fee, item.settle = number(rest[0]), number(rest[1]), rest[2]
        item.stop_price, item.stop_limit = optional(rest[3]), optional(rest[4])
        self.rest(item)
        self.load_item(item)

    def load_stop(self, seq: str, id_: str, account: str, pair: str, side: str, *words: str) -> None:
        kind, price, quantity, _, expiry, taker_fee, when, trigger, *_ = words
        item = Item([id_, seq, account, pair, side, kind, price, quantity, expiry], self.pair(pair))
        item.is_stop, item.above, item.trigger = True, when == "above", amount(trigger)
        item.taker_fee, item.rest = number(taker_fee), " ".join(words[6:])
        self.load_item(item)

    def load_timer(self, account: str, by: str, due: str) -> None:
        self.timers[account, by] = number(due)
        heapq.heappush(self.timer_queue, (int(due), account, by))

    def load_grant(self, *words: str) -> None:
        grant = Grant(*words[:6])
        grant.day = None if words[6] == "-" else number(words[6])
        parts = [] if words[7] == "-" else [part.split(":") for part in words[7].split(",")]
        grant.used = {symbol: amount(units) for symbol, units in parts}
        self.add_grant(grant)

    def load_withdrawal(self, id_: str, account: str, symbol: str, *words: str) -> None:
        units, to, memo, returning = words
        self.open_withdrawal(id_, Withdrawal(account, symbol, amount(units), to, memo))
        if returning != "-":
            self.start_return(id_, number(returning))

    def load_refund(self, id_: str, account: str, *words: str) -> None:
        symbol, quantity, escrow = words
        self.refunds[id_] = (account, symbol, quantity, escrow)
        self.refunds_of[account] += 1

    def load_mark(self, pair: str, block: str, base: str, quote: str) -> None:
        need(ANY_NUMBER.fullmatch(base) and ANY_NUMBER.fullmatch(quote), "not a mark")
        self.pair(pair).count(number(block), int(base), int(quote))

    def load_left(self, pair: str) -> None:
        self.left.append(self.pair(pair).name)

    def load_escrow(self, symbol: str, holdings: str) -> None:
        need(ANY_NUMBER.fullmatch(holdings.lstrip("-")), "not an amount")
        self.token(symbol).holdings = int(holdings)

    # ------------------------------------------------------------ blocks and steps

    def begin(self, line: str) -> None:
        """A new block."""
        found = BLOCK.fullmatch(line)
        need(found, "not a block line")
        assert found is not None
        self.move_to(int(found[1]), found[2], found[3])

    def move_to(self, height: int, block_id: str, time: str) -> None:
        need(int(block_id[:8], 16) == height, "the block id does not begin with the block number")
        need(height >= self.start, f"the venue begins at block {self.start}")
        need(height > self.number, f"it comes after block {self.number}")
        need(time >= self.time or self.time == "-", f"its time is before that of block {self.number}")
        if self.upgrade is not None:
            need(height < int(self.upgrade[2]), f"from here on protocol {self.upgrade[0]} holds")
        if height > self.number + 1:
            self.left = []  # the block after a firing that was cut off either fired or had nothing to fire
        self.number, self.id, self.time, self.now = height, block_id, time, seconds_of(time)
        self.step = EXPIRY
        self.traded, self.ids = set(), set()
        for pair in self.pairs.values():
            pair.fired = 0
        while self.grant_queue and self.grant_queue[0][0] <= self.now:
            until, account, to = heapq.heappop(self.grant_queue)
            grant = self.grants.get((account, to))
            if grant is not None and grant.until == until:
                self.drop_grant(grant)

    def end(self) -> None:
        """End of a block: everything that was due must have happened."""
        self.advance(FIRING)
        self.finish_firing()
        self.left = sorted(name for name, pair in self.pairs.items() if pair.fired >= MAX_FIRED)
        self.check_totals()

    def settle_down(self) -> None:
        """Nothing of the last action may be missing."""
        need(
            not self.expected,
            f"a line `{'` or `'.join(self.expected[0] if self.expected else ())}` is missing",
        )
        self.end_matching()
        need(self.any_of or not self.to_close, "not all orders were closed that had to be")
        self.to_close, self.any_of = [], False
        need(self.replaced is None, "the order of a replace is missing")

    def advance(self, step: int) -> None:
        """Go on to a later step of the block's work; what is due in the steps before must be done."""
        self.settle_down()
        need(step >= self.step, "this comes too late in the block")
        if self.step <= EXPIRY < step:
            item = self.next_expired()
            need(item is None, f"{item.id if item else ''} should have expired")
        if self.step <= TIMERS < step:
            due = self.next_timer()
            need(due is None, f"the timer {due} should have fired")
        if self.step <= RETURNS < step:
            need(self.next_return() is None, f"withdrawal {self.next_return()} should have been returned")
        if self.step < LEFT_OVER <= step:
            self.start_firing(self.left)
        if self.step <= LEFT_OVER < step:
            self.finish_firing()
        if self.step < FIRING <= step:
            self.start_firing(sorted(self.traded))
        self.step = step

    # ------------------------------------------------------------ firing

    def start_firing(self, names: list[str]) -> None:
        self.round.clear()
        self.firing = [self.pairs[name] for name in names if self.pairs[name].status == "active"]

    def next_fired(self) -> Item | None:
        """What must fire next in this step, or None where it is finished."""
        while self.firing:
            pair = self.firing[0]
            while self.round and not self.round[0].is_open:
                self.round.popleft()
            if pair.fired >= MAX_FIRED:
                for item in self.round:
                    self.wait(item)
                self.round.clear()
                self.firing.pop(0)
                continue
            if not self.round:
                reached = pair.above.take_reached(pair) + pair.below.take_reached(pair)
                self.round.extend(sorted(reached, key=lambda item: item.seq))
            if self.round:
                return self.round[0]
            self.firing.pop(0)
        return None

    def finish_firing(self) -> None:
        self.settle_down()
        item = self.next_fired()
        need(item is None, f"{item.id if item else ''} should have fired: its price is reached")

    def wait(self, item: Item) -> None:
        """Let a stop, or an order with a protective stop, wait for the mark."""
        if item.is_stop:
            (item.pair.above if item.above else item.pair.below).add(item.trigger, item)
        elif item.stop_price is not None:
            (item.pair.above if item.is_buy else item.pair.below).add(item.stop_price, item)

    def on_trigger(self, id_: str) -> None:
        self.settle_down()
        if self.step < LEFT_OVER:
            self.advance(LEFT_OVER)
        if self.step in (OPERATIONS, RETURNS) or (self.step == LEFT_OVER and self.next_fired() is None):
            self.advance(FIRING)
        item = self.next_fired()
        need(item is not None and item.id == id_, f"{item.id if item else 'nothing'} is next to fire")
        assert item is not None
        self.round.popleft()
        item.pair.fired += 1
        order_id = id_ if item.is_stop else f"{id_}~stop"
        self.expected = [
            (f"close {id_} {'triggered' if item.is_stop else 'cancelled'} ",),
            (f"order {order_id} ", f"reject {order_id} {item.account} "),
        ]
        self.fired = {order_id: item}

    # ------------------------------------------------------------ balances

    def once(self, id_: str, is_action: bool) -> None:
        """No chain has an action or a movement twice."""
        need((is_action, id_) not in self.ids, f"{id_} happened already")
        self.ids.add((is_action, id_))

    def arrive(self, id_: str, escrow: str, chain: str) -> None:
        """A movement, from or to an escrow account."""
        self.advance(OPERATIONS)
        self.once(id_, False)
        need(escrow in self.escrows, f"{escrow} is no escrow account")
        need(chain in ("hive", "hive-engine"), "unknown chain")

    def token(self, symbol: str) -> Token:
        need(symbol in self.tokens, f"{symbol} is not listed")
        return self.tokens[symbol]

    def pair(self, name: str) -> Pair:
        need(name in self.pairs, f"{name} is not listed")
        return self.pairs[name]

    def wallet(self, account: str, symbol: str) -> list[int]:
        return self.wallets.setdefault((account, symbol), [0, 0, 0])

    def take(self, account: str, symbol: str, bucket: int, units: int) -> None:
        held = self.wallet(account, symbol)
        names = ("available", "locked", "withdrawing")
        need(held[bucket] >= units, f"{account} has {held[bucket]} {symbol} {names[bucket]}, not {units}")
        held[bucket] -= units

    def give(self, account: str, symbol: str, bucket: int, units: int) -> None:
        self.wallet(account, symbol)[bucket] += units

    def shift(self, account: str, symbol: str, source: int, target: int, units: int) -> None:
        self.take(account, symbol, source, units)
        self.give(account, symbol, target, units)

    def check_totals(self) -> None:
        """Conservation: for each token, all balances together are deposits less payments."""
        if self.number % 100 and self.number - self.start > 1000:
            return  # long journals: at every hundredth block, and at the end
        self.check_all_totals()

    def check_all_totals(self) -> None:
        totals: Counter[str] = Counter()
        locks: Counter[tuple[str, str]] = Counter()
        leaving: Counter[tuple[str, str]] = Counter()
        for item in self.items.values():
            locks[item.account, item.gives.symbol] += item.locked
        for withdrawal in self.withdrawals.values():
            leaving[withdrawal.account, withdrawal.symbol] += withdrawal.units
        for key, held in self.wallets.items():
            totals[key[1]] += sum(held)
            need(held[LOCKED] == locks[key], f"the locks of {key[0]} in {key[1]} do not add up")
            need(held[WITHDRAWING] == leaving[key], f"the withdrawals of {key[0]} in {key[1]} do not add up")
        for symbol, token in self.tokens.items():
            need(totals[symbol] == token.owed, f"{symbol}: {totals[symbol]} held, {token.owed} owed")

    # ------------------------------------------------------------ lines

    def add(self, line: str) -> None:
        """One line of a block."""
        kind, *fields = line.split(" ")
        need(kind in KINDS, "unknown kind of line")
        count = len(KINDS[kind].split(" "))
        need(len(fields) == count, f"{kind} needs {count} fields")
        need("" not in fields, "an empty field")
        self.was_expected = bool(self.expected)
        if self.expected:
            choice = self.expected.pop(0)
            need(f"{line} ".startswith(choice), f"expected here: {' or '.join(choice)}")
        elif kind in ONLY_EXPECTED:
            raise JournalError("no action asked for this")
        getattr(self, f"on_{kind}")(*fields)

    def next_expired(self) -> Item | None:
        queue = self.expiries
        while queue and not queue[0][2].is_open:
            heapq.heappop(queue)
        return queue[0][2] if queue and queue[0][0] <= self.now else None

    def on_expire(self, id_: str) -> None:
        self.advance(EXPIRY)
        item = self.next_expired()
        need(item is not None and item.id == id_, f"{item.id if item else 'nothing'} is next to expire")
        self.expected = [(f"close {id_} expired ",)]

    def next_timer(self) -> tuple[int, str, str] | None:
        queue = self.timer_queue
        while queue and self.timers.get(queue[0][1:]) != queue[0][0]:
            heapq.heappop(queue)
        return queue[0] if queue and queue[0][0] <= self.now else None

    def on_timeout(self, account: str, by: str) -> None:
        self.advance(TIMERS)
        due = self.next_timer()
        need(due is not None and due[1:] == (account, by), f"the next timer is {due}")
        del self.timers[account, by]
        self.to_close = self.reach(account, by, stops=False)

    def reach(self, account: str, by: str, stops: bool) -> list[Item]:
        """The open orders (and stops) that a cancel signed in that way reaches."""
        found = list(self.items_of.get(account, {}).values())
        if by == "active":
            return [item for item in found if stops or not item.is_stop]
        pairs = self.grants[account, by].pairs
        return [
            item for item in found if item.pair.name in pairs and not item.is_stop and item.stop_price is None
        ]

    def on_accept(self, id_: str, account: str, by: str, action: str, ref: str) -> None:
        self.advance(OPERATIONS)
        self.once(id_, True)
        need(action in FOLLOWS, "unknown action")
        need(ref == "-" or REF.fullmatch(ref), "not a reference")
        if action in OPERATOR:
            may = account == self.operator or (action == "checkpoint" and account == self.checkpointer)
            need(may and by == "active", f"{account} may not do this")
        elif by != "active":
            need((account, by) in self.grants, f"{account} has granted nothing to {by}")
            need(action in UNDER_GRANT, f"no grant allows {action}")
        self.action = [id_, account, by, action]
        if action == "cancelAll":
            self.to_close = self.reach(account, by, stops=True)
            self.any_of = True
        if FOLLOWS[action]:
            self.expected = [tuple(f"{kind} " for kind in FOLLOWS[action])]

    def on_reject(self, id_: str, account: str, action: str, ref: str, code: str) -> None:
        if id_ in self.fired:
            item = self.fired.pop(id_)
            market = item.market or not item.is_stop
            name = f"market{item.side.capitalize()}" if market else item.side
            need(action == name and ref == "-", f"the action is {name}")
            need(code in BOOK_CODES, f"a fired order is not rejected with {code}")
        else:
            self.advance(OPERATIONS)
            self.once(id_, True)
        need(code in CODES, "unknown code")
        need(ref == "-" or REF.fullmatch(ref), "not a reference")
        need(action == "-" or re.fullmatch("[A-Za-z]{1,32}", action), "not an action")

    # ------------------------------------------------------------ orders and stops

    def open_item(self, item: Item) -> None:
        self.seq += 1
        need(item.seq == self.seq, f"its sequence must be {self.seq}")
        need(item.id not in self.items, "it is open already")
        self.shift(item.account, item.gives.symbol, AVAILABLE, LOCKED, item.locked)
        self.items[item.id] = item
        own = self.items_of.setdefault(item.account, {})
        self.own_count = len(own)
        own[item.id] = item

    def on_order(self, *fields: str) -> None:
        pair = self.pair(fields[3])
        need(pair.status == "active", f"{pair.name} is {pair.status}")
        item = Item(list(fields), pair)
        need(fields[9] == ("-" if item.market else str(pair.maker_fee)), f"the maker fee is {pair.maker_fee}")
        need(fields[10] == str(pair.taker_fee), f"the taker fee is {pair.taker_fee}")
        need((item.expiry is None) == item.market, "limit orders have an expiry, market orders have none")
        item.maker_fee, item.taker_fee = pair.maker_fee, pair.taker_fee
        item.settle = fields[11]
        item.stop_price, item.stop_limit = optional(fields[12]), optional(fields[13])
        need(item.settle in ("venue", "wallet"), "unknown settlement")
        need((item.stop_price is None) == (item.stop_limit is None), "half a protective stop")
        if item.stop_price is not None:
            need(item.settle == "venue" and not item.market, "this order cannot have a protective stop")
            need(not pair.is_reached(item.stop_price, item.is_buy), "the protective stop is reached already")
        if item.id in self.fired:
            self.check_fired(item, self.fired.pop(item.id))
        else:
            self.check_action(item)
        self.open_item(item)
        self.taker = item

    def check_fired(self, item: Item, what: Item) -> None:
        """An order that a stop or protective stop became."""
        kept = (item.account, item.pair, item.is_buy) == (what.account, what.pair, what.is_buy)
        need(kept and item.settle == "venue" and item.stop_price is None, "it is not the order that fired")
        if what.is_stop:
            same = (item.market, item.price, item.quantity) == (what.market, what.price, what.quantity)
            need(same and item.expiry in (None, what.expiry), "it is not the order that the stop asked for")
        else:
            quantity = what.budget if what.is_buy else what.remaining
            need(item.market and item.price == what.stop_limit, "it is not the protective stop's order")
            need(item.quantity == quantity, f"its quantity must be {quantity}")
        item.fired_fee = what.taker_fee

    def check_action(self, item: Item) -> None:
        """The order or stop is the one that the last `accept` is about."""
        id_, account, by, action = self.action
        need((item.id, item.account) == (id_, account), "it is not the accepted one")
        old, self.replaced = self.replaced, None
        if action == "replace":
            assert old is not None
            need(not item.market and item.pair is old.pair and item.is_buy == old.is_buy, "not a replacement")
            need(item.settle == old.settle, "a replace keeps the settlement")
            item.received = old.received if old.settle == "wallet" else 0
            kept = old.expiry if by != "active" else self.now + self.lifetime
            need(item.expiry == kept, f"its expiry must be {kept}")
            need(old.stop_price is None or item.stop_price is not None, "a replace keeps the protective stop")
        else:
            name = f"market{item.side.capitalize()}" if item.market else item.side
            need(action == name, f"the action {action} makes no such order")
            if item.expiry is not None:
                need(self.now < item.expiry <= self.now + self.lifetime, "not a possible expiry")
        if by != "active":
            self.check_grant(item, self.grants[account, by], old)

    def check_grant(self, item: Item, grant: Grant, old: Item | None) -> None:
        """Pair, band and allowance (section 6)."""
        pair = item.pair
        need(pair.name in grant.pairs, "the grant does not name this pair")
        need(item.settle == "venue" and item.stop_price is None and not item.is_stop, "no grant allows this")
        need(item.price is not None and pair.total_base, "no price, or no mark")
        assert item.price is not None
        value = pair.value(item.price, pair.total_base) * 10000
        if item.is_buy:
            need(value <= pair.total_quote * (10000 + grant.band), "the price is above the grant's band")
        else:
            need(value >= pair.total_quote * (10000 - grant.band), "the price is below the grant's band")
        counted, symbol, day = item.locked, item.gives.symbol, self.now // 86400
        if old is not None:
            assert old.price is not None
            is_worse = item.price > old.price if item.is_buy else item.price < old.price
            counted = counted if is_worse else max(0, counted - old.budget)
        used = grant.used.get(symbol, 0) if grant.day == day else 0
        need(used + counted <= grant.per_day.get(symbol, 0), "the grant's allowance of the day is used up")
        if counted:
            grant.used = grant.used if grant.day == day else {}
            grant.day, grant.used[symbol] = day, used + counted

    def on_stop(self, *fields: str) -> None:
        pair = self.pair(fields[3])
        need(pair.status == "active", f"{pair.name} is {pair.status}")
        item = Item(list(fields[:9]), pair)
        taker_fee, when, trigger, time_in_force, post = fields[9:]
        need(taker_fee == str(pair.taker_fee), f"the taker fee is {pair.taker_fee}")
        need(when in ("above", "below") and post in ("post", "-"), "not a stop")
        need(time_in_force in (("IOC",) if item.market else ("GTC", "IOC", "FOK")), "unknown time in force")
        need(item.price is not None and item.expiry is not None, "a stop has a price and an expiry")
        item.is_stop, item.above, item.trigger = True, when == "above", amount(trigger)
        item.taker_fee, item.rest = pair.taker_fee, " ".join(fields[10:])
        need(not pair.is_reached(item.trigger, item.above), "its price is reached already")
        self.check_action(item)
        self.open_item(item)
        need(self.own_count < self.max_open, "too many open orders and stops")
        self.stay(item)

    def on_trade(self, n: str, *fields: str) -> None:
        taker_id, maker_id, buyer, seller, pair_name, price, quantity, quote, buyer_fee, seller_fee = fields
        self.trades += 1
        need(number(n) == self.trades, f"its number must be {self.trades}")
        taker, pair = self.taker, self.pair(pair_name)
        need(taker is not None and taker.id == taker_id, f"{taker_id} is not the incoming order")
        assert taker is not None
        maker = pair.best(not taker.is_buy)
        need(
            maker is not None and maker.id == maker_id, f"{maker.id if maker else 'nothing'} is next to trade"
        )
        need(taker.pair is pair and crosses(taker, maker), "the orders do not cross")
        need(maker.account != taker.account or pair.self_trade == "allow", "a trade with oneself")
        buy, sell = (taker, maker) if taker.is_buy else (maker, taker)
        need((buy.account, sell.account) == (buyer, seller), "the orders belong to other accounts")
        wanted = trade_price(taker, maker)
        need(number(price) == wanted, f"the price must be {wanted}")
        most = affordable(taker, wanted)
        need(
            number(quantity) == min(most, maker.remaining) > 0,
            f"the quantity must be {min(most, maker.remaining)}",
        )
        base_units, quote_units = int(quantity), pair.value(wanted, int(quantity))
        need(number(quote) == quote_units, f"the quote amount must be {quote_units}")
        taker_bps = pair.taker_fee if taker.fired_fee is None else min(pair.taker_fee, taker.fired_fee)
        maker_bps = min(pair.maker_fee, maker.maker_fee)
        fees = (taker_bps, maker_bps) if taker.is_buy else (maker_bps, taker_bps)
        base_fee, quote_fee = base_units * fees[0] // 10000, quote_units * fees[1] // 10000
        need(
            (number(buyer_fee), number(seller_fee)) == (base_fee, quote_fee),
            f"the fees must be {base_fee}, {quote_fee}",
        )
        self.pay(buy, sell, quote_units, quote_fee)
        self.pay(sell, buy, base_units, base_fee)
        sell.remaining -= base_units
        buy.remaining -= quote_units if buy.market else base_units
        if not buy.market:
            assert buy.price is not None
            self.release(buy, pair.value(buy.price, base_units) - quote_units)
        self.traded.add(pair.name)
        if maker.account != taker.account:
            pair.count(self.number, base_units, pair.value(maker.price, base_units))
        if not maker.remaining:
            self.expected = [(f"close {maker.id} filled 0 ",)]

    def pay(self, payer: Item, payee: Item, units: int, fee: int) -> None:
        symbol = payer.gives.symbol
        payer.locked -= units
        payee.received = min(payee.received + units - fee, MAX_UNITS)
        self.take(payer.account, symbol, LOCKED, units)
        self.give(payee.account, symbol, AVAILABLE, units - fee)
        self.give(self.fee_account, symbol, AVAILABLE, fee)

    def release(self, item: Item, units: int) -> None:
        need(units >= 0, "the price is above the buyer's limit")
        item.locked -= units
        item.released = min(item.released + units, MAX_UNITS)
        self.shift(item.account, item.gives.symbol, LOCKED, AVAILABLE, units)

    def end_matching(self) -> None:
        """The incoming order has not closed: it rests, and must not cross the book."""
        taker, self.taker = self.taker, None
        if taker is None or not taker.is_open:
            return
        need(not taker.market and taker.remaining > 0, f"order {taker.id} did not close")
        best = taker.pair.best(not taker.is_buy)
        need(
            best is None or not crosses(taker, best),
            f"order {taker.id} did not trade with {best.id if best else ''}",
        )
        if taker.fired_fee is None:
            need(self.own_count < self.max_open, "too many open orders and stops")
        self.rest(taker)
        self.stay(taker)

    def stay(self, item: Item) -> None:
        """An order or stop stays open: it waits for its expiry, and for the mark."""
        assert item.expiry is not None
        heapq.heappush(self.expiries, (item.expiry, item.seq, item))
        self.wait(item)

    def rest(self, item: Item) -> None:
        """Put an order on the book."""
        assert item.price is not None
        item.rests = True
        key = -item.price if item.is_buy else item.price
        heapq.heappush(item.pair.books[item.is_buy], (key, item.seq, item))

    def on_close(self, id_: str, status: str, released: str) -> None:
        need(id_ in self.items, f"{id_} is not open")
        item = self.items[id_]
        if item is not self.taker:
            self.check_close(item, status)
        need(status in ("filled", "cancelled", "expired", "triggered"), "unknown status")
        if status == "filled":
            need(
                item.remaining == 0 or (item.market and item.is_buy and not item.is_stop), "it is not filled"
            )
        else:
            need(item.remaining > 0, "nothing remains: it is filled")
        need(number(released) == item.locked, f"it must release {item.locked}")
        item.budget = item.locked
        if item is self.taker:
            self.check_end(item, status)
        if item.is_stop:
            self.shift(item.account, item.gives.symbol, LOCKED, AVAILABLE, item.locked)
            item.locked = 0
        else:
            self.release(item, item.locked)
        item.is_open = item.rests = False
        del self.items[id_]
        del self.items_of[item.account][id_]
        if item is self.replaced:
            self.expected = [(f"order {self.action[0]} ",)]
        elif item.settle == "wallet":
            self.expected = self.settlement(item) + self.expected
        if item is self.taker:
            self.taker = None

    def check_close(self, item: Item, status: str) -> None:
        """An order or stop that is not the incoming one closes: for a reason."""
        if status != "cancelled" or f"{item.id}~stop" in self.fired:
            need(self.was_expected, f"nothing made it {status}")
            return
        if self.taker is not None and item.account == self.taker.account:
            best = item.pair.best(not self.taker.is_buy)
            if best is item and crosses(self.taker, item) and item.pair.self_trade == "cancel_resting":
                need(affordable(self.taker, trade_price(self.taker, item)), "the budget was spent")
                return
        self.end_matching()
        if self.to_close:
            while self.any_of and self.to_close and self.to_close[0] is not item:
                self.to_close.pop(0)
            need(self.to_close and self.to_close[0] is item, "it is not the next one to close")
            self.to_close.pop(0)
            return
        _, account, by, action = self.action or ["", "", "", ""]
        need(self.was_expected and action in ("cancel", "replace"), "nobody cancelled it")
        need(item.account == account, "it belongs to another account")
        need(by == "active" or item in self.reach(account, by, stops=False), "the grant does not reach it")
        if action == "replace":
            need(not item.is_stop, "a stop cannot be replaced")
            self.replaced = item

    def check_end(self, item: Item, status: str) -> None:
        """The incoming order closes: by what ended it (section 7)."""
        best = item.pair.best(not item.is_buy)
        can_trade = best is not None and crosses(item, best)
        own = can_trade and best.account == item.account and item.pair.self_trade == "cancel_incoming"
        if item.market and item.is_buy:
            spent = not item.remaining or (can_trade and not affordable(item, trade_price(item, best)))
            need((status == "filled") == spent, f"it is {'filled' if spent else 'cancelled'}")
        if status == "cancelled":
            need(not can_trade or own, f"it did not trade with {best.id if best else ''}")

    def settlement(self, item: Item) -> list[tuple[str, ...]]:
        """The `withdraw` lines that must follow the close of an order that settles to the wallet."""
        lines, pending = [], self.pending[item.account]
        parts = ((item.gives, item.released), (item.gets, item.received))
        for token, units in sorted(parts, key=lambda part: part[0].symbol):
            units = min(units, self.wallet(item.account, token.symbol)[AVAILABLE])
            if units >= token.minimum and pending < 20:
                pending += 1
                head = f"withdraw {item.id}#{token.symbol} {item.account} {token.symbol} {units}"
                lines.append((f"{head} {item.account} - ",))
        self.settled = {line[0].split(" ")[1] for line in lines}
        return lines

    # ------------------------------------------------------------ timers and grants

    def on_timer(self, account: str, by: str, due: str) -> None:
        need([account, by] == self.action[1:3], "it is not the accepted one")
        if due == "-":
            self.timers.pop((account, by), None)
            return
        need(15 <= number(due) - self.now <= 86400, "not a possible time")
        self.timers[account, by] = int(due)
        heapq.heappush(self.timer_queue, (int(due), account, by))

    def drop_grant(self, grant: Grant) -> None:
        del self.grants[grant.account, grant.to]
        self.grants_of[grant.account] -= 1
        self.timers.pop((grant.account, grant.to), None)

    def on_grant(self, *fields: str) -> None:
        grant = Grant(*fields)
        need(grant.account == self.action[1] and self.action[2] == "active", "it is not the accepted one")
        need(self.now < grant.until <= self.now + 7_776_000, "not a possible end")
        need(grant.band <= 10000, "not a possible band")
        need(grant.to == "posting" or grant.to not in (grant.account, "active"), "nobody grants to itself")
        need(len(grant.pairs) <= 20 and len(grant.per_day) <= 20, "too many entries")
        for name in grant.pairs:
            self.pair(name)
        for symbol in grant.per_day:
            self.token(symbol)
        self.add_grant(grant)

    def add_grant(self, grant: Grant) -> None:
        self.grants_of[grant.account] += (grant.account, grant.to) not in self.grants
        need(self.grants_of[grant.account] <= 10, "more than 10 grants")
        self.grants[grant.account, grant.to] = grant
        heapq.heappush(self.grant_queue, (grant.until, grant.account, grant.to))

    def on_revoke(self, account: str, to: str) -> None:
        need(account == self.action[1] and (account, to) in self.grants, "there is no such grant")
        self.drop_grant(self.grants[account, to])

    # ------------------------------------------------------------ money in and out

    def on_deposit(self, id_: str, account: str, symbol: str, units: str, escrow: str) -> None:
        token = self.token(symbol)
        self.arrive(id_, escrow, token.chain)
        need(escrow == token.escrow, f"deposits of {symbol} go to {token.escrow}")
        token.owed += amount(units)
        token.holdings += int(units)
        need(token.owed <= MAX_UNITS, f"all balances of {symbol} together exceed 63 bits")
        self.give(account, symbol, AVAILABLE, int(units))

    def is_refundable(self, account: str, token: Token, quantity: str) -> bool:
        value = literal_quantity(quantity)
        if value is None or self.refunds_of[account] >= 20:
            return False
        return in_units(value, token.precision)[0] >= token.minimum

    def is_creditable(self, token: Token, quantity: str, escrow: str) -> bool:
        value = literal_quantity(quantity)
        if value is None or escrow != token.escrow:
            return False
        units, is_whole = in_units(value, token.precision)
        return is_whole and units > 0 and token.owed + units <= MAX_UNITS

    def on_refund(self, id_: str, account: str, symbol: str, quantity: str, escrow: str) -> None:
        token = self.token(symbol)
        self.arrive(id_, escrow, token.chain)
        need(id_ not in self.refunds, "this refund is due already")
        need(not self.is_creditable(token, quantity, escrow), "it can be credited")
        need(self.is_refundable(account, token, quantity), "nothing is due for it")
        self.refunds[id_] = (account, symbol, quantity, escrow)
        self.refunds_of[account] += 1

    def on_ignore(self, id_: str, account: str, chain: str, symbol: str, quantity: str, escrow: str) -> None:
        self.arrive(id_, escrow, chain)
        token = self.tokens.get(symbol)
        if token is not None and token.chain == chain:
            need(not self.is_creditable(token, quantity, escrow), "it can be credited")
            need(not self.is_refundable(account, token, quantity), "a refund is due for it")

    def on_withdraw(self, id_: str, account: str, symbol: str, units: str, to: str, memo: str) -> None:
        token = self.token(symbol)
        if id_ in self.settled:
            self.settled.discard(id_)
        else:
            need([id_, account] == self.action[:2], "it is not the accepted one")
            need(self.pending[account] == 0 or int(units) >= token.minimum, "it is below the minimum")
            need(to not in self.escrows, "it goes to an escrow account")
        need(id_ not in self.withdrawals, "this withdrawal is pending already")
        need(self.pending[account] < 20, "more than 20 pending withdrawals")
        self.shift(account, symbol, AVAILABLE, WITHDRAWING, amount(units))
        self.open_withdrawal(id_, Withdrawal(account, symbol, int(units), to, memo))

    def open_withdrawal(self, id_: str, withdrawal: Withdrawal) -> None:
        self.opened += 1
        withdrawal.n = self.opened
        self.withdrawals[id_] = withdrawal
        self.pending[withdrawal.account] += 1

    def close_withdrawal(self, id_: str) -> Withdrawal:
        need(id_ in self.withdrawals, "no such withdrawal is pending")
        withdrawal = self.withdrawals.pop(id_)
        self.pending[withdrawal.account] -= 1
        self.take(withdrawal.account, withdrawal.symbol, WITHDRAWING, withdrawal.units)
        return withdrawal

    def start_return(self, id_: str, due: int) -> None:
        self.withdrawals[id_].due = due
        heapq.heappush(self.return_queue, (due, self.withdrawals[id_].n, id_))

    def on_returning(self, id_: str, due: str) -> None:
        need(id_ in self.withdrawals, "no such withdrawal is pending")
        withdrawal = self.withdrawals[id_]
        need(withdrawal.due is None, "it is returning already")
        need(number(due) == self.now + 3600, f"it is due at {self.now + 3600}")
        is_own = withdrawal.account == self.action[1]
        need(is_own or self.action[3] == "returnWithdrawal", "it is another account's")
        self.start_return(id_, int(due))

    def next_return(self) -> str | None:
        while self.return_queue:
            due, n, id_ = self.return_queue[0]
            if id_ in self.withdrawals and self.withdrawals[id_].n == n:
                return id_ if due <= self.now else None
            heapq.heappop(self.return_queue)
        return None

    def on_return(self, id_: str) -> None:
        self.advance(RETURNS)
        need(self.next_return() == id_, f"the next return is {self.next_return()}")
        withdrawal = self.close_withdrawal(id_)
        self.give(withdrawal.account, withdrawal.symbol, AVAILABLE, withdrawal.units)

    def on_paid(self, id_: str, movement: str) -> None:
        self.advance(OPERATIONS)
        self.once(movement, False)
        if id_ in self.withdrawals:
            withdrawal = self.close_withdrawal(id_)
            token = self.tokens[withdrawal.symbol]
            token.owed -= withdrawal.units
            token.holdings -= withdrawal.units
        else:
            need(id_ in self.refunds, "no such withdrawal is pending, and no such refund is due")
            self.refunds_of[self.refunds.pop(id_)[0]] -= 1

    def holdings_of(self, chain: str, symbol: str, text: str) -> tuple[Token | None, int | None]:
        """A listed token, and by how much its holdings changed (None: they did not)."""
        token = self.tokens.get(symbol)
        token = token if token is not None and token.chain == chain else None
        if text.startswith("="):
            return token, None
        need(ANY_NUMBER.fullmatch(text) and text != "0", f"{text} is no amount")
        need(token is not None, f"{symbol} on {chain} is not listed")
        return token, int(text)

    def is_number(self, literal: str) -> bool:
        quantity = literal_quantity(literal[1:])
        return quantity is not None and quantity[0] > 0

    def on_outflow(self, id_: str, escrow: str, chain: str, symbol: str, text: str, _to: str) -> None:
        self.arrive(id_, escrow, chain)
        token, units = self.holdings_of(chain, symbol, text)
        is_own = token is not None and token.escrow == escrow
        if units is None:
            need(not is_own or not self.is_number(text), "it changes the holdings")
            return
        need(is_own, f"{escrow} does not hold {symbol}")
        assert token is not None
        token.holdings -= units

    def on_internal(self, id_: str, sender: str, recipient: str, chain: str, symbol: str, text: str) -> None:
        self.arrive(id_, sender, chain)
        need(recipient in self.escrows, "not between escrow accounts")
        token, units = self.holdings_of(chain, symbol, text)
        leaves = token is not None and token.escrow == sender != recipient
        comes = token is not None and token.escrow == recipient != sender
        if units is None:
            need(not leaves or not self.is_number(text), "it changes the holdings")
            return
        need(leaves or comes, "it changes no holdings")
        assert token is not None
        token.holdings += units if comes else -units

    # ------------------------------------------------------------ what the operator sets

    def on_token(self, *fields: str) -> None:
        need(self.action[3] == "listToken" and fields[0] not in self.tokens, f"{fields[0]} is listed already")
        need(fields[2] in self.escrows, f"{fields[2]} is no escrow account")
        self.tokens[fields[0]] = Token(*fields)

    def on_pair(self, name: str, *fields: str) -> None:
        action = self.action[3]
        need((name in self.pairs) == (action == "updatePair"), f"{action} of {name}")
        if action == "listPair":
            base, quote = name.split("/")
            need(base != quote, "base and quote are the same")
            self.pairs[name] = Pair(name, self.token(base), self.token(quote))
        pair = self.pairs[name]
        before = None if action == "listPair" else (pair.status, fields[:2])
        pair.set(list(fields))
        if before is None:
            need(pair.status == "active", "a new pair is active")
            return
        need(before[0] != "closed", "a closed pair stays as it is")
        need(before[1] == fields[:2], "decimals cannot be changed")
        if pair.status == "active" and before[0] != "active":
            self.traded.add(name)
        if pair.status == "closed":
            self.to_close = [item for item in self.items.values() if item.pair is pair]

    def on_rules(self, max_open: str, fee_account: str) -> None:
        need(1 <= number(max_open) <= 10000, "not a possible limit")
        need(fee_account not in self.escrows, "the fee account is an escrow account")
        self.max_open, self.fee_account = int(max_open), fee_account

    def on_checkpoint(self, block: str, state_hash: str, journal_hash: str) -> None:
        number(block)
        need(HASH.fullmatch(state_hash) and HASH.fullmatch(journal_hash), "not a hash")

    def on_upgrade(self, protocol: str, text: str, block: str) -> None:
        if (protocol, text, block) == ("-", "-", "-"):
            self.upgrade = None
            return
        need(3 <= number(protocol) <= 1_000_000 and HASH.fullmatch(text), "not an upgrade")
        need(self.number + 200_000 <= number(block) < 2**32, "not a possible block")
        self.upgrade = [protocol, text, block]

    # ------------------------------------------------------------ the state text

    def state(self, journal_hash: str) -> str:
        lines = ["peakedex-state 2", f"venue {self.venue_hash}", f"block {self.number} {self.id} {self.time}"]
        lines += [f"journal {journal_hash}", f"last {self.seq} {self.trades}"]
        lines.append(f"rules {self.max_open} {self.fee_account}")
        if self.upgrade is not None:
            lines.append("upgrade " + " ".join(self.upgrade))
        lines += [token.line() for _, token in sorted(self.tokens.items())]
        lines += [pair.line() for _, pair in sorted(self.pairs.items())]
        for (account, symbol), held in sorted(self.wallets.items()):
            if any(held):
                lines.append(f"balance {account} {symbol} {held[0]} {held[1]} {held[2]}")
        items = list(self.items.values())
        lines += [order_line(item) for item in items if not item.is_stop]
        lines += [stop_line(item) for item in items if item.is_stop]
        lines += [f"timer {account} {by} {due}" for (account, by), due in sorted(self.timers.items())]
        for (account, to), grant in sorted(self.grants.items()):
            used = ",".join(f"{symbol}:{units}" for symbol, units in sorted(grant.used.items())) or "-"
            head = f"grant {account} {to} {grant.until} {grant.band} {grant.pairs_text} {grant.per_day_text}"
            lines.append(f"{head} {show(grant.day)} {used}")
        for id_, w in self.withdrawals.items():
            lines.append(f"withdrawal {id_} {w.account} {w.symbol} {w.units} {w.to} {w.memo} {show(w.due)}")
        lines += [f"refund {id_} {' '.join(rest)}" for id_, rest in self.refunds.items()]
        for name, pair in sorted(self.pairs.items()):
            lines += [f"mark {name} {block} {base} {quote}" for block, base, quote in pair.mark]
        lines += [f"left {name}" for name in self.left]
        for symbol, token in sorted(self.tokens.items()):
            if token.holdings or token.owed:
                lines.append(f"escrow {symbol} {token.holdings}")
        return "".join(line + "\n" for line in lines)


def crosses(taker: Item, maker: Item) -> bool:
    if taker.price is None:
        return True
    assert maker.price is not None
    return maker.price <= taker.price if taker.is_buy else maker.price >= taker.price


def trade_price(taker: Item, maker: Item) -> int:
    """The price by the pair's policy (section 7)."""
    policy = taker.pair.policy
    assert maker.price is not None
    if policy == "maker" or taker.price is None or taker.fired_fee is not None:
        return maker.price
    bid, ask = (taker.price, maker.price) if taker.is_buy else (maker.price, taker.price)
    return {"bid": bid, "ask": ask, "midpoint": (bid + ask) // 2}[policy]


def affordable(taker: Item, price: int) -> int:
    """Base units that the incoming order can still trade at that price."""
    if not (taker.market and taker.is_buy):
        return taker.remaining
    pair = taker.pair
    return taker.remaining // (price * pair.factor) * pair.lot


def order_line(item: Item) -> str:
    amounts = f"{item.quantity} {item.remaining} {item.locked} {item.received} {item.released}"
    fees = f"{item.maker_fee} {item.taker_fee}"
    stops = f"{show(item.stop_price)} {show(item.stop_limit)}"
    head = f"order {item.seq} {item.id} {item.account} {item.pair.name} {item.side} {item.price}"
    return f"{head} {amounts} {item.expiry} {fees} {item.settle} {stops}"


def stop_line(item: Item) -> str:
    kind = "market" if item.market else "limit"
    head = f"stop {item.seq} {item.id} {item.account} {item.pair.name} {item.side} {kind} {show(item.price)}"
    return f"{head} {item.quantity} {item.locked} {item.expiry} {item.taker_fee} {item.rest}"


# ---------------------------------------------------------------- files and comparison


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


def add_up(journal: Journal, books: Books, value: str) -> tuple[str, int, int]:
    """Apply all blocks, from that journal hash on; returns the new one and the number of blocks and lines.

    Raises JournalError with the place.
    """
    blocks = count = 0
    for text, said in journal.blocks():
        *lines, rest = text.split("\n")
        for index, line in enumerate(lines):
            try:
                if index == 0:
                    books.begin(line)
                else:
                    books.add(line)
            except (JournalError, ValueError, KeyError, IndexError) as error:
                place = f"block {books.number}, line {index + 1}" if index else f"after block {books.number}"
                raise JournalError(f"{place}: {line}\n  {error}") from None
        try:
            need(not rest and lines, "the text is truncated")
            need(len(lines) > 1, "it has no lines")
            books.end()
        except JournalError as error:
            raise JournalError(f"block {books.number}, line {len(lines)}: {error}") from None
        value = sha256(f"{value}\n{text}".encode()).hexdigest()
        need(
            said in (None, value),
            f"block {books.number}, line 1: the journal hash is {value}, the journal file says {said}",
        )
        blocks, count = blocks + 1, count + len(lines)
    books.check_all_totals()
    return value, blocks, count


def move_on(books: Books, block: list[str]) -> None:
    """Go to a later block, in which nothing happened."""
    if block == [str(books.number), books.id, books.time]:
        return
    try:
        books.move_to(int(block[0]), block[1], block[2])
        books.end()
    except JournalError as error:
        raise JournalError(f"at block {block[0]}: {error}") from None


def compare(ours: str, theirs: str) -> None:
    """Raises JournalError with the first line that differs."""
    one, other = ours.split("\n"), theirs.split("\n")
    for index in range(max(len(one), len(other))):
        mine = one[index] if index < len(one) else "(end)"
        yours = other[index] if index < len(other) else "(end)"
        need(mine == yours, f"the state differs in line {index + 1}\n  derived {mine}\n  theirs  {yours}")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check a Peake DEX journal without Peake DEX.")
    parser.add_argument("journal", help="journal file, plain or .gz; - for standard input")
    parser.add_argument("venue", help="venue file, or its canonical text (peakedex venue hash --text)")
    parser.add_argument("--venue-hash", metavar="HASH", help="expected venue hash")
    parser.add_argument("--journal-hash", metavar="HASH", help="expected journal hash")
    parser.add_argument("--from-state", metavar="FILE", help="state text from which the journal goes on")
    parser.add_argument("--state", metavar="FILE", help="state text to compare with")
    parser.add_argument("--state-hash", metavar="HASH", help="expected state hash")
    parser.add_argument(
        "--block",
        metavar="NUMBER,ID,TIME",
        help="block of the state, if it is after the journal's last block",
    )
    parser.add_argument("--print-state", action="store_true", help="print only the derived state")
    return parser.parse_args()


def read_text(path: str) -> str:
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def run(options: argparse.Namespace) -> list[str]:
    """Run all checks; returns the lines to print. Raises JournalError."""
    theirs = read_text(options.state) if options.state else None
    books = Books(canonical_text(read_text(options.venue)))
    found = books.venue_hash
    need(options.venue_hash in (None, found), f"the venue hash is {found}, not {options.venue_hash}")
    start = books.load(read_text(options.from_state)) if options.from_state else books.venue_hash
    journal_hash, blocks, lines = add_up(Journal(options.journal), books, start)
    expected = options.journal_hash
    need(expected in (None, journal_hash), f"the journal hash is {journal_hash}, not {expected}")
    report = [f"OK: {blocks} blocks, {lines} lines, up to block {books.number} {books.id}"]
    if options.block:
        move_on(books, options.block.split(","))
    elif theirs is not None:
        place = re.search(r"^block (.*)$", theirs, re.MULTILINE)
        need(place, "--state: it has no line `block`")
        assert place is not None
        move_on(books, place[1].split(" "))
    state = books.state(journal_hash)
    if options.print_state:
        return [state[:-1]]
    if theirs is not None:
        compare(state, theirs)
    found = sha256(state.encode()).hexdigest()
    expected = options.state_hash
    need(expected in (None, found), f"the state hash is {found}, not {expected}")
    solvent = [f"{t.symbol} {t.holdings - t.owed}" for t in books.tokens.values() if t.holdings < t.owed]
    report += [f"venue_hash   {books.venue_hash}", f"journal_hash {journal_hash}", f"state_hash   {found}"]
    return report + [f"note: holdings are below liabilities: {text}" for text in solvent]


def main() -> int:
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)  # holdings are integers without limit
    options = read_options()
    try:
        print("\n".join(run(options)))
    except (OSError, EOFError, ImportError) as error:
        print(f"cannot read: {error}", file=sys.stderr)
        return 2
    except (JournalError, ValueError, KeyError) as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
