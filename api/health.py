"""/api/health and /api/ready: whether the API lives, where it stands, and what the indexer waits for.

Health answers even without a database: a process that can say what it lacks is alive. Ready says no
until there is a block to speak of, and while the database is too far behind the chain.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from flask import Response, request
from sqlalchemy.exc import SQLAlchemyError

from api.database import Database, Snapshot
from api.errors import ApiError, encode
from api.parameters import NoParameters, Reader
from api.resource import Body, send, with_position
from api.settings import ApiSettings, program_version
from api.show import iso
from settlement.store.queries.trades import find_trade
from settlement.store.status import read_status


class Health:
    """Both paths over one database."""

    def __init__(self, settings: ApiSettings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._version = program_version()
        self._reader = Reader(NoParameters)

    def health(self) -> Response:
        return self._respond(self._look(), 200)

    def ready(self) -> Response:
        seen = self._look()
        problem = self._problem(seen)
        if problem is not None:
            code = "E_BEHIND" if seen["database"] == "ok" and seen["ts"] is not None else "E_NOT_READY"
            raise ApiError(503, code, problem)
        return self._respond({"block": seen["block"], "ts": seen["ts"], "ready": True}, 200)

    def _look(self) -> Body:
        self._reader.read({}, request.args)
        fixed = {"version": self._version, "network": self._settings.network}
        try:
            with self._database.snapshot() as snapshot:
                return with_position(snapshot.at, {**fixed, "database": "ok", **self._state(snapshot)})
        except ApiError as error:
            problem = error.sentence
        except SQLAlchemyError:
            problem = "The database does not answer."
        return {"block": None, "ts": None, **fixed, "database": problem, "indexer": None}

    def _state(self, snapshot: Snapshot) -> Body:
        at, connection = snapshot.at, snapshot.connection
        last = find_trade(connection, at.last_trade)
        return {
            "age_seconds": None if at.timestamp is None else self._age(at.timestamp),
            "venue_hash": at.venue_hash,
            "journal_hash": at.journal_hash,
            "last_trade": None
            if last is None
            else {"id": last.n, "ts": iso(last.timestamp), "block": last.block},
            "indexer": self._indexer(snapshot),
        }

    def _indexer(self, snapshot: Snapshot) -> Body | None:
        """What the indexer last said of itself; it can be old, so `age_seconds` says how old."""
        status = read_status(snapshot.connection)
        if status is None:
            return None
        irreversible = status.irreversible
        return {
            "mode": status.mode,
            "ts": iso(status.updated),
            "age_seconds": self._age(status.updated),
            "irreversible": irreversible,
            "lag": None if irreversible is None else max(0, irreversible - snapshot.at.block),
            "waiting_for": status.waiting_for,
            "waiting_since": None if status.waiting_since is None else iso(status.waiting_since),
            "nodes": _nodes(status.nodes),
        }

    def _age(self, timestamp: int) -> int:
        return max(0, int(self._settings.clock()) - timestamp)

    def _problem(self, seen: dict[str, Any]) -> str | None:
        if seen["database"] != "ok":
            return str(seen["database"])
        if seen["ts"] is None:
            return "No block has been read yet."
        lag = seen["indexer"]["lag"] if seen["indexer"] else None
        if lag is not None and lag > self._settings.max_lag_blocks:
            return f"The database is {lag} blocks behind the chain."
        return None

    def _respond(self, body: Body, status: int) -> Response:
        """Ages change without a block: here the ETag names the whole answer."""
        text = encode(body)
        return send(text, f"{body['block']}-{sha256(text).hexdigest()[:24]}", status)


def _nodes(text: str | None) -> list[Body] | None:
    """How each node is, by the indexer's word; the state of one at rest ends with its rest."""
    if text is None:
        return None
    return [
        {
            "url": node["url"],
            "kind": node["kind"],
            "state": node["state"],
            "error": node["error"],
            "rested_until": None if node["rested_until"] is None else iso(node["rested_until"]),
        }
        for node in json.loads(text)
    ]
