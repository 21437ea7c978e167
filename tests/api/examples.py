"""The examples of docs/api.md: found, made anew. `python -m tests.api.examples` writes them into the file."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from tests.api.world import small_world

FILE = Path(__file__).parents[2] / "docs" / "api.md"
_EXAMPLE = re.compile(r"(`GET (/api/[^`]*)`\n\n```json\n)(.*?)(```\n)", re.DOTALL)


def examples() -> Iterator[tuple[str, Any]]:
    """Each address that the documentation asks, and the answer that it shows."""
    for _, address, text, _ in _EXAMPLE.findall(FILE.read_text(encoding="utf-8")):
        yield address, json.loads(text)


def layout(body: Any, depth: int = 0) -> str:
    """JSON with one line for each inner value, so that an example fits on a screen."""
    pad = "  " * (depth + 1)
    if isinstance(body, dict) and (
        depth == 0 or any(isinstance(value, list | dict) for value in body.values())
    ):
        lines = [f"{pad}{json.dumps(name)}: {layout(value, depth + 1)}" for name, value in body.items()]
        return "{\n" + ",\n".join(lines) + "\n" + "  " * depth + "}"
    if isinstance(body, list) and any(isinstance(value, dict) for value in body):
        lines = [f"{pad}{layout(value, depth + 1)}" for value in body]
        return "[\n" + ",\n".join(lines) + "\n" + "  " * depth + "]"
    return json.dumps(body, ensure_ascii=False)


def refresh(client: FlaskClient) -> None:
    text = FILE.read_text(encoding="utf-8")
    FILE.write_text(
        _EXAMPLE.sub(lambda found: f"{found[1]}{layout(client.get(found[2]).json)}\n{found[4]}", text),
        encoding="utf-8",
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        refresh(small_world(Path(folder)).client())
