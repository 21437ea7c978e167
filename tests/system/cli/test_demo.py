"""`peakedex demo`: the market lives, and a practice account trades in it with both of its keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from indexer.devnet.traders.bots import NAMES
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.system.cli.command import OK, Run, peakedex
from tests.system.cli.world import Process, running

BOTS = tuple(f"{name}.bot" for name in NAMES)


class Demo:
    """A running demo."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.site = f"http://127.0.0.1:{port}"
        self.chain = str(re.findall(r"Chain +(http://\S+)", process.said)[0])

    def get(self, path: str) -> Any:
        return requests.get(f"{self.site}{path}", timeout=10).json()

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
        process.wait_until(lambda: "Peake DEX is running" in process.said, 60)
        yield Demo(process, port)


def test_everything_that_the_protocol_has_is_alive(demo: Demo) -> None:
    demo.wait("marks", "/api/marks")
    demo.wait("timers", f"/api/timers?user={BOTS[0]}")
    demo.wait("given", *(f"/api/grants?user={name}" for name in BOTS))
    demo.wait("orders", *(f"/api/orders?user={name}&status=waiting" for name in BOTS))
    demo.wait("trades", "/api/history?base=PEK&quote=SWAP.HIVE")
    demo.wait("withdrawals", *(f"/api/withdrawals?user={name}" for name in BOTS))
    assert all(token["solvent"] for token in demo.get("/api/solvency")["tokens"])


def test_a_practice_account_signs_with_both_keys(demo: Demo) -> None:
    practice = requests.post(f"{demo.site}/api/devnet/practice", json={}, timeout=10).json()
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
