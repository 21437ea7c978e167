"""`peakedex doctor`: checks of the machine, the database, the nodes and the escrow accounts."""

from __future__ import annotations

import json
import shutil
import textwrap
from pathlib import Path
from typing import Final

import click

from indexer import settings as config
from indexer.cli.support.common import json_option
from indexer.cli.support.nodes import expected_chain
from indexer.ops.doctor import Finding, Subject, examine

_COLOURS: Final = {"ok": "green", "warn": "yellow", "fatal": "red"}
_INDENT: Final = 23


@click.command()
@config.setting("venue", type=click.Path(dir_okay=False, path_type=Path))
@config.setting("db")
@config.setting("node")
@config.setting("engine-node")
@config.setting("quorum")
@config.setting("trust-single-node")
@config.setting("chain-id")
@json_option
@click.pass_context
def doctor(
    ctx: click.Context,
    venue: Path | None,
    db: str | None,
    node: tuple[str, ...],
    engine_node: tuple[str, ...],
    quorum: int | None,
    trust_single_node: bool,
    chain_id: str | None,
    as_json: bool,
) -> None:
    """Check machine, database, nodes and escrow accounts.

    It suggests fixes and changes nothing. The exit code is 1 if a finding is fatal.

    Example: peakedex doctor --venue venues/example.toml --db peakedex.db
    """
    findings: list[Finding] = []
    subject = Subject(
        venue,
        db,
        nodes=node,
        engine_nodes=engine_node,
        quorum=quorum,
        chain=expected_chain(chain_id),
        trust_single_node=trust_single_node,
    )
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
    ctx.exit(0 if is_well else 1)


def _show(finding: Finding) -> None:
    """Print a finding: level, check and result, and the suggested fix on the next line."""
    level = click.style(f"{finding.level:<6}", fg=_COLOURS[finding.level])
    width = max(40, shutil.get_terminal_size((110, 24)).columns - _INDENT)
    lines = [*textwrap.wrap(finding.text, width, break_long_words=False, break_on_hyphens=False)]
    if finding.cure:
        lines += textwrap.wrap(f"→ {finding.cure}", width, break_long_words=False, break_on_hyphens=False)
    click.echo(f"{level} {finding.check:<15} {lines[0]}")
    for line in lines[1:]:
        click.echo(f"{'':<{_INDENT}}{line}")
