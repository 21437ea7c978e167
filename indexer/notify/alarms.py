"""Alarms of the operator: what the API says about itself and the exchange, and which of it is news."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from indexer.notify.api_client import Api, ApiError, Withdrawal
from indexer.notify.config.model import Config, MetricAlarm
from indexer.notify.message import clean, notification, now
from indexer.notify.outbox import Addressed
from indexer.notify.state import ActiveAlarm, State
from settlement.net.http_client import NodeError

MAX_SUBJECTS: Final = 1_000
"""More of them are not told apart."""
MAX_TEXT: Final = 300
_STUCK: Final = timedelta(hours=1)
_PENDING_PAGES: Final = 5
_PAYOUT_STATES: Final = {
    "held": "payouts_held",
    "waiting_account": "payouts_held",
    "waiting_approval": "payouts_waiting_approval",
    "waiting_funds": "payouts_waiting_funds",
}
_UNDER_WAY: Final = ("queued", "signed", "sent")
_SENTENCES: Final = (
    ("An escrow account was used outside", "escrow"),
    ("Payouts are paused", "payouts_paused"),
    ("", "integrity"),
)
"""Kinds of the sentences in `alarms` of /api/health, by their beginning."""


class _Node(Struct):
    url: str
    state: str


class _Indexer(Struct):
    liveness: str
    nodes: list[_Node] | None


class Health(Struct):
    """What is needed of /api/health."""

    ts: str | None
    database: str
    warning: str | None
    alarms: list[str]
    indexer: _Indexer | None


class _Token(Struct):
    symbol: str
    solvent: bool
    real_difference: str | None


class _Solvency(Struct):
    tokens: list[_Token]


class _Withdrawals(Struct):
    withdrawals: list[Withdrawal]
    next_cursor: str | None


class Alarm(NamedTuple):
    """An alarm that is on. It is news again when it concerns a subject that it did not before."""

    text: str
    subjects: frozenset[str] = frozenset(("",))


class Observation(NamedTuple):
    """The alarms that are on, and those of which nothing is known, because no answer came."""

    health: Health | None
    problem: str | None  # why there is no health
    alarms: dict[str, Alarm]
    unknown: frozenset[str]


def observe(api: Api, config: Config) -> Observation:
    """Ask the API how it is."""
    alarms: dict[str, Alarm] = {}
    unknown: set[str] = set()
    try:
        health = api.get("/api/health", Health)
    except NodeError as error:
        alarms["down"] = Alarm(str(error))
        return Observation(None, str(error), alarms, frozenset(config.alarms.keys() - {"down"}))
    if health.database != "ok":
        alarms["database"] = Alarm(health.database)
        return Observation(health, None, alarms, frozenset(config.alarms.keys() - {"down", "database"}))
    alarms |= _of_health(health)
    pages = _MetricPages(api)
    readers: list[tuple[Callable[[], dict[str, Alarm]], set[str]]] = [
        (lambda: _of_solvency(api), {"insolvent", "escrow_short"}),
        (lambda: _of_payouts(api, health.ts), {*_PAYOUT_STATES.values(), "payouts_stuck"}),
        *((lambda each=each: _of_metric(each, pages), {each.name}) for each in config.metrics),
    ]
    for read, kinds in readers:
        try:
            alarms |= read()
        except (NodeError, ValueError):  # also a time that is none
            unknown |= kinds
    return Observation(health, None, alarms, frozenset(unknown))


def _of_health(health: Health) -> dict[str, Alarm]:
    found: dict[str, Alarm] = {}
    if health.warning is not None:
        is_silent = health.indexer is not None and health.indexer.liveness == "silent"
        found["stopped" if is_silent else "behind"] = Alarm(health.warning)
    sentences: dict[str, list[str]] = {}
    for sentence in health.alarms:
        kind = next(kind for beginning, kind in _SENTENCES if sentence.startswith(beginning))
        sentences.setdefault(kind, []).append(sentence)
    for kind, among in sentences.items():
        subjects = (_without_moving_numbers(kind, sentence) for sentence in among)
        found[kind] = Alarm(" ".join(among), frozenset(subjects))
    nodes = (health.indexer and health.indexer.nodes) or []
    disagreeing = [node.url for node in nodes if node.state == "disagrees"]
    if disagreeing:
        found["node"] = Alarm(", ".join(disagreeing), frozenset(disagreeing))
    return found


def _without_moving_numbers(kind: str, sentence: str) -> str:
    """The part of a sentence that is the same while it is about the same."""
    if kind == "escrow":  # the newest operation; how many others there were changes with time
        return re.sub(r", and [0-9]+ more within a week", "", sentence)
    return re.sub(r"[0-9]+", "#", sentence) if kind == "integrity" else sentence


def _of_solvency(api: Api) -> dict[str, Alarm]:
    tokens = api.get("/api/solvency", _Solvency).tokens
    insolvent = [each.symbol for each in tokens if not each.solvent]
    short = {
        each.symbol: each.real_difference for each in tokens if (each.real_difference or "").startswith("-")
    }
    found = {}
    if insolvent:
        found["insolvent"] = Alarm(f"Tokens: {', '.join(insolvent)}", frozenset(insolvent))
    if short:
        text = ", ".join(f"{amount} {symbol}" for symbol, amount in short.items())
        found["escrow_short"] = Alarm(f"Difference: {text}", frozenset(short))
    return found


def _of_payouts(api: Api, ts: str | None) -> dict[str, Alarm]:
    """Pending withdrawals by what their payment waits for."""
    ids: dict[str, list[str]] = {}
    for row in _pending(api):
        state = "" if row.payout is None else row.payout.state
        kind = _PAYOUT_STATES.get(state)
        if state in _UNDER_WAY and ts is not None and _age(ts, row.ts) >= _STUCK:
            kind = "payouts_stuck"
        if kind is not None:
            ids.setdefault(kind, []).append(row.id)
    return {kind: Alarm(_list(among), frozenset(among)) for kind, among in ids.items()}


def _pending(api: Api) -> Iterator[Withdrawal]:
    cursor: str | None = None
    for _ in range(_PENDING_PAGES):
        page = api.get("/api/withdrawals", _Withdrawals, status="pending", limit=1000, cursor=cursor)
        yield from page.withdrawals
        cursor = page.next_cursor
        if cursor is None:
            return


def _age(now_: str, then: str) -> timedelta:
    return datetime.fromisoformat(now_) - datetime.fromisoformat(then)


def _list(ids: list[str]) -> str:
    shown = ", ".join(ids[:3])
    return (
        f"{len(ids)} withdrawals: {shown}{' …' if len(ids) > 3 else ''}"
        if len(ids) > 1
        else f"Withdrawal {shown}"
    )


class _MetricPages:
    """Pages of metrics, each read once."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._read: dict[str, list[Sample] | NodeError] = {}

    def samples(self, url: str | None) -> list[Sample]:
        """All samples of a page; None: of the API's own. Raises NodeError."""
        url = url or f"{self._api.url}/metrics"
        if url not in self._read:
            try:
                families = text_string_to_metric_families(self._api.text(url))
                self._read[url] = [sample for family in families for sample in family.samples]
            except NodeError as error:
                self._read[url] = error
            except ValueError as error:
                self._read[url] = ApiError(f"{url}: not a page of metrics: {error}")
        found = self._read[url]
        if isinstance(found, NodeError):
            raise found
        return found


