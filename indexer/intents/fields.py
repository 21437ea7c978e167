"""Fields of actions' payloads, each with help, its rule in words, and a valid value (protocol, 5 to 9)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Literal

Kind = Literal["text", "amount", "integer", "time", "flag", "pairs", "amounts"]
"""How a value is given: `time` is Unix seconds, `pairs` a list, `amounts` an object of decimals by symbol."""
Unit = Literal["", "price", "base", "quote", "token"]
"""What an amount's decimals depend on: the pair's ticks or lots, its quote token, or the token `symbol`."""

_DECIMAL: Final = "must be a decimal above zero, such as 12.5, without sign or exponent"
_SYMBOL: Final = "must be a symbol in capital letters, such as PEK or SWAP.HIVE"
_HASH: Final = "must be 64 lower-case hex digits"
_BPS: Final = "must be an integer from 0 to 1000 (basis points: 20 is 0.2 %)"
_LIFETIME: Final = (
    "Seconds until it expires, such as 3600; at most the venue's order_lifetime, which is the default."
)

ORDER_ID: Final = "0123456789abcdef0123456789abcdef01234567"
A_HASH: Final = "0" * 64
_CAPITAL: Final = re.compile("[A-Z]")


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a payload."""

    key: str
    help: str  # one sentence, with an example value
    rule: str  # what a valid value is; it follows the invalid one in an error
    sample: object  # a valid value
    kind: Kind = "text"
    unit: Unit = ""
    choices: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()  # keys without which it is not valid

    @property
    def option(self) -> str:
        """Name of its command line option, without the dashes."""
        return with_dashes({"pairs": "pair"}.get(self.key, self.key))

    def but(self, **changes: object) -> Field:
        """The field with other help, rule or needs, as another action has it."""
        return replace(self, **changes)  # type: ignore[arg-type]


def with_dashes(name: str) -> str:
    """A name like `marketBuy` as commands and options are spelled: `market-buy`."""
    return _CAPITAL.sub(lambda letter: f"-{letter[0].lower()}", name)


def _choice(key: str, help_text: str, *choices: str, needs: tuple[str, ...] = ()) -> Field:
    return Field(
        key,
        help_text,
        f"must be {', '.join(choices[:-1])} or {choices[-1]}",
        choices[0],
        choices=choices,
        needs=needs,
    )


SYMBOL: Final = Field("symbol", "Base token of the pair, such as PEK.", _SYMBOL, "A")
TOKEN: Final = SYMBOL.but(help="Token or coin, such as PEK or HBD.")
QUOTE: Final = Field(
    "quote", "Quote token of the pair, such as SWAP.BTC; SWAP.HIVE by default.", _SYMBOL, "A"
)
QUANTITY: Final = Field(
    "quantity", "Quantity of base, such as 1000.", _DECIMAL, "1", kind="amount", unit="base"
)
PRICE: Final = Field(
    "price", "Limit price in quote per base, such as 0.0004.", _DECIMAL, "1", kind="amount", unit="price"
)
EXPIRATION: Final = Field(
    "expiration", _LIFETIME, "must be a number of seconds of at least 1", 60, kind="integer"
)
TIME_IN_FORCE: Final = _choice(
    "timeInForce", "Time in force, such as IOC; GTC by default.", "GTC", "IOC", "FOK"
)
POST_ONLY: Final = Field(
    "postOnly",
    "Reject the order if it would execute immediately.",
    "must be true or false",
    False,
    kind="flag",
)
SETTLE: Final = _choice(
    "settle", "Where proceeds go when the order closes, such as wallet; venue by default.", "venue", "wallet"
)
MAX_FEE_BPS: Final = Field(
    "maxFeeBps", "Highest taker fee you accept, in basis points, such as 20.", _BPS, 1000, kind="integer"
)
TRIGGER_PRICE: Final = Field(
    "triggerPrice",
    "Make it a stop: it becomes an order when the mark reaches this price, such as 0.0005.",
    _DECIMAL,
    "1",
    kind="amount",
    unit="price",
    needs=("triggerWhen",),
)
TRIGGER_WHEN: Final = _choice(
    "triggerWhen",
    "Side of the trigger price that fires the stop, such as above.",
    "above",
    "below",
    needs=("triggerPrice",),
)
STOP_PRICE: Final = Field(
    "stopPrice",
    "Protective stop: at this mark price, such as 0.0003, the resting order becomes a market order.",
    _DECIMAL,
    "1",
    kind="amount",
    unit="price",
    needs=("stopLimit",),
)
STOP_LIMIT: Final = Field(
    "stopLimit",
    "Worst price of the protective stop's market order, such as 0.00025.",
    _DECIMAL,
    "1",
    kind="amount",
    unit="price",
    needs=("stopPrice",),
)
FOR: Final = Field(
    "for",
    "Act for this account, such as alice, which has granted it to the signer.",
    "must be the name of another Hive account",
    "account-acted-for",
)
ID: Final = Field("id", "Id of an open order or stop, such as 0f3c…e1.", "must be an order id", ORDER_ID)
WITHDRAWAL_ID: Final = ID.but(
    help="Id of a pending withdrawal, such as 0f3c…e1.", rule="must be a withdrawal id"
)
SECONDS: Final = Field(
    "seconds",
    "Seconds until your orders are cancelled, such as 60; 0 disarms.",
    "must be 0, or 15 to 86400 seconds",
    60,
    kind="integer",
)
TO: Final = Field(
    "to",
    "Recipient, such as alice; the account itself by default.",
    "must be a Hive account name, and no escrow account of the venue",
    "a-recipient",
)
MEMO: Final = Field(
    "memo",
    "Memo of the payment, such as rent.",
    "must be 1 to 256 characters, no control characters, not begin with # or peakedex:, and for HIVE and HBD "
    "not with { or [",
    "-",
)
GRANTEE: Final = Field(
    "to",
    "Who may trade: an account, such as alice.bot, or the word posting for your own posting key.",
    "must be another Hive account, or the word posting",
    "posting",
)
PAIRS: Final = Field(
    "pairs",
    "A pair it may trade, such as PEK/SWAP.HIVE; repeat for up to 20.",
    "must be 1 to 20 different pairs, each as BASE/QUOTE",
    ["A/B"],
    kind="pairs",
)
PER_DAY: Final = Field(
    "perDay",
    "Most of a token that its orders may lock a day (UTC), such as SWAP.HIVE=100; repeat for up to 20.",
    "must be 1 to 20 amounts, each as SYMBOL=AMOUNT",
    {"A": "1"},
    kind="amounts",
)
BAND_BPS: Final = Field(
    "bandBps",
    "How far its prices may be worse than the mark, in basis points, such as 200.",
    "must be an integer from 0 to 10000 (basis points: 200 is 2 %)",
    0,
    kind="integer",
)
UNTIL: Final = Field(
    "until",
    "When the grant ends: 30d, 12h, or Unix seconds such as 1800000000; at most 90 days ahead.",
    "must be after the current time and at most 90 days (7,776,000 seconds) ahead",
    0,
    kind="time",
)
NOT_AFTER: Final = Field(
    "notAfter",
    "Deadline: 60s, 5m, or Unix seconds such as 1800000000; it has no effect in a later block.",
    "must be a time in Unix seconds",
    0,
    kind="time",
)
REF: Final = Field(
    "ref", "Your own reference, such as my-1.", "must be 1 to 32 of A-Z a-z 0-9 . _ -, and not only -", "ref"
)

