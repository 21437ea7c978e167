"""The configuration of notifications: targets and rules, as validated by `reader`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from indexer.notify.message import Severity


@dataclass(frozen=True, slots=True)
class AlarmKind:
    """An alarm of the operator: how serious it is, and how long it must last before it is sent."""

    severity: Severity
    after_seconds: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricAlarm:
    """An alarm from a page of Prometheus metrics: raised while a sample is above (or below) a limit."""

    name: str
    metric: str
    labels: Mapping[str, str]
    above: float | None
    below: float | None
    url: str | None  # of the page; None: /metrics of the API
    kind: AlarmKind


def _machine_alarm(
    name: str, metric: str, kind: AlarmKind, *, above: float | None = None, below: float | None = None
) -> MetricAlarm:
    return MetricAlarm(name=name, metric=metric, labels={}, above=above, below=below, url=None, kind=kind)


_BACKUP_SECONDS: Final = 30 * 3600
_DISK_BYTES: Final = 1_000_000_000
MACHINE_ALARMS: Final = (
    _machine_alarm(
        *("backup_failed", "peakedex_backup_failed", AlarmKind("warning", 0, "The newest backup has failed")),
        above=0,
    ),
    _machine_alarm(
        *("backup_old", "peakedex_backup_age_seconds"),
        AlarmKind("warning", 600, "There is no backup of the last 30 hours"),
        above=_BACKUP_SECONDS,
    ),
    _machine_alarm(
        *("disk_full", "peakedex_disk_free_bytes", AlarmKind("critical", 300, "A disk is nearly full")),
        below=_DISK_BYTES,
    ),
)
"""Alarms about the API's machine, with the limits of deploy/monitoring/alerts.yml."""

ALARM_KINDS: Final[Mapping[str, AlarmKind]] = {
    "down": AlarmKind("critical", 60, "The API does not answer"),
    "database": AlarmKind("critical", 60, "The API cannot read its database"),
    "stopped": AlarmKind("critical", 0, "The indexer has stopped"),
    "behind": AlarmKind("critical", 120, "The database is behind the chain"),
    "integrity": AlarmKind("critical", 0, "A checkpoint or a peer disagrees with this replica"),
    "escrow": AlarmKind("critical", 0, "An escrow account was used outside the exchange"),
    "payouts_paused": AlarmKind("critical", 0, "Payouts are paused"),
    "insolvent": AlarmKind("critical", 120, "Less is held in escrow than is owed"),
    "escrow_short": AlarmKind("critical", 600, "An escrow account holds less than the ledger says"),
    "payouts_held": AlarmKind("warning", 60, "Payments cannot be made as they are"),
    "payouts_waiting_approval": AlarmKind("warning", 60, "Payments wait for approval"),
    "payouts_waiting_funds": AlarmKind("critical", 60, "Payments wait for funds"),
    "payouts_stuck": AlarmKind("critical", 0, "Payments have been under way for more than an hour"),
    "node": AlarmKind("warning", 60, "A node contradicts the others"),
    **{each.name: each.kind for each in MACHINE_ALARMS},
}
"""All alarms, apart from those of `[[metrics]]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSettings:
    """A place that messages are sent to. `options` are those of its type; secrets are resolved."""

    name: str
    type: str
    options: Mapping[str, object] = field(repr=False)
    per_minute: int
    queue: int
    secrets: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class AlarmRule:
    kinds: frozenset[str]
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AccountRule:
    """`events` are of "fill", "deposit" and "withdrawal"."""

    events: frozenset[str]
    accounts: frozenset[str]
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PriceRule:
    """The last price of a pair crosses a level. It fires again once the price was `rearm_percent` back."""

    pair: str
    is_above: bool
    level: Decimal
    rearm_percent: Decimal
    to: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"price/{self.pair}/{'above' if self.is_above else 'below'}/{self.level.normalize():f}"


@dataclass(frozen=True, slots=True)
class ChangeRule:
    """The last price of a pair differs by `percent` or more from that at the beginning of the window."""

    pair: str
    percent: Decimal
    window: str
    to: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"change/{self.pair}/{self.percent.normalize():f}/{self.window}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    targets: tuple[TargetSettings, ...]
    alarm_rules: tuple[AlarmRule, ...]
    account_rules: tuple[AccountRule, ...]
    price_rules: tuple[PriceRule, ...]
    change_rules: tuple[ChangeRule, ...]
    metrics: tuple[MetricAlarm, ...]  # with MACHINE_ALARMS
    alarms: Mapping[str, AlarmKind]  # all kinds, with this configuration's durations
    poll_seconds: int  # between two looks at the API's health
    repeat_hours: int  # an alarm that lasts is repeated; 0: never

    @property
    def accounts(self) -> tuple[str, ...]:
        return tuple(sorted({name for rule in self.account_rules for name in rule.accounts}))

    @property
    def pairs(self) -> tuple[str, ...]:
        pairs = {rule.pair for rule in self.price_rules} | {rule.pair for rule in self.change_rules}
        return tuple(sorted(pairs))
