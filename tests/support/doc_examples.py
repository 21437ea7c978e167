"""Runs the shell examples of README.md and docs/.

A fenced block that begins with ```` ```sh ```` is run; the blocks of a document run one after the other in one shell
and one folder. A word after `sh` says why a block is not run, or how:

- `network`, `root`, `secrets`: it needs what a test does not have. Its `peakedex` lines are still checked against the
  command line, and tests/system/test_docs.py counts it.
- `stays`: each line is a command that runs until it is stopped: the test starts it, waits for output, and ends it by
  SIGTERM; it must exit with 0.

The folder holds `venue.toml`, `recorded/` (an archive), `peakedex.db` (a database replayed from it), `theirs.txt` (its
journal) and `verify_journal.py`. Addresses in the documents are replaced by those of the test's servers:
`https://dex.example.org` and `http://127.0.0.1:8080` by the exchange's API, `http://127.0.0.1:8091` by a devnet's node,
`postgresql://…@db1,db2/peakedex` by a PostgreSQL database.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import pytest
import requests

from indexer.cli import main
from tests.support.ports import free_port
from tests.support.postgres import drop_database, new_database
from tests.support.waiting import wait_until
from tests.support.warm_program import program
from tests.system.cli.command import clean_environment
from tests.system.cli.world import running, world
from tests.system.store.chains import VENUE_TEXT, journal, lively, replay

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = {
    path.name: path.read_text("utf-8") for path in [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
}
NOT_RUN: Final = ("network", "root", "secrets")
STAYS: Final = "stays"
API: Final = ("https://dex.example.org", "http://127.0.0.1:8080")
DEVNET: Final = "http://127.0.0.1:8091"
CLUSTER: Final = re.compile(r"postgresql://\w+@db1,db2/peakedex(\?)?")
LATEST: Final = 240.0
"""Seconds that a command may take to start or stop."""

_FENCE: Final = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: the words after the fence, its text, and its first line in the document."""

    document: str
    line: int
    words: tuple[str, ...]
    text: str

    @property
    def is_shell(self) -> bool:
        return self.words[:1] == ("sh",)

    @property
    def mark(self) -> str:
        """Why it is not run, or how; empty for plain examples."""
        return " ".join(self.words[1:])

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"


def blocks(document: str) -> list[Block]:
    """All fenced blocks of a document."""
    text = DOCUMENTS[document]
    return [
        Block(document, text.count("\n", 0, found.start()) + 1, tuple(found[2].split()), found[3])
        for found in _FENCE.finditer(text)
    ]


def shell_blocks(document: str) -> list[Block]:
    return [block for block in blocks(document) if block.is_shell]


def calls(block: Block) -> Iterator[list[str]]:
    """The arguments of each call of `peakedex` in a block, up to a pipe or redirection."""
    text = re.sub(r"<<'?(\w+)'?\n.*?^\1$", "", block.text, flags=re.MULTILINE | re.DOTALL)
    for found in re.finditer(r"(?:^|[\s(]|bin/)peakedex +([a-z][^|;&>)\n]*)", text.replace("\\\n", " ")):
        yield shlex.split(found[1], comments=True)


def misuse(words: list[str]) -> str:
    """The error of a call with an unknown command or option; empty if there is none."""
    command: click.Command = main
    rest = list(words)
    while isinstance(command, click.Group) and rest and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    if isinstance(command, click.Group) and not command.invoke_without_command:
        return f"no command peakedex {' '.join(words)}"
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help"}
    unknown = [word for word in rest if word.startswith("--") and word.split("=")[0] not in known]
    return f"no option {unknown[0]} of peakedex {' '.join(words)}" if unknown else ""


# ---------------------------------------------------------------- running them


