"""Go-live checklist (`peakedex doctor --go-live`): the points of docs/go-live.md, each with its cure.

points              numbers, titles and results
accounts            authorities and who can sign
resources           resource credits and what transactions cost
chain_points        what the two chains answer
database_points     what the database answers
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from indexer.ops.doctor import hive, machine, sidechain
from indexer.ops.doctor.golive import chain_points, database_points
from indexer.ops.doctor.golive.points import TITLES, Point, Section
from indexer.ops.doctor.golive.scene import GoLive, Scene
from indexer.ops.doctor.ledger import Ledger
from indexer.ops.doctor.subject import Subject, read_venue
from indexer.sources.irreversible_quorum import quorum_of

__all__ = ["TITLES", "GoLive", "Point", "examine_go_live"]

WANTED_NODES: Final = 3
WANTED_ENGINES: Final = 2


def examine_go_live(
    subject: Subject,
    wanted: GoLive,
    *,
    clock: Callable[[], float] = time.time,
    wait: Callable[[float], object] = time.sleep,
) -> Iterator[Point]:
    """Check all points, in their order. Problems are points, not exceptions. Nothing is changed."""
    scene = Scene(
        wanted,
        hive.inspect_nodes(subject.nodes, subject.chain),
        sidechain.inspect_nodes(subject.engine_nodes),
        Ledger(subject.db),
        now=clock(),
        wait=wait,
    )
    yield from _server(scene)
    yield from _nodes(scene, subject)
    yield from _venue(scene, subject)
    for point in (
        *(chain_points.accounts, chain_points.authorities, chain_points.keys, chain_points.credits),
        *(chain_points.tokens, chain_points.start_block),
        *(database_points.indexer, database_points.payouts, database_points.checkpoints),
        *(database_points.backups, database_points.first_deposit, database_points.first_trade),
        *(database_points.first_withdrawal, database_points.first_refund, database_points.books),
    ):
        yield from point(scene)


def _server(scene: Scene) -> Iterator[Point]:
    section, findings = Section("Server"), list(machine.versions())
    if scene.hive is not None:
        findings.append(machine.clock(scene.now, max(node.head_time for node in scene.nodes)))
    problems = section.fatal(findings, ("fatal", "warn"))
    if scene.hive is None and not problems:
        problems = [section.unknown("no node tells the time of its newest block", "see point 2")]
    yield from problems or [section.ok(", ".join(finding.text for finding in findings))]


def _nodes(scene: Scene, subject: Subject) -> Iterator[Point]:
    section = Section("Nodes")
    well = [node for node in scene.nodes if node.problem is None]
    engines = [node for node in scene.engines if node.problem is None]
    try:
        quorum = quorum_of(len(scene.nodes), subject.quorum)
    except ValueError as error:
        yield section.not_yet(str(error), "add more with --node, or lower --quorum")
        return
    problems = section.fatal(hive.findings(scene.nodes, quorum))
    irreversible = 0 if scene.hive is None else scene.hive.irreversible
    trust = subject.trust_single_node
    problems += section.fatal(
        sidechain.findings(scene.engines, irreversible, scene.hive, trust_single_node=trust)
    )
    if len(well) < WANTED_NODES:
        text = f"{len(well)} of {len(scene.nodes)} Hive nodes are usable: with two, one that fails stops it"
        problems.append(section.not_yet(text, f"name {WANTED_NODES} or more with --node"))
    if len(engines) < WANTED_ENGINES and not (trust and engines):
        text = f"{len(engines)} of {len(scene.engines)} Hive-Engine nodes are usable: two must agree"
        problems.append(section.not_yet(text, "name others with --engine-node"))
    silent = [node.url for node in well if not node.has_chain_id]
    if silent and not problems:
        text = f"{', '.join(silent)} does not tell its chain id"
        problems.append(section.unknown(text, "choose a node that answers database_api.get_version"))
    yield from problems or [
        section.ok(f"{len(well)} Hive nodes and {len(engines)} Hive-Engine nodes agree, of one chain")
    ]


def _venue(scene: Scene, subject: Subject) -> Iterator[Point]:
    section = Section("Venue file")
    findings, scene.venue = read_venue(subject.venue_file)
    if scene.venue is None:
        yield from section.fatal(findings, ("fatal", "warn"))
    else:
        yield section.ok(f"{findings[0].text}, hash {scene.venue.hash}")
