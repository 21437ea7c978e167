"""Lines of the state text: one NamedTuple a kind (protocol, section 11).

The state text has a head (`head_lines`), then these lines, each kind sorted. Amounts are units, prices ticks,
times Unix seconds; names, ids and free text are percent-encoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from settlement.core.journal import lines
from settlement.core.journal.codec import LineCodec

VERSION: Final = 2


class Last(NamedTuple):
    """The counters.

    seq: sequence of the last order or stop
    trade: number of the last trade
    """

    seq: int
    trade: int


class Balance(NamedTuple):
    """What an account holds of a token.

    account: its name
    symbol: token
    available: units
    locked: units, in orders and stops
    withdrawing: units, in pending withdrawals
    """

    account: str
    symbol: str
    available: int
    locked: int
    withdrawing: int


class Order(NamedTuple):
    """An open order.

    seq: sequence number
    id: the action's id
    account: its owner
    pair: BASE/QUOTE
    side: buy or sell
    price: limit price
    quantity: base units, as accepted
    remaining: base units
    locked: units of what it gives
    received: units of what it receives, net of fees
    released: units that left its lock unspent
    expiry: when it expires
    maker_fee_bps: the pair's maker fee at acceptance
    taker_fee_bps: the pair's taker fee at acceptance
    settle: venue or wallet
    stop_price: trigger of its protective stop
    stop_limit: worst price of its protective stop
    """

    seq: int
    id: str
    account: str
    pair: str
    side: str
    price: int
    quantity: int
    remaining: int
    locked: int
    received: int
    released: int
    expiry: int
    maker_fee_bps: int
    taker_fee_bps: int
    settle: str
    stop_price: int | None
    stop_limit: int | None


class Stop(NamedTuple):
    """An open stop.

    seq: sequence number
    id: the action's id
    account: its owner
    pair: BASE/QUOTE
    side: buy or sell
    type: limit or market
    price: limit price or worst price
    quantity: base units; quote units of a market buy
    locked: units of what it gives
    expiry: when it expires
    taker_fee_bps: the pair's taker fee at acceptance
    when: above or below
    trigger_price: ticks
    time_in_force: GTC, IOC or FOK
    post: `post` for a post-only order
    """

    seq: int
    id: str
    account: str
    pair: str
    side: str
    type: str
    price: int | None
    quantity: int
    locked: int
    expiry: int
    taker_fee_bps: int
    when: str
    trigger_price: int
    time_in_force: str
    post: str | None


class Timer(NamedTuple):
    """A cancel-all timer.

    account: whose orders it cancels
    by: how it was set
    due: when it fires
    """

    account: str
    by: str
    due: int


class Grant(NamedTuple):
    """A grant in force.

    account: the granting account
    to: `posting`, or an account
    until: when it ends
    band_bps: basis points
    pairs: BASE/QUOTE texts, comma between, sorted
    per_day: SYMBOL:units, comma between, by symbol
    day: Unix seconds // 86400 of its last order that counted
    used: what was counted on that day, as SYMBOL:units
    """

    account: str
    to: str
    until: int
    band_bps: int
    pairs: str
    per_day: str
    day: int | None
    used: str | None


class Withdrawal(NamedTuple):
    """A pending withdrawal.

    id: withdrawal
    account: its owner
    symbol: token
    amount: units
    to: recipient
    memo: the trader's memo
    returning: when it is returned
    """

    id: str
    account: str
    symbol: str
    amount: int
    to: str
    memo: str | None
    returning: int | None


class Refund(NamedTuple):
    """A refund due.

    id: the movement
    account: its sender
    symbol: token
    quantity: literal quantity
    escrow: the account in which it lies
    """

    id: str
    account: str
    symbol: str
    quantity: str
    escrow: str


class Mark(NamedTuple):
    """One block of a pair's mark window.

    pair: BASE/QUOTE
    block: number
    base: base units
    quote: quote units
    """

    pair: str
    block: int
    base: int
    quote: int


class Left(NamedTuple):
    """A pair left over by firing.

    pair: BASE/QUOTE
    """

    pair: str


class Escrow(NamedTuple):
    """Holdings of a token.

    symbol: token
    holdings: units, an integer without limit
    """

    symbol: str
    holdings: str


StateLine = (
    lines.Rules
    | lines.Upgrade
    | lines.Token
    | lines.Pair
    | Last
    | Balance
    | Order
    | Stop
    | Timer
    | Grant
    | Withdrawal
    | Refund
    | Mark
    | Left
    | Escrow
)

KINDS: Final[dict[str, type[StateLine]]] = {kind.__name__.lower(): kind for kind in StateLine.__args__}
_CODEC: Final = LineCodec[StateLine](KINDS)
encode = _CODEC.encode
parse = _CODEC.parse


class Head(NamedTuple):
    """The first lines of a state text."""

    venue_hash: str
    number: int | None  # of the last block; None before the first
    block_id: str | None
    timestamp: int | None  # Unix seconds
    journal_hash: str


def head_lines(head: Head) -> Iterator[str]:
    """The lines `peakedex-state`, `venue`, `block` and `journal`, each with its LF."""
    yield f"peakedex-state {VERSION}\n"
    yield f"venue {head.venue_hash}\n"
    if head.number is None or head.timestamp is None:
        yield "block 0 - -\n"
    else:
        yield f"block {head.number} {head.block_id} {lines.iso_time(head.timestamp)}\n"
    yield f"journal {head.journal_hash}\n"
