"""Check of an action before it is signed: the rules decide it on an empty exchange.

Codes that depend on balances, open orders, marks or the order book cannot be known here.
"""

from __future__ import annotations

from typing import Final

from indexer.intents import fields
from indexer.intents.actions import ACTIONS, ActionSpec
from indexer.intents.explain import IntentError, explain, find_pair, lot, tick
from indexer.intents.sandbox import Payload, Situation, decide, on_chain
from settlement.core.codes import Code
from settlement.core.events import Action
from settlement.core.parsing.intents import DEFAULT_QUOTE, POSTING
from settlement.core.trading.grants import MAX_GRANT_SECONDS

_DEPENDS_ON_STATE: Final = frozenset(
    (
        *(Code.E_NOT_FOUND, Code.E_OWNER, Code.E_LIMIT, Code.E_TRIGGER, Code.E_FUNDS),
        *(Code.E_POST_ONLY, Code.E_FOK, Code.E_SELF_TRADE, Code.E_NO_LIQUIDITY),
    )
)


def check(spec: ActionSpec, payload: Payload, situation: Situation) -> None:
    """Raise IntentError if the rules reject the action whatever balances and order book are."""
    principal = payload.get("for")
    direct = {key: value for key, value in payload.items() if key != "for"}
    code = decide(spec, direct, situation)
    if code is not None and code not in _DEPENDS_ON_STATE:
        explain(spec, direct, situation, code)
    if principal is not None or situation.posting:
        _check_grant(spec, payload, situation)


def check_replace(payload: Payload, situation: Situation, symbol: str, quote: str) -> None:
    """Raise IntentError if the rules reject what a replace makes of an order of that pair: a limit order."""
    pair = find_pair(situation.venue, symbol, quote)
    order = {key: value for key, value in payload.items() if key not in ("id", "ref", "notAfter", "for")}
    smallest = {"quantity": lot(pair), "price": tick(pair)}
    check(ACTIONS["buy"], {"symbol": symbol, "quote": quote, **smallest, **order}, situation)


def _check_grant(spec: ActionSpec, payload: Payload, situation: Situation) -> None:
    """Raise IntentError if no grant allows the action: the band and the allowance are not known here."""
    code = _decide_under_grant(spec, payload, situation)
    if code is Code.E_INPUT:
        raise IntentError("for", f"{payload.get('for')!r} {fields.FOR.rule}")
    if code is Code.E_AUTH:
        raise IntentError(
            "posting", "cannot be combined with --for: the posting key acts for its own account alone"
        )
    if code is not Code.E_GRANT:
        return
    if _decide_under_grant(spec, {**payload, "price": "1"}, situation) is not Code.E_GRANT:
        raise IntentError("price", "a market order under a grant must have a worst price")
    for field in spec.optional:
        rest = {key: value for key, value in payload.items() if key not in (field.key, *field.needs)}
        if field.key in payload and _decide_under_grant(spec, rest, situation) is not Code.E_GRANT:
            raise IntentError(
                field.option, "is not possible under a grant: sign with the account's own active key"
            )
    raise IntentError(spec.command, "is not possible under a grant: sign with the account's own active key")


def _decide_under_grant(spec: ActionSpec, payload: Payload, situation: Situation) -> Code | None:
    """What the rules say to the grant alone: after it, everything is too late (`E_LATE`)."""
    venue, signer = situation.venue, situation.signer_of(spec)
    pair = f"{payload.get('symbol')}/{payload.get('quote', DEFAULT_QUOTE)}"
    listed = [rules.name for rules in venue.pairs]
    grant = {
        "to": POSTING if situation.posting else signer,
        "pairs": [pair if pair in listed else listed[0]],
        "perDay": {venue.tokens[0].symbol: "1"},
        "bandBps": 0,
        "until": situation.now + MAX_GRANT_SECONDS,
    }
    principal = str(payload.get("for", signer))
    first = Action("e" * 40, principal, True, "grant", on_chain(grant))
    return decide(spec, {**payload, "notAfter": 0}, situation, [first], by_grant=True)
