"""Flask test client of the API: answers are JSON, unless a test reads their text."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse


class ApiResponse(TestResponse):
    """An answer whose `json` is always there: AssertionError with status and text if the body is something else."""

    @property
    def json(self) -> Any:
        assert self.is_json, f"{self.status}, {self.content_type}: {self.text[:300]}"
        return self.get_json()


class ApiClient(FlaskClient):
    """A client whose responses are `ApiResponse`."""

    def __init__(self, application: Flask) -> None:
        super().__init__(application, ApiResponse)

    def open(self, *args: Any, **options: Any) -> ApiResponse:
        response = super().open(*args, **options)
        assert isinstance(response, ApiResponse)
        return response

    def get(self, *args: Any, **options: Any) -> ApiResponse:
        return self.open(*args, method="GET", **options)
