"""CCXT's unified structures of the client's typed answers. Numbers are text, for CCXT to convert."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from peakedex.client import State, Ticket
from peakedex.client.models import (
    AccountTrade,
    Deposit,
    IntentResult,
    Order,
    Pair,
    PairRules,
    Token,
    Trade,
    Withdrawal,
)

Structure = dict[str, Any]

ORDER_STATUS: Final = {
    "open": "open",
    "waiting": "open",
    "filled": "closed",
    "triggered": "closed",
    "cancelled": "canceled",
    "expired": "expired",
}
_DEPOSIT_STATUS: Final = {
    "credited": "ok",
    "refund_due": "pending",
    "refunded": "canceled",
    "ignored": "failed",
}
_UNKNOWN: Final = (
    *("address", "addressFrom", "addressTo", "tag", "tagFrom", "tagTo", "network", "comment", "updated"),
)
"""Fields of a transaction that only some have."""
_WITHDRAWAL_STATUS: Final = {"pending": "pending", "paid": "ok", "returned": "canceled"}


def text(number: Decimal | None) -> str | None:
    """A number as plain decimal text."""
    return None if number is None else f"{number:f}"


def milliseconds(moment: datetime | None) -> int | None:
    """Milliseconds since 1970."""
    return None if moment is None else int(moment.timestamp()) * 1000


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with milliseconds, as CCXT writes it."""
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


def info(answer: Any) -> Structure:
    """What the API said, as plain values."""
    plain = {name: getattr(answer, name) for name in answer.__struct_fields__}
    return {
        name: text(value)
        if isinstance(value, Decimal)
        else iso(value)
        if isinstance(value, datetime)
        else info(value)
        if hasattr(value, "__struct_fields__")
        else value
        for name, value in plain.items()
    }


def symbol_of(row: Order | AccountTrade | PairRules) -> str:
    """CCXT's name of a pair."""
    return f"{row.base}/{row.quote}"


def market(rules: PairRules, quote: Token) -> Structure:
    """A market; precisions are steps (TICK_SIZE)."""
    return {
        "id": f"{rules.base}_{rules.quote}",
        "symbol": symbol_of(rules),
        "base": rules.base,
        "quote": rules.quote,
        "baseId": rules.base,
        "quoteId": rules.quote,
        "type": "spot",
        "spot": True,
        "margin": False,
        "swap": False,
        "future": False,
        "option": False,
        "active": rules.status == "active",
        "contract": False,
        "taker": _fraction(rules.taker_fee_bps),
        "maker": _fraction(rules.maker_fee_bps),
        "percentage": True,
        "tierBased": False,
        "feeSide": "get",
        "precision": {"amount": text(rules.lot), "price": text(rules.tick)},
        "limits": {
            "amount": {"min": text(rules.lot), "max": None},
            "price": {"min": text(rules.tick), "max": None},
            "cost": {"min": text(Decimal(1).scaleb(-quote.precision)), "max": None},
            "leverage": {"min": None, "max": None},
        },
        "created": None,
        "info": info(rules),
    }


def currency(token: Token) -> Structure:
    """A token or coin."""
    return {
        "id": token.symbol,
        "code": token.symbol,
        "name": token.symbol,
        "type": "crypto",
        "active": True,
        "deposit": True,
        "withdraw": True,
        "fee": 0,
        "precision": text(Decimal(1).scaleb(-token.precision)),
        "limits": {
            "amount": {"min": None, "max": None},
            "deposit": {"min": None, "max": None},
            "withdraw": {"min": text(token.min_withdrawal), "max": None},
        },
        "networks": {},
        "info": info(token),
    }


def ticker(pair: Pair, timestamp: int | None) -> Structure:
    """Prices and 24-hour statistics."""
    return {
        "symbol": symbol_of(pair),
        "timestamp": timestamp,
        "high": text(pair.high_24h),
        "low": text(pair.low_24h),
        "bid": text(pair.best_bid),
        "ask": text(pair.best_ask),
        "last": text(pair.last_price),
        "close": text(pair.last_price),
        "percentage": text(pair.change_24h_percent),
        "baseVolume": text(pair.base_volume_24h),
        "quoteVolume": text(pair.quote_volume_24h),
        "markPrice": text(pair.mark),
        "info": info(pair),
    }


def trade(row: Trade, symbol: str) -> Structure:
    """A trade of a market by the taker's side, or of an account by its own."""
    made: Structure = {
        "id": str(row.id),
        "symbol": symbol,
        "side": row.taker_side,
        "type": None,
        "timestamp": milliseconds(row.ts),
        "datetime": iso(row.ts),
        "price": text(row.price),
        "amount": text(row.amount),
        "cost": text(row.quote_amount),
        "order": None,
        "takerOrMaker": None,
        "fee": None,
        "info": info(row),
    }
    if isinstance(row, AccountTrade):
        is_taker = row.role != "maker"
        fee = (row.base, row.buyer_fee) if row.side == "buy" else (row.quote, row.seller_fee)
        made |= {
            "side": row.side,
            "order": row.taker_order if is_taker else row.maker_order,
            "takerOrMaker": "taker" if is_taker else "maker",
            "fee": {"currency": fee[0], "cost": text(fee[1])},
        }
    return made


