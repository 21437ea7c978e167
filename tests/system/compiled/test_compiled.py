"""Rules and projector compiled with mypyc behave as in pure Python."""

from __future__ import annotations

import pickle
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatch_build import CannotCompile, compiler
from settlement.core.events import Action, BlockHeader, Event
from tests.property.model.event_generator import EventGenerator
from tests.property.model.naive_model import NaiveModel
from tests.property.model.random_venues import header_after, random_venue
from tests.scenarios.golden import golden
from tests.support.examples import examples
from tests.system.compiled.compiled_rules import Exchange
from tests.system.compiled.kept import environment, kept_rules

NOT_TESTED = "THE COMPILED RULES WERE NOT TESTED: "
RANDOM = st.randoms(note_method_calls=False, use_true_random=False)


@pytest.fixture(scope="module")
def compiled(request: pytest.FixtureRequest) -> Path:
    """A folder with the package `settlement`, rules and projector compiled."""
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        pytest.skip(NOT_TESTED + "Python's headers are missing (Debian and Ubuntu: apt install python3-dev)")
    return kept_rules(request.config)


class CompiledProcess:
    """A process that runs the compiled rules (compiled_rules.py)."""

    def __init__(self, home: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.system.compiled.compiled_rules"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=home,
            env=environment(home),
        )

    def send(self, *message: object) -> None:
        assert self._process.stdin is not None
        pickle.dump(message, self._process.stdin)
        self._process.stdin.flush()

    def receive(self) -> Any:
        assert self._process.stdout is not None
        return pickle.load(self._process.stdout)

    def end(self) -> int:
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()
            return process.wait(timeout=60)


@pytest.fixture(scope="module")
def other(compiled: Path) -> Iterator[tuple[CompiledProcess, Any]]:
    """The process, and the golden journals, which it sends first."""
    process = CompiledProcess(compiled)
    yield process, process.receive()
    assert process.end() == 0


@pytest.mark.parametrize("seed", golden.SEEDS)
def test_golden_journals(other: tuple[CompiledProcess, Any], seed: int) -> None:
    assert other[1][seed] == golden.read(seed)


def test_random_chains(other: tuple[CompiledProcess, Any]) -> None:
    """Same journal, hash, state and rows after every block."""
    process = other[0]
    decided: set[str] = set()

    @examples(60, unhealthy=True)
    @given(RANDOM)
    def same(random: Random) -> None:
        venue = random_venue(random)
        policies = [pair.price_policy for pair in venue.pairs], [pair.self_trade for pair in venue.pairs]
        process.send("venue", *policies)
        exchange, model = Exchange(venue), NaiveModel(venue)
        generator, header = EventGenerator(model), None
        for number in range(12):
            header = header_after(header, random.choice((3, 3, 30)))
            model.begin_block(header)
            events = generator.funding() if number == 0 else []
            for event in events:
                model.apply_event(event)
            for _ in range(random.randrange(12)):
                events.append(generator.any_event(random))
                model.apply_event(events[-1])
            model.end_block()
            process.send("block", header, events)
            here = exchange.outcome(header, events)
            assert process.receive() == here
            decided.update(line.split()[0] for line in here[0].splitlines())

    same()
    assert {
        "trade",
        "close",
        "expire",
        "withdraw",
        "paid",
        "reject",
        "refund",
        "accept",
        "trigger",
    } <= decided


def test_errors_are_the_same(other: tuple[CompiledProcess, Any]) -> None:
    """A block out of turn and a duplicate id raise the same errors."""
    venue = random_venue(Random(1))
    first = header_after(None, 0)
    order = Action(
        "1" * 40,
        "alice",
        True,
        "buy",
        {"symbol": "PEK", "quote": "HBD", "quantity": "1", "price": "1"},
    )
    generator = EventGenerator(NaiveModel(venue))
    exchange = Exchange(venue)
    other[0].send("venue", [p.price_policy for p in venue.pairs], [p.self_trade for p in venue.pairs])
    kinds = []
    blocks: tuple[tuple[BlockHeader, list[Event]], ...] = (
        (BlockHeader(7, "07", 0), []),
        (first, [*generator.funding(), order]),
        (header_after(first, 3), [order]),
    )
    for header, events in blocks:
        here = exchange.outcome(header, events)
        other[0].send("block", header, events)
        assert other[0].receive() == here
        kinds.append(here[0].split(" ")[0])
    assert kinds == ["InvariantError", "block", "InvariantError"]


def test_a_missing_compiler_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotCompile, match="python3-dev"):
        compiler(tmp_path, has_ziglang=True)
    (tmp_path / "Python.h").touch()
    with pytest.raises(CannotCompile, match="apt install gcc, or pip install ziglang"):
        compiler(tmp_path, has_ziglang=False)
    assert compiler(tmp_path, has_ziglang=True)["LDSHARED"] == f"{sys.executable} -m ziglang cc -shared"
