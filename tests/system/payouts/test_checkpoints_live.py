"""Checkpoints and peers over HTTP: payouts post, two replicas compare, and changed rows are found."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import func, select, update

from indexer.cli.payouts.options import read_checkpoint_key
from indexer.devnet.hive.keys import PrivateKey
from settlement.store import schema
from settlement.store.database import closing_writer
from tests.support.ports import free_ports
from tests.support.waiting import wait_until
from tests.system.payouts.processes import Chain, Operator

HBD, PEK, BOSS = PrivateKey("claims hbd"), PrivateKey("claims pek"), PrivateKey("claims boss")
EVERY = 8


class Replica(Operator):
    """An operator with an API on a known port."""

    def __init__(self, chain: Chain, folder: Path, keys: dict[str, str], port: int, *settings: str) -> None:
        super().__init__(chain, folder, keys, "--first-run")
        self.port = port
        (folder / "peakedex.toml").write_text("\n".join((f"checkpoint-every = {EVERY}", *settings)))

    def _arguments(self, name: str) -> Any:
        given = super()._arguments(name)
        return (*given, "--port", str(self.port)) if name == "serve" else given

    def get(self, path: str) -> Any:
        """An answer of its API; None if there is none or an error."""
        try:
            answer = requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=60)
        except requests.RequestException:
            return None
        return answer.json() if answer.ok else None

    def verdicts(self) -> list[tuple[bool | None, bool | None]]:
        """Comparison of checkpoints, newest first, by journal and state."""
        answer = self.get("/api/checkpoints") or {"checkpoints": []}
        return [(claim["agrees"], claim["state_agrees"]) for claim in answer["checkpoints"]]

    def peer(self) -> dict[str, Any]:
        """Its indexer's report on its only peer."""
        found: dict[str, Any] = json.loads(self.scalar(select(schema.indexer_status.c.peers)) or "[{}]")[0]
        return found


@pytest.fixture
def chain() -> Iterator[Chain]:
    chain = Chain()
    for account, key in (("venue.hbd", HBD), ("venue.pek", PEK), ("venue.proof", BOSS)):
        chain.authority(account, 1, key)
    yield chain
    chain.close()


@pytest.fixture
def replicas(chain: Chain, tmp_path: Path) -> Iterator[tuple[Replica, Replica]]:
    """The first pays, posts, and compares itself with the second, which follows and serves."""
    one, two = free_ports(2)
    keys = {"TEST_HBD_KEY": HBD.wif, "TEST_PEK_KEY": PEK.wif, "PEK_CHECKPOINT_KEY": BOSS.wif}
    for trader in ("alice", "bob"):
        chain.deposit(trader, "HBD", 100_000)
    peer = f'peer = ["http://127.0.0.1:{two}"]'
    both = Replica(chain, tmp_path / "first", keys, one, peer), Replica(chain, tmp_path / "second", {}, two)
    both[1].start("follow")
    both[0].up()
    both[1].start("serve")
    yield both
    for each in both:
        each.close()


def steal(url: str) -> None:
    """Move a thousandth from alice to bob, only in the rows: the books still add up."""
    a = schema.accounts.c
    with closing_writer(url) as engine, engine.begin() as connection:
        for name, change in (("alice", -1), ("bob", 1)):
            of = select(a.id).where(a.name == name).scalar_subquery()
            for table in (schema.balances, schema.balance_changes):
                c = table.c
                changed = update(table).where(c.account_id == of, c.token_id == _hbd())
                connection.execute(changed.values(available=c.available + change))


def _hbd() -> Any:
    t = schema.tokens.c
    return select(t.id).where(t.symbol == "HBD").scalar_subquery()


def test_replicas_agree_until_the_rows_of_one_are_changed(
    chain: Chain, replicas: tuple[Replica, Replica]
) -> None:
    honest, other = replicas
    paid = chain.withdraw("alice", "HBD", "1.000")
    wait_until(lambda: (True, True) in other.verdicts(), "a claim that agrees")
    wait_until(lambda: honest.peer().get("state_block"), "states compared")
    assert honest.peer()["state"] == "agrees"
    assert other.get("/api/health")["alarms"] == []

    other.kill("follow")
    steal(other.db)
    other.start("follow")
    wait_until(lambda: (True, False) in other.verdicts(), "a claim that does not agree")
    wait_until(lambda: honest.peer()["state"] == "disagrees", "the alarm of its peer")
    assert honest.peer()["differs_in"] == "state"
    wait_until(lambda: "DISAGREEMENT: checkpoint" in other.log("follow"), "a loud line")
    assert "DISAGREEMENT: peer" in honest.log("follow")
    assert any("has a different state hash" in alarm for alarm in other.get("/api/health")["alarms"])
    assert other.get("/api/ready")["ready"]  # an alarm is not a stop

    honest.wait_paid(paid, chain.withdraw("bob", "HBD", "2.000"))  # nothing of it has held a payment up
    of = schema.checkpoints.c.claimed_block
    claims = honest.scalar(select(func.count(of)))
    assert claims == honest.scalar(select(func.count(of.distinct()))) >= 2
    assert "DISAGREEMENT: checkpoint" not in honest.log("follow")
    assert BOSS.wif not in honest.log()


def test_without_a_usable_key_nothing_is_posted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    keys = {"BAD": "5Jnonsense"}
    for variable, every, words in (
        ("NONE", EVERY, "NONE is not set"),
        ("BAD", 0, "checkpoint-every is 0"),
        ("BAD", EVERY, "BAD: not a private key"),
    ):
        assert read_checkpoint_key(keys, variable, every) is None
        assert f"checkpoints are not posted: {words}" in caplog.text
    assert "nonsense" not in caplog.text
