"""Validates responses against the OpenAPI document."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema_rs
from werkzeug.test import TestResponse

from tests.support.api_client import ApiClient


class Described:
    """The OpenAPI document of an application."""

    def __init__(self, client: ApiClient) -> None:
        self.document: dict[str, Any] = client.get("/api/openapi.json").json
        self._components = {"components": self.document["components"]}
        self.validator = cache(self._validator)

    def paths(self) -> list[str]:
        return sorted(self.document["paths"])

    def response(self, path: str, status: int) -> dict[str, Any]:
        """The documented response of a status of a path. Fails if there is none."""
        responses = self.document["paths"][path]["get"]["responses"]
        assert str(status) in responses, f"{path} answered {status}, which is not described"
        response: dict[str, Any] = responses[str(status)]
        if "$ref" in response:
            response = self.document["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
        return response

    def _validator(self, path: str, status: int, media: str) -> Any:
        content = self.response(path, status).get("content", {})
        assert media in content, f"{path} answered {status} as {media}, which is not described"
        return jsonschema_rs.Draft202012Validator({**content[media]["schema"], **self._components})

    def check(self, path: str, status: int, content_type: str, content: bytes) -> None:
        """Fail unless a response matches: status, content type and every field."""
        if status == 304:
            assert (self.response(path, status).get("content"), content) == (None, b"")
            return
        media = content_type.partition(";")[0]
        value = json.loads(content) if media.endswith("json") else content.decode()
        errors = [str(error) for error in self.validator(path, status, media).iter_errors(value)]
        assert errors == [], f"{path} answered {status} with {content[:300]!r}"

    def check_answer(self, path: str, answer: TestResponse) -> None:
        self.check(path, answer.status_code, answer.headers.get("Content-Type", ""), answer.data)
