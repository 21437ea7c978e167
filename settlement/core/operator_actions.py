"""What the operator may do, and only in the open: signed actions on the chain (protocol, section 8)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from settlement.core.codes import Code
from settlement.core.custody import return_withdrawal
from settlement.core.journal.effects import CheckpointClaimed, OperatorActed
from settlement.core.model import Pair
from settlement.core.orders import close
from settlement.core.parsing.amounts import MAX_INTEGER, MAX_UNITS
from settlement.core.parsing.payload import Fields
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

Do = Callable[[], None]
"""Carries an accepted action out; its journal line comes first."""


def act(state: State, action_id: str, name: str, fields: Fields, authorised: bool) -> Code | None:
    """Decide and carry out an operator action; the code where it is rejected."""
    decided = _ACTIONS[name](state, action_id, fields, authorised)
    if isinstance(decided, Code):
        return decided
    state.out.effects.append(OperatorActed(action_id, name))
    state.out.rules_changed = True
    decided()
    return None


def _refused(fields: Fields, authorised: bool) -> Code | None:
    """The first two checks of section 4: shape, then authority."""
    if fields.bad:
        return Code.E_INPUT
    return None if authorised else Code.E_AUTH


def _list_token(state: State, _id: str, fields: Fields, authorised: bool) -> Do | Code:
    rules = TokenRules(
        fields.symbol("symbol"),
        fields.integer("precision", 0, MAX_TOKEN_PRECISION),
        fields.choice("chain", CHAINS),
        fields.account("escrow"),
    )
    code = _refused(fields, authorised)
    if code is not None:
        return code
    if rules.symbol in state.tokens or not possible_token(rules.symbol, rules.precision, rules.chain):
        return Code.E_TOKEN
    return lambda: void(state.add_token(rules))


def _list_pair(state: State, _id: str, fields: Fields, authorised: bool) -> Do | Code:
    rules = PairRules(
        fields.symbol("symbol"),
        fields.symbol("quote"),
        fields.integer("priceDecimals", 0, MAX_PRICE_DECIMALS),
        fields.integer("quantityDecimals", MIN_QUANTITY_DECIMALS, MAX_INTEGER),
        fields.optional_integer("makerFeeBps", 0, MAX_FEE_BPS) or 0,
        fields.optional_integer("takerFeeBps", 0, MAX_FEE_BPS) or 0,
        fields.choice("pricePolicy", PRICE_POLICIES, "maker"),
        fields.choice("selfTrade", SELF_TRADE_POLICIES, "cancel_resting"),
    )
    if rules.base == rules.quote:
        fields.bad = True
    code = _refused(fields, authorised)
    if code is not None:
        return code
    base, quote = state.tokens.get(rules.base), state.tokens.get(rules.quote)
    if base is None or quote is None:
        return Code.E_TOKEN
    if (rules.base, rules.quote) in state.pairs:
        return Code.E_PAIR
    if not decimals_fit(rules.price_decimals, rules.quantity_decimals, base.precision, quote.precision):
        return Code.E_INPUT
    return lambda: void(state.add_pair(rules))


def _update_pair(state: State, _id: str, fields: Fields, authorised: bool) -> Do | Code:
    key = (fields.symbol("symbol"), fields.symbol("quote"))
    maker_fee_bps = fields.optional_integer("makerFeeBps", 0, MAX_FEE_BPS)
    taker_fee_bps = fields.optional_integer("takerFeeBps", 0, MAX_FEE_BPS)
    price_policy = fields.choice("pricePolicy", PRICE_POLICIES, "") or None
    self_trade = fields.choice("selfTrade", SELF_TRADE_POLICIES, "") or None
    status = fields.choice("status", PAIR_STATUSES, "") or None
    code = _refused(fields, authorised)
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


def _update_venue(state: State, _id: str, fields: Fields, authorised: bool) -> Do | Code:
    max_open_orders = fields.optional_integer("maxOpenOrders", 1, MAX_OPEN_ORDERS)
    fee_account = fields.account("feeAccount") if fields.has("feeAccount") else None
    code = _refused(fields, authorised)
    if code is not None:
        return code

    def update() -> None:
        state.max_open_orders = max_open_orders or state.max_open_orders
        if fee_account is not None:
            state.fee_account = state.account(fee_account)

    return update


def _checkpoint(state: State, action_id: str, fields: Fields, authorised: bool) -> Do | Code:
    block = fields.integer("block", 0, MAX_INTEGER)
    state_hash = fields.text("stateHash", lambda text: _HASH.fullmatch(text) is not None)
    journal_hash = fields.text("journalHash", lambda text: _HASH.fullmatch(text) is not None)
    code = _refused(fields, authorised)
    if code is not None:
        return code
    if block > MAX_UNITS:
        return Code.E_RANGE
    claim = CheckpointClaimed(action_id, block, state_hash, journal_hash)
    return lambda: state.out.checkpoints.append(claim)


def _return_withdrawal(state: State, _id: str, fields: Fields, authorised: bool) -> Do | Code:
    withdrawal_id = fields.text("id", lambda _: True)
    code = _refused(fields, authorised)
    if code is not None:
        return code
    withdrawal = state.withdrawals.by_id.get(withdrawal_id)
    if withdrawal is None:
        return Code.E_NOT_FOUND
    return lambda: return_withdrawal(state, withdrawal)


def void(_: object) -> None:
    """Drop a result that nobody needs."""


_ACTIONS: Final[dict[str, Callable[[State, str, Fields, bool], Do | Code]]] = {
    "listToken": _list_token,
    "listPair": _list_pair,
    "updatePair": _update_pair,
    "updateVenue": _update_venue,
    "checkpoint": _checkpoint,
    "returnWithdrawal": _return_withdrawal,
}

OPERATOR_ACTIONS: Final = frozenset(_ACTIONS)
