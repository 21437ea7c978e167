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
NO_BLOCK: Final = "block 0 - -"
"""The `block` line of a state before the first block."""


class Last(NamedTuple):
    """The counters."""

    seq: int  # sequence of the last order or stop
    trade: int  # number of the last trade


class Balance(NamedTuple):
    """What an account holds of a token."""

    account: str  # its name
    symbol: str  # token
    available: int  # units
    locked: int  # units, in orders and stops
    withdrawing: int  # units, in pending withdrawals


class Order(NamedTuple):
    """An open order."""

    seq: int  # sequence number
    id: str  # the action's id
    account: str  # its owner
    pair: str  # BASE/QUOTE
    side: str  # buy or sell
    price: int  # limit price
    quantity: int  # base units, as accepted
    remaining: int  # base units
    locked: int  # units of what it gives
    received: int  # units of what it receives, net of fees
    released: int  # units that left its lock unspent
    expiry: int  # when it expires
    maker_fee_bps: int  # the pair's maker fee at acceptance
    taker_fee_bps: int  # the pair's taker fee at acceptance
    settle: str  # venue or wallet
    stop_price: int | None  # trigger of its protective stop
    stop_limit: int | None  # worst price of its protective stop


class Stop(NamedTuple):
    """An open stop."""

    seq: int  # sequence number
    id: str  # the action's id
    account: str  # its owner
    pair: str  # BASE/QUOTE
    side: str  # buy or sell
    type: str  # limit or market
    price: int | None  # limit price or worst price
    quantity: int  # base units; quote units of a market buy
    locked: int  # units of what it gives
    expiry: int  # when it expires
    taker_fee_bps: int  # the pair's taker fee at acceptance
    when: str  # above or below
    trigger_price: int  # ticks
    time_in_force: str  # GTC, IOC or FOK
    post: str | None  # `post` for a post-only order


class Timer(NamedTuple):
    """A cancel-all timer."""

    account: str  # whose orders it cancels
    by: str  # how it was set
    due: int  # when it fires


class Grant(NamedTuple):
    """A grant in force."""

    account: str  # the granting account
    to: str  # `posting`, or an account
    until: int  # when it ends
    band_bps: int  # basis points
    pairs: str  # BASE/QUOTE texts, comma between, sorted
    per_day: str  # SYMBOL:units, comma between, by symbol
    day: int | None  # Unix seconds // 86400 of its last order that counted
    used: str | None  # what was counted on that day, as SYMBOL:units


class Withdrawal(NamedTuple):
    """A pending withdrawal."""

    id: str  # withdrawal
    account: str  # its owner
    symbol: str  # token
    amount: int  # units
    to: str  # recipient
    memo: str | None  # the trader's memo
    returning: int | None  # when it is returned


class Refund(NamedTuple):
    """A refund due."""

    id: str  # the movement
    account: str  # its sender
    symbol: str  # token
    quantity: str  # literal quantity
    escrow: str  # the account in which it lies


class Mark(NamedTuple):
    """One block of a pair's mark window."""

    pair: str  # BASE/QUOTE
    block: int  # number
    base: int  # base units
    quote: int  # quote units


class Left(NamedTuple):
    """A pair left over by firing."""

    pair: str  # BASE/QUOTE


class Escrow(NamedTuple):
    """Holdings of a token."""

    symbol: str  # token
    holdings: str  # units, an integer without limit


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
order_text = _CODEC.writer(Order)


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
        yield f"{NO_BLOCK}\n"
    else:
        yield f"{lines.block_line(head.number, head.block_id, head.timestamp)}\n"
    yield f"journal {head.journal_hash}\n"
