"""Operator actions: listing, pair and venue settings, checkpoints, returns (protocol, section 8)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from settlement.core.codes import Code
from settlement.core.custody import return_withdrawal
from settlement.core.journal.entries import CheckpointClaim, OperatorActed
from settlement.core.order_book import Pair
from settlement.core.orders import close
from settlement.core.parsing.amounts import MAX_INTEGER, MAX_UNITS
from settlement.core.parsing.payload_reader import PayloadReader
from settlement.core.state import State
from settlement.core.venue import (
    CHAINS,
    MAX_FEE_BPS,
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
    possible_token,
)

_HASH: Final = re.compile(r"[0-9a-f]{64}")

Change = Callable[[], None]
"""Carries out an accepted action, after its journal entry was written."""

Handler = Callable[[State, str, PayloadReader, bool], Change | Code]
"""Decides an action. Arguments: state, action id, payload reader, whether the operator signed it."""


def apply_operator_action(
    state: State, action_id: str, name: str, reader: PayloadReader, *, is_operator: bool
) -> Code | None:
    """Decide an operator action and carry it out; the code where it is rejected."""
    decision = _HANDLERS[name](state, action_id, reader, is_operator)
    if isinstance(decision, Code):
        return decision
    state.changes.entries.append(OperatorActed(id=action_id, action=name))
    state.changes.rules_changed = True
    decision()
    return None


def _check_shape_and_authority(reader: PayloadReader, is_operator: bool) -> Code | None:
    """The first two checks of section 4."""
    if reader.invalid:
        return Code.E_INPUT
    return None if is_operator else Code.E_AUTH


def _list_token(state: State, _id: str, reader: PayloadReader, is_operator: bool) -> Change | Code:
    rules = TokenRules(
        symbol=reader.symbol("symbol"),
        precision=reader.integer("precision", 0, MAX_TOKEN_PRECISION),
        chain=reader.choice("chain", CHAINS),
        escrow=reader.account("escrow"),
    )
    code = _check_shape_and_authority(reader, is_operator)
    if code is not None:
        return code
    if rules.symbol in state.tokens or not possible_token(rules.symbol, rules.precision, rules.chain):
        return Code.E_TOKEN
    return lambda: state.add_token(rules)


def _list_pair(state: State, _id: str, reader: PayloadReader, is_operator: bool) -> Change | Code:
    rules = PairRules(
        base=reader.symbol("symbol"),
        quote=reader.symbol("quote"),
        price_decimals=reader.integer("priceDecimals", 0, MAX_PRICE_DECIMALS),
        quantity_decimals=reader.integer("quantityDecimals", MIN_QUANTITY_DECIMALS, MAX_INTEGER),
        maker_fee_bps=reader.optional_integer("makerFeeBps", 0, MAX_FEE_BPS) or 0,
        taker_fee_bps=reader.optional_integer("takerFeeBps", 0, MAX_FEE_BPS) or 0,
        price_policy=reader.choice("pricePolicy", PRICE_POLICIES, "maker"),
        self_trade=reader.choice("selfTrade", SELF_TRADE_POLICIES, "cancel_resting"),
    )
    if rules.base == rules.quote:
        reader.invalid = True
    code = _check_shape_and_authority(reader, is_operator)
    if code is not None:
        return code
    base, quote = state.tokens.get(rules.base), state.tokens.get(rules.quote)
    if base is None or quote is None:
        return Code.E_TOKEN
    if (rules.base, rules.quote) in state.pairs:
        return Code.E_PAIR
    if not decimals_fit(rules.price_decimals, rules.quantity_decimals, base.precision, quote.precision):
        return Code.E_INPUT
    return lambda: state.add_pair(rules)


def _update_pair(state: State, _id: str, reader: PayloadReader, is_operator: bool) -> Change | Code:
    key = (reader.symbol("symbol"), reader.symbol("quote"))
    maker_fee_bps = reader.optional_integer("makerFeeBps", 0, MAX_FEE_BPS)
    taker_fee_bps = reader.optional_integer("takerFeeBps", 0, MAX_FEE_BPS)
    price_policy = reader.optional_choice("pricePolicy", PRICE_POLICIES)
    self_trade = reader.optional_choice("selfTrade", SELF_TRADE_POLICIES)
    status = reader.optional_choice("status", PAIR_STATUSES)
    code = _check_shape_and_authority(reader, is_operator)
    if code is not None:
        return code
    pair = state.pairs.get(key)
    if pair is None:
        return Code.E_PAIR
    if pair.status == "closed":
        return Code.E_PAUSED

    def update() -> None:
        pair.maker_fee_bps = pair.maker_fee_bps if maker_fee_bps is None else maker_fee_bps
        pair.taker_fee_bps = pair.taker_fee_bps if taker_fee_bps is None else taker_fee_bps
        pair.price_policy = price_policy or pair.price_policy
        pair.self_trade = self_trade or pair.self_trade
        pair.status = status or pair.status
        if status == "closed":
            _cancel_orders_of(state, pair)

    return update


def _cancel_orders_of(state: State, pair: Pair) -> None:
    orders = [order for order in state.orders.values() if order.pair is pair]
    for order in sorted(orders, key=lambda order: order.seq):
        close(state, order, "cancelled")


def _update_venue(state: State, _id: str, reader: PayloadReader, is_operator: bool) -> Change | Code:
    max_open_orders = reader.optional_integer("maxOpenOrders", 1, MAX_OPEN_ORDERS)
    fee_account = reader.account("feeAccount") if reader.has("feeAccount") else None
    code = _check_shape_and_authority(reader, is_operator)
    if code is not None:
        return code

    def update() -> None:
        state.max_open_orders = max_open_orders or state.max_open_orders
        if fee_account is not None:
            state.fee_account = state.account(fee_account)

    return update


def _checkpoint(state: State, action_id: str, reader: PayloadReader, is_operator: bool) -> Change | Code:
    claim = CheckpointClaim(
        id=action_id,
        block=reader.integer("block", 0, MAX_INTEGER),
        state_hash=reader.text("stateHash", _is_hash),
        journal_hash=reader.text("journalHash", _is_hash),
    )
    code = _check_shape_and_authority(reader, is_operator)
    if code is not None:
        return code
    if claim.block > MAX_UNITS:
        return Code.E_RANGE
    return lambda: state.changes.checkpoints.append(claim)


def _is_hash(text: str) -> bool:
    return _HASH.fullmatch(text) is not None


def _return_withdrawal(state: State, _id: str, reader: PayloadReader, is_operator: bool) -> Change | Code:
    withdrawal_id = reader.text("id", lambda _: True)
    code = _check_shape_and_authority(reader, is_operator)
    if code is not None:
        return code
    withdrawal = state.withdrawals.by_id.get(withdrawal_id)
    if withdrawal is None:
        return Code.E_NOT_FOUND
    return lambda: return_withdrawal(state, withdrawal)


_HANDLERS: Final[dict[str, Handler]] = {
    "listToken": _list_token,
    "listPair": _list_pair,
    "updatePair": _update_pair,
    "updateVenue": _update_venue,
    "checkpoint": _checkpoint,
    "returnWithdrawal": _return_withdrawal,
}

OPERATOR_ACTIONS: Final = frozenset(_HANDLERS)
