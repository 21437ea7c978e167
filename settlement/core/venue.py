"""Venue file: parsing, validation and hash (protocol, section 2).

An invalid file is rejected as a whole, with field, reason and cure. The consensus fields have one canonical
text, whose SHA-256 is the venue hash.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from settlement.core.events import HIVE, HIVE_ENGINE
from settlement.core.parsing.names import NATIVE_COINS, NATIVE_PRECISION, is_account, is_symbol

MAX_FEE_BPS: Final = 1000
MAX_OPEN_ORDERS: Final = 10_000
MAX_PRICE_DECIMALS: Final = 18
MIN_QUANTITY_DECIMALS: Final = -12
MAX_TOKEN_PRECISION: Final = 8
MAX_ORDER_LIFETIME: Final = 100 * 365 * 86_400
MAX_BLOCK: Final = 2**32 - 1

CHAINS: Final = (HIVE, HIVE_ENGINE)
PRICE_POLICIES: Final = ("maker", "ask", "bid", "midpoint")
SELF_TRADE_POLICIES: Final = ("cancel_resting", "cancel_incoming", "allow")
PAIR_STATUSES: Final = ("active", "paused", "closed")


class VenueError(ValueError):
    """An invalid venue file: `field`, and `reason` with the cure."""

    def __init__(self, field_name: str, reason: str) -> None:
        super().__init__(f"{field_name}: {reason}")
        self.field = field_name
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TokenRules:
    """A token's settings in the venue file or a `listToken`."""

    symbol: str
    precision: int  # decimals of its smallest unit
    chain: str  # one of CHAINS
    escrow: str  # the account that holds its deposits
    key_env: str | None = None  # environment variable with the escrow key, for payouts; not consensus


@dataclass(frozen=True, slots=True)
class PairRules:
    """A pair's settings in the venue file or a `listPair`."""

    base: str  # symbol
    quote: str  # symbol
    price_decimals: int  # a tick is 10^-price_decimals quote per base
    quantity_decimals: int  # a lot is 10^-quantity_decimals base
    maker_fee_bps: int = 0  # basis points of what the maker receives
    taker_fee_bps: int = 0  # basis points of what the taker receives
    price_policy: str = "maker"  # one of PRICE_POLICIES
    self_trade: str = "cancel_resting"  # one of SELF_TRADE_POLICIES
    status: str = "active"  # one of PAIR_STATUSES


@dataclass(frozen=True, slots=True)
class Venue:
    """A valid venue file."""

    name: str  # display name; not consensus
    contract: str  # contractName of the venue's actions
    custom_json_id: str
    start_block: int  # the first block that is read
    operator: str  # the account that signs operator actions
    fee_account: str
    max_open_orders: int  # per account
    order_lifetime: int  # seconds: default and maximum
    accept_flat_intents: bool
    tokens: tuple[TokenRules, ...]
    pairs: tuple[PairRules, ...]
    text: str = field(compare=False, repr=False, default="")  # the file as it was read

    def canonical(self) -> str:
        """Canonical text: one consensus field a line, tokens and pairs sorted."""
        lines = [
            "peakedex-venue 1",
            "protocol 1",
            f"contract {self.contract}",
            f"custom_json_id {self.custom_json_id}",
            f"start_block {self.start_block}",
            f"operator {self.operator}",
            f"fee_account {self.fee_account}",
            f"max_open_orders {self.max_open_orders}",
            f"order_lifetime {self.order_lifetime}",
            f"accept_flat_intents {'true' if self.accept_flat_intents else 'false'}",
        ]
        lines += sorted(f"token {t.symbol} {t.precision} {t.chain} {t.escrow}" for t in self.tokens)
        lines += sorted(
            f"pair {p.base}/{p.quote} {p.price_decimals} {p.quantity_decimals} {p.maker_fee_bps} "
            f"{p.taker_fee_bps} {p.price_policy} {p.self_trade} {p.status}"
            for p in self.pairs
        )
        return "\n".join(lines) + "\n"

    @property
    def hash(self) -> str:
        """Venue hash, 64 hex digits: the start of the journal's hash chain."""
        return sha256(self.canonical().encode("ascii")).hexdigest()


