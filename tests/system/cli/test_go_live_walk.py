"""docs/go-live.md, walked on a devnet from the first command to the last point."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from indexer.cli.demo import escrow_keys
from indexer.devnet.hive.operations import Coin, Transfer
from indexer.devnet.server import Devnet, NodeServer, start_devnet
from indexer.devnet.venue import read_venue
from indexer.ops.doctor.golive import TITLES
from tests.support import doc_examples as examples
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.support.warm_program import program
from tests.system.cli.command import clean_environment
from tests.system.cli.world import running

DOCUMENT = "go-live.md"
TEXT = examples.DOCUMENTS[DOCUMENT]
VENUE = (examples.ROOT / "venues" / "small.toml").read_text("utf-8")
BLOCK_SECONDS = 0.5
"""Each block takes at least a second of chain time, so the chain's clock is ahead of ours: point 1 is not OK."""
CHECKPOINT_BLOCKS = "20"
PATIENCE_SECONDS = 240.0
LINES = {"deposit": 2, "trade": 1, "withdraw": 1, "refund": 1, "paid": 2}
"""How many lines of which kind the journal has at the end."""
TRADERS = {"ALICE_KEY": "alice", "BOBBY_KEY": "bobby", "OPERATOR_KEY": "golddex"}
AUTHORITY = examples.ROOT / "docs" / "examples" / "authority.py"


def sections() -> dict[int, str]:
    """The titles of the numbered sections."""
    return {
        int(number): title for number, title in re.findall(r"^## (\d+)\. (.+)$", TEXT, flags=re.MULTILINE)
    }


def section_of(block: examples.Block) -> int:
    """The number of the section that a block stands in; 0 before the first, and after the last."""
    lines = TEXT.splitlines()[: block.line]
    heads = [line for line in lines if line.startswith("## ")]
    found = re.match(r"## (\d+)\.", heads[-1]) if heads else None
    return int(found[1]) if found else 0


def test_the_sections_are_the_points_of_the_doctor() -> None:
    assert list(sections().values()) == list(TITLES)
    assert list(sections()) == list(range(1, len(TITLES) + 1))
    assert TEXT.count("*Checked:*") == len(TITLES)
    for block in examples.shell_blocks(DOCUMENT):
        assert [wrong for words in examples.calls(block) if (wrong := examples.misuse(words))] == []


@pytest.fixture
def devnet() -> Iterator[Devnet]:
    made = start_devnet(read_venue(VENUE), block_time=BLOCK_SECONDS)
    for name in ("op-one", "op-two", "op-three"):
        made.node.faucet(name)
    made.node.faucet("alice", "HBD", "1")
    made.node.faucet("bobby", "GOLD", "1")
    yield made
    made.stop()


