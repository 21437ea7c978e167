"""Finds and updates the examples of docs/api.md.

`python -m tests.system.api.examples` requests each address of the document from the small world, and writes the
responses into the document and into api/http/examples.json, which the OpenAPI document uses.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from werkzeug.test import TestResponse

from tests.support.api_client import ApiClient
from tests.system.api.world import small_world

ROOT = Path(__file__).parents[3]
FILE = ROOT / "docs" / "api.md"
PACKED = ROOT / "api" / "http" / "examples.json"
_EXAMPLE = re.compile(r"(`GET (/api/[^`]*)`\n\n```(json|text|xml)\n)(.*?)(```\n)", re.DOTALL)

_STREAM_EXAMPLE = re.compile(r"(`GET (/api/stream[^`]*)`\n\n```sse\n)(.*?)(```\n)", re.DOTALL)


class Exact(float):
    """A JSON number as literal text."""

    def __new__(cls, text: str) -> Exact:
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str


class Example(NamedTuple):
    """A request in the documentation, and the response shown there."""

    address: str
    body: Any


def examples() -> Iterator[Example]:
    for _, address, language, text, _ in _EXAMPLE.findall(FILE.read_text(encoding="utf-8")):
        yield Example(address, json.loads(text) if language == "json" else text)


def body_of(answer: TestResponse) -> Any:
    return (
        answer.text
        if answer.mimetype in ("text/plain", "application/atom+xml")
        else json.loads(answer.text, parse_float=Exact)
    )


def packed(client: ApiClient) -> dict[str, list[dict[str, Any]]]:
    """By path as Flask writes it, each of its examples with what the API answers."""
    found: dict[str, list[dict[str, Any]]] = {}
    routes = client.application.url_map.bind("localhost")
    for _, address, _, _, _ in _EXAMPLE.findall(FILE.read_text(encoding="utf-8")):
        answer = client.get(address)
        rule, _ = routes.match(address.split("?")[0], return_rule=True)
        example = {"address": address, "status": answer.status_code, "body": body_of(answer)}
        found.setdefault(rule.rule, []).append(example)
    return found


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
    return _line(body)


def _line(body: Any) -> str:
    """JSON on one line, numbers as they were written."""
    if isinstance(body, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {_line(value)}" for name, value in body.items()) + "}"
    if isinstance(body, list):
        return f"[{', '.join(map(_line, body))}]"
    return body.text if isinstance(body, Exact) else json.dumps(body, ensure_ascii=False)


def shown(answer: TestResponse) -> str:
    """The text of an example."""
    body = body_of(answer)
    return body if isinstance(body, str) else f"{layout(body)}\n"


def stream_example() -> tuple[str, str]:
    """The address of the stream in the documentation, and the events shown there."""
    _, address, events, _ = _STREAM_EXAMPLE.findall(FILE.read_text(encoding="utf-8"))[0]
    return address, events


def first_events(client: ApiClient, address: str) -> str:
    """What a stream sends at once, without its last empty line."""
    response = client.get(address, buffered=False)
    chunk: Any = next(iter(response.response))
    response.close()
    return str(chunk, "utf-8").removesuffix("\n")


def refresh(client: ApiClient) -> None:
    text = FILE.read_text(encoding="utf-8")
    text = _STREAM_EXAMPLE.sub(lambda found: f"{found[1]}{first_events(client, found[2])}{found[4]}", text)
    fresh = _EXAMPLE.sub(lambda found: f"{found[1]}{shown(client.get(found[2]))}{found[5]}", text)
    FILE.write_text(fresh, encoding="utf-8")
    PACKED.write_text(json.dumps(packed(client), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        refresh(small_world(Path(folder)).client())