# -- the operator's --------------------------------------------------------------------------------

PRECISION: Final = Field(
    "precision",
    "Decimals of the token, such as 8.",
    "must be 0 to 8, and 3 for HIVE and HBD",
    3,
    kind="integer",
)
ESCROW: Final = Field(
    "escrow",
    "Account that holds its deposits, such as peakedex.hive.",
    "must be an escrow account that the venue has already",
    "",
)
MIN_WITHDRAWAL: Final = Field(
    "minWithdrawal", "Smallest withdrawal, such as 0.01.", _DECIMAL, "1", kind="amount", unit="token"
)
PRICE_DECIMALS: Final = Field(
    "priceDecimals", "Decimals of a price, such as 6.", "must be an integer from 0 to 18", 0, kind="integer"
)
QUANTITY_DECIMALS: Final = Field(
    "quantityDecimals",
    "Decimals of a quantity, such as 2; -3 means lots of 1,000.",
    "must be an integer from -12 to 8",
    0,
    kind="integer",
)
MAKER_FEE_BPS: Final = Field("makerFeeBps", "Maker fee in basis points, such as 5.", _BPS, 0, kind="integer")
TAKER_FEE_BPS: Final = Field("takerFeeBps", "Taker fee in basis points, such as 20.", _BPS, 0, kind="integer")
PRICE_POLICY: Final = _choice(
    "pricePolicy", "Whose price a trade has, such as maker.", "maker", "ask", "bid", "midpoint"
)
SELF_TRADE: Final = _choice(
    "selfTrade",
    "What happens when an account meets its own order, such as cancel_resting.",
    "cancel_resting",
    "cancel_incoming",
    "allow",
)
STATUS: Final = _choice(
    "status",
    "active, paused, or closed, which is final and cancels all orders.",
    "active",
    "paused",
    "closed",
)
MAX_OPEN_ORDERS: Final = Field(
    "maxOpenOrders",
    "Open orders and stops an account may have, such as 200.",
    "must be an integer from 1 to 10000",
    200,
    kind="integer",
)
FEE_ACCOUNT: Final = Field(
    "feeAccount",
    "Account that receives the fees, such as peakecoin.fees.",
    "must be a Hive account name, and no escrow account of the venue",
    "a-fee-account",
)
BLOCK: Final = Field(
    "block",
    "Number of a block, such as 101000000.",
    "must be a block number of at least 0",
    0,
    kind="integer",
)
UPGRADE_BLOCK: Final = BLOCK.but(
    help="First block of the new protocol, such as 110000000, at least 200,000 ahead; 0 takes it back.",
    rule="must be 0, or at least 200,000 above the current block and below 2^32",
)
STATE_HASH: Final = Field(
    "stateHash", "State hash at that block: 64 hex digits, such as 9f2e….", _HASH, A_HASH
)
JOURNAL_HASH: Final = Field(
    "journalHash", "Journal hash at that block: 64 hex digits, such as 03ab….", _HASH, A_HASH
)
PROTOCOL: Final = Field(
    "protocol",
    "Number of the protocol, such as 3.",
    "must be an integer from 3 to 1000000",
    3,
    kind="integer",
)
TEXT: Final = Field("text", "SHA-256 of that protocol's text: 64 hex digits, such as 5d41….", _HASH, A_HASH)
