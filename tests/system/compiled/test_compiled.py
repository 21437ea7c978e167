"""The rules compiled with mypyc decide as the pure Python does: one set of rules in two builds.

They are compiled once for each change of them, quickly rather than well, and kept in pytest's cache.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatch_build import CannotCompile, compile_rules, compiler
from settlement.core.events import Action, BlockHeader
from settlement.core.state_machine import StateMachine
from tests.property.model.event_generator import EventGenerator, header_after, random_venue
from tests.property.model.naive_model import NaiveModel
from tests.scenarios.golden import golden
from tests.system.compiled.compiled_rules import outcome

ROOT = Path(__file__).parents[3]
LOUD = "THE COMPILED RULES WERE NOT TESTED: "
RANDOM = st.randoms(note_method_calls=False, use_true_random=False)


@pytest.fixture(scope="module")
def compiled(request: pytest.FixtureRequest) -> Path:
    """A folder with the package `settlement`, its rules compiled."""
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        pytest.skip(LOUD + "Python's headers are missing (Debian and Ubuntu: apt install python3-dev)")
    told = sha256(f"{sys.version} mypy {version('mypy')}".encode())
    for path in (ROOT / "hatch_build.py", *sorted((ROOT / "settlement").rglob("*.py"))):
        told.update(path.read_bytes())
    assert request.config.cache is not None
    kept = request.config.cache.mkdir("peakedex-compiled")
    home = kept / told.hexdigest()[:16]
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run in several processes
        if not (home / "complete").exists():
            for older in kept.glob("*/"):
                shutil.rmtree(older)
            _compile(home)
            (home / "complete").touch()
    return home


def _compile(home: Path) -> None:
    home.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPYC_OPT_LEVEL", "0")
        libraries = compile_rules(ROOT, home)
    assert Path("settlement", "core", f"state_machine{sysconfig.get_config_var('EXT_SUFFIX')}") in libraries
    for room in ("store", "payouts"):
        shutil.copytree(ROOT / "settlement" / room, home / "settlement" / room)


class Other:
    """A process with the compiled rules."""

    def __init__(self, home: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.system.compiled.compiled_rules"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=home,
            env={**os.environ, "PYTHONPATH": f"{home}{os.pathsep}{ROOT}"},
        )

    def tell(self, *message: object) -> None:
        assert self._process.stdin is not None
        pickle.dump(message, self._process.stdin)
        self._process.stdin.flush()

    def answer(self) -> Any:
        assert self._process.stdout is not None
        return pickle.load(self._process.stdout)

    def end(self) -> int:
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()
            return process.wait(timeout=60)


@pytest.fixture(scope="module")
def other(compiled: Path) -> Iterator[tuple[Other, Any]]:
    """The process, and the golden journals that it made first."""
    process = Other(compiled)
    yield process, process.answer()
    assert process.end() == 0


@pytest.mark.parametrize("seed", golden.SEEDS)
def test_golden_journals(other: tuple[Other, Any], seed: int) -> None:
    assert other[1][seed] == golden.read(seed)


def test_chains_that_hypothesis_invents(other: tuple[Other, Any]) -> None:
    """Block by block the same journal, hash and state."""
    process = other[0]
    decided = set()

    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(RANDOM)
    def same(random: Random) -> None:
        venue = random_venue(random)
        policies = [pair.price_policy for pair in venue.pairs], [pair.self_trade for pair in venue.pairs]
        process.tell("venue", *policies)
        engine, naive = StateMachine(venue), NaiveModel(venue)
        chain, header = EventGenerator(naive), None
        for number in range(12):
            header = header_after(header, random.choice((3, 3, 30)))
            naive.begin_block(header)
            events = chain.funding() if number == 0 else []
            for event in events:
                naive.apply_event(event)
            for _ in range(random.randrange(12)):
                events.append(chain.any_event(random))
                naive.apply_event(events[-1])
            naive.end_block()
            process.tell("block", header, events)
            here = outcome(engine, header, events)
            assert process.answer() == here
            decided.update(line.split()[0] for line in here[0].splitlines())

    same()
    assert {"trade", "close", "expire", "withdraw", "paid", "reject", "refund", "operator"} <= decided


def test_breaches_are_the_same(other: tuple[Other, Any]) -> None:
    """A block out of turn, an id twice, an event that no decoder gives: the same error, and nothing of it applied."""
    venue = random_venue(Random(1))
    first = header_after(None, 0)
    order = Action(
        "1" * 40,
        "alice",
        True,
        "buy",
        {"symbol": "PEK", "quote": "HBD", "quantity": "1", "price": "1"},
    )
    chain = EventGenerator(NaiveModel(venue))
    engine = StateMachine(venue)
    other[0].tell("venue", [p.price_policy for p in venue.pairs], [p.self_trade for p in venue.pairs])
    kinds = []
    for header, events in (
        (BlockHeader(7, "07", 0), []),
        (first, [*chain.funding(), order]),
        (header_after(first, 3), [order]),
    ):
        here = outcome(engine, header, events)
        other[0].tell("block", header, events)
        assert other[0].answer() == here
        kinds.append(here[0].split(" ")[0])
    assert kinds == ["InvariantError", "block", "InvariantError"]


def test_without_a_compiler_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CC", raising=False)
    (tmp_path / "Python.h").touch()
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("hatch_build.find_spec", lambda _: None)
    with pytest.raises(CannotCompile, match="apt install gcc, or pip install ziglang"):
        compiler()
    monkeypatch.setattr("hatch_build.find_spec", lambda name: name)
    assert compiler()["LDSHARED"] == f"{sys.executable} -m ziglang cc -shared"
    (tmp_path / "Python.h").unlink()
    with pytest.raises(CannotCompile, match="python3-dev"):
        compiler()
