"""Tokens, pairs, rules and announced upgrade: as they stood at the end of a block."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, func, select

from settlement.core.journal import lines
from settlement.store import schema


@dataclass(slots=True)
class Settings:
    """What the venue file and the operator's actions up to a block had set."""

    rules: lines.Rules | None = None
    upgrade: lines.Upgrade | None = None  # None unless one is announced
    tokens: dict[str, lines.Token] = field(default_factory=dict)  # by symbol
    pairs: dict[str, lines.Pair] = field(default_factory=dict)  # by BASE/QUOTE


_s = schema.settings.c
_NEWEST = (
    select(func.max(_s.n)).where(_s.block <= bindparam("block")).group_by(_s.kind, _s.key).scalar_subquery()
)
_LINES = select(_s.line).where(_s.n.in_(_NEWEST)).order_by(_s.n)
_UPGRADE = select(_s.line).where(_s.kind == "upgrade").order_by(_s.n.desc()).limit(1)


def read_settings(connection: Connection, block: int) -> Settings:
    """The settings at the end of a block; in the block before the first, those of the venue file."""
    settings = Settings()
    for text in connection.scalars(_LINES, {"block": block}):
        line = lines.parse(text)
        if isinstance(line, lines.Token):
            settings.tokens[line.symbol] = line
        elif isinstance(line, lines.Pair):
            settings.pairs[line.pair] = line
        elif isinstance(line, lines.Rules):
            settings.rules = line
        elif isinstance(line, lines.Upgrade) and line.block is not None:
            settings.upgrade = line
    return settings


def read_upgrade(connection: Connection) -> lines.Upgrade | None:
    """The announced protocol upgrade; None if there is none."""
    text = connection.scalar(_UPGRADE)
    line = None if text is None else lines.parse(text)
    return line if isinstance(line, lines.Upgrade) and line.block is not None else None
