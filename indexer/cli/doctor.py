"""`peakedex doctor`: checks of machine, database, nodes and escrow accounts, and of what going live needs."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from indexer import settings as config
from indexer.cli.support.common import json_option
from indexer.cli.support.nodes import expected_chain
from indexer.ops.doctor import Finding, Subject, examine
from indexer.ops.doctor.golive import GoLive, Point, examine_go_live
from indexer.ops.doctor.subject import read_venue
from settlement.net.node_urls import distinct

_COLOURS: Final = {"ok": "green", "warn": "yellow", "fatal": "red"}
_STATUSES: Final = {"OK": "green", "not yet": "red", "cannot tell": "yellow"}
_INDENT: Final = 23
_POINT_INDENT: Final = 34


@click.command()
@config.setting("venue", type=click.Path(dir_okay=False, path_type=Path))
@config.setting("db")
@config.setting("node")
@config.setting("engine-node")
@config.setting("quorum")
@config.setting("trust-single-node")
@config.setting("chain-id")
@click.option("--go-live", is_flag=True, help="Check the points of docs/go-live.md instead.")
@click.option("--backups", metavar="URL", help="With --go-live: the storage of backups.")
@click.option(
    "--single-signer", is_flag=True, help="With --go-live: accept escrow accounts with one key (1 of 1)."
)
@config.setting("backup-status")
@config.setting("payout-expires-in")
@config.setting("payout-limit")
@config.setting("payout-hour-limit")
@json_option
@click.pass_context
def doctor(ctx: click.Context, /, go_live: bool, as_json: bool, **options: Any) -> None:
    """Check machine, database, nodes and escrow accounts.

    It suggests fixes and changes nothing. The exit code is 1 if a finding is fatal. With --go-live it checks
    what a new venue needs before it opens: each point is OK, not yet, or cannot be told; the exit code is 1
    until all are OK. It needs no key.

    Example: peakedex doctor --venue venues/example.toml --db peakedex.db
    """
    if not go_live and (options["backups"] is not None or options["single_signer"]):
        raise click.UsageError("--backups and --single-signer need --go-live")
    subject = Subject(
        options["venue"],
        options["db"],
        nodes=distinct(options["node"]),
        engine_nodes=distinct(options["engine_node"]),
        quorum=options["quorum"],
        chain=expected_chain(options["chain_id"]),
        trust_single_node=options["trust_single_node"],
    )
    is_well = (
        _go_live(subject, _wanted(options), as_json=as_json) if go_live else _check(subject, as_json=as_json)
    )
    ctx.exit(0 if is_well else 1)


def _check(subject: Subject, *, as_json: bool) -> bool:
    """The self-check; whether nothing is fatal."""
    findings: list[Finding] = []
    for finding in examine(subject):
        findings.append(finding)
        if not as_json:
            _show(finding)
    is_well = all(finding.level != "fatal" for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": is_well, "findings": [finding._asdict() for finding in findings]}))
    else:
        counts = {level: sum(each.level == level for each in findings) for level in _COLOURS}
        click.echo(", ".join(f"{count} {level}" for level, count in counts.items()))
    return is_well


def _go_live(subject: Subject, wanted: GoLive, *, as_json: bool) -> bool:
    """The go-live checklist; whether all points are OK."""
    points: list[Point] = []
    for point in examine_go_live(subject, wanted):
        points.append(point)
        if not as_json:
            _show_point(point)
    counts = {status: len({p.number for p in points if p.status == status}) for status in _STATUSES}
    is_ready = all(point.status == "OK" for point in points)
    if as_json:
        click.echo(json.dumps({"ready": is_ready, "points": [point._asdict() for point in points]}))
    elif is_ready:
        click.echo(f"all {counts['OK']} points are OK: open the venue")
    else:
        click.echo(", ".join(f"{count} {status}" for status, count in counts.items()))
    return is_ready


def _wanted(options: dict[str, Any]) -> GoLive:
    """What the checklist needs besides the subject. Raises ConfigurationError for a wrong payout setting."""
    from indexer.cli.payouts.options import PayoutOptions  # beem is slow to import

    venue_file: Path | None = options["venue"]
    names = ("venue", "db", "node", "chain_id", "payout_expires_in", "payout_limit", "payout_hour_limit")
    policy = PayoutOptions(**{name: options[name] for name in names}).policy()
    _, venue = read_venue(venue_file)
    newest_backup = None
    if options["backups"] is not None and venue is not None:
        newest_backup = _newest_in_storage(options["backups"], venue.hash)
    elif options["backup_status"] is not None:
        newest_backup = _newest_recorded(options["backup_status"])
    return GoLive(
        None if venue is None else policy.hash(venue),
        frozenset(policy.limits),
        newest_backup,
        is_single_signer=options["single_signer"],
    )


def _newest_in_storage(url: str, venue_hash: str) -> Callable[[], datetime | None]:
    """Function that looks for the newest backup of the venue in a storage; raises StorageError."""
    from indexer.ops.backup.backups import list_backups
    from indexer.ops.backup.storage import Credentials, open_storage

    def newest() -> datetime | None:
        with open_storage(url, Credentials(**config.backup_credentials())) as storage:
            found = [each.made for each, _ in list_backups(storage) if venue_hash.startswith(each.venue)]
        return max(found, default=None)

    return newest


def _newest_recorded(path: Path) -> Callable[[], datetime | None]:
    """Function that reads when the newest backup of this machine succeeded, from its status file."""
    from api.machine_metrics import read_backup_status

    def newest() -> datetime | None:
        status = read_backup_status(path)
        if status is None or status.succeeded is None:
            return None
        return datetime.fromtimestamp(status.succeeded, UTC)

    return newest


def _show(finding: Finding) -> None:
    """Print a finding: level, check and result, and the suggested fix on the next line."""
    level = click.style(f"{finding.level:<6}", fg=_COLOURS[finding.level])
    _print(f"{level} {finding.check:<15} ", _INDENT, finding.text, finding.cure)


def _show_point(point: Point) -> None:
    """Print a point: number, status, title and result, and what to do on the next line."""
    status = click.style(f"{point.status:<11}", fg=_STATUSES[point.status])
    _print(f"{point.number:>2} {status} {point.title:<18} ", _POINT_INDENT, point.text, point.cure)


def _print(head: str, indent: int, text: str, cure: str) -> None:
    width = max(40, shutil.get_terminal_size((110, 24)).columns - indent)
    lines = [*textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)]
    if cure:
        lines += textwrap.wrap(f"→ {cure}", width, break_long_words=False, break_on_hyphens=False)
    click.echo(f"{head}{lines[0]}")
    for line in lines[1:]:
        click.echo(f"{'':<{indent}}{line}")
