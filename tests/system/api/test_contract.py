"""Schemathesis requests every path of the OpenAPI document with valid and invalid parameters.

No answer may be a server error, have a status, a content type, a header or a field that is not described, or
take what the description forbids. The live stream, which does not end, has tests of its own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from api.app import create_app
from api.settings import ApiSettings
from tests.support.api_client import ApiClient
from tests.system.api.described import Described
from tests.system.api.world import World

STREAM = "/api/stream"


def described_paths() -> list[str]:
    app = create_app(ApiSettings(database_url="sqlite:///none.db"))
    return [path for path in Described(ApiClient(app)).paths() if path != STREAM]


class Contract(NamedTuple):
    operations: Any
    described: Described


@pytest.fixture(scope="module")
def contract(world: World) -> Contract:
    client = world.client()
    operations = schemathesis.openapi.from_wsgi("/api/openapi.json", client.application)
    return Contract(operations, Described(client))


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("path", described_paths())
def test_every_answer_is_as_described(contract: Contract, path: str, mode: GenerationMode) -> None:
    operation = contract.operations[path]["GET"]
    if mode is GenerationMode.NEGATIVE and not operation.query and not operation.path_parameters:
        return  # nothing to get wrong: test_fuzz adds unknown parameters everywhere

    def is_described(_: object, response: schemathesis.Response, case: schemathesis.Case[Any]) -> None:
        # Not schemathesis' own check of schemas: as of 4.32 it stumbles over prefixItems.
        kind = response.headers.get("content-type", [""])[0]
        contract.described.check(case.path, response.status_code, kind, response.content)

    expected = [not_a_server_error, checks.response_headers_conformance, is_described]
    if mode is GenerationMode.NEGATIVE:
        expected.append(checks.negative_data_rejection)

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=15,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=expected, headers={"Accept-Encoding": "identity"})

    ask()
