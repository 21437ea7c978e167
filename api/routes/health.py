"""/api/health and /api/ready: whether the API lives, where it stands, and what the indexer waits for.

Health answers even without a database: a process that can say what it lacks is alive. Ready says no
until there is a block to speak of, and while the database is too far behind the chain.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Annotated

from flask import Response
from msgspec import Meta
from sqlalchemy.exc import SQLAlchemyError

from api.alarms import read_alarms
from api.database import Database, Snapshot
from api.http.answers import Body
from api.http.errors import ApiError, encode
from api.http.formatting import iso
from api.http.parameters import NoParameters
from api.http.resource import Direct, send
from api.http.shapes import Block, Count, Hash, Part, Time, choice
from api.http.staleness import behind
from api.settings import ApiSettings, program_version
from settlement.store.dialect import standby_age
from settlement.store.lease import read_holder
from settlement.store.read.market.trades import find_trade
from settlement.store.status import read_status

NODE_STATES = ("ok", "resting", "disagrees")


class LastTrade(Part, kw_only=True):
    id: int
    ts: Time
    block: Block


class Node(Part, kw_only=True):
    """How a node is, by the indexer's word. `rested_until` is when a resting one is asked again."""

    url: str
    kind: str
    state: Annotated[str, choice(*NODE_STATES)]
    error: str | None
    rested_until: Time | None


class IndexerHealth(Part, kw_only=True):
    """What the indexer last said of itself; it can be old, so `age_seconds` says how old."""

    mode: str
    ts: Time
    age_seconds: Count
    irreversible: Block | None
    lag: Count | None
    waiting_for: str | None
    waiting_since: Time | None
    nodes: list[Node] | None


class LeaseHolder(Part, kw_only=True):
    """The indexer that may write: its process, since when it holds the lease, and its last sign of life."""

    host: str
    pid: int
    since: Time
    heartbeat: Time


class HealthAnswer(Part, kw_only=True):
    """Null, but for `database`, while there is no database to look into."""

    block: Block | None
    ts: Time | None
    version: str
    network: str
    database: str
    age_seconds: Count | None
    venue_hash: Hash | None
    journal_hash: Hash | None
    last_trade: LastTrade | None
    indexer: IndexerHealth | None
    lease: LeaseHolder | None
    standby_age_seconds: Annotated[
        Count | None,
        Meta(description="How old the newest change is that this standby has seen; null on a primary."),
    ]
    warning: str | None
    alarms: Annotated[
        list[str],
        Meta(
            description="Checkpoints and peers that disagree with what is recorded here; they stop nothing."
        ),
    ]


class ReadyAnswer(Part, kw_only=True):
    block: Block
    ts: Time
    ready: bool


class Health:
    """Both paths over one database."""

    def __init__(self, settings: ApiSettings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._version = program_version()

    def paths(self) -> tuple[Direct[NoParameters], ...]:
        return (
            Direct(
                "/api/health",
                NoParameters,
                HealthAnswer,
                "Whether the API lives, and where it stands.",
                self._health,
                conditional=True,
                group="Operation",
            ),
            Direct(
                "/api/ready",
                NoParameters,
                ReadyAnswer,
                "200 while the API is fit for use.",
                self._ready,
                conditional=True,
                errors=("E_BEHIND", "E_NOT_READY"),
                group="Operation",
            ),
        )

    def _health(self, _: NoParameters) -> Response:
        return _respond(self._look())

    def _ready(self, _: NoParameters) -> Response:
        seen = self._look()
        if seen.database != "ok" or seen.block is None:
            raise ApiError("E_NOT_READY", seen.database)
        if seen.ts is None:
            raise ApiError("E_NOT_READY", "No block has been read yet.")
        if seen.warning is not None:
            raise ApiError("E_BEHIND", seen.warning)
        return _respond(ReadyAnswer(block=seen.block, ts=seen.ts, ready=True))

    def _look(self) -> HealthAnswer:
        try:
            with self._database.snapshot() as snapshot:
                return self._state(snapshot)
        except ApiError as error:
            return self._without(error.sentence)
        except SQLAlchemyError:
            return self._without("The database does not answer.")

    def _without(self, problem: str) -> HealthAnswer:
        return HealthAnswer(
            block=None,
            ts=None,
            version=self._version,
            network=self._settings.network,
            database=problem,
            age_seconds=None,
            venue_hash=None,
            journal_hash=None,
            last_trade=None,
            indexer=None,
            lease=None,
            standby_age_seconds=None,
            warning=None,
            alarms=[],
        )

    def _state(self, snapshot: Snapshot) -> HealthAnswer:
        at = snapshot.at
        block, ts = snapshot.stamp
        last = find_trade(snapshot.connection, at.last_trade)
        warning = behind(at, self._settings)
        return HealthAnswer(
            block=block,
            ts=ts,
            version=self._version,
            network=self._settings.network,
            database="ok",
            age_seconds=None if at.timestamp is None else self._age(at.timestamp),
            venue_hash=at.venue_hash,
            journal_hash=at.journal_hash,
            last_trade=last and LastTrade(id=last.n, ts=iso(last.timestamp), block=last.block),
            indexer=self._indexer(snapshot),
            lease=_lease(snapshot),
            standby_age_seconds=standby_age(snapshot.connection),
            warning=warning and warning.sentence,
            alarms=read_alarms(snapshot),
        )

    def _indexer(self, snapshot: Snapshot) -> IndexerHealth | None:
        status = read_status(snapshot.connection)
        if status is None:
            return None
        return IndexerHealth(
            mode=status.mode,
            ts=iso(status.updated),
            age_seconds=self._age(status.updated),
            irreversible=status.irreversible,
            lag=snapshot.at.lag,
            waiting_for=status.waiting_for,
            waiting_since=None if status.waiting_since is None else iso(status.waiting_since),
            nodes=_nodes(status.nodes),
        )

    def _age(self, timestamp: int) -> int:
        return max(0, int(self._settings.clock()) - timestamp)


def _respond(answer: HealthAnswer | ReadyAnswer) -> Response:
    """Ages change without a block: here the ETag names the whole answer."""
    text = encode(answer)
    return send(Body(text), f"{answer.block}-{sha256(text).hexdigest()[:24]}")


def _lease(snapshot: Snapshot) -> LeaseHolder | None:
    holder = read_holder(snapshot.connection)
    return holder and LeaseHolder(
        host=holder.host, pid=holder.pid, since=iso(holder.since), heartbeat=iso(holder.heartbeat)
    )


def _nodes(text: str | None) -> list[Node] | None:
    if text is None:
        return None
    return [
        Node(
            url=node["url"],
            kind=node["kind"],
            state=node["state"],
            error=node["error"],
            rested_until=None if node["rested_until"] is None else iso(node["rested_until"]),
        )
        for node in json.loads(text)
    ]
