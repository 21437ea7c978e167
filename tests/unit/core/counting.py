"""Deterministic measures of work: bytecode instructions and comparisons instead of seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from inspect import currentframe
from types import FrameType
from typing import Any


def opcodes(work: Callable[[], object]) -> int:
    """Bytecode instructions executed by `work`; a call of a C function counts as one."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        if event == "opcode":
            count += 1
        return trace

    before = sys.gettrace()
    frame_here = currentframe()
    assert frame_here is not None
    frame_here.f_trace_opcodes = True  # required by Python 3.12 when tracing begins
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


class Counted(int):
    """An integer that counts comparisons, including those made by C functions."""

    comparisons = 0

    def __lt__(self, other: int) -> bool:
        Counted.comparisons += 1
        return int(self) < int(other)

    def __gt__(self, other: int) -> bool:
        Counted.comparisons += 1
        return int(self) > int(other)

    def __le__(self, other: int) -> bool:
        Counted.comparisons += 1
        return int(self) <= int(other)

    def __ge__(self, other: int) -> bool:
        Counted.comparisons += 1
        return int(self) >= int(other)

    def __eq__(self, other: object) -> bool:
        Counted.comparisons += 1
        return int(self) == other

    def __ne__(self, other: object) -> bool:
        Counted.comparisons += 1
        return int(self) != other

    def __hash__(self) -> int:
        return hash(int(self))

    def __rmul__(self, other: int) -> Counted:
        return Counted(int(self) * other)


def comparisons(work: Callable[[], object]) -> int:
    """Comparisons of `Counted` numbers made by `work`."""
    Counted.comparisons = 0
    work()
    return Counted.comparisons
