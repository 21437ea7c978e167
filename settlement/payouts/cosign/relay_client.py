"""Relay clients: post our payments that lack signatures, and collect those of other operators.

Each relay has a thread of its own, so that a slow or hostile one delays neither payments nor other relays.
Whatever a relay returns is checked by the collector; the most that it can do is to withhold signatures.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from sqlalchemy.exc import SQLAlchemyError

from settlement.net.change_logger import ChangeLogger
from settlement.net.http_client import BadAnswer, HttpClient, HttpError, Limits
from settlement.payouts.cosign import BUNDLES_PATH, MAX_PAGE_BYTES
from settlement.payouts.cosign.collector import UNAUTHENTICATED_CODES, SignatureCollector
from settlement.payouts.cosign.message import Proposal, ProposalError
from settlement.store.database import explain
from settlement.store.periodic_thread import PeriodicThread

POLL_SECONDS: Final = 2.0
REPOST_SECONDS: Final = 30.0
"""Time after which a payment that still lacks signatures is posted again: relays keep nothing on disk."""
MAX_PAGES_PER_ROUND: Final = 3
MAX_DEFERRED: Final = 200
"""Proposals with the verdict `later` that are checked again in each round."""
LIMITS: Final = Limits(
    connect_seconds=3.0, read_seconds=5.0, total_seconds=15.0, max_bytes=MAX_PAGE_BYTES + 1000
)
_STOP_SECONDS: Final = 1.0

log = logging.getLogger("peakedex.cosign")


class Page(msgspec.Struct):
    """A relay's answer."""

    relay: Annotated[str, Meta(max_length=64)]  # id of the relay's store; another one after a restart
    last: Annotated[int, Meta(ge=0, lt=1 << 50)]  # number of the last bundle
    bundles: Annotated[list[Any], Meta(max_length=1000)]


class RelayClient(PeriodicThread):
    """Exchanges signatures through one relay while it is entered."""

    def __init__(
        self,
        url: str,
        collector: SignatureCollector,
        poll_seconds: float = POLL_SECONDS,
        limits: Limits = LIMITS,
        http: HttpClient | None = None,
    ) -> None:
        super().__init__("cosign relay", poll_seconds, _STOP_SECONDS)
        self._url = url.rstrip("/") + BUNDLES_PATH
        self._collector = collector
        self._http = http or HttpClient(limits)
        self._relay_id = ""
        self._last = 0  # number of the last bundle fetched
        self._posted: dict[str, tuple[int, float]] = {}  # number of signatures, and when, by transaction id
        # Proposals with their verdict's code, by content, oldest first.
        self._deferred: dict[tuple[object, ...], tuple[Proposal, str]] = {}
        self._changes = ChangeLogger(log, logging.INFO)

    def run_once(self) -> None:
        """One round; logs failures."""
        try:
            self.round()
            self._changes.log(f"cosigning through {self._url}")
        except HttpError as error:
            self._changes.log(f"relay fails: {error}", level=logging.WARNING)
        except SQLAlchemyError as error:
            self._changes.log(f"cosigning waits: {explain(error)}", level=logging.WARNING)

    def round(self) -> None:
        """Post our payments; fetch and check what others have posted. Raises HttpError, SQLAlchemyError."""
        self._post()
        for proposal, code in tuple(self._deferred.values()):
            if code != "held" or self._collector.may_differ(proposal):
                self._receive(proposal)
        for _ in range(MAX_PAGES_PER_ROUND):
            page = self._fetch()
            if page.relay != self._relay_id:  # a new relay, or one that has restarted
                is_behind = self._last > 0
                self._relay_id, self._last, self._posted = page.relay, 0, {}
                if is_behind:
                    continue
            for bundle in page.bundles:
                self._receive_bundle(bundle)
            self._last = page.last  # after the checks: a database error repeats them
            if not page.bundles:
                return

    def _post(self) -> None:
        """Post each payment when its signatures have changed, and again while it lacks some."""
        records = self._collector.open_records()
        self._posted = {record.id: self._posted.get(record.id, (0, 0.0)) for record in records}
        for record in records:
            count, when = self._posted[record.id]
            is_overdue = not record.is_complete and time.monotonic() - when >= REPOST_SECONDS
            if count == len(record.signatures) and not is_overdue:
                continue
            body = json.dumps(self._collector.proposal(record).to_json()).encode()
            self._http.post_json(self._url, body)
            self._posted[record.id] = len(record.signatures), time.monotonic()

    def _fetch(self) -> Page:
        """The bundles after the last one fetched. Raises HttpError."""
        url = f"{self._url}?after={self._last}"
        try:
            page = msgspec.json.decode(self._http.get(url).body, type=Page)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise BadAnswer(self._url, "not the answer of a relay") from None
        if page.relay == self._relay_id and page.last < self._last:
            raise BadAnswer(self._url, "the numbers of its bundles go back")
        return page

    def _receive_bundle(self, bundle: object) -> None:
        try:
            self._receive(Proposal.of_json(bundle))
        except ProposalError as error:
            self._changes.log(f"{self._url} returns an invalid message: {error}", "invalid")

    def _receive(self, proposal: Proposal) -> None:
        verdict = self._collector.receive(proposal)
        ident = proposal.transaction.id
        content = (ident, proposal.escrow, proposal.slot, proposal.chain_id, proposal.signatures)
        self._deferred.pop(content, None)
        if verdict.status == "later":
            self._deferred[content] = proposal, verdict.code
            if len(self._deferred) > MAX_DEFERRED:
                del self._deferred[next(iter(self._deferred))]
        elif verdict.status == "accepted" and verdict.code == "added":
            self._changes.log(f"signature added to {ident}: {verdict.reason}", ident)
        elif verdict.status == "refused" and verdict.code not in UNAUTHENTICATED_CODES:
            text = f"refused payment {ident} of an operator ({verdict.code}): {verdict.reason}"
            self._changes.log(text, ident, logging.WARNING)
