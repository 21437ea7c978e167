"""Venue file: parsing, validation and hash (protocol, section 2).

An invalid file is refused whole, with all its mistakes: field, reason and cure of each. The SHA-256 of the
canonical text of its consensus fields is the venue hash.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from settlement.core.events import Chain, VenueFilter
from settlement.core.journal import lines
from settlement.core.parsing.intents import MAX_FEE_BPS
from settlement.core.parsing.names import NATIVE_COINS, NATIVE_PRECISION, chain_of, is_account, is_symbol
from settlement.core.parsing.table_reader import Mistake, TableReader, is_word

PROTOCOL: Final = 2
MAX_OPEN_ORDERS: Final = 10_000
MAX_PRICE_DECIMALS: Final = 18
MIN_QUANTITY_DECIMALS: Final = -12
MAX_TOKEN_PRECISION: Final = 8
MIN_ORDER_LIFETIME: Final = 60
MAX_ORDER_LIFETIME: Final = 365 * 86_400
MAX_BLOCK: Final = 2**32 - 1  # a block id begins with the number in 4 bytes

PRICE_POLICIES: Final = ("maker", "ask", "bid", "midpoint")
SELF_TRADE_POLICIES: Final = ("cancel_resting", "cancel_incoming", "allow")
PAIR_STATUSES: Final = ("active", "paused", "closed")


class VenueError(ValueError):
    """An invalid venue file; `mistakes` are all that were found, one a line of the text."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class TokenRules:
    """A token's settings in the venue file or a `listToken`."""

    symbol: str
    precision: int  # decimals of its smallest unit
    escrow: str  # the account that holds its deposits
    min_withdrawal: int  # units
    key_env: str | None = None  # environment variable with the escrow key, for payouts; not consensus

    @property
    def chain(self) -> Chain:
        return chain_of(self.symbol)

    def line(self) -> str:
        """The `token` line, with its LF."""
        return lines.encode(lines.Token(self.symbol, self.precision, self.escrow, self.min_withdrawal))


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

    @property
    def name(self) -> str:
        return f"{self.base}/{self.quote}"

    def line(self) -> str:
        """The `pair` line, with its LF."""
        return lines.encode(
            lines.Pair(
                pair=self.name,
                price_decimals=self.price_decimals,
                quantity_decimals=self.quantity_decimals,
                maker_fee_bps=self.maker_fee_bps,
                taker_fee_bps=self.taker_fee_bps,
                price_policy=self.price_policy,
                self_trade=self.self_trade,
                status=self.status,
            )
        )


@dataclass(frozen=True, slots=True)
class Venue:
    """A valid venue file; `hash` covers the consensus fields alone."""

    name: str  # display name; not consensus
    contract: str  # contractName of the venue's actions
    custom_json_id: str
    start_block: int  # the first block that is read
    operator: str  # the account that signs operator actions
    checkpoint_account: str  # may sign `checkpoint`, and no other operator action
    fee_account: str
    max_open_orders: int  # per account, orders and stops together
    order_lifetime: int  # seconds: default and maximum
    accept_flat_intents: bool
    tokens: tuple[TokenRules, ...]
    pairs: tuple[PairRules, ...]
    text: str = field(compare=False, repr=False, default="")  # the file as it was read

    @property
    def first_block(self) -> int:
        """The first block that is read: Hive counts blocks from 1."""
        return max(self.start_block, 1)

    @property
    def escrows(self) -> frozenset[str]:
        """The escrow accounts; tokens listed later use these too."""
        return frozenset(token.escrow for token in self.tokens)

    @property
    def filter(self) -> VenueFilter:
        """Which operations of a block concern this venue."""
        return VenueFilter(self.contract, self.custom_json_id, self.accept_flat_intents, self.escrows)

    def canonical(self) -> str:
        """Canonical text: one consensus field a line, tokens and pairs sorted."""
        head = [
            f"peakedex-venue {PROTOCOL}",
            f"contract {self.contract}",
            f"custom_json_id {self.custom_json_id}",
            f"start_block {self.start_block}",
            f"operator {self.operator}",
            f"checkpoint_account {self.checkpoint_account}",
            f"fee_account {self.fee_account}",
            f"max_open_orders {self.max_open_orders}",
            f"order_lifetime {self.order_lifetime}",
            f"accept_flat_intents {'true' if self.accept_flat_intents else 'false'}",
        ]
        tokens = sorted(self.tokens, key=lambda token: token.symbol)
        pairs = sorted(self.pairs, key=lambda pair: pair.name)
        return "".join(
            [*(f"{line}\n" for line in head), *(t.line() for t in tokens), *(p.line() for p in pairs)]
        )

    @property
    def hash(self) -> str:
        """Venue hash, 64 hex digits: the start of the journal's hash chain."""
        return sha256(self.canonical().encode("ascii")).hexdigest()


def decimals_fit(
    *, price_decimals: int, quantity_decimals: int, base_precision: int, quote_precision: int
) -> bool:
    """The rule of section 1 that makes price × quantity a whole number of quote units."""
    return quantity_decimals <= base_precision and price_decimals + quantity_decimals <= quote_precision


