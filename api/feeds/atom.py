"""/api/atom: an account's fills, deposits, refunds and withdrawals as an Atom feed (RFC 4287), newest first.

Ids are derived from the venue and the event alone: they are the same on every replica and at every address.
Texts are plain; symbols and memos come from the chain, so characters that XML does not have are replaced.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple
from xml.etree import ElementTree

from api.database import Snapshot
from api.http.formatting import iso
from api.http.parameters import User
from api.http.resource import Resource
from api.http.shapes import Text
from api.routes.accounts.deposits import CREDITED, IGNORED, show_deposit
from api.routes.accounts.withdrawals import show_withdrawal
from api.routes.market.history import OwnTrade, list_own_trades
from settlement.core.parsing.names import encode
from settlement.store import schema
from settlement.store.read.accounts.deposits import DepositRow, list_deposits
from settlement.store.read.accounts.withdrawals import WithdrawalFilter, WithdrawalRow, list_withdrawals
from settlement.store.read.venue import find_account

MEDIA: Final = "application/atom+xml; charset=utf-8"
MAX_ENTRIES: Final = 50
_NAMESPACE: Final = "http://www.w3.org/2005/Atom"
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_EPOCH: Final = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomParameters:
    user: User


class Entry(NamedTuple):
    """An entry of the feed."""

    updated: str  # ISO 8601, UTC
    key: str  # kind and id of the event, unique in the venue
    title: str
    content: str


def _view(snapshot: Snapshot, params: AtomParameters) -> Text:
    entries = sorted(_entries(snapshot, params.user), key=lambda entry: entry.updated, reverse=True)
    return Text(_feed(snapshot, params.user, entries[:MAX_ENTRIES]))


def _entries(snapshot: Snapshot, user: str) -> Iterator[Entry]:
    """More than the newest MAX_ENTRIES: of each kind that many, and each of these with its outcome."""
    connection = snapshot.connection
    for trade in list_own_trades(snapshot, user, MAX_ENTRIES):
        yield _fill(user, trade)
    for arrival in list_deposits(connection, encode(user), None, MAX_ENTRIES).rows:
        yield from _deposit(arrival)
    account = find_account(connection, user)
    if account is not None:
        for row in list_withdrawals(connection, WithdrawalFilter(account), None, MAX_ENTRIES).rows:
            yield from _withdrawal(row)


def _fill(user: str, trade: OwnTrade) -> Entry:
    verb = "Bought" if trade.side == "buy" else "Sold"
    fees = f"{trade.buyer_fee} {trade.base}" if trade.side == "buy" else f"{trade.seller_fee} {trade.quote}"
    order = trade.maker_order if trade.role == "maker" else trade.taker_order
    what = f"{verb} {trade.amount} {trade.base}"
    return Entry(
        trade.ts,
        f"trade/{trade.id}/{user}",
        f"{what} at {trade.price} {trade.quote}",
        f"{what} for {trade.quote_amount} {trade.quote} as {trade.role}, fee {fees}. "
        f"Order {order}, trade {trade.id}, block {trade.block}.",
    )


def _deposit(row: DepositRow) -> Iterator[Entry]:
    shown = show_deposit(row)
    what = f"{shown.amount} {shown.symbol}"
    where = f"Transaction {shown.id}, to {shown.escrow}, block {shown.block}."
    if shown.status == CREDITED:
        yield Entry(shown.ts, f"deposit/{shown.id}", f"Deposit of {what}", f"Credited. {where}")
    elif shown.status == IGNORED:
        yield Entry(
            shown.ts, f"deposit/{shown.id}", f"Transfer of {what} ignored", f"Nothing is due. {where}"
        )
    else:
        title = f"Deposit of {what} not accepted"
        yield Entry(shown.ts, f"deposit/{shown.id}", title, f"It will be refunded. {where}")
    if row.closed_timestamp is not None and shown.paid_by is not None:
        paid = f"Refunded by transaction {shown.paid_by}. Deposit: {where}"
        yield Entry(iso(row.closed_timestamp), f"refund/{shown.id}", f"Refund of {what}", paid)


def _withdrawal(row: WithdrawalRow) -> Iterator[Entry]:
    shown = show_withdrawal(row)
    what = f"{shown.amount} {shown.symbol}"
    where = f"To {shown.to}" + ("." if shown.memo is None else f", memo: {shown.memo}")
    about = f"Withdrawal {shown.id}, block {shown.block}. {where}"
    yield Entry(shown.ts, f"withdrawal/{shown.id}", f"Withdrawal of {what} requested", about)
    if shown.closed_ts is None:
        return
    if row.status == schema.PAID:
        title, how = f"Withdrawal of {what} paid", f"Paid by transaction {shown.paid_by}. "
    else:
        title, how = f"Withdrawal of {what} returned", "The amount is available again. "
    yield Entry(shown.closed_ts, f"withdrawal/{shown.id}/{shown.status}", title, how + about)


def _feed(snapshot: Snapshot, user: str, entries: list[Entry]) -> str:
    venue = uuid.uuid5(uuid.NAMESPACE_OID, snapshot.at.venue_hash)
    feed = ElementTree.Element("feed", {"xmlns": _NAMESPACE})
    _add(feed, "id", _id(venue, f"feed/{user}"))
    _add(feed, "title", f"{user}: fills, deposits and withdrawals")
    _add(feed, "updated", entries[0].updated if entries else _EPOCH)
    ElementTree.SubElement(feed, "link", {"rel": "self", "href": f"/api/atom?user={user}"})
    _add(ElementTree.SubElement(feed, "author"), "name", "Peake DEX")
    for entry in entries:
        element = ElementTree.SubElement(feed, "entry")
        _add(element, "id", _id(venue, entry.key))
        _add(element, "title", entry.title)
        _add(element, "updated", entry.updated)
        _add(element, "content", entry.content)
    ElementTree.indent(feed)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(feed, "unicode")}\n'


def _id(venue: uuid.UUID, key: str) -> str:
    return uuid.uuid5(venue, key).urn


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, name).text = _NO_XML.sub("\ufffd", text)


resource = Resource(
    "/api/atom",
    AtomParameters,
    Text,
    "An account's fills, deposits, refunds and withdrawals as an Atom feed, newest first.",
    _view,
    group="Account",
    media=MEDIA,
)
