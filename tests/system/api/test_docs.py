"""docs/api.md names every path and every parameter, and its examples are what the API answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.app import create_app, resources
from api.http.errors import KINDS
from api.http.parameters import ParameterReader
from tests.support.api_client import ApiClient
from tests.system.api.examples import FILE, PACKED, body_of, examples, packed
from tests.system.api.world import World

TEXT = FILE.read_text(encoding="utf-8")


def test_every_route_is_documented(world: World) -> None:
    app = create_app(world.settings())
    paths = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith(("/api", "/metrics"))}
    paths -= {"/api/docs/page.css", "/api/docs/page.js"}
    assert len(paths) > 30
    headings = {line.removeprefix("## ").strip("`") for line in TEXT.splitlines() if line.startswith("## `")}
    assert headings == paths


def test_every_parameter_is_documented_in_its_section(world: World) -> None:
    sections = {part.split("`", 2)[1]: part for part in TEXT.split("\n## ")[1:] if part.startswith("`/api")}
    for resource in resources(world.settings()):
        for name in ParameterReader(resource.parameters).rules:
            assert f"`{name}`" in sections[resource.path] or f"<{name}>" in resource.path


@pytest.mark.parametrize(("address", "shown"), list(examples()))
def test_examples_are_true(client: ApiClient, address: str, shown: object) -> None:
    """After a change, `python -m tests.system.api.examples` writes them anew."""
    assert _without_version(body_of(client.get(address))) == _without_version(shown)


def test_the_packed_examples_are_the_same(client: ApiClient) -> None:
    held = json.loads(PACKED.read_text("utf-8"))
    fresh = packed(client)
    for example in [each for side in (held, fresh) for found in side.values() for each in found]:
        _without_version(example["body"])
    assert held == fresh


def _without_version(body: Any) -> Any:
    if isinstance(body, dict):
        body.pop("version", None)
    return body


def test_every_path_has_an_example(world: World) -> None:
    shown = {address.split("?")[0] for address, _ in examples()}
    for resource in resources(world.settings()):
        stem = resource.path.split("<")[0]
        assert any(address.startswith(stem) for address in shown), resource.path


def test_every_code_of_the_api_is_documented() -> None:
    for code, kind in KINDS.items():
        assert f"| {kind.status} | `{code}` | {kind.when} |" in TEXT


def test_parameters_can_be_written_as_a_schema(world: World) -> None:
    """What a description for machines will be made from."""
    for resource in resources(world.settings()):
        for name, rule in ParameterReader(resource.parameters).rules.items():
            assert rule.schema["type"] in ("string", "integer"), name
            assert rule.expected
