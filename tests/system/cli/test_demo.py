"""`peakedex demo`: a market with a past that lives, and a practice account that trades with both of its keys."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import requests

from indexer.devnet.traders.bots import NAMES
from settlement.store.read.market.candles import INTERVALS
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.system.cli.command import MISUSED, OK, Run, in_process, peakedex
from tests.system.cli.world import Process, running

BOTS = tuple(f"{name}.bot" for name in NAMES)


class Demo:
    """A running demo, and what it showed as soon as it had printed its address."""

    def __init__(self, process: Process, port: int, folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.site = f"http://127.0.0.1:{port}"
        self.chain = str(re.findall(r"Chain +(http://\S+)", process.said)[0])
        pair = "base=PEK&quote=SWAP.HIVE"
        self.health = self.get("/api/health")
        self.marks = self.get("/api/marks")["marks"]
        self.candles = {
            name: self.get(f"/api/candles?{pair}&interval={name}&limit=1000")["candles"] for name in INTERVALS
        }

    def get(self, path: str) -> Any:
        return requests.get(f"{self.site}{path}", timeout=120).json()

    def wait(self, what: str, *paths: str) -> None:
        """Wait until the list `what` of one of the answers has something."""
        wait_until(
            lambda: any(self.get(path).get(what) for path in paths), what=lambda: f"{what} of {paths[0]}"
        )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    port, here = free_port(), Path(tmp_path_factory.mktemp("demo"))
    words = ("demo", "--port", port, "--block-time", 0.5, "--dir", here / "demo")
    with running(here, *words, PYTHONUNBUFFERED="1") as process:
        process.wait_until(lambda: "Peake DEX is running" in process.said)
        yield Demo(process, port, here / "demo")


def test_the_site_shows_a_year_when_the_address_is_printed(demo: Demo) -> None:
    assert demo.health["warning"] is None
    assert demo.health["indexer"]["liveness"] != "lost"
    counts = {name: len(candles) for name, candles in demo.candles.items()}
    least = {"1m": 200, "5m": 200, "15m": 200, "30m": 300, "1h": 700, "4h": 180, "1d": 360, "1w": 52}
    assert {name: count for name, count in counts.items() if count < least[name]} == {}
    assert len(demo.marks) == len(demo.get("/api/pairs")["pairs"])
    # Live candles continue the history's: the price does not jump.
    demo.wait("trades", "/api/history?base=PEK&quote=SWAP.HIVE")
    price = float(demo.get("/api/price?base=PEK&quote=SWAP.HIVE")["last"])
    assert abs(price / float(demo.candles["1m"][-1]["close"]) - 1) < 0.1


def test_the_database_is_what_the_chain_says(demo: Demo) -> None:
    done = in_process(
        *("verify", "--venue", demo.folder / "venue.toml", "--against", demo.folder / "peakedex.db"),
        *("--node", demo.chain, "--engine-node", f"{demo.chain}/engine", "--trust-single-node"),
        *("--chain-id", "devnet", "--json"),
    )
    assert done.code == OK, done.err


def test_everything_that_the_protocol_has_is_alive(demo: Demo) -> None:
    demo.wait("marks", "/api/marks")
    demo.wait("timers", f"/api/timers?user={BOTS[0]}")
    demo.wait("given", *(f"/api/grants?user={name}" for name in BOTS))
    demo.wait("orders", *(f"/api/orders?user={name}&status=waiting" for name in BOTS))
    demo.wait("trades", "/api/history?base=PEK&quote=SWAP.HIVE")
    demo.wait("withdrawals", *(f"/api/withdrawals?user={name}" for name in BOTS))
    assert all(token["solvent"] for token in demo.get("/api/solvency")["tokens"])


def test_a_practice_account_signs_with_both_keys(demo: Demo) -> None:
    practice = requests.post(f"{demo.site}/api/devnet/practice", json={}, timeout=120).json()
    name, keys = str(practice["account"]), {role: practice[role]["wif"] for role in ("active", "posting")}

    def sign(*words: str) -> Run:
        run = peakedex(
            *("intent", *words, "--api", demo.site, "--node", demo.chain, "--chain-id", "devnet"),
            *("--sign", "--account", name, "--json"),
            PEAKEDEX_ACTIVE_KEY=keys["active"],
            PEAKEDEX_POSTING_KEY=keys["posting"],
        )
        assert not any(key in run.out + run.err for key in keys.values())
        return run

    def outcome(*words: str) -> str:
        run = sign(*words)
        assert run.code == OK, run.err
        ident = json.loads(run.out)["transaction_id"]
        demo.wait("intents", f"/api/intents/{ident}")
        [row] = demo.get(f"/api/intents/{ident}")["intents"]
        return str(row["code"] or row["status"])

    limits = ("--pair", "PEK/SWAP.HIVE", "--per-day", "PEK=1000", "--band-bps", "9000", "--until", "1d")
    order = ("sell", "--symbol", "PEK", "--quantity", "100", "--price", "0.001")
    assert outcome(*order, "--posting") == "E_AUTH"
    assert outcome("grant", "--to", "posting", *limits) == "accepted"
    demo.wait("marks", "/api/marks")
    assert outcome(*order, "--posting") == "accepted"
    assert outcome("cancel-all", "--posting") == "accepted"
    assert outcome("revoke", "--to", "posting") == "accepted"
    demo.wait("deposits", f"/api/deposits?user={name}")


def children_of(pid: int) -> dict[str, int]:
    """The process ids of a demo's children by their commands."""
    found: dict[str, int] = {}
    for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
        if "indexer.cli" in words:  # else it has not become the command yet
            found[words[words.index("indexer.cli") + 1]] = child
    return found


def test_a_process_that_dies_is_named_with_its_last_words(tmp_path: Path) -> None:
    words = ("demo", "--port", free_port(), "--history", 0, "--no-bots", "--dir", tmp_path / "demo")
    with running(tmp_path, *words, PYTHONUNBUFFERED="1") as process:
        process.wait_until(lambda: "payouts" in children_of(process.run.pid))
        children = children_of(process.run.pid)
        assert set(children) == {"devnet", "follow", "serve", "payouts"}
        # A node that is gone is only waited for; faulthandler makes the API say where it was.
        os.kill(children["serve"], signal.SIGABRT)
        process.run.wait(240)
        assert process.run.returncode == 128 + signal.SIGABRT
        _, is_told, after = process.said.partition("`peakedex serve` was killed by SIGABRT:\n")
        assert is_told, process.said
        assert "Fatal Python error: Aborted" in process.said
        told = list(takewhile(lambda line: line.startswith("  "), after.splitlines()))
        assert 1 <= len(told) <= 10, process.said  # then the others may say where they stopped
        assert not any(Path(f"/proc/{child}").exists() for child in children.values())


@pytest.mark.parametrize("folder", ["a-file", "a-file/below", "/proc/no-such-folder"])
def test_a_folder_that_cannot_be_used_is_named_in_one_line(folder: str, tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("")
    run = in_process("demo", "--port", free_port(), "--dir", folder, cwd=tmp_path)
    assert run.code == MISUSED
    assert folder in run.error
    assert "Traceback" not in run.err
    assert run.out == ""


def test_the_folder_of_an_earlier_demo_is_not_used_again(tmp_path: Path) -> None:
    (tmp_path / "peakedex.db").write_text("")
    run = in_process("demo", "--port", free_port(), "--dir", tmp_path)
    assert run.code == MISUSED
    assert "choose another folder" in run.complaint
