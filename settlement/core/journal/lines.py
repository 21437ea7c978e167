"""Journal lines: one NamedTuple a kind, and their text (protocol, section 11).

The journal is the only output of the rules: database rows, the live stream and audits are views of these
lines. Amounts are units, prices ticks, times Unix seconds; names, ids and free text are percent-encoded. `by`
says how an action was signed: `active`, `posting`, or the name of the grantee that acted.

The module is long on purpose: each kind is defined once, with what encodes, parses and documents its fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, NamedTuple

from settlement.core.events import BlockHeader
from settlement.core.journal.codec import LineCodec, LineError


class Expire(NamedTuple):
    """The lifetime of an order or stop ended; its `close` follows.

    id: order or stop
    """

    id: str


class Timeout(NamedTuple):
    """A cancel-all timer fired; the closes of its orders follow.

    account: whose timer
    by: how it was set
    """

    account: str
    by: str


class Accept(NamedTuple):
    """An intent or operator action was accepted; its other lines follow.

    id: the action
    account: the account acted for
    by: how it was signed
    action: its name; a flat intent's side
    ref: the trader's reference
    """

    id: str
    account: str
    by: str
    action: str
    ref: str | None


class Reject(NamedTuple):
    """An intent, operator action or fired stop was rejected; nothing else changed.

    id: the action
    account: its signer; of a fired stop its owner
    action: its name, `-` where that is no word of up to 32 letters
    ref: the trader's reference
    code: why, see `codes`
    """

    id: str
    account: str
    action: str
    ref: str | None
    code: str


class Order(NamedTuple):
    """An order was accepted.

    id: the action's id; `<order id>~stop` for the order of a protective stop
    seq: sequence number, shared with stops
    account: its owner
    pair: BASE/QUOTE
    side: buy or sell
    type: limit or market
    price: limit price, or a market order's worst price
    quantity: base units; quote units (the budget) of a market buy
    expiry: when it expires; absent for market orders
    maker_fee_bps: the pair's maker fee at acceptance; absent for market orders
    taker_fee_bps: the pair's taker fee at acceptance
    settle: venue or wallet
    stop_price: trigger of its protective stop
    stop_limit: worst price of its protective stop
    """

    id: str
    seq: int
    account: str
    pair: str
    side: str
    type: str
    price: int | None
    quantity: int
    expiry: int | None
    maker_fee_bps: int | None
    taker_fee_bps: int
    settle: str
    stop_price: int | None
    stop_limit: int | None


class Stop(NamedTuple):
    """A stop was opened: an order that waits for its trigger.

    id: the action's id
    seq: sequence number, shared with orders
    account: its owner
    pair: BASE/QUOTE
    side: buy or sell
    type: limit or market
    price: limit price or worst price
    quantity: base units; quote units (the budget) of a market buy
    expiry: when it expires
    taker_fee_bps: the pair's taker fee at acceptance
    when: above or below: the side from which the mark reaches the trigger price
    trigger_price: ticks
    time_in_force: GTC, IOC or FOK
    post: `post` for a post-only order
    """

    id: str
    seq: int
    account: str
    pair: str
    side: str
    type: str
    price: int | None
    quantity: int
    expiry: int
    taker_fee_bps: int
    when: str
    trigger_price: int
    time_in_force: str
    post: str | None


class Trigger(NamedTuple):
    """A stop, or an order's protective stop, fired.

    id: order or stop
    """

    id: str


class Trade(NamedTuple):
    """A fill.

    n: counts trades from 1
    taker: the incoming order
    maker: the resting order
    buyer: account
    seller: account
    pair: BASE/QUOTE
    price: ticks
    quantity: base units
    quote_amount: quote units
    buyer_fee: base units
    seller_fee: quote units
    """

    n: int
    taker: str
    maker: str
    buyer: str
    seller: str
    pair: str
    price: int
    quantity: int
    quote_amount: int
    buyer_fee: int
    seller_fee: int


class Close(NamedTuple):
    """An order or stop closed.

    id: order or stop
    status: filled, cancelled, expired or triggered
    released: units that were still locked
    """

    id: str
    status: str
    released: int


class Timer(NamedTuple):
    """A cancel-all timer was set or disarmed.

    account: whose orders it cancels
    by: how it was set
    due: when it fires; absent where it was disarmed
    """

    account: str
    by: str
    due: int | None


class Grant(NamedTuple):
    """An account lets its posting key or another account trade for it.

    account: the granting account
    to: `posting`, or an account
    until: when it ends
    band_bps: how far from the mark orders may be priced, in basis points
    pairs: BASE/QUOTE texts, comma between, sorted
    per_day: daily allowance as SYMBOL:units, comma between, by symbol
    """

    account: str
    to: str
    until: int
    band_bps: int
    pairs: str
    per_day: str


class Revoke(NamedTuple):
    """A grant was revoked.

    account: the granting account
    to: `posting`, or an account
    """

    account: str
    to: str


class Deposit(NamedTuple):
    """A deposit was credited.

    id: the movement
    account: its sender
    symbol: token
    amount: units
    escrow: the escrow account that received it
    """

    id: str
    account: str
    symbol: str
    amount: int
    escrow: str


class Refund(NamedTuple):
    """A deposit that cannot be credited is due back to its sender.

    id: the movement
    account: its sender
    symbol: token
    quantity: literal quantity
    escrow: the escrow account in which it lies
    """

    id: str
    account: str
    symbol: str
    quantity: str
    escrow: str


class Ignore(NamedTuple):
    """An arrival for which nothing is due.

    id: the movement
    account: its sender
    chain: hive or hive-engine
    symbol: token
    quantity: literal quantity
    escrow: the escrow account in which it lies
    """

    id: str
    account: str
    chain: str
    symbol: str
    quantity: str
    escrow: str


class Withdraw(NamedTuple):
    """A withdrawal was opened.

    id: the action, or `<order id>#<SYMBOL>` of a settlement to the wallet
    account: its owner
    symbol: token
    amount: units
    to: recipient
    memo: the memo of its payment, where the trader gave one
    """

    id: str
    account: str
    symbol: str
    amount: int
    to: str
    memo: str | None


class Returning(NamedTuple):
    """A withdrawal will be returned unless it is paid before.

    id: withdrawal
    due: when it is returned
    """

    id: str
    due: int


class Return(NamedTuple):
    """A withdrawal was returned to the available balance.

    id: withdrawal
    """

    id: str


class Paid(NamedTuple):
    """A withdrawal or refund was paid.

    id: withdrawal or refund
    movement: the movement that paid it
    """

    id: str
    movement: str


class Outflow(NamedTuple):
    """Money left an escrow account and settles nothing.

    id: the movement
    escrow: the escrow account
    chain: hive or hive-engine
    symbol: token
    amount: units by which holdings fell, rounded up; `=` and the literal where they did not
    to: recipient
    """

    id: str
    escrow: str
    chain: str
    symbol: str
    amount: str
    to: str


class Internal(NamedTuple):
    """Money moved between two escrow accounts.

    id: the movement
    sender: escrow account
    recipient: escrow account
    chain: hive or hive-engine
    symbol: token
    amount: units by which holdings changed; `=` and the literal where they did not
    """

    id: str
    sender: str
    recipient: str
    chain: str
    symbol: str
    amount: str


class Token(NamedTuple):
    """A listed token.

    symbol: token
    precision: decimals of a unit
    escrow: the account that holds its deposits
    min_withdrawal: units
    """

    symbol: str
    precision: int
    escrow: str
    min_withdrawal: int


class Pair(NamedTuple):
    """A listed pair, as it stands.

    pair: BASE/QUOTE
    price_decimals: a tick is 10^-price_decimals quote per base
    quantity_decimals: a lot is 10^-quantity_decimals base
    maker_fee_bps: basis points
    taker_fee_bps: basis points
    price_policy: maker, ask, bid or midpoint
    self_trade: cancel_resting, cancel_incoming or allow
    status: active, paused or closed
    """

    pair: str
    price_decimals: int
    quantity_decimals: int
    maker_fee_bps: int
    taker_fee_bps: int
    price_policy: str
    self_trade: str
    status: str


class Rules(NamedTuple):
    """The venue's settings, as they stand.

    max_open_orders: orders and stops of an account
    fee_account: the account that receives fees
    """

    max_open_orders: int
    fee_account: str


class Checkpoint(NamedTuple):
    """A public claim about a past block.

    block: its number
    state_hash: 64 hex digits
    journal_hash: 64 hex digits
    """

    block: int
    state_hash: str
    journal_hash: str


class Upgrade(NamedTuple):
    """A protocol upgrade was announced; all fields are absent where the announcement was withdrawn.

    protocol: its number
    text: SHA-256 of its text
    block: the first block under it
    """

    protocol: int | None
    text: str | None
    block: int | None


Line = (
    Expire
    | Timeout
    | Accept
    | Reject
    | Order
    | Stop
    | Trigger
    | Trade
    | Close
    | Timer
    | Grant
    | Revoke
    | Deposit
    | Refund
    | Ignore
    | Withdraw
    | Returning
    | Return
    | Paid
    | Outflow
    | Internal
    | Token
    | Pair
    | Rules
    | Checkpoint
    | Upgrade
)

KINDS: Final[dict[str, type[Line]]] = {kind.__name__.lower(): kind for kind in Line.__args__}
_CODEC: Final = LineCodec(KINDS)
encode = _CODEC.encode
parse = _CODEC.parse
accept_text = _CODEC.writer(Accept)
order_text = _CODEC.writer(Order)
trade_text = _CODEC.writer(Trade)
close_text = _CODEC.writer(Close)


class JournalEntry(NamedTuple):
    """All that one block did: the only output of the state machine."""

    header: BlockHeader
    text: str  # the block's journal text: its `block` line and the others; empty where nothing happened
    hash: str  # the journal hash after the block, 64 hex digits

    def lines(self) -> Iterator[Line]:
        """The lines after the `block` line, parsed."""
        return parse_lines(self.text)


def parse_lines(text: str) -> Iterator[Line]:
    """The lines of one block's text, its `block` line left out. Raises LineError."""
    return map(parse, text.split("\n")[1:-1])


def iso_time(timestamp: int) -> str:
    """Unix seconds as Hive writes times: ISO 8601 in UTC without a zone."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def block_text(header: BlockHeader, lines: Iterable[str]) -> str:
    """A block's journal text out of its encoded lines; empty where there are none."""
    body = "".join(lines)
    if not body:
        return ""
    return f"block {header.number} {header.block_id} {iso_time(header.timestamp)}\n{body}"


def block_header(text: str) -> BlockHeader:
    """The header in the first line of a block's journal text. Raises LineError."""
    words = text.partition("\n")[0].split(" ")
    if len(words) != 4 or words[0] != "block":
        raise LineError(f"not a block line: {words[:4]}")
    try:
        time = datetime.strptime(words[3], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
        return BlockHeader(int(words[1]), words[2], int(time.timestamp()))
    except ValueError as error:
        raise LineError(str(error)) from None


def chain_hash(previous: str, text: str) -> str:
    """The journal hash after a block with that text, 64 hex digits; unchanged where the text is empty."""
    if not text:
        return previous
    return sha256(f"{previous}\n{text}".encode()).hexdigest()
