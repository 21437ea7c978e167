"""Notifications about accounts: fills, deposits and withdrawals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final, NamedTuple

from indexer.notify.api_client import Api, Deposit, News, Trade, Withdrawal
from indexer.notify.message import Notification, Severity, notification
from indexer.notify.state import AccountMarks

REFUND_DUE: Final = "refund_due"
PENDING: Final = "pending"


class AccountNews(NamedTuple):
    """What is new of an account, and the marks for the next look."""

    notifications: list[tuple[str, Notification]]  # with the event: "fill", "deposit" or "withdrawal"
    marks: AccountMarks


def read_account(api: Api, user: str, marks: AccountMarks | None, at_least: int) -> AccountNews:
    """What is new since `marks`; without marks nothing is. Raises NodeError."""

    def news(path: str, item: type[Trade] | type[Deposit] | type[Withdrawal], name: str, open_: str) -> News:
        return api.news(
            path,
            item,  # type: ignore[type-var]
            None if marks is None else getattr(marks, name),
            at_least=at_least,
            open_ids=() if marks is None or not open_ else getattr(marks, f"open_{name}"),
            is_open=lambda row: bool(open_) and row.status == open_,
            user=user,
        )

    trades = news("/api/history", Trade, "trades", "")
    deposits = news("/api/deposits", Deposit, "deposits", REFUND_DUE)
    withdrawals = news("/api/withdrawals", Withdrawal, "withdrawals", PENDING)
    found: list[tuple[str, Notification]] = []
    found += (("fill", each) for each in _fills(user, trades.new))
    found += (("deposit", each) for row in deposits.new for each in _deposit(user, row, is_new=True))
    found += (("deposit", each) for row in deposits.changed for each in _deposit(user, row, is_new=False))
    found += (("withdrawal", each) for row in withdrawals.new for each in _withdrawal(row, is_new=True))
    found += (("withdrawal", each) for row in withdrawals.changed for each in _withdrawal(row, is_new=False))
    found.sort(key=lambda pair: pair[1].ts)
    return AccountNews(
        found,
        AccountMarks(trades.mark, deposits.mark, withdrawals.mark, deposits.open, withdrawals.open),
    )


def _fills(user: str, trades: Iterable[Trade]) -> Iterator[Notification]:
    """One notification for all trades of an order in a block."""
    groups: dict[tuple[str, int], list[Trade]] = {}
    for trade in trades:
        order = trade.maker_order if trade.role == "maker" else trade.taker_order
        groups.setdefault((order, trade.block), []).append(trade)
    for (order, block), among in groups.items():
        first = among[0]
        is_buy = first.side == "buy"
        amount, quote_amount = (
            _sum(getattr(each, name) for each in among) for name in ("amount", "quote_amount")
        )
        fees = _sum(each.buyer_fee if is_buy else each.seller_fee for each in among)
        prices = sorted({each.price for each in among}, key=Decimal)
        fields = {
            "account": user,
            "pair": f"{first.base}/{first.quote}",
            "side": first.side,
            "amount": f"{amount} {first.base}",
            "total": f"{quote_amount} {first.quote}",
            "price": prices[0] if len(prices) == 1 else f"{prices[0]} to {prices[-1]}",
            "fee": f"{fees} {first.base if is_buy else first.quote}",
            "role": first.role,
            "trades": len(among),
            "order": order,
            "block": block,
        }
        verb = "bought" if is_buy else "sold"
        title = f"{user} {verb} {_short(amount)} {first.base} for {_short(quote_amount)} {first.quote}"
        yield notification(f"fill/{user}/{order}/{block}", "fill", title, fields, first.ts)


def _sum(amounts: Iterable[str]) -> str:
    """The exact sum of decimal texts."""
    return f"{sum(map(Decimal, amounts), Decimal(0)):f}"


def _short(amount: str) -> str:
    """Decimal text without trailing zeros, for titles."""
    return amount.rstrip("0").rstrip(".") if "." in amount else amount


_DEPOSIT: Final[dict[str, tuple[str, Severity]]] = {
    "credited": ("deposit credited", "info"),
    REFUND_DUE: ("deposit not accepted, a refund is due", "warning"),
    "refunded": ("deposit refunded", "info"),
    "ignored": ("transfer to escrow ignored: nothing is due", "warning"),
}


def _deposit(user: str, row: Deposit, *, is_new: bool) -> Iterator[Notification]:
    """A new refund that was paid meanwhile is told twice: that it was due, and that it is paid."""
    statuses = [REFUND_DUE] if is_new and row.status == "refunded" else []
    if is_new or row.status != REFUND_DUE:
        statuses.append(row.status)
    for status in statuses:
        what, severity = _DEPOSIT.get(status, (f"deposit {status}", "info"))
        fields = {
            "account": user,
            "amount": f"{row.amount} {row.symbol}",
            "escrow": row.escrow,
            "status": status,
            "transaction": row.id,
            "paid by": row.paid_by if status == "refunded" else None,
            "block": row.block,
        }
        yield notification(
            f"deposit/{row.id}/{status}", "deposit", f"{user}: {what}", fields, row.ts, severity
        )


def _withdrawal(row: Withdrawal, *, is_new: bool) -> Iterator[Notification]:
    statuses = [PENDING] if is_new else []
    if row.status != PENDING:
        statuses.append(row.status)
    for status in statuses:
        what = {PENDING: "requested", "paid": "paid", "returned": "returned to the balance"}.get(
            status, status
        )
        fields = {
            "account": row.user,
            "amount": f"{row.amount} {row.symbol}",
            "to": row.to,
            "memo": row.memo,
            "status": status,
            "withdrawal": row.id,
            "paid by": row.paid_by if status == "paid" else None,
            "block": row.block,
        }
        title = f"{row.user}: withdrawal of {_short(row.amount)} {row.symbol} {what}"
        ts = row.ts if status == PENDING else row.closed_ts or row.ts
        yield notification(f"withdrawal/{row.id}/{status}", "withdrawal", title, fields, ts)
