"""The optional verifier on real blocks and on lies, in a Python that can have it: `peakedex[verify]`.

hiveio-wax needs Python 3.12 or newer, which need not be the one that runs these tests. They look for one on
the machine and make it an environment of its own, kept in pytest's cache.
"""

from __future__ import annotations

import copy
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from indexer.chain.blocks import Block
from indexer.chain.integrity.merkle import EMPTY_ROOT, local_verifier, merkle_root
from indexer.devnet.faults import Lie, falsify_block
from indexer.devnet.hive import serialization as packing
from indexer.devnet.rpc.block_methods import read_transaction
from tests.support import blocks as chain
from tests.support import recorded_blocks as recorded
from tests.system.follow.world import World

ROOT: Final = Path(__file__).parents[3]
VERSIONS: Final = ("3.12", "3.13", "3.14", "3.15")
LOUD: Final = "HIVEIO-WAX TESTS DID NOT RUN: "
WHOLE: Final = (
    "haf_blocks_3286849_5771683_6531076",
    "hafah_blocks_4999981-5000000",
    "hive_block_range_1-1000",
    "hive_block_range_1000000-1000999",
    "workerbee_mirrornet_blocks_97477292-97477298",
)


def requirements() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = [text for text in project["dependencies"] if text.startswith("msgspec")]
    return [*project["optional-dependencies"]["verify"], *needed]


def candidates() -> Iterator[str]:
    """Interpreters that may be new enough."""
    yield sys.executable
    for version in VERSIONS:
        yield f"python{version}"
    if shutil.which("pyenv"):
        root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False).stdout.strip()
        yield from sorted(str(path) for path in Path(root).glob("versions/3.*/bin/python"))


def version_of(python: str) -> str | None:
    """Its version, if it works and is new enough."""
    code = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        run = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=240, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = run.stdout.strip()
    return version if version in VERSIONS else None


def environment(python: str, home: Path) -> bool:
    """Make one with the extra in it. Whether that worked."""
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([python, "-m", "venv", str(home)], check=True, capture_output=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
    if subprocess.run([*pip, *requirements()], capture_output=True, timeout=600, check=False).returncode:
        return False
    (home / "complete").touch()
    return True


@pytest.fixture(scope="module")
def wax_python(request: pytest.FixtureRequest) -> Path:
    """A Python with hiveio-wax, or a loud skip."""
    tried = []
    for python in candidates():
        version = version_of(python)
        if version is None or version in tried:
            continue
        tried.append(version)
        assert request.config.cache is not None
        home = request.config.cache.mkdir("peakedex-wax") / version
        with home.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run in several processes
            if (home / "complete").exists() or environment(python, home):
                return home / "bin" / "python"
    if not tried:
        pytest.skip(LOUD + "no Python 3.12 or newer on this machine")
    pytest.skip(LOUD + f"it cannot be installed for Python {' or '.join(tried)}")


def verdicts(python: Path, blocks: list[bytes], folder: Path) -> list[str]:
    """What it says of each block."""
    path = folder / "blocks.jsonl"
    path.write_bytes(b"\n".join(blocks))
    run = subprocess.run(
        [str(python), "-m", "tests.system.follow.wax_checks", str(path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=2400,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_every_whole_recorded_block_verifies(wax_python: Path, tmp_path: Path) -> None:
    blocks = [chain.as_text(block) for name in WHOLE for block in recorded.load(name)]
    assert verdicts(wax_python, blocks, tmp_path) == ["ok"] * len(blocks)


def test_a_block_with_transactions_missing_does_not(wax_python: Path, tmp_path: Path) -> None:
    (partial,) = recorded.load("hivexplorer_block_70548020_partial")
    (said,) = verdicts(wax_python, [chain.as_text(partial)], tmp_path)
    assert "merkle root" in said


def test_blocks_of_condenser_api_cannot_be_checked(wax_python: Path, tmp_path: Path) -> None:
    blocks = [chain.as_text(block) for block in recorded.load("hive_condenser_get_block_1092_1000000")]
    assert verdicts(wax_python, blocks, tmp_path) == ["cannot be checked", "ok"]  # the second one is empty


@pytest.mark.parametrize("lie", ["amount", "add", "drop"])
def test_every_lie_is_found_out(wax_python: Path, tmp_path: Path, lie: Lie) -> None:
    """On real blocks, and on the devnet's."""
    with World(blocks=20) as world:
        made = [json.loads(world.node.chain.stored(number)) for number in range(1, 21)]
    blocks = [*made, *recorded.load(WHOLE[-1])]
    altered = []
    for block in blocks:
        lying: Any = copy.deepcopy(block)
        falsify_block(lying, lie)
        if lying != block:
            altered.append(chain.as_text(lying))
    assert len(altered) > 10
    assert verdicts(wax_python, [chain.as_text(block) for block in blocks], tmp_path) == ["ok"] * len(blocks)
    assert "ok" not in verdicts(wax_python, altered, tmp_path)


def test_without_the_extra_there_is_no_verifier() -> None:
    if sys.version_info < (3, 12):
        assert local_verifier() is None


def test_a_merkle_root_is_that_of_the_header() -> None:
    """By the devnet's packing, which knows transfers and custom_json."""
    assert merkle_root([]) == EMPTY_ROOT
    with World(blocks=20) as world:
        blocks = [Block(world.node.chain.stored(number)) for number in range(1, 21)]
    for block in blocks:
        signed = [read_transaction(raw) for raw in json.loads(block.raw)["transactions"]]
        leaves = [transaction.merkle_leaf() for transaction in signed]
        assert merkle_root(leaves) == block.fields.transaction_merkle_root
        for size in range(len(leaves)):
            assert merkle_root(leaves[:size]) == packing.merkle_root(leaves[:size]).hex()