class Walk:
    """An operator's folder, with the settings that the document writes, and a shell in it."""

    def __init__(self, folder: Path, devnet: Devnet, stack: ExitStack) -> None:
        self.folder = folder
        self.devnet = devnet
        self._stack = stack
        servers = [NodeServer(devnet.node) for _ in range(2)]
        for server in servers:
            server.start()
            stack.callback(server.stop)
        self._addresses = {
            "https://api.hive.blog": devnet.url,
            "https://api.hive-engine.com/rpc": devnet.engine_url,
        }
        private_key = devnet.node.chain.accounts.private_key
        programs = folder.parent / "programs"
        programs.mkdir()
        program(programs)
        (programs / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (programs / "python3").chmod(0o755)
        self.environment = {
            **{variable: private_key(name, "active").wif for variable, name in TRADERS.items()},
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(examples.ROOT),
            "PEAKEDEX_CHAIN_ID": "devnet",
            "PEAKEDEX_NODE": " ".join([devnet.url, *(server.url for server in servers)]),
            "PEAKEDEX_ENGINE_NODE": f"{devnet.engine_url} {servers[0].engine_url}",
            "PEAKEDEX_CHECKPOINT_EVERY": CHECKPOINT_BLOCKS,
            "PEAKEDEX_PORT": str(free_port()),
        }
        shutil.copytree(examples.ROOT / "venues", folder / "venues")
        (folder / "docs" / "examples").mkdir(parents=True)
        shutil.copy(AUTHORITY, folder / "docs" / "examples")
        [settings] = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
        (folder / "peakedex.toml").write_text(settings, "utf-8")

    def run(self, text: str) -> str:
        """Run a block in a shell; its output. It must end with 0."""
        done = self.call(text)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def call(self, text: str) -> subprocess.CompletedProcess[str]:
        for address, ours in self._addresses.items():
            text = text.replace(address, ours)
        return subprocess.run(
            ["sh", "-c", f"set -eu\n{text}"],
            cwd=self.folder,
            env=clean_environment() | self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )

    def start(self, text: str) -> None:
        """Start each line as a process that runs to the end of the walk."""
        keys = escrow_keys((self.folder / "venue.toml").read_text("utf-8")) if "payouts" in text else {}
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            assert words[0] == "peakedex"
            environment = {**self.environment, **keys}
            process = self._stack.enter_context(running(self.folder, *words[1:], **environment))
            if "follow" in words:  # payouts end at once on a database that has no venue yet
                process.wait_until(lambda: self.call("peakedex state").returncode == 0)

    def points(self) -> dict[int, list[dict[str, Any]]]:
        """The points that are not OK, but for the clock."""
        shown = self.run("peakedex doctor --go-live --single-signer --backups backups --json || true")
        found: dict[int, list[dict[str, Any]]] = {}
        for point in json.loads(shown)["points"]:
            if point["status"] != "OK" and point["number"] != 1:
                found.setdefault(point["number"], []).append(point)
        return found

    def journal_lines(self) -> dict[str, int]:
        """How many lines of the kinds in LINES the journal has."""
        journal = self.run("peakedex journal")
        return {kind: journal.count(f"\n{kind} ") for kind in LINES}

    def has_paid(self) -> bool:
        return self.journal_lines()["paid"] == LINES["paid"]

    def wait_until_ready(self) -> None:
        """Wait until the doctor says that every point is OK."""
        left: dict[int, list[dict[str, Any]]] = {}

        def is_ready() -> bool:
            nonlocal left
            left = self.points()
            return not left

        wait_until(is_ready, lambda: f"all points but {left}", timeout=PATIENCE_SECONDS)


def test_an_operator_walks_from_nothing_to_a_live_exchange(devnet: Devnet, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with ExitStack() as stack:
        walk = Walk(home, devnet, stack)
        outputs: dict[int, str] = {}
        for block in examples.shell_blocks(DOCUMENT):
            number = section_of(block)
            if number == 18:  # section 17 has no command: a wallet sends the coins to the wrong account
                devnet.node.broadcast([Transfer("alice", "golddex.gold", Coin(1, "HBD"), "")])
                wait_until(walk.has_paid, "withdrawal and refund", timeout=PATIENCE_SECONDS)
            if block.mark == examples.STAYS:
                walk.start(block.text)
            elif not block.mark:
                outputs[number] = outputs.get(number, "") + walk.run(block.text)
        walk.wait_until_ready()
        lines = walk.journal_lines()

    assert lines == LINES
    assert "OK" in outputs[0]
    assert "not yet" in outputs[0]
    assert '"precision":3' in outputs[8].replace(" ", "")
    assert "peakedex-" in outputs[13]
    assert re.search(r"^status +sent$", outputs[15], re.MULTILINE)
    assert "golddex.hbd" in outputs[18]
    shown = json.loads(outputs[5])
    [documented] = re.findall(r'"active": ({.*}),$', TEXT, re.MULTILINE)
    assert shown[0] == "account_update"
    assert shown[1]["owner"] == shown[1]["active"] == json.loads(documented)
    with devnet.node.lock:
        assert devnet.node.chain.accounts.balance("alice", "HBD") == 999
        assert devnet.node.chain.accounts.balance("bobby", "HBD") == 1


def test_the_authority_that_the_script_signs_is_2_of_3(devnet: Devnet, tmp_path: Path) -> None:
    accounts = devnet.node.chain.accounts
    members = ("op-one", "op-two", "op-three")
    chain = ("--node", devnet.url, "--chain-id", devnet.node.chain.chain_id.hex())
    words = ("golddex.hbd", "--threshold", "2", *members, *chain, "--sign")

    def sign(role: str) -> subprocess.CompletedProcess[str]:
        key = accounts.private_key("golddex.hbd", role).wif
        done = subprocess.run(
            [sys.executable, str(AUTHORITY), *words],
            env=os.environ | {"PEAKEDEX_OWNER_KEY": key},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        assert key not in done.stdout + done.stderr
        return done

    assert "missing required owner authority" in sign("active").stderr.lower()
    memo = accounts.memo_key("golddex.hbd")
    done = sign("owner")
    assert "sent: transaction " in done.stdout, done.stderr
    expected = tuple((name, 1) for name in sorted(members))

    def is_set() -> bool:
        with devnet.node.lock:
            found = [accounts.authority("golddex.hbd", role) for role in ("owner", "active")]
        return all((each.threshold, each.account_auths) == (2, expected) for each in found)

    wait_until(is_set, "the new authority")
    assert accounts.memo_key("golddex.hbd") == memo
