"""docs/bots.md: its examples, in the order in which a reader follows them, against a running exchange."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from peakedex.client import Api, Intents, State, Trader
from tests.support.doc_examples import DOCUMENTS, ROOT, blocks
from tests.system.client.exchange import Exchange

GUIDE = DOCUMENTS["bots.md"]
# Programs whose first line is a comment with the file that a reader puts them in.
PROGRAMS = {
    found[1]: block.text
    for block in blocks("bots.md")
    if (found := re.match(r"(?:#|//) ([\w-]+\.\w+)\n", block.text)) and block.words != ("sh",)
}
SHELL = [block for block in blocks("bots.md") if block.words == ("sh",)]


@pytest.fixture
def market(exchange: Exchange) -> Iterator[Exchange]:
    """Blocks of themselves, and a book of both sides with a trade."""
    other, taker = exchange.account(), exchange.account()
    for number in range(3):
        exchange.act(other, "sell", symbol="PEK", quote="SWAP.HIVE", quantity="1000", price=f"0.3{number}")
        exchange.act(other, "buy", symbol="PEK", quote="SWAP.HIVE", quantity="300", price=f"0.2{number}")
    exchange.steps(2)
    exchange.act(taker, "buy", symbol="PEK", quote="SWAP.HIVE", quantity="5", price="0.3")
    stop = threading.Event()
    exchange.block_seconds = 1  # deadlines pass by the chain's time, which runs ten times as fast as a bot's

    def run() -> None:
        while not stop.wait(0.1):
            exchange.step()

    clock = threading.Thread(target=run)
    clock.start()
    yield exchange
    stop.set()
    clock.join(60)
    exchange.block_seconds = 3


def test_the_guide_from_the_first_line_to_the_last(market: Exchange, tmp_path: Path) -> None:
    texts = PROGRAMS | {
        path.name: path.read_text("utf-8") for path in (ROOT / "docs" / "examples").glob("*_bot.py")
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text.replace("http://127.0.0.1:8080", market.address), "utf-8")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, words in {"python": "", "python3": "", "peakedex": "-m indexer.cli "}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}"$@"\n')
        (programs / name).chmod(0o755)
    shell = "set -eu\n" + "".join(f"echo '== {block.line}'\n{block.text}" for block in SHELL)
    done = subprocess.run(
        ["sh", "-c", shell.replace("http://127.0.0.1:8080", market.address)],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(
                str(ROOT / name) for name in (".", "clients/python", "clients/ccxt")
            ),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = {
        int(line): text.split("\n")
        for line, text in re.findall(r"^== (\d+)\n(.*?)\n?(?=^== |\Z)", done.stdout, re.MULTILINE | re.DOTALL)
    }
    printed = {block.text.strip().partition(" --")[0]: said[block.line] for block in SHELL}
    first = printed["python first_order.py"]
    assert first[-3:] == ["sent", "open ", "accepted cancelled"]
    assert len(first) == 6
    assert printed["python watch.py"][0].startswith("snapshot ")
    quotes = next(lines for words, lines in printed.items() if words.startswith("python quote_bot.py"))
    assert [line.partition(" at ")[0] for line in quotes[:2]] == [
        f"round {n}: buy 100.00000000" for n in (1, 2)
    ]
    assert quotes[2] == "all quotes are cancelled"
    ccxt = printed["python ccxt_first.py"]
    assert ccxt[1:3] == ["None sent", "open"]
    loop = next(lines for words, lines in printed.items() if words.startswith("python ccxt_bot.py"))
    assert re.fullmatch(r"round 1: (buy|sell) 10.0 at 0\.\d+: closed", loop[0])
    assert loop[-1] == "done"


def test_the_guide_names_what_the_client_has() -> None:
    def row(word: str) -> set[str]:
        [line] = re.findall(rf"^\| {word} \| (.*) \|$", GUIDE, re.MULTILINE)
        return set(re.findall(r"`(?:trader\.)?([a-z_]+)[`(]", line))

    def methods(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert row("build") - {"build"} == methods(Intents)
    helpers = {"intents_by_ref", "rejected_orders", "close"}
    assert row("read") == methods(Api) - helpers
    assert row("know") <= methods(Trader)
    states = re.findall(
        r"^\| ((?:`[a-z ]+`(?:, )?)+) \| .* \| (?:no|yes|it is there) \|$", GUIDE, re.MULTILINE
    )
    assert {state for cell in states for state in re.findall(r"`([a-z ]+)`", cell)} == {*State}