class Place:
    """A folder as the documents describe it, with the program on its path and servers for the addresses they name."""

    def __init__(self, folder: Path, needs: str, stack: ExitStack) -> None:
        self.folder = folder
        self._addresses: dict[str, str] = {}
        self._port = free_port()
        self._cluster = ""
        self._environment = clean_environment() | {"PYTHONPATH": str(ROOT)}
        self._furnish()
        if any(address in needs for address in API):
            served = stack.enter_context(_served(folder / "peakedex.db", folder.parent))
            self._addresses |= dict.fromkeys(API, served)
        if CLUSTER.search(needs):
            database = new_database(migrated=False)
            stack.callback(drop_database, database)
            self._cluster = database
        if DEVNET in needs or "peakedex devnet" in needs or f"```sh {STAYS}" in needs:
            chain = stack.enter_context(world(blocks=4))
            chain.node.faucet("alice", "HIVE", "100")
            self._addresses[DEVNET] = chain.server.url
            self._environment |= {
                "PEAKEDEX_DEVNET": chain.server.url,
                "PEAKEDEX_NODE": chain.server.url,
                "PEAKEDEX_ENGINE_NODE": chain.server.engine_url,
                "PEAKEDEX_TRUST_SINGLE_NODE": "1",
                "PEAKEDEX_CHAIN_ID": "devnet",
                "PEAKEDEX_PORT": str(self._port),
            }

    def _furnish(self) -> None:
        (self.folder / "venue.toml").write_text(VENUE_TEXT, "utf-8")
        archive = lively().write(self.folder / "recorded")
        _, database = replay(archive, str(self.folder / "peakedex.db"))
        (self.folder / "theirs.txt").write_text(journal(database))
        checker = ROOT / "docs" / "verify" / "verify_journal.py"
        (self.folder / checker.name).write_bytes(checker.read_bytes())
        database.dispose()
        programs = self.folder.parent / "programs"
        programs.mkdir()
        program(programs)
        for name in ("python3", "python"):
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
            (programs / name).chmod(0o755)
        self._environment["PATH"] = f"{programs}{os.pathsep}{self._environment['PATH']}"

    def _here(self, text: str) -> str:
        for address, ours in self._addresses.items():
            text = text.replace(address, ours)
        return CLUSTER.sub(lambda found: self._cluster + ("&" if found[1] else ""), text)

    def run(self, some: list[Block]) -> list[str]:
        """Run blocks in one shell; returns the standard output of each."""
        parts = [f"printf '\\n== {block.line}\\n'\n{self._here(block.text)}" for block in some]
        done = subprocess.run(
            ["sh", "-c", "set -eu\n" + "".join(parts)],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LATEST * 2,
        )
        outputs = re.split(r"^\n?== \d+\n", done.stdout, flags=re.MULTILINE)[1:]
        if done.returncode:
            place = some[max(len(outputs) - 1, 0)].place
            pytest.fail(f"docs: {place} ends with {done.returncode}: {done.stderr[-2000:]}")
        return [output.removesuffix("\n") + "\n" if output.strip() else "" for output in outputs]

    def start_and_stop(self, block: Block) -> None:
        """Run each line as a process: it must print something, keep running, and exit with 0 after SIGTERM."""
        for line in block.text.splitlines():
            words = shlex.split(self._here(line), comments=True)
            if not words:
                continue
            assert words[0] == "peakedex", f"docs: {block.place}: only peakedex itself stays: {line}"
            with (self.folder / "stays.log").open("w+b") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "indexer.cli", *words[1:]],
                    cwd=self.folder,
                    env=self._environment,
                    stdout=log,
                    stderr=log,
                )
                try:
                    self._wait(process, Path(log.name), f"docs: {block.place}: {line}")
                    process.send_signal(signal.SIGTERM)
                    assert process.wait(LATEST) == 0, f"{line}: {Path(log.name).read_text()}"
                finally:
                    process.kill()
                    process.wait()

    def _wait(self, process: subprocess.Popen[bytes], log: Path, what: str) -> None:
        """Wait until the process has printed a line or answers on its port."""

        def has_started() -> bool:
            if log.read_text().count("\n") or answers(f"http://127.0.0.1:{self._port}/api/health"):
                return True
            assert process.poll() is None, f"{what} ends with {process.returncode} and prints nothing"
            return False

        wait_until(has_started, timeout=LATEST, what=f"a line printed by {what}")


@contextmanager
def _served(database: Path, folder: Path) -> Iterator[str]:
    """Run the exchange's API over a database; yields its URL."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with running(folder, "serve", "--db", database, "--port", port, "--workers", "1") as process:
        process.wait_until(lambda: answers(f"{url}/api/health"))
        yield url


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=60).status_code == 200
    except requests.RequestException:
        return False


@contextmanager
def place_for(document: str, folder: Path) -> Iterator[Place]:
    """A place for a document's examples, with the servers that they need."""
    home = folder / "home"
    home.mkdir()
    needs = "\n".join(
        f"```{' '.join(block.words)}\n{block.text}"
        for block in shell_blocks(document)
        if block.mark not in NOT_RUN
    )
    with ExitStack() as stack:
        yield Place(home, needs, stack)


def run_document(document: str, folder: Path) -> list[tuple[Block, str]]:
    """Run a document's examples; returns each plain one with its output."""
    found = shell_blocks(document)
    plain = [block for block in found if not block.mark]
    with place_for(document, folder) as place:
        outputs = place.run(plain) if plain else []
        for block in found:
            if block.mark == STAYS:
                place.start_and_stop(block)
    return list(zip(plain, outputs, strict=True))
