"""The OpenAPI document matches the code, its examples are valid, and its page loads nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.http.errors import KINDS
from api.http.parameters import CursorText, Id, Rule, Symbol, User
from tests.support.api_client import ApiClient
from tests.system.api.described import Described
from tests.system.api.examples import PACKED
from tests.system.api.pages import Page
from tests.system.api.world import World

EXAMPLES = json.loads(PACKED.read_text("utf-8"))


@pytest.fixture(scope="module")
def described(world: World) -> Described:
    return Described(world.client())


def in_braces(rule: str) -> str:
    return re.sub(r"<([a-z_]+)>", r"{\1}", rule)


def test_every_route_is_described(world: World, described: Described) -> None:
    routes = {in_braces(rule.rule) for rule in world.client().application.url_map.iter_rules()}
    routes -= {"/api/docs/page.css", "/api/docs/page.js", "/", "/{path:name}"}
    assert routes == set(described.document["paths"])


def test_every_reference_leads_somewhere(described: Described) -> None:
    references = set(re.findall(r'"\$ref":\s*"([^"]+)"', json.dumps(described.document)))
    assert len(references) > 50
    for reference in references:
        target: Any = described.document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def test_every_schema_is_one_and_closed(described: Described) -> None:
    """An object that would take any field could not be contradicted by an answer with too many."""
    for name, schema in described.document["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid(schema), name
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False, name


def test_operations_have_names_of_their_own(described: Described) -> None:
    names = [methods["get"]["operationId"] for methods in described.document["paths"].values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("rule", EXAMPLES)
def test_every_example_is_as_described(described: Described, rule: str) -> None:
    for example in EXAMPLES[rule]:
        body = example["body"]
        is_text = isinstance(body, str)
        kind = "text/plain" if is_text else "application/json"
        if rule == "/api/atom":
            kind = "application/atom+xml"
        if example["status"] >= 400:
            kind = "application/problem+json"
        content = body if is_text else json.dumps(body)
        described.check(in_braces(rule), example["status"], kind, content.encode())


def test_the_judge_does_see_what_is_wrong(described: Described) -> None:
    body = EXAMPLES["/api/price"][0]["body"]
    for wrong in ({**body, "more": 1}, {**body, "last": 0.5}, {**body, "ts": "yesterday"}, {"block": 1}):
        with pytest.raises(AssertionError):
            described.check("/api/price", 200, "application/json", json.dumps(wrong).encode())
    with pytest.raises(AssertionError, match="not described"):
        described.check("/api/price", 418, "application/json", b"{}")


def test_each_path_lists_the_codes_that_it_can_give(described: Described) -> None:
    assert described.response("/api/price", 404)["description"] == f"`E_PAIR`: {KINDS['E_PAIR'].when}."
    assert "`E_BLOCK`" in described.response("/api/balances", 404)["description"]
    assert "404" not in described.document["paths"]["/api/pairs"]["get"]["responses"]
    assert "304" in described.document["paths"]["/api/pairs"]["get"]["responses"]


def rule_of(annotated: Any) -> Rule:
    rule = annotated.__metadata__[0]
    assert isinstance(rule, Rule)
    return rule


@pytest.mark.parametrize("parameter", [Symbol, User, Id, CursorText])
def test_what_a_rule_takes_its_schema_takes(parameter: Any) -> None:
    """The other way round as well, but for names of accounts, whose whole rule no machine needs."""
    rule = rule_of(parameter)
    schema = jsonschema_rs.Draft202012Validator(dict(rule.schema))
    alphabet = st.text("aA0zZ9.-_ é\n", min_size=1, max_size=18)
    likely = st.from_regex(str(rule.schema["pattern"]).removesuffix("$"), fullmatch=True)

    @given(alphabet | likely)
    @settings(deadline=None)
    def agree(text: str) -> None:
        if rule.read(text) is not None:
            assert schema.is_valid(text)
        elif parameter is not User:
            assert not schema.is_valid(text)

    agree()


# ---------------------------------------------------------------- the page


def test_the_page_shows_every_path_parameter_and_code(client: ApiClient, described: Described) -> None:
    page = client.get("/api/docs")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    for path, methods in described.document["paths"].items():
        assert f'data-path="{path}"' in page.text
        for parameter in methods["get"]["parameters"]:
            assert f'aria-label="{parameter["name"]} of {path}"' in page.text
    for code in KINDS:
        assert f'id="{code}"' in page.text  # where an error's `type` leads


def test_the_page_works_under_its_policy(client: ApiClient) -> None:
    page = client.get("/api/docs")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    shown = Page(page.text)
    assert shown.inline() == []
    assert shown.loads() == ["data:,", "/api/docs/page.js", "/api/docs/page.css"]
    for name, kind in (("page.css", "text/css"), ("page.js", "text/javascript")):
        file = client.get(f"/api/docs/{name}")
        assert (file.status_code, file.mimetype) == (200, kind)
        assert "://" not in file.text
        assert "innerHTML" not in file.text


@pytest.mark.parametrize("path", ["/api/docs", "/api/openapi.json", "/api/docs/page.css"])
def test_the_description_is_sent_once(client: ApiClient, path: str) -> None:
    etag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 304