def order(row: Order) -> Structure:
    """An order or stop that the venue has accepted."""
    made: Structure = {
        "id": row.id,
        "clientOrderId": row.ref,
        "symbol": symbol_of(row),
        "side": row.side,
        "type": row.type,
        "status": ORDER_STATUS[row.status],
        "timestamp": milliseconds(row.ts),
        "datetime": iso(row.ts),
        "lastUpdateTimestamp": milliseconds(row.closed_ts),
        "lastTradeTimestamp": None,
        "price": text(row.price),
        "average": text(row.average_price),
        "amount": text(row.quantity),
        "filled": text(row.filled),
        "remaining": text(row.remaining),
        "timeInForce": row.time_in_force or ("IOC" if row.type == "market" else "GTC"),
        "postOnly": bool(row.post_only),
        "reduceOnly": False,
        "triggerPrice": text(row.trigger_price),
        "stopLossPrice": text(row.stop_price),
        "fee": {"currency": row.gets, "cost": text(row.fees)},
        "trades": [],
        "info": info(row),
    }
    gross = row.received + row.fees
    if row.side == "sell":
        made["cost"] = text(gross)
    elif row.quantity_symbol != row.base:  # a market buy: its quantities are in quote
        made |= {"amount": None, "filled": text(gross), "remaining": None, "cost": text(row.filled)}
    return made


def pending(ticket: Ticket, timestamp: int | None = None) -> Structure:
    """An order on its way, or one that never came to be. Its status is None until the venue has decided."""
    payload = ticket.intent.payload
    dead = ticket.state in (State.REJECTED, State.NOT_INCLUDED)
    base, quote = payload.get("symbol"), payload.get("quote")
    return {
        "id": ticket.id,
        "clientOrderId": ticket.ref,
        "symbol": base and f"{base}/{quote}",
        "side": "buy" if ticket.intent.action in ("buy", "marketBuy") else "sell" if base else None,
        "type": "market" if ticket.intent.action.startswith("market") else "limit",
        "status": "rejected" if dead else None,
        "timestamp": timestamp,
        "price": payload.get("price"),
        "amount": None if ticket.intent.action == "marketBuy" else payload.get("quantity"),
        "filled": "0" if dead else None,
        "timeInForce": payload.get("timeInForce"),
        "postOnly": bool(payload.get("postOnly")),
        "triggerPrice": payload.get("triggerPrice"),
        "trades": [],
        "info": {
            "state": ticket.state.value,
            "reason": ticket.reason,
            "code": ticket.code,
            "transaction": ticket.transaction_id,
            "expires": ticket.expires,
            "action": ticket.intent.action,
        },
    }


def rejected(result: IntentResult) -> Structure:
    """An order that the venue rejected; it keeps no amounts of it."""
    return {
        "id": result.id,
        "clientOrderId": result.ref,
        "status": "rejected",
        "symbol": None,
        "timestamp": milliseconds(result.ts),
        "datetime": iso(result.ts),
        "side": None,
        "type": None,
        "amount": None,
        "filled": "0",
        "trades": [],
        "info": info(result),
    }


def deposit(row: Deposit) -> Structure:
    """A deposit."""
    return _transaction(row.id, row, "deposit") | {
        "txid": row.id,
        "addressFrom": row.user,
        "addressTo": row.escrow,
        "address": row.escrow,
        "currency": row.symbol,
        "amount": row.amount if row.status == "credited" else None,
        "status": _DEPOSIT_STATUS.get(row.status),
    }


def withdrawal(row: Withdrawal) -> Structure:
    """A withdrawal."""
    return _transaction(row.id, row, "withdrawal") | {
        "txid": row.paid_by,
        "addressTo": row.to,
        "address": row.to,
        "tag": row.memo,
        "tagTo": row.memo,
        "currency": row.symbol,
        "amount": text(row.amount),
        "status": _WITHDRAWAL_STATUS[row.status],
        "updated": milliseconds(row.closed_ts),
    }


def withdrawing(ticket: Ticket, code: str, amount: Any, address: str, tag: str | None) -> Structure:
    """A withdrawal that was just signed."""
    known = {"currency": code, "amount": amount, "address": address, "addressTo": address}
    unknown = dict.fromkeys(("txid", "timestamp", "datetime", "fee"))
    return {
        **dict.fromkeys(_UNKNOWN),
        **unknown,
        **known,
        "id": ticket.id,
        "type": "withdrawal",
        "status": "pending",
        "tag": tag,
        "tagTo": tag,
        "internal": False,
        "info": pending(ticket)["info"],
    }


def _transaction(ident: str, row: Deposit | Withdrawal, kind: str) -> Structure:
    return {
        **dict.fromkeys(_UNKNOWN),
        "id": ident,
        "type": kind,
        "internal": False,
        "fee": None,
        "timestamp": milliseconds(row.ts),
        "datetime": iso(row.ts),
        "info": info(row),
    }


def _fraction(bps: int) -> str:
    return f"{Decimal(bps).scaleb(-4):f}"
