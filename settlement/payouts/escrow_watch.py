"""Escrow watch: pauses payouts when something other than payouts acts on an escrow account.

That is an unmatched outflow in the ledger, or a change of the account's authorities on the chain (the active
authority, and the owner, posting and memo keys). Funds that leave without a journal line, for example by a
power-up, lower the real balance, and then nothing of the token is paid (see `holds.escrow_funds`).

It runs in a thread of its own, with connections of its own: payments never wait for it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import SQLAlchemyError

from settlement.core.parsing.names import decode
from settlement.net.change_logger import ChangeLogger
from settlement.payouts.chain.accounts import Account
from settlement.payouts.chain.client import ChainClient
from settlement.payouts.chain.nodes import ChainError
from settlement.store.database import explain
from settlement.store.payout_pause import (
    AFTER_RESTORE,
    BY_WATCH,
    count_decision,
    new_outflows,
    read_pause,
    read_watch_reason,
    see_outflows,
    set_pause,
)
from settlement.store.periodic_thread import PeriodicThread

POLL_SECONDS: Final = 3.0
_STOP_SECONDS: Final = 1.0

log = logging.getLogger("peakedex.payouts")


class EscrowWatch(PeriodicThread):
    """Watches the escrow accounts while it is entered. Failures are logged and retried."""

    def __init__(self, reader: Engine, writer: Engine, nodes: ChainClient, escrows: Iterable[str]) -> None:
        """`nodes` are used by this thread alone."""
        super().__init__("escrow watch", POLL_SECONDS, _STOP_SECONDS)
        self._reader = reader
        self._writer = writer
        self._nodes = nodes
        self._escrows = sorted(escrows)
        self._known: dict[str, Account] = {}  # as last seen
        self._failures = ChangeLogger(log)
        self._is_first = True

    def run_once(self) -> None:
        """One look; logs failures."""
        try:
            self.look()
            self._failures.changed("", None)
        except ChainError as error:
            self._failures.log(f"the escrow accounts cannot be watched: {error}")
        except SQLAlchemyError as error:
            self._failures.log(f"the escrow accounts cannot be watched: {explain(error)}")

    def look(self) -> None:
        """Pause payouts if something new is found. Raises ChainError and SQLAlchemyError."""
        with self._reader.connect() as connection:
            found = bool(new_outflows(connection))
        if self._is_first or found:
            with self._writer.begin() as connection:
                outflows = [_outflow_text(row) for row in new_outflows(connection)]
                see_outflows(connection)
                _pause(connection, outflows)
            self._is_first = False
        changes = self._changed_accounts()
        if changes:
            with self._writer.begin() as connection:
                _pause(connection, changes)

    def _changed_accounts(self) -> list[str]:
        """The accounts whose authorities differ from those of the last look."""
        changes = []
        for name, account in self._nodes.accounts(self._escrows).items():
            known = self._known.get(name, account)
            if replace(account, mils={}) != replace(known, mils={}):
                changes.append(f"the authorities of {name} have changed")
            self._known[name] = account
        return changes


def _outflow_text(row: Row[Any]) -> str:
    symbol, recipient = decode(row.symbol), decode(row.to)
    return f"{row.escrow} has sent {symbol} to {recipient} for no claim: {row.id} in block {row.block}"


def _pause(connection: Connection, findings: Sequence[str]) -> None:
    """Pause because of the findings; a pause after a restore stays what it is."""
    if not findings:
        return
    for finding in findings:
        log.error("ALARM: %s", finding)
    count_decision(connection)  # a copy from before is noticed: see `holds.pause`
    if read_pause(connection) != AFTER_RESTORE:
        before = read_watch_reason(connection)
        set_pause(connection, BY_WATCH, "; ".join(([before] if before else []) + list(findings)))