def _of_metric(alarm: MetricAlarm, pages: _MetricPages) -> dict[str, Alarm]:
    samples = [
        sample
        for sample in pages.samples(alarm.url)
        if sample.name == alarm.metric and alarm.labels.items() <= sample.labels.items()
    ]
    if not samples:
        raise ApiError(f"{alarm.metric}: there is no such metric")
    found = {
        ", ".join(f"{name} {value}" for name, value in sample.labels.items()): sample.value
        for sample in samples
        if (alarm.above is not None and sample.value > alarm.above)
        or (alarm.below is not None and sample.value < alarm.below)
    }
    if not found:
        return {}
    text = "; ".join(f"{alarm.metric} {labels} is {value:g}" for labels, value in found.items())
    return {alarm.name: Alarm(" ".join(text.split()), frozenset(found))}


def judge(
    state: State, seen: Observation, config: Config, url: str, clock: Callable[[], float] = time.time
) -> Iterator[Addressed]:
    """What is news of the alarms; `state` is changed. Alarms that are unknown stay as they are."""
    moment = clock()
    for kind, alarm in seen.alarms.items():
        active = state.alarms.get(kind)
        if active is None:
            active = state.alarms[kind] = ActiveAlarm(now(), moment, [], "")
        subjects = alarm.subjects if len(alarm.subjects) <= MAX_SUBJECTS else frozenset(("many",))
        added = subjects - set(active.subjects)
        is_due = moment - active.first_seen >= config.alarms[kind].after_seconds
        repeats = config.repeat_hours * 3600
        is_repeat = active.sent > 0 and 0 < repeats <= moment - active.last_sent
        active.text = clean(alarm.text, MAX_TEXT)
        if not is_due:
            continue
        active.subjects = sorted(subjects)
        if active.sent > 0 and not added and not is_repeat:
            continue
        active.sent, active.last_sent = active.sent + 1, moment
        yield from _tell(kind, active, config, url, is_over=False)
    for kind in state.alarms.keys() - seen.alarms.keys() - seen.unknown:
        over = state.alarms.pop(kind)
        if over.sent and kind in config.alarms:
            yield from _tell(kind, over, config, url, is_over=True)


def _tell(kind: str, active: ActiveAlarm, config: Config, url: str, *, is_over: bool) -> Iterator[Addressed]:
    about = config.alarms[kind]
    to = dict.fromkeys(name for rule in config.alarm_rules if kind in rule.kinds for name in rule.to)
    fields: dict[str, object] = {"alarm": kind, "problem": active.text, "since": active.since, "api": url}
    if is_over:
        message = notification(
            f"alarm/{kind}/{active.since}/resolved", "resolved", f"Resolved: {about.title}", fields, now()
        )
    else:
        if active.sent > 1:
            fields["message"] = active.sent
        message = notification(
            f"alarm/{kind}/{active.since}/{active.sent}", "alarm", about.title, fields, now(), about.severity
        )
    yield Addressed(message, tuple(to))
