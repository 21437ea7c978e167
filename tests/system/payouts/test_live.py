"""1 of 1 over HTTP: `peakedex follow` and `peakedex payouts` with beem's signatures, under failures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from indexer.devnet.hive.keys import PrivateKey
from indexer.devnet.traders.payloads import custom_json, token_transfer
from settlement.store import payout_schema, schema
from tests.support.waiting import wait_until
from tests.system.payouts.processes import VIEW, Chain, Operator

HBD, PEK = PrivateKey("live hbd"), PrivateKey("live pek")


@pytest.fixture
def chain() -> Iterator[Chain]:
    chain = Chain()
    chain.authority("venue.hbd", 1, HBD)
    chain.authority("venue.pek", 1, PEK)
    yield chain
    chain.close()


@pytest.fixture
def operator(chain: Chain, tmp_path: Path) -> Iterator[Operator]:
    keys = {"TEST_HBD_KEY": HBD.wif, "TEST_PEK_KEY": PEK.wif}
    operator = Operator(chain, tmp_path / "operator", keys, "--first-run")
    chain.deposit("alice", "HBD", 100_000)
    chain.deposit("alice", "PEK", 500_00000000)
    operator.up()
    yield operator
    operator.close()


def test_everything_is_paid_once(chain: Chain, operator: Operator) -> None:
    """Lost replies, a killed process, then an older database."""
    folder, database = operator.folder, operator.folder / "peakedex.db"
    hbd, pek = chain.holds("alice", "HBD"), chain.holds("alice", "PEK")
    chain.node.broadcast([custom_json(VIEW, "bob", token_transfer("PEK", "venue.hbd", "2.50"))])
    chain.public.faults.lost_replies = 2
    claims = [
        chain.withdraw("alice", "HBD", "1.000", memo="ü€ #1"),
        chain.withdraw("alice", "PEK", "1.5", memo="Grüße"),
        chain.withdraw("alice", "PEK", "2.5", to="bob"),
    ]
    operator.wait_paid(*claims)
    wait_until(lambda: operator.scalar(select(schema.refunds.c.status)) == schema.PAID, "the refund")

    operator.kill("payouts")
    operator.kill("follow")
    for suffix in ("", "-wal", "-shm"):
        if Path(f"{database}{suffix}").exists():
            shutil.copy(f"{database}{suffix}", folder / f"backup{suffix}")
    operator.up()
    claims.append(chain.withdraw("alice", "HBD", "2.000"))
    sent = select(func.count(payout_schema.transactions.c.first_sent))
    before = operator.scalar(sent)
    wait_until(lambda: operator.scalar(sent) > before, "the next payment")
    operator.kill("payouts")
    operator.kill("follow")
    for suffix in ("", "-wal", "-shm"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)
        if (folder / f"backup{suffix}").exists():
            shutil.move(folder / f"backup{suffix}", f"{database}{suffix}")
    operator.up()
    wait_until(lambda: "payouts are paused: the database was restored" in operator.log(), "the pause")
    resumed = operator.command("payouts", "resume", "--db", operator.db)
    assert resumed.returncode == 0, resumed.stderr
    operator.wait_paid(*claims)

    assert chain.holds("alice", "HBD") - hbd == 3000
    assert chain.holds("alice", "PEK") - pek == 1_50000000
    with chain.node.lock:
        assert chain.node.sidechain.balance("venue.hbd", "PEK") == 0
    assert operator.scalar(select(func.count()).select_from(schema.outflows)) == 0
    devnet = chain.devnet
    nodes = ("--node", devnet.url, "--engine-node", devnet.engine_url, "--chain-id", "devnet")
    where = ("--db", operator.db, *nodes)
    checked = operator.command("payouts", "reconcile", *where)
    assert checked.returncode == 0, checked.stdout + checked.stderr
