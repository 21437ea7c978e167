"""Recorded exchanges of real nodes, see tests/data/real_nodes/README.md."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "data" / "real_nodes"


@cache
def lines(name: str) -> tuple[dict[str, Any], ...]:
    """All lines of a file, in order."""
    return tuple(map(json.loads, (FOLDER / f"{name}.jsonl").read_text("utf-8").splitlines()))


def exchange(name: str, case: str) -> dict[str, Any]:
    """The line of a case."""
    return next(line for line in lines(name) if line["case"] == case)


def result(name: str, case: str) -> Any:
    """The result of a recorded JSON-RPC call."""
    return exchange(name, case)["response"]["result"]
