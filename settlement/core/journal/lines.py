"""Journal lines: one NamedTuple a kind, and their text (protocol, section 11).

The journal is the only output of the rules: database rows, the live stream and audits are views of these
lines. Amounts are units, prices ticks, times Unix seconds; names, ids and free text are percent-encoded. `by`
says how an action was signed: `active`, `posting`, or the name of the grantee that acted.

Each kind is defined once, here: its fields, what they mean, and from them how it is encoded and parsed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, NamedTuple

from settlement.core.events import BlockHeader
from settlement.core.journal.codec import LineCodec, LineError


class Expire(NamedTuple):
    """The lifetime of an order or stop ended; its `close` follows."""

    id: str  # order or stop


class Timeout(NamedTuple):
    """A cancel-all timer fired; the closes of its orders follow."""

    account: str  # whose timer
    by: str  # how it was set


class Accept(NamedTuple):
    """An intent or operator action was accepted; its other lines follow."""

    id: str  # the action
    account: str  # the account acted for
    by: str  # how it was signed
    action: str  # its name; a flat intent's side
    ref: str | None  # the trader's reference


class Reject(NamedTuple):
    """An intent, operator action or fired stop was rejected; nothing else changed."""

    id: str  # the action
    account: str  # its signer; of a fired stop its owner
    action: str  # its name, `-` where that is no word of up to 32 letters
    ref: str | None  # the trader's reference
    code: str  # why, see `codes`


class Order(NamedTuple):
    """An order was accepted."""

    id: str  # the action's id; `<order id>~stop` for the order of a protective stop
    seq: int  # sequence number, shared with stops
    account: str  # its owner
    pair: str  # BASE/QUOTE
    side: str  # buy or sell
    type: str  # limit or market
    price: int | None  # limit price, or a market order's worst price
    quantity: int  # base units; quote units (the budget) of a market buy
    expiry: int | None  # when it expires; absent for market orders
    maker_fee_bps: int | None  # the pair's maker fee at acceptance; absent for market orders
    taker_fee_bps: int  # the pair's taker fee at acceptance
    settle: str  # venue or wallet
    stop_price: int | None  # trigger of its protective stop
    stop_limit: int | None  # worst price of its protective stop


class Stop(NamedTuple):
    """A stop was opened: an order that waits for its trigger."""

    id: str  # the action's id
    seq: int  # sequence number, shared with orders
    account: str  # its owner
    pair: str  # BASE/QUOTE
    side: str  # buy or sell
    type: str  # limit or market
    price: int | None  # limit price or worst price
    quantity: int  # base units; quote units (the budget) of a market buy
    expiry: int  # when it expires
    taker_fee_bps: int  # the pair's taker fee at acceptance
    when: str  # above or below: the side from which the mark reaches the trigger price
    trigger_price: int  # ticks
    time_in_force: str  # GTC, IOC or FOK
    post: str | None  # `post` for a post-only order


class Trigger(NamedTuple):
    """A stop, or an order's protective stop, fired."""

    id: str  # order or stop


class Trade(NamedTuple):
    """A fill."""

    n: int  # counts trades from 1
    taker: str  # the incoming order
    maker: str  # the resting order
    buyer: str  # account
    seller: str  # account
    pair: str  # BASE/QUOTE
    price: int  # ticks
    quantity: int  # base units
    quote_amount: int  # quote units
    buyer_fee: int  # base units
    seller_fee: int  # quote units


class Close(NamedTuple):
    """An order or stop closed."""

    id: str  # order or stop
    status: str  # filled, cancelled, expired or triggered
    released: int  # units that were still locked


class Timer(NamedTuple):
    """A cancel-all timer was set or disarmed."""

    account: str  # whose orders it cancels
    by: str  # how it was set
    due: int | None  # when it fires; absent where it was disarmed


class Grant(NamedTuple):
    """An account lets its posting key or another account trade for it."""

    account: str  # the granting account
    to: str  # `posting`, or an account
    until: int  # when it ends
    band_bps: int  # how far from the mark orders may be priced, in basis points
    pairs: str  # BASE/QUOTE texts, comma between, sorted
    per_day: str  # daily allowance as SYMBOL:units, comma between, by symbol