def parse_venue(text: str) -> Venue:
    """Parse and validate a venue file. Raises VenueError with all mistakes."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers of 5,000 digits and deep nesting
        raise VenueError([Mistake("file", f"is not valid TOML: {error}; correct it")]) from error
    mistakes: list[Mistake] = []
    top = TableReader("", document, mistakes)
    head = TableReader("venue", top.table("venue"), mistakes)
    protocol = head.integer("protocol", 0, MAX_BLOCK)
    if protocol != PROTOCOL and not mistakes:
        mistakes.append(
            Mistake("venue.protocol", f"this program runs only protocol {PROTOCOL}; write {PROTOCOL}")
        )
    tokens = tuple(_token(symbol, table, mistakes) for symbol, table in top.table("tokens").items())
    pairs = tuple(_pair(index, table, mistakes) for index, table in enumerate(top.tables("pairs")))
    top.done()
    operator = head.text("operator", None, is_account, "a Hive account name")
    venue = Venue(
        name=head.text("name", None, _is_title, "1 to 100 printable characters"),
        contract=head.text("contract", None, is_word, "one word of printable ASCII, at most 32 characters"),
        custom_json_id=head.text(
            "custom_json_id", None, is_word, "one word of printable ASCII, at most 32 characters"
        ),
        start_block=head.integer("start_block", 0, MAX_BLOCK),
        operator=operator,
        checkpoint_account=head.text("checkpoint_account", operator, is_account, "a Hive account name"),
        fee_account=head.text("fee_account", None, is_account, "a Hive account name"),
        max_open_orders=head.integer("max_open_orders", 1, MAX_OPEN_ORDERS, 200),
        order_lifetime=head.integer("order_lifetime", MIN_ORDER_LIFETIME, MAX_ORDER_LIFETIME, 2_592_000),
        accept_flat_intents=head.boolean("accept_flat_intents", default=True),
        tokens=tokens,
        pairs=pairs,
        text=text,
    )
    head.done()
    mistakes += _mistakes_between_fields(venue, {mistake.field for mistake in mistakes})
    if mistakes:
        raise VenueError(mistakes)
    return venue


def _token(symbol: str, table: object, mistakes: list[Mistake]) -> TokenRules:
    where = f'tokens."{symbol}"'
    if not is_symbol(symbol):
        mistakes.append(
            Mistake(
                where,
                "is not a valid symbol: write 1 to 10 capital letters, optionally a dot and 1 to 10 more",
            )
        )
    fields = TableReader(where, table, mistakes)
    precision = fields.integer("precision", 0, MAX_TOKEN_PRECISION)
    is_bad = any(mistake.field == f"{where}.precision" for mistake in mistakes)
    if symbol in NATIVE_COINS and precision != NATIVE_PRECISION:
        mistakes.append(
            Mistake(f"{where}.precision", f"{symbol} has precision {NATIVE_PRECISION}; write that")
        )
    token = TokenRules(
        symbol=symbol,
        precision=precision,
        escrow=fields.text("escrow", None, is_account, "a Hive account name"),
        min_withdrawal=fields.amount("min_withdrawal", MAX_TOKEN_PRECISION if is_bad else precision),
        key_env=fields.optional_text("key_env"),
    )
    fields.done()
    return token


def _pair(index: int, table: object, mistakes: list[Mistake]) -> PairRules:
    fields = TableReader(f"pairs[{index}]", table, mistakes)
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


def _mistakes_between_fields(venue: Venue, bad: set[str]) -> list[Mistake]:
    """Mistakes that concern several fields, none of which is among the `bad` ones."""
    mistakes = []
    for escrow in sorted(venue.escrows - {""}):
        if escrow in venue.contract:
            mistakes.append(
                Mistake("venue.contract", f"contains the escrow account's name {escrow}; choose another name")
            )
        if escrow == venue.fee_account:
            mistakes.append(
                Mistake("venue.fee_account", f"{escrow} is an escrow account; fees need another account")
            )
    precisions = {token.symbol: token.precision for token in venue.tokens}
    seen: set[str] = set()
    for index, pair in enumerate(venue.pairs):
        mistakes += _pair_mistakes(f"pairs[{index}]", pair, precisions, bad)
        if pair.name in seen:
            mistakes.append(Mistake(f"pairs[{index}]", f"{pair.name} is listed twice; remove one"))
        seen.add(pair.name)
    return mistakes


def _pair_mistakes(where: str, pair: PairRules, precisions: dict[str, int], bad: set[str]) -> list[Mistake]:
    unlisted = [
        Mistake(f"{where}.{side}", f'{symbol} is not listed; add a [tokens."{symbol}"] table')
        for side, symbol in (("base", pair.base), ("quote", pair.quote))
        if symbol and symbol not in precisions
    ]
    if unlisted or not (pair.base and pair.quote):
        return unlisted
    if pair.base == pair.quote:
        return [Mistake(f"{where}.quote", f"base and quote of {pair.name} must differ; name another")]
    base, quote = precisions[pair.base], precisions[pair.quote]
    fits = decimals_fit(
        price_decimals=pair.price_decimals,
        quantity_decimals=pair.quantity_decimals,
        base_precision=base,
        quote_precision=quote,
    )
    decimals = {f"{where}.price_decimals", f"{where}.quantity_decimals"}
    decimals |= {f'tokens."{symbol}".precision' for symbol in (pair.base, pair.quote)}
    if fits or bad & decimals:
        return []
    field_name = "quantity_decimals" if pair.quantity_decimals > base else "price_decimals"
    return [
        Mistake(
            f"{where}.{field_name}",
            f"{pair.name}: quantity_decimals must be at most {base} ({pair.base}), and price_decimals + "
            f"quantity_decimals at most {quote} ({pair.quote}); lower one of them",
        )
    ]


def _is_title(value: str) -> bool:
    return 0 < len(value) <= 100 and value.isprintable()
