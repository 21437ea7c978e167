"""Operator actions: listing, pair and venue settings, checkpoints, returns, upgrades (protocol, section 9).

A request is read first (shape, grammar and range), then checked against the state and carried out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from settlement.core.codes import Code
from settlement.core.custody import find_withdrawal, start_return
from settlement.core.journal import lines
from settlement.core.parsing.amounts import MAX_UNITS, Decimal, to_units
from settlement.core.parsing.intents import MAX_FEE_BPS
from settlement.core.parsing.names import NATIVE_COINS, NATIVE_PRECISION
from settlement.core.parsing.payload_reader import PayloadReader
from settlement.core.state import State
from settlement.core.trading.closing import close_any
from settlement.core.trading.order_book import Pair
from settlement.core.venue import (
    MAX_BLOCK,
    MAX_OPEN_ORDERS,
    MAX_PRICE_DECIMALS,
    MAX_TOKEN_PRECISION,
    MIN_QUANTITY_DECIMALS,
    PAIR_STATUSES,
    PRICE_POLICIES,
    SELF_TRADE_POLICIES,
    PairRules,
    TokenRules,
    decimals_fit,
)

MIN_UPGRADE_PROTOCOL: Final = 3
MAX_UPGRADE_PROTOCOL: Final = 1_000_000
UPGRADE_NOTICE_BLOCKS: Final = 200_000
_HASH: Final = re.compile(r"[0-9a-f]{64}")

Effect = Callable[[], None]
"""Carries out an accepted action, after its `accept` line was written."""


class Place(NamedTuple):
    """The block in which an operator action stands."""

    now: int  # the block's time, Unix seconds
    block: int


def decide(state: State, name: str, reader: PayloadReader, place: Place) -> Callable[[], Effect | Code]:
    """Read an operator action; bad values make `reader.invalid` true.

    Returns checks 4 to 6 of section 5, whose result is the code of a rejection, or what carries it out.
    """
    return _READERS[name](state, reader, place)


def _list_token(state: State, reader: PayloadReader, _: Place) -> Callable[[], Effect | Code]:
    symbol = reader.symbol("symbol")
    precision = reader.integer("precision", 0, MAX_TOKEN_PRECISION)
    escrow = reader.account("escrow")
    minimum = reader.amount("minWithdrawal")
    if symbol in NATIVE_COINS and precision != NATIVE_PRECISION:
        reader.invalid = True
    if escrow not in state.venue_filter.escrows:
        reader.invalid = True

    def check() -> Effect | Code:
        if symbol in state.tokens:
            return Code.E_TOKEN
        units = _units(minimum, precision)
        if isinstance(units, Code):
            return units
        rules = TokenRules(symbol=symbol, precision=precision, escrow=escrow, min_withdrawal=units)

        def list_token() -> None:
            state.add_token(rules)
            state.changes.journal.append(rules.line())

        return list_token

    return check


def _units(amount: Decimal, precision: int) -> int | Code:
    units = to_units(amount, precision)
    if units is None:
        return Code.E_PRECISION
    return units if units <= MAX_UNITS else Code.E_RANGE


def _list_pair(state: State, reader: PayloadReader, _: Place) -> Callable[[], Effect | Code]:
    rules = PairRules(
        base=reader.symbol("symbol"),
        quote=reader.symbol("quote"),
        price_decimals=reader.integer("priceDecimals", 0, MAX_PRICE_DECIMALS),
        quantity_decimals=reader.integer("quantityDecimals", MIN_QUANTITY_DECIMALS, MAX_TOKEN_PRECISION),
        maker_fee_bps=reader.optional_integer("makerFeeBps", 0, MAX_FEE_BPS) or 0,
        taker_fee_bps=reader.optional_integer("takerFeeBps", 0, MAX_FEE_BPS) or 0,
        price_policy=reader.choice("pricePolicy", PRICE_POLICIES, "maker"),
        self_trade=reader.choice("selfTrade", SELF_TRADE_POLICIES, "cancel_resting"),
    )

    def check() -> Effect | Code:
        base, quote = state.tokens.get(rules.base), state.tokens.get(rules.quote)
        if base is None or quote is None:
            return Code.E_TOKEN
        if rules.name in state.pairs:
            return Code.E_PAIR
        fits = decimals_fit(
            price_decimals=rules.price_decimals,
            quantity_decimals=rules.quantity_decimals,
            base_precision=base.precision,
            quote_precision=quote.precision,
        )
        if base is quote or not fits:
            return Code.E_INPUT

        def list_pair() -> None:
            state.add_pair(rules)
            state.changes.journal.append(rules.line())

        return list_pair

    return check


def _update_pair(state: State, reader: PayloadReader, _: Place) -> Callable[[], Effect | Code]:
    name = f"{reader.symbol('symbol')}/{reader.symbol('quote')}"
    maker_fee_bps = reader.optional_integer("makerFeeBps", 0, MAX_FEE_BPS)
    taker_fee_bps = reader.optional_integer("takerFeeBps", 0, MAX_FEE_BPS)
    price_policy = reader.optional_choice("pricePolicy", PRICE_POLICIES)
    self_trade = reader.optional_choice("selfTrade", SELF_TRADE_POLICIES)
    status = reader.optional_choice("status", PAIR_STATUSES)

    def check() -> Effect | Code:
        pair = state.pairs.get(name)
        if pair is None:
            return Code.E_PAIR
        if pair.status == "closed":
            return Code.E_PAUSED

        def update() -> None:
            if status == "active" and pair.status != "active":
                state.changes.traded[pair.name] = pair
            pair.maker_fee_bps = pair.maker_fee_bps if maker_fee_bps is None else maker_fee_bps
            pair.taker_fee_bps = pair.taker_fee_bps if taker_fee_bps is None else taker_fee_bps
            pair.price_policy = price_policy or pair.price_policy
            pair.self_trade = self_trade or pair.self_trade
            pair.status = status or pair.status
            state.changes.journal.append(pair_rules(pair).line())
            if status == "closed":
                for waiting in pair.open_orders():
                    close_any(state, waiting, "cancelled")

        return update

    return check


def pair_rules(pair: Pair) -> PairRules:
    """The rules of a pair as they stand."""
    return PairRules(
        base=pair.base.symbol,
        quote=pair.quote.symbol,
        price_decimals=pair.price_decimals,
        quantity_decimals=pair.quantity_decimals,
        maker_fee_bps=pair.maker_fee_bps,
        taker_fee_bps=pair.taker_fee_bps,
        price_policy=pair.price_policy,
        self_trade=pair.self_trade,
        status=pair.status,
    )


def _update_venue(state: State, reader: PayloadReader, _: Place) -> Callable[[], Effect | Code]:
    max_open_orders = reader.optional_integer("maxOpenOrders", 1, MAX_OPEN_ORDERS)
    fee_account = reader.account("feeAccount") if reader.has("feeAccount") else None
    if fee_account in state.venue_filter.escrows:
        reader.invalid = True

    def update() -> None:
        state.max_open_orders = max_open_orders or state.max_open_orders
        if fee_account is not None:
            state.fee_account = state.account(fee_account)
        state.write(lines.Rules(state.max_open_orders, state.fee_account.name))

    return lambda: update


def _checkpoint(state: State, reader: PayloadReader, _: Place) -> Callable[[], Effect | Code]:
    line = lines.Checkpoint(
        block=reader.integer("block", 0, MAX_UNITS),
        state_hash=reader.text("stateHash", _is_hash),
        journal_hash=reader.text("journalHash", _is_hash),
    )
    return lambda: lambda: state.write(line)


def _is_hash(text: str) -> bool:
    return _HASH.fullmatch(text) is not None


def _return_withdrawal(state: State, reader: PayloadReader, place: Place) -> Callable[[], Effect | Code]:
    withdrawal_id = reader.text("id", lambda _: True)

    def check() -> Effect | Code:
        withdrawal = find_withdrawal(state, withdrawal_id)
        if isinstance(withdrawal, Code):
            return withdrawal
        return lambda: start_return(state, withdrawal, place.now)

    return check


def _upgrade(state: State, reader: PayloadReader, place: Place) -> Callable[[], Effect | Code]:
    protocol = reader.integer("protocol", MIN_UPGRADE_PROTOCOL, MAX_UPGRADE_PROTOCOL)
    text = reader.text("text", _is_hash)
    block = reader.integer("block", 0, MAX_BLOCK)
    if 0 < block < place.block + UPGRADE_NOTICE_BLOCKS:
        reader.invalid = True
    line = lines.Upgrade(protocol, text, block) if block else lines.Upgrade(None, None, None)

    def announce() -> None:
        state.upgrade = line if block else None
        state.write(line)

    return lambda: announce


_READERS: Final[dict[str, Callable[[State, PayloadReader, Place], Callable[[], Effect | Code]]]] = {
    "listToken": _list_token,
    "listPair": _list_pair,
    "updatePair": _update_pair,
    "updateVenue": _update_venue,
    "checkpoint": _checkpoint,
    "returnWithdrawal": _return_withdrawal,
    "upgrade": _upgrade,
}

OPERATOR_ACTIONS: Final = frozenset(_READERS)


def may_act(state: State, name: str, *, signer: str, active: bool) -> bool:
    """Whether the signer may do that operator action (section 9)."""
    venue = state.venue
    return active and (
        signer == venue.operator or (name == "checkpoint" and signer == venue.checkpoint_account)
    )