class Revoke(NamedTuple):
    """A grant was revoked."""

    account: str  # the granting account
    to: str  # `posting`, or an account


class Deposit(NamedTuple):
    """A deposit was credited."""

    id: str  # the movement
    account: str  # its sender
    symbol: str  # token
    amount: int  # units
    escrow: str  # the escrow account that received it


class Refund(NamedTuple):
    """A deposit that cannot be credited is due back to its sender."""

    id: str  # the movement
    account: str  # its sender
    symbol: str  # token
    quantity: str  # literal quantity
    escrow: str  # the escrow account in which it lies


class Ignore(NamedTuple):
    """An arrival for which nothing is due."""

    id: str  # the movement
    account: str  # its sender
    chain: str  # hive or hive-engine
    symbol: str  # token
    quantity: str  # literal quantity
    escrow: str  # the escrow account in which it lies


class Withdraw(NamedTuple):
    """A withdrawal was opened."""

    id: str  # the action, or `<order id>#<SYMBOL>` of a settlement to the wallet
    account: str  # its owner
    symbol: str  # token
    amount: int  # units
    to: str  # recipient
    memo: str | None  # the memo of its payment, where the trader gave one


class Returning(NamedTuple):
    """A withdrawal will be returned unless it is paid before."""

    id: str  # withdrawal
    due: int  # when it is returned


class Return(NamedTuple):
    """A withdrawal was returned to the available balance."""

    id: str  # withdrawal


class Paid(NamedTuple):
    """A withdrawal or refund was paid."""

    id: str  # withdrawal or refund
    movement: str  # the movement that paid it


class Outflow(NamedTuple):
    """Money left an escrow account and settles nothing."""

    id: str  # the movement
    escrow: str  # the escrow account
    chain: str  # hive or hive-engine
    symbol: str  # token
    amount: str  # units by which holdings fell, rounded up; `=` and the literal where they did not
    to: str  # recipient


class Internal(NamedTuple):
    """Money moved between two escrow accounts."""

    id: str  # the movement
    sender: str  # escrow account
    recipient: str  # escrow account
    chain: str  # hive or hive-engine
    symbol: str  # token
    amount: str  # units by which holdings changed; `=` and the literal where they did not


class Token(NamedTuple):
    """A listed token."""

    symbol: str  # token
    precision: int  # decimals of a unit
    escrow: str  # the account that holds its deposits
    min_withdrawal: int  # units


class Pair(NamedTuple):
    """A listed pair, as it stands."""

    pair: str  # BASE/QUOTE
    price_decimals: int  # a tick is 10^-price_decimals quote per base
    quantity_decimals: int  # a lot is 10^-quantity_decimals base
    maker_fee_bps: int  # basis points
    taker_fee_bps: int  # basis points
    price_policy: str  # maker, ask, bid or midpoint
    self_trade: str  # cancel_resting, cancel_incoming or allow
    status: str  # active, paused or closed


class Rules(NamedTuple):
    """The venue's settings, as they stand."""

    max_open_orders: int  # orders and stops of an account
    fee_account: str  # the account that receives fees


class Checkpoint(NamedTuple):
    """A public claim about a past block."""

    block: int  # its number
    state_hash: str  # 64 hex digits
    journal_hash: str  # 64 hex digits


class Upgrade(NamedTuple):
    """A protocol upgrade was announced; all fields are absent where the announcement was withdrawn."""

    protocol: int | None  # its number
    text: str | None  # SHA-256 of its text
    block: int | None  # the first block under it


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
    return datetime.fromtimestamp(timestamp, UTC).isoformat().removesuffix("+00:00")


def block_line(number: int, block_id: str | None, timestamp: int) -> str:
    """The `block` line of a block's journal text or of a state text, without its LF."""
    return f"block {number} {block_id} {iso_time(timestamp)}"


def block_text(header: BlockHeader, lines: Iterable[str]) -> str:
    """A block's journal text out of its encoded lines; empty where there are none."""
    body = "".join(lines)
    if not body:
        return ""
    return f"{block_line(header.number, header.block_id, header.timestamp)}\n{body}"


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
