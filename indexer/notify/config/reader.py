"""Reads and validates the file of rules and targets (TOML); names every mistake."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from indexer.notify.config.model import (
    ALARM_KINDS,
    MACHINE_ALARMS,
    AccountRule,
    AlarmKind,
    AlarmRule,
    ChangeRule,
    Config,
    MetricAlarm,
    PriceRule,
)
from indexer.notify.config.tables import Table, shown
from indexer.notify.config.targets import NAME, read_targets
from settlement.core.parsing.names import is_account, is_symbol

MAX_TOPICS: Final = 60
"""Accounts and pairs together: a stream has at most 64 topics."""
WINDOWS: Final = ("15m", "1h", "4h", "24h", "7d")
EVENTS: Final = ("fill", "deposit", "withdrawal")
WHEN: Final = ("alarm", *EVENTS, "account", "price", "change")
_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_RULE_FIELDS: Final[Mapping[str, str]] = {
    "alarm": "when, alarms, to",
    "price": "when, pair, above or below, rearm_percent, to",
    "change": "when, pair, percent, window, to",
}


class ConfigError(ValueError):
    """The file is not valid. `mistakes` names every one: field, reason, cure."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


class _Rules:
    """Rules of each kind, as they are read."""

    def __init__(self) -> None:
        self.alarms: list[AlarmRule] = []
        self.accounts: list[AccountRule] = []
        self.prices: list[PriceRule] = []
        self.changes: list[ChangeRule] = []


def read_config(text: str, environ: Mapping[str, str]) -> Config:
    """The configuration; secrets come from `environ`. Raises ConfigError."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"not valid TOML: {error}"]) from None
    mistakes: list[str] = []
    root = Table("", document, mistakes)
    poll_seconds = root.integer("poll_seconds", 1, 600, 15)
    repeat_hours = root.integer("repeat_hours", 0, 720, 24)
    metrics = [
        _metric(Table(f"metrics[{n}]", value, mistakes)) for n, value in enumerate(root.tables("metrics"), 1)
    ]
    kinds = {**ALARM_KINDS, **{each.name: each.kind for each in metrics if each.name}}
    kinds = _durations(Table("after_seconds", root.take("after_seconds", {}), mistakes), kinds)
    targets = read_targets(Table("targets", root.take("targets", {}), mistakes), environ)
    names = tuple(each.name for each in targets)
    rules = _Rules()
    found = root.tables("rules")
    for n, value in enumerate(found, 1):
        _rule(Table(f"rules[{n}]", value, mistakes), kinds, names, rules)
    root.done("poll_seconds, repeat_hours, after_seconds, targets, rules, metrics")
    config = Config(
        targets=targets,
        alarm_rules=tuple(rules.alarms),
        account_rules=tuple(rules.accounts),
        price_rules=tuple(rules.prices),
        change_rules=tuple(rules.changes),
        metrics=(*MACHINE_ALARMS, *metrics),
        alarms=kinds,
        poll_seconds=poll_seconds,
        repeat_hours=repeat_hours,
    )
    if not found:
        root.note("rules", "there is none: add [[rules]]")
    topics = len(config.accounts) + len(config.pairs)
    if topics > MAX_TOPICS:
        root.note("rules", f"they name {topics} accounts and pairs: the maximum is {MAX_TOPICS} per process")
    if mistakes:
        raise ConfigError(mistakes)
    return config


def _rule(table: Table, kinds: Mapping[str, AlarmKind], targets: tuple[str, ...], rules: _Rules) -> None:
    when = table.choice("when", WHEN)
    to = table.names(
        "to", targets.__contains__, f"the targets {', '.join(targets) or '(none is configured)'}"
    )
    if when == "alarm":
        wanted = kinds.keys()
        if table.has("alarms"):
            table_names = table.names("alarms", kinds.__contains__, ", ".join(kinds))
            wanted = dict.fromkeys(table_names).keys()
        rules.alarms.append(AlarmRule(frozenset(wanted), to))
    elif when in (*EVENTS, "account"):
        accounts = table.names("accounts", is_account, "names of Hive accounts, like alice")
        events = frozenset(EVENTS if when == "account" else (when,))
        rules.accounts.append(AccountRule(events, frozenset(accounts), to))
    elif when == "price":
        _price(table, to, rules)
    elif when == "change":
        pair, percent = _pair(table), table.decimal("percent")
        rules.changes.append(ChangeRule(pair, percent, table.choice("window", WINDOWS, "24h"), to))
    if when:
        table.done(_RULE_FIELDS.get(when, "when, accounts, to"))


def _price(table: Table, to: tuple[str, ...], rules: _Rules) -> None:
    pair = _pair(table)
    if not (table.has("above") or table.has("below")):
        table.note("above", 'is missing: write above = "0.02", below = "0.01" or both')
    rearm = table.decimal("rearm_percent", "1")
    for key in ("above", "below"):
        if table.has(key):
            rules.prices.append(PriceRule(pair, key == "above", table.decimal(key), rearm, to))
    if rearm >= Decimal(100):
        table.note("rearm_percent", "must be below 100")


def _pair(table: Table) -> str:
    def valid(text: str) -> bool:
        base, slash, quote = text.partition("/")
        return bool(slash) and is_symbol(base) and is_symbol(quote)

    return table.text("pair", valid, "a pair like PEK/SWAP.HIVE")


def _metric(table: Table) -> MetricAlarm:
    name = table.text("name", lambda text: NAME.fullmatch(text) and text not in ALARM_KINDS, "a new name")
    metric = table.text("metric", _METRIC.fullmatch, "the name of a Prometheus metric")
    labels = table.take("labels", {})
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        table.note("labels", f'{shown(labels)} is not valid: write them like {{ state = "held" }}')
        labels = {}
    above, below = table.number("above"), table.number("below")
    if (above is None) == (below is None):
        table.note("above", "write either above or below, with a number")
    severity = table.choice("severity", ("info", "warning", "critical"), "warning")
    title = table.text(
        "title", bool, "text", f"{metric} is {'above' if below is None else 'below'} its limit"
    )
    kind = AlarmKind(severity, 60, title)  # type: ignore[arg-type]
    url = table.optional(
        "url", lambda text: text.startswith(("http://", "https://")), "the address of a page"
    )
    table.done("name, metric, labels, above, below, url, severity, title")
    return MetricAlarm(
        name=name,
        metric=metric,
        labels=labels,
        above=above,
        below=below,
        url=url,
        kind=kind,
    )


def _durations(table: Table, kinds: Mapping[str, AlarmKind]) -> dict[str, AlarmKind]:
    """The kinds with the durations of [after_seconds]."""
    result = {
        name: replace(kind, after_seconds=table.integer(name, 0, 86_400, kind.after_seconds))
        for name, kind in kinds.items()
    }
    table.done(f"the alarms are {', '.join(kinds)}")
    return result
