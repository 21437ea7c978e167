"""All actions of the protocol with the fields of their payloads (sections 5, 6 and 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from indexer.intents import fields
from indexer.intents.fields import Field

_STOP: Final = (fields.TRIGGER_PRICE, fields.TRIGGER_WHEN)
_PROTECTIVE: Final = (fields.STOP_PRICE, fields.STOP_LIMIT)
_PAIR_CHOICES: Final = (fields.MAKER_FEE_BPS, fields.TAKER_FEE_BPS, fields.PRICE_POLICY, fields.SELF_TRADE)
_SOME_ID: Final = "0f3c…e1"


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One action."""

    name: str  # `contractAction`
    summary: str  # one sentence
    example: str  # options of an example call
    required: tuple[Field, ...] = ()
    optional: tuple[Field, ...] = ()
    by_grant: bool = False  # possible under a grant: with the posting key, or `for` another account
    by_operator: bool = False
    needed: tuple[tuple[str, object], ...] = ()  # further keys of the shortest valid payload
    together: tuple[str, str] = ("intent", "these values are not possible together")
    """Fields and reason of an invalid payload whose fields are all valid, each by itself and in pairs."""

    @property
    def command(self) -> str:
        """Name of its command, such as `market-buy`."""
        return fields.with_dashes(self.name)

    @property
    def fields(self) -> tuple[Field, ...]:
        """All fields, those that every action has last."""
        principal = (fields.FOR,) if self.by_grant else ()
        return (*self.required, *self.optional, *principal, fields.NOT_AFTER, fields.REF)

    def field(self, key: str) -> Field:
        """The field of that key. Raises StopIteration."""
        return next(field for field in self.fields if field.key == key)

    def shortest(self) -> dict[str, object]:
        """The shortest valid payload."""
        return {field.key: field.sample for field in self.required} | dict(self.needed)


_LIMIT: Final = (
    (fields.SYMBOL, fields.QUANTITY, fields.PRICE),
    (
        *(
            fields.QUOTE,
            fields.EXPIRATION,
            fields.TIME_IN_FORCE,
            fields.POST_ONLY,
            fields.SETTLE,
            fields.MAX_FEE_BPS,
        ),
        *_STOP,
        *_PROTECTIVE,
    ),
)
_WORST_PRICE: Final = fields.PRICE.but(
    help="Worst acceptable price, such as 0.0005; no limit by default, required with a trigger."
)
_MARKET_STOP: Final = (
    fields.TRIGGER_PRICE.but(needs=("triggerWhen", "price")),
    fields.TRIGGER_WHEN.but(needs=("triggerPrice", "price")),
    fields.EXPIRATION.but(help=f"Of a stop: {fields.EXPIRATION.help[0].lower()}{fields.EXPIRATION.help[1:]}"),
)
_MARKET: Final = (fields.QUOTE, _WORST_PRICE, fields.SETTLE, fields.MAX_FEE_BPS, *_MARKET_STOP)
_BUDGET: Final = fields.QUANTITY.but(help="Amount of quote to spend, such as 0.5.", unit="quote")

