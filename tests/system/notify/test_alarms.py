"""Alarms of the operator, from what an API says: raised after a while, told again only for news, resolved once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import api
from indexer.notify.alarms import Observation, judge, observe
from indexer.notify.api_client import Api
from indexer.notify.config.model import MACHINE_ALARMS, Config
from indexer.notify.config.reader import read_config
from indexer.notify.message import Notification
from indexer.notify.state import State
from tests.system.notify.servers import Answer, Receiver, receiver

CONFIG = """
repeat_hours = 24
[after_seconds]
behind = 100
[targets.it]
type = "webhook"
url = "http://127.0.0.1:1/"
[[rules]]
when = "alarm"
to = ["it"]
[[metrics]]
name = "own"
metric = "own_seconds"
labels = { place = "s3" }
above = 90000
"""
TS = "2026-09-21T14:13:53Z"


class Watched:
    """An API that says what a test wants, and the alarms that come of it."""

    def __init__(self, server: Receiver) -> None:
        self.server = server
        self.config: Config = read_config(CONFIG, {})
        self.state = State()
        self.moment = 1_000.0
        self.health: dict[str, Any] = {
            "ts": TS,
            "database": "ok",
            "warning": None,
            "alarms": [],
            "indexer": {"liveness": "alive", "nodes": [{"url": "https://node.test", "state": "ok"}]},
        }
        self.tokens = [{"symbol": "PEK", "solvent": True, "real_difference": "0.0"}]
        self.withdrawals: list[dict[str, Any]] = []
        self.machine = "peakedex_backup_failed 0\npeakedex_backup_age_seconds 60\n"
        self.machine += 'peakedex_disk_free_bytes{folder="/var"} 1e10\n'
        self.metrics = 'own_seconds{place="s3"} 10\nown_seconds{place="disk"} 1e9\n'

    def look(self, seconds: float = 0) -> list[Notification]:
        self.moment += seconds
        self.server.give("/api/health", self.health)
        self.server.give("/api/solvency", {"tokens": self.tokens})
        self.server.give("/api/withdrawals", {"withdrawals": self.withdrawals, "next_cursor": None})
        self.server.always["/metrics"] = Answer(body=(self.machine + self.metrics).encode())
        return self.judge(observe(Api(self.server.url, threading.Event()), self.config))

    def judge(self, seen: Observation) -> list[Notification]:
        told = judge(self.state, seen, self.config, "http://api", lambda: self.moment)
        return [each.notification for each in told]

    def pending(self, id_: str, state: str, ts: str = TS) -> None:
        row: dict[str, object] = {
            "id": id_,
            "user": "alice",
            "symbol": "PEK",
            "amount": "1",
            "to": "alice",
            "memo": None,
            "ts": ts,
        }
        row |= {"status": "pending", "block": 1, "paid_by": None, "closed_ts": None}
        self.withdrawals.append({**row, "payout": {"state": state, "reason": None}})


@pytest.fixture
def watched() -> Iterator[Watched]:
    with receiver() as server:
        yield Watched(server)


def kinds(found: list[Notification]) -> list[tuple[str, str]]:
    return [(each.kind, each.fields["alarm"]) for each in found]


def test_an_alarm_is_raised_after_its_time_repeated_each_day_and_resolved(watched: Watched) -> None:
    assert watched.look() == []
    watched.health["warning"] = "The database is 30 blocks behind."
    assert watched.look() == []
    assert watched.look(99) == []
    [raised] = watched.look(1)
    assert (raised.kind, raised.severity) == ("alarm", "critical")
    assert raised.fields["problem"] == "The database is 30 blocks behind."
    watched.health["warning"] = "The database is 31 blocks behind."
    assert watched.look(3600) == []
    [again] = watched.look(24 * 3600)
    assert again.id != raised.id
    watched.health["warning"] = None
    [over] = watched.look(10)
    assert kinds([over]) == [("resolved", "behind")]
    assert watched.look(10) == []


def test_a_short_problem_is_no_alarm(watched: Watched) -> None:
    watched.health["warning"] = "The database is behind."
    assert watched.look() == []
    watched.health["warning"] = None
    assert watched.look(500) == []


def test_every_alarm_of_the_api_has_a_kind_of_its_own(watched: Watched) -> None:
    watched.health["warning"] = "The indexer is silent."
    watched.health["indexer"] = {
        "liveness": "silent",
        "nodes": [{"url": "https://bad", "state": "disagrees"}],
    }
    watched.health["alarms"] = [
        "A checkpoint of block 7 by peakecoin has a different state hash than this replica.",
        "An escrow account was used outside the exchange: transfer of venue.hbd in block 9.",
        "Payouts are paused: an operation of venue.hbd.",
    ]
    watched.tokens = [{"symbol": "PEK", "solvent": False, "real_difference": "-1.5"}]
    watched.metrics = watched.metrics.replace("} 10", "} 90001")
    watched.machine = (
        watched.machine.replace("failed 0", "failed 1").replace("1e10", "1e8").replace("60", "+Inf")
    )
    watched.pending("w1", "held")
    watched.pending("w2", "waiting_approval")
    watched.pending("w3", "waiting_funds")
    watched.pending("w4", "queued", "2026-09-21T13:13:53Z")
    watched.pending("w5", "queued")
    found = kinds([*watched.look(), *watched.look(601)])
    expected = watched.config.alarms.keys() - {"down", "database", "behind"}
    assert sorted(found) == sorted(("alarm", kind) for kind in expected)
    sources = "".join(path.read_text("utf-8") for path in Path(api.__file__).parent.rglob("*.py"))
    assert [each.metric for each in MACHINE_ALARMS if f'"{each.metric}"' not in sources] == []
    # The kinds are told by how the API's sentences begin.
    assert "An escrow account was used outside the exchange: " in sources
    assert "Payouts are paused: " in sources


def test_more_of_the_same_is_news_and_less_is_not(watched: Watched) -> None:
    watched.pending("w1", "held")
    assert watched.look() == []
    assert len(watched.look(60)) == 1
    watched.pending("w2", "held")
    [more] = watched.look(15)
    assert more.fields["problem"] == "2 withdrawals: w1, w2"
    del watched.withdrawals[0]
    assert watched.look(15) == []
    one = "An escrow account was used outside the exchange: transfer of venue.hbd in block 9."
    watched.health["alarms"] = [one]
    assert len(watched.look(15)) == 1
    watched.health["alarms"] = [one.replace("block 9.", "block 9, and 3 more within a week.")]
    assert watched.look(15) == []
    watched.health["alarms"] = [one.replace("block 9", "block 12, and 4 more within a week")]
    assert len(watched.look(15)) == 1


def test_thousands_of_held_payments_are_one_message_and_one_that_is_held_again_is_news(
    watched: Watched,
) -> None:
    for n in range(1001):
        watched.pending(f"w{n}", "held")
    watched.look()
    assert len(watched.look(60)) == 1
    watched.pending("w1001", "held")
    assert watched.look(15) == []
    watched.withdrawals = watched.withdrawals[:2]
    assert len(watched.look(15)) == 1  # fewer, and now they are told apart
    held = watched.withdrawals.pop()
    assert watched.look(15) == []
    watched.withdrawals.append(held)
    assert len(watched.look(15)) == 1


def test_without_an_answer_nothing_else_is_resolved(watched: Watched) -> None:
    watched.tokens = [{"symbol": "PEK", "solvent": False, "real_difference": None}]
    watched.look()
    assert kinds(watched.look(120)) == [("alarm", "insolvent")]
    seen = observe(Api("http://127.0.0.1:1", threading.Event()), watched.config)
    assert watched.judge(seen) == []
    watched.moment += 60
    assert kinds(watched.judge(seen)) == [("alarm", "down")]
    watched.tokens = [{"symbol": "PEK", "solvent": True, "real_difference": None}]
    assert sorted(kinds(watched.look(15))) == [("resolved", "down"), ("resolved", "insolvent")]
    watched.health["database"] = "The database does not answer."
    watched.look(15)
    assert kinds(watched.look(60)) == [("alarm", "database")]


def test_an_answer_that_is_not_the_api_s_is_none(watched: Watched) -> None:
    watched.server.give("/api/health", ["<html>"])
    seen = observe(Api(watched.server.url, threading.Event()), watched.config)
    assert seen.alarms.keys() == {"down"}