def possible_token(symbol: str, precision: int, chain: str) -> bool:
    """Whether such a token can exist on that chain: HIVE and HBD are the only native coins."""
    if chain == HIVE:
        return symbol in NATIVE_COINS and precision == NATIVE_PRECISION
    return symbol not in NATIVE_COINS


def decimals_fit(
    price_decimals: int, quantity_decimals: int, base_precision: int, quote_precision: int
) -> bool:
    """The rule of section 1 that makes price × quantity a whole number of quote units."""
    return quantity_decimals <= base_precision and price_decimals + quantity_decimals <= quote_precision


def parse_venue(text: str) -> Venue:
    """Parse and validate a venue file. Raises VenueError."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers of 5,000 digits and deep nesting
        raise VenueError("file", f"is not valid TOML: {error}") from error
    top = _Table("", document)
    head = _Table("venue", top.table("venue"))
    if head.integer("protocol", 0, MAX_BLOCK) != 1:
        raise VenueError("venue.protocol", "this version supports only protocol 1: write 1, or upgrade")
    tokens = tuple(_token(symbol, table) for symbol, table in top.table("tokens").items())
    pairs = tuple(_pair(index, table) for index, table in enumerate(top.tables("pairs")))
    top.done()
    venue = Venue(
        name=head.text("name", "Peake DEX", _is_title, "at most 100 printable characters"),
        contract=head.text("contract", "peakedex", _is_word, "1 to 32 of A-Z a-z 0-9 . _ -"),
        custom_json_id=head.text("custom_json_id", "ssc-mainnet-hive", _is_word, "1 to 32 characters"),
        start_block=head.integer("start_block", 1, MAX_BLOCK),
        operator=head.text("operator", None, is_account, "a Hive account name"),
        fee_account=head.text("fee_account", None, is_account, "a Hive account name"),
        max_open_orders=head.integer("max_open_orders", 1, MAX_OPEN_ORDERS, 200),
        order_lifetime=head.integer("order_lifetime", 1, MAX_ORDER_LIFETIME, 2_592_000),
        accept_flat_intents=head.boolean("accept_flat_intents", True),
        tokens=tokens,
        pairs=pairs,
        text=text,
    )
    head.done()
    _check_pairs(venue)
    return venue


def _token(symbol: str, table: object) -> TokenRules:
    where = f'tokens."{symbol}"'
    if not is_symbol(symbol):
        raise VenueError(
            where, "is not a valid symbol: up to 10 capital letters, optionally a dot and up to 10 more"
        )
    fields = _Table(where, table)
    token = TokenRules(
        symbol=symbol,
        precision=fields.integer("precision", 0, MAX_TOKEN_PRECISION),
        chain=fields.choice("chain", CHAINS),
        escrow=fields.text("escrow", None, is_account, "a Hive account name"),
        key_env=fields.optional_text("key_env"),
    )
    fields.done()
    if not possible_token(symbol, token.precision, token.chain):
        is_coin_on_hive = symbol in NATIVE_COINS and token.chain == HIVE
        raise VenueError(
            f"{where}.{'precision' if is_coin_on_hive else 'chain'}",
            'HIVE and HBD (precision 3) are on chain "hive", all other tokens on "hive-engine"',
        )
    return token


def _pair(index: int, table: object) -> PairRules:
    fields = _Table(f"pairs[{index}]", table)
    pair = PairRules(
        base=fields.text("base", None, is_symbol, "a listed symbol"),
        quote=fields.text("quote", None, is_symbol, "a listed symbol"),
        price_decimals=fields.integer("price_decimals", 0, MAX_PRICE_DECIMALS),
        quantity_decimals=fields.integer("quantity_decimals", MIN_QUANTITY_DECIMALS, MAX_TOKEN_PRECISION),
        maker_fee_bps=fields.integer("maker_fee_bps", 0, MAX_FEE_BPS, 0),
        taker_fee_bps=fields.integer("taker_fee_bps", 0, MAX_FEE_BPS, 0),
        price_policy=fields.choice("price_policy", PRICE_POLICIES, "maker"),
        self_trade=fields.choice("self_trade", SELF_TRADE_POLICIES, "cancel_resting"),
        status=fields.choice("status", PAIR_STATUSES, "active"),
    )
    fields.done()
    return pair


def _check_pairs(venue: Venue) -> None:
    precisions = {token.symbol: token.precision for token in venue.tokens}
    seen: set[tuple[str, str]] = set()
    for index, pair in enumerate(venue.pairs):
        where, name = f"pairs[{index}]", f"{pair.base}/{pair.quote}"
        for side, symbol in (("base", pair.base), ("quote", pair.quote)):
            if symbol not in precisions:
                raise VenueError(
                    f"{where}.{side}", f'{symbol} is not listed; add a [tokens."{symbol}"] table'
                )
        if pair.base == pair.quote:
            raise VenueError(f"{where}.quote", f"base and quote of {name} must differ; name another")
        if (pair.base, pair.quote) in seen:
            raise VenueError(where, f"{name} is listed twice; remove one")
        seen.add((pair.base, pair.quote))
        base, quote = precisions[pair.base], precisions[pair.quote]
        if not decimals_fit(pair.price_decimals, pair.quantity_decimals, base, quote):
            field_name = "quantity_decimals" if pair.quantity_decimals > base else "price_decimals"
            raise VenueError(
                f"{where}.{field_name}",
                f"{name}: quantity_decimals must be at most {base} ({pair.base}), and price_decimals + "
                f"quantity_decimals at most {quote} ({pair.quote}); lower one of them",
            )


def _is_word(value: str) -> bool:
    return (
        0 < len(value) <= 32
        and value.isascii()
        and all(letter.isalnum() or letter in "._-" for letter in value)
    )


def _is_title(value: str) -> bool:
    return 0 < len(value) <= 100 and value.isprintable()


class _Table:
    """Reads one table of the file field by field; `done` rejects unknown fields."""

    def __init__(self, where: str, value: object) -> None:
        if not isinstance(value, Mapping):
            raise VenueError(where or "file", "must be a table")
        self._where = where
        self._left: dict[str, Any] = dict(value)

    def _name(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key

    def _take(self, key: str, default: object) -> Any:
        value = self._left.pop(key, default)
        if value is None:
            raise VenueError(self._name(key), "is missing; add it")
        return value

    def table(self, key: str) -> Mapping[str, object]:
        value = self._take(key, {} if key != "venue" else None)
        if not isinstance(value, Mapping):
            raise VenueError(self._name(key), "must be a table")
        return value

    def tables(self, key: str) -> list[object]:
        value = self._take(key, [])
        if not isinstance(value, list):
            raise VenueError(self._name(key), "must be an array of tables: [[pairs]]")
        return value

    def text(self, key: str, default: str | None, valid: Callable[[str], bool], expected: str) -> str:
        value = self._take(key, default)
        if not isinstance(value, str) or not valid(value):
            raise VenueError(self._name(key), f"{value!r} is not {expected}")
        return value

    def optional_text(self, key: str) -> str | None:
        return None if key not in self._left else self.text(key, None, _is_word, "the name of a variable")

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str:
        value = self._take(key, default)
        if value not in choices:
            raise VenueError(self._name(key), f"{value!r} is not one of {', '.join(choices)}")
        return str(value)

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self._take(key, default)
        if type(value) is not int or not low <= value <= high:
            raise VenueError(self._name(key), f"{value!r} is not a whole number from {low} to {high}")
        return value

    def boolean(self, key: str, default: bool) -> bool:
        value = self._take(key, default)
        if type(value) is not bool:
            raise VenueError(self._name(key), f"{value!r} is neither true nor false")
        return value

    def done(self) -> None:
        for key in self._left:
            raise VenueError(self._name(key), "is an unknown field; remove it or correct its name")