TRADERS: Final = (
    ActionSpec(
        "buy",
        "Place a limit order to buy, or a stop that becomes one.",
        "--symbol PEK --quantity 100 --price 0.0004",
        *_LIMIT,
        by_grant=True,
    ),
    ActionSpec(
        "sell",
        "Place a limit order to sell, or a stop that becomes one.",
        "--symbol PEK --quantity 100 --price 0.0005 --stop-price 0.0003 --stop-limit 0.00025",
        *_LIMIT,
        by_grant=True,
    ),
    ActionSpec(
        "marketBuy",
        "Place a market order to buy for an amount of quote, or a stop that becomes one.",
        "--symbol PEK --quantity 0.5 --price 0.0005",
        (fields.SYMBOL, _BUDGET),
        _MARKET,
        by_grant=True,
    ),
    ActionSpec(
        "marketSell",
        "Place a market order to sell a quantity of base, or a stop that becomes one.",
        "--symbol PEK --quantity 100 --price 0.0002 --trigger-price 0.0003 --trigger-when below",
        (fields.SYMBOL, fields.QUANTITY),
        _MARKET,
        by_grant=True,
    ),
    ActionSpec("cancel", "Cancel an open order or stop.", f"--id {_SOME_ID}", (fields.ID,), by_grant=True),
    ActionSpec(
        "cancelAll",
        "Cancel all open orders and stops, or those of a base or quote.",
        "--symbol PEK",
        (),
        (
            fields.SYMBOL.but(help="Only orders with this base, such as PEK."),
            fields.QUOTE.but(help="Only orders with this quote, such as SWAP.BTC."),
        ),
        by_grant=True,
    ),
    ActionSpec(
        "replace",
        "Replace an open order by one with another quantity, price or protective stop, in one step.",
        f"--id {_SOME_ID} --price 0.0006",
        (fields.ID.but(help="Id of an open order, such as 0f3c…e1."),),
        (
            fields.QUANTITY.but(help="New quantity of base, such as 900; what remains by default."),
            fields.PRICE.but(help="New limit price, such as 0.0006; the old one by default."),
            *_PROTECTIVE,
            fields.MAX_FEE_BPS,
        ),
        by_grant=True,
        needed=(("price", "1"),),
        together=("quantity, price, stop-price", "at least one of them is required"),
    ),
    ActionSpec(
        "cancelAllAfter",
        "Cancel all orders after some seconds, unless sent again before: a dead man's switch.",
        "--seconds 60",
        (fields.SECONDS,),
        by_grant=True,
    ),
    ActionSpec(
        "withdraw",
        "Withdraw from the venue.",
        "--symbol PEK --quantity all",
        (
            fields.TOKEN,
            fields.QUANTITY.but(
                help="Amount, such as 12.5, or all.",
                rule="must be the word all, or a decimal above zero, such as 12.5",
                unit="token",
            ),
        ),
        (fields.TO, fields.MEMO),
        together=("account", "an escrow account cannot withdraw to itself: use --to"),
    ),
    ActionSpec(
        "cancelWithdrawal",
        "Take back a withdrawal that is not paid yet; the amount is available again an hour later.",
        f"--id {_SOME_ID}",
        (fields.WITHDRAWAL_ID,),
    ),
    ActionSpec(
        "grant",
        "Let your posting key or another account trade for you, within limits; it can take nothing out.",
        "--to posting --pair PEK/SWAP.HIVE --per-day SWAP.HIVE=100 --per-day PEK=50000 --band-bps 200 "
        "--until 30d",
        (fields.GRANTEE, fields.PAIRS, fields.PER_DAY, fields.BAND_BPS, fields.UNTIL),
    ),
    ActionSpec(
        "revoke",
        "End a grant.",
        "--to posting",
        (fields.GRANTEE.but(help="Whose grant ends, such as alice.bot, or posting."),),
    ),
)

OPERATORS: Final = (
    ActionSpec(
        "listToken",
        "Operator: list a token.",
        "--symbol BEE --precision 8 --escrow peakedex.hive --min-withdrawal 0.1",
        (fields.TOKEN, fields.PRECISION, fields.ESCROW, fields.MIN_WITHDRAWAL),
        by_operator=True,
        together=("precision", "must be 3 for HIVE and HBD"),
    ),
    ActionSpec(
        "listPair",
        "Operator: list a pair.",
        "--symbol PIMP --quote SWAP.HIVE --price-decimals 6 --quantity-decimals 2",
        (
            fields.SYMBOL,
            fields.QUOTE.but(help="Quote token of the pair, such as SWAP.HIVE."),
            fields.PRICE_DECIMALS,
            fields.QUANTITY_DECIMALS,
        ),
        _PAIR_CHOICES,
        by_operator=True,
        together=(
            "price-decimals, quantity-decimals",
            "the tokens must differ, quantity-decimals be at most the base's precision, and both together "
            "at most the quote's",
        ),
    ),
    ActionSpec(
        "updatePair",
        "Operator: change a pair's fees, policies or status.",
        "--symbol PEK --quote SWAP.HIVE --status paused",
        (fields.SYMBOL, fields.QUOTE.but(help="Quote token of the pair, such as SWAP.HIVE.")),
        (*_PAIR_CHOICES, fields.STATUS),
        by_operator=True,
    ),
    ActionSpec(
        "updateVenue",
        "Operator: change the limit of open orders or the fee account.",
        "--max-open-orders 300",
        (),
        (fields.MAX_OPEN_ORDERS, fields.FEE_ACCOUNT),
        by_operator=True,
    ),
    ActionSpec(
        "checkpoint",
        "Operator or checkpoint account: publish the hashes of a block.",
        f"--block 101000000 --state-hash {'9' * 64} --journal-hash {'0' * 64}",
        (fields.BLOCK, fields.STATE_HASH, fields.JOURNAL_HASH),
        by_operator=True,
    ),
    ActionSpec(
        "returnWithdrawal",
        "Operator: return a withdrawal that cannot be paid; the amount is available again an hour later.",
        f"--id {_SOME_ID}",
        (fields.WITHDRAWAL_ID,),
        by_operator=True,
    ),
    ActionSpec(
        "upgrade",
        "Operator: announce the block from which another protocol holds.",
        f"--protocol 3 --text {'5' * 64} --block 110000000",
        (fields.PROTOCOL, fields.TEXT, fields.UPGRADE_BLOCK),
        by_operator=True,
    ),
)

ACTIONS: Final[Mapping[str, ActionSpec]] = {spec.name: spec for spec in (*TRADERS, *OPERATORS)}
"""Every action by its name."""
