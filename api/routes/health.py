"""/api/health and /api/ready: liveness with details, and readiness.

Health answers 200 even without a database. Ready answers 503 until a block is recorded, until a heartbeat of
the indexer is seen, and while the database is too far behind the chain.
"""

from __future__ import annotations

import json
from typing import Annotated

from flask import Response
from msgspec import Meta
from sqlalchemy.exc import SQLAlchemyError

from api.alarms import read_alarms
from api.database import Database, Snapshot
from api.heartbeat import Liveness
from api.http.errors import ApiError, encode, not_ready
from api.http.etag import RenderedBody, conditional_response, content_etag
from api.http.formatting import iso
from api.http.parameters import NoParameters
from api.http.resource import DirectEndpoint
from api.http.shapes import Block, Count, Hash, Part, Time, choice
from api.http.staleness import find_staleness
from api.settings import ApiSettings, program_version
from settlement.store.dialect import standby_age
from settlement.store.indexer_status import read_status
from settlement.store.lease import read_holder
from settlement.store.read.market.trades import find_trade
from settlement.store.read.settings import read_upgrade

NODE_STATES = ("ok", "resting", "disagrees")


class LastTrade(Part, kw_only=True):
    id: int
    ts: Time
    block: Block


class Node(Part, kw_only=True):
    """State of a node according to the indexer. `rested_until`: when a failed node is retried."""

    url: str
    kind: str
    state: Annotated[str, choice(*NODE_STATES)]
    error: str | None
    rested_until: Time | None


class IndexerHealth(Part, kw_only=True):
    """The indexer's last status, `age_seconds` old."""

    mode: str
    liveness: Annotated[
        str,
        choice(*Liveness),
        Meta(description="Whether the time of its status changes, as seen by this server process."),
    ]
    ts: Time
    age_seconds: Count
    irreversible: Block | None
    lag: Count | None
    waiting_for: str | None
    waiting_since: Time | None
    nodes: list[Node] | None


class LeaseHolder(Part, kw_only=True):
    """The indexer process that holds the write lease, since when, and its last heartbeat."""

    host: str
    pid: int
    since: Time
    heartbeat: Time


class Upgrade(Part, kw_only=True):
    """An announced protocol upgrade. A program that does not know that protocol stops before its block."""

    protocol: int
    text_hash: Annotated[Hash, Meta(description="SHA-256 of that protocol's text.")]
    first_block: Annotated[Block, Meta(description="From this block on it holds.")]
    blocks_left: Annotated[Count, Meta(description="Blocks still to come under the present protocol.")]


class HealthAnswer(Part, kw_only=True):
    """Fields are null while there is no database; `database` then says why."""

    block: Block | None
    ts: Time | None
    version: str
    network: str
    database: str
    age_seconds: Count | None
    venue_hash: Hash | None
    journal_hash: Hash | None
    last_trade: LastTrade | None
    upgrade: Annotated[Upgrade | None, Meta(description="Null while none is announced.")]
    indexer: IndexerHealth | None
    lease: LeaseHolder | None
    standby_age_seconds: Annotated[
        Count | None,
        Meta(description="Age of the newest change that this standby has received; null on a primary."),
    ]
    warning: str | None
    alarms: Annotated[
        list[str],
        Meta(
            description="Checkpoints and peers that disagree with this replica, and operations on "
            "escrow accounts; no effect on /api/ready."
        ),
    ]


class ReadyAnswer(Part, kw_only=True):
    block: Block
    ts: Time
    ready: bool


class Health:
    """Both endpoints over one database."""

    def __init__(self, settings: ApiSettings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._version = program_version()

    def endpoints(self) -> tuple[DirectEndpoint[NoParameters], ...]:
        return (
            DirectEndpoint(
                "/api/health",
                NoParameters,
                HealthAnswer,
                "Liveness, position and state of the indexer.",
                self._health,
                conditional=True,
                group="Operation",
            ),
            DirectEndpoint(
                "/api/ready",
                NoParameters,
                ReadyAnswer,
                "200 while the API is ready for use, else 503.",
                self._ready,
                conditional=True,
                errors=("E_BEHIND", "E_NOT_READY"),
                group="Operation",
            ),
        )

    def _health(self, _: NoParameters) -> Response:
        return _respond(self._inspect())

    def _ready(self, _: NoParameters) -> Response:
        health = self._inspect()
        if health.database != "ok" or health.block is None:
            raise ApiError("E_NOT_READY", health.database)
        if health.ts is None:
            raise ApiError("E_NOT_READY", "No block has been read yet.")
        if health.warning is not None:
            raise ApiError("E_BEHIND", health.warning)
        if health.indexer is not None and health.indexer.liveness == Liveness.UNKNOWN:
            raise not_ready("No heartbeat of the indexer has been seen yet. Try again in a few seconds.")
        return _respond(ReadyAnswer(block=health.block, ts=health.ts, ready=True))

    def _inspect(self) -> HealthAnswer:
        try:
            with self._database.snapshot() as snapshot:
                return self._state(snapshot)
        except ApiError as error:
            return self._unavailable(error.sentence)
        except SQLAlchemyError:
            return self._unavailable("The database does not answer.")

    def _unavailable(self, problem: str) -> HealthAnswer:
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
            upgrade=None,
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
        staleness = find_staleness(snapshot, self._settings)
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
            upgrade=_upgrade(snapshot),
            indexer=self._indexer(snapshot),
            lease=_lease(snapshot),
            standby_age_seconds=standby_age(snapshot.connection),
            warning=staleness and staleness.sentence,
            alarms=read_alarms(snapshot),
        )

    def _indexer(self, snapshot: Snapshot) -> IndexerHealth | None:
        status = read_status(snapshot.connection)
        if status is None or snapshot.liveness is None:
            return None
        return IndexerHealth(
            mode=status.mode,
            liveness=snapshot.liveness,
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
    content = encode(answer)  # ages change without a block, so the ETag is a hash of the content
    return conditional_response(RenderedBody(content), content_etag(answer.block, content))


def _upgrade(snapshot: Snapshot) -> Upgrade | None:
    line = read_upgrade(snapshot.connection)
    if line is None or line.protocol is None or line.text is None or line.block is None:
        return None
    return Upgrade(
        protocol=line.protocol,
        text_hash=line.text,
        first_block=line.block,
        blocks_left=max(0, line.block - 1 - snapshot.at.block),
    )


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
