"""Counting work instead of timing it: the same count on every machine and at every load."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def opcodes(work: Callable[[], object]) -> int:
    """How many bytecode instructions `work` executes. What C functions do inside counts as one."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        if event == "opcode":
            count += 1
        return trace

    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 looks for such a frame when tracing begins
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


class Counted(int):
    """An integer that counts how often one of its kind is compared, in C functions too."""

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
    """How many comparisons of `Counted` numbers `work` makes."""
    Counted.comparisons = 0
    work()
    return Counted.comparisons
