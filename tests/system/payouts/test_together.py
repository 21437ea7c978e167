"""2 of 3 through a relay: three ledgers, three payouts processes, beem's signatures, killed processes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from indexer.devnet.hive.keys import PrivateKey
from settlement.store import schema
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.system.payouts.processes import ROOT, Chain, Operator

KEYS = [PrivateKey(f"together {number}") for number in range(3)]


@pytest.fixture
def chain() -> Iterator[Chain]:
    chain = Chain()
    for escrow in ("venue.hbd", "venue.pek"):
        chain.authority(escrow, 2, *KEYS)
    yield chain
    chain.close()


def operators(chain: Chain, folder: Path, relay: str | None) -> list[Operator]:
    """Three operators, each with one of three keys of both escrow accounts."""
    options = [] if relay is None else ["--cosign-relay", relay]
    return [
        Operator(
            chain,
            folder / f"operator{number}",
            {"TEST_HBD_KEY": key.wif, "TEST_PEK_KEY": key.wif},
            *("--first-run", *options),
        )
        for number, key in enumerate(KEYS)
    ]


@pytest.fixture
def relay() -> Iterator[str]:
    """A relay process."""
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [sys.executable, "-m", "indexer.cli", "payouts", "relay", "--cosign-listen", address], cwd=ROOT
    )
    yield f"http://{address}"
    process.terminate()
    assert process.wait(240) == 0


def listening_sockets(pid: int) -> set[str]:
    """Listening sockets of a process, from /proc."""
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()
    ]
    listening = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}
    return {os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()} & listening


def shown(operator: Operator) -> list[tuple[object, ...]]:
    """Pending claims in `payouts status`."""
    claims = operator.json("payouts", "status")["claims"]
    return [(claim["id"], claim["state"], claim["signatures"], claim["needed"]) for claim in claims]


def test_two_of_three_pay_after_one_is_killed(chain: Chain, tmp_path: Path, relay: str) -> None:
    first, second, third = all_ = operators(chain, tmp_path, relay)
    try:
        chain.deposit("alice", "HBD", 100_000)
        chain.deposit("bob", "PEK", 500_00000000)
        for operator in all_:
            operator.up()
        hbd, pek = chain.holds("carol", "HBD"), chain.holds("bob", "PEK")
        chain.node.faucet("carol")
        paid = [
            chain.withdraw("alice", "HBD", "5.000", to="carol"),
            chain.withdraw("bob", "PEK", "1.5"),
            chain.withdraw("bob", "PEK", "2.5", memo="mine"),
        ]
        for operator in all_:
            operator.wait_paid(*paid)
        assert chain.holds("carol", "HBD") == hbd + 5_000
        assert chain.holds("bob", "PEK") == pek + 4_00000000
        with suppress(PermissionError):  # only root can look into a hardened process
            assert [listening_sockets(operator.pid("payouts")) for operator in all_] == [set()] * 3

        third.kill("payouts")  # the other two suffice
        more = chain.withdraw("alice", "HBD", "7.000", to="carol")
        for operator in all_:
            operator.wait_paid(more)
        assert chain.holds("carol", "HBD") == hbd + 12_000

        second.kill("payouts")  # one alone pays nothing, however long it tries
        last = chain.withdraw("alice", "HBD", "9.000", to="carol")
        wait_until(lambda: shown(first) == [(last, "signed", 1, 2)], "one signature")
        assert first.status_of(last) == schema.PENDING
        assert chain.holds("carol", "HBD") == hbd + 12_000
        third.start("payouts")  # comes back, and signs what the first has signed
        first.wait_paid(last)
        assert chain.holds("carol", "HBD") == hbd + 21_000
        ledgers = [operator.command("journal", "--db", operator.db).stdout.splitlines() for operator in all_]
        assert all(sum(line.startswith("outflow") for line in ledger) == 0 for ledger in ledgers)
        for ledger in ledgers[:2]:
            assert sum(line.startswith("paid ") for line in ledger) == 5
    finally:
        for operator in all_:
            operator.close()


def test_signatures_are_exchanged_as_files(chain: Chain, tmp_path: Path) -> None:
    """Without a network: each imports what the other exports; other files are refused."""
    first, second, _ = operators(chain, tmp_path, None)
    both = (first, second)
    try:
        chain.deposit("alice", "HBD", 100_000)
        for operator in both:
            operator.up()
        before = chain.holds("alice", "HBD")
        withdrawal = chain.withdraw("alice", "HBD", "5.000")
        wait_until(lambda: all(shown(one) == [(withdrawal, "signed", 1, 2)] for one in both), "both sign")
        assert KEYS[0].public_key in first.cosign("list").stdout
        file = tmp_path / "signed.jsonl"
        done = second.cosign("export", str(file))
        assert (done.returncode, done.stderr) == (0, "payments that lack signatures: 1\n")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        forged = tmp_path / "forged.jsonl"
        forged.write_text(file.read_text().replace("5.000 HBD", "50.000 HBD"))
        done = first.cosign("import", str(forged))
        assert done.returncode == 1
        assert "refused" in done.stdout
        assert "sign nothing by hand" in done.stderr
        done = first.cosign("import", str(file), "--json")
        assert done.returncode == 0, done.stderr
        assert '"status": "accepted"' in done.stdout
        assert '"reason": "weight 2 of 2"' in done.stdout
        for operator in both:
            operator.wait_paid(withdrawal)
        assert chain.holds("alice", "HBD") == before + 5_000
        assert first.cosign("list").stdout == ""
        for text, words in (("nonsense", "line 1: not JSON"), ("{}", "not a cosigning message")):
            forged.write_text(text)
            done = first.cosign("import", str(forged))
            assert (done.returncode, words in done.stderr) == (1, True)
    finally:
        for operator in both:
            operator.close()
