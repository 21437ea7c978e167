"""Generates the OpenAPI 3.1 document from the endpoints' declarations.

Its examples are those of docs/api.md: `python -m tests.system.api.examples` updates both, tests compare them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import MISSING
from pathlib import Path as File
from types import UnionType
from typing import Any, Final, get_args
from urllib.parse import parse_qsl, urlsplit

import msgspec

from api.http.errors import KINDS, PROBLEM, Problem
from api.http.parameters import ParameterReader
from api.http.resource import DirectEndpoint, Endpoint, Resource
from api.http.shapes import Text
from api.settings import program_version

Json = dict[str, Any]

ABOUT: Final = """\
All data of the exchange is public. The API is read-only: orders, cancels and withdrawals are signed by \
their owner and sent to Hive, and this API shows their results.

Each response is a snapshot as of one block. Amounts and prices are decimal text, never floats. Lists take \
`limit` and `cursor`; `next_cursor` in the response is the cursor of the next page. Send a response's `ETag` \
in `If-None-Match` to get 304 while nothing has changed. HEAD and OPTIONS work on every path; every other \
method is answered with 405. Errors are problem details (RFC 9457) with `ok`, `error` and `code`."""

_EXAMPLES: Final = File(__file__).with_name("examples.json")
_REF: Final = "#/components/schemas/{name}"
_EVERY_ENDPOINT: Final = ("E_INPUT", "E_TOO_MANY", "E_INTERNAL")
_EVERY_RESOURCE: Final = ("E_NOT_READY", "E_BUSY")
_PATH_PARAMETER: Final = re.compile(r"<([a-z_]+)>")
_HEADERS: Final[Json] = {
    "ETag": "Identifies this version of the response, for If-None-Match.",
    "Warning": "Only while the database is behind the chain.",
    "X-Request-Id": "Identifies this request in the server's log.",
    "Retry-After": "Seconds to wait before the next request.",
}


def describe(endpoints: Sequence[Endpoint[Any]]) -> Json:
    """The OpenAPI document of these endpoints."""
    examples = json.loads(_EXAMPLES.read_text("utf-8")) if _EXAMPLES.exists() else {}
    schemas, components = _schemas(endpoints)
    responses: Json = {}
    described: Json = {}
    for path in endpoints:
        operation = _operation(path, examples.get(path.path, ()), schemas[path.path])
        codes = (*_EVERY_ENDPOINT, *path.errors, *(_EVERY_RESOURCE if isinstance(path, Resource) else ()))
        operation["responses"] |= _errors(codes, responses)
        described[_PATH_PARAMETER.sub(r"{\1}", path.path)] = {"get": operation}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Peake DEX read API",
            "version": program_version(),
            "description": ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(path.group for path in endpoints)],
        "paths": described,
        "components": {
            "schemas": components,
            "responses": responses,
            "headers": {
                name: {"description": says, "schema": {"type": "string"}} for name, says in _HEADERS.items()
            },
        },
    }


def _schemas(endpoints: Iterable[Endpoint[Any]]) -> tuple[dict[str, Json], Json]:
    """The schema of each endpoint's body, and the schemas that they refer to."""
    parts = {path.path: _parts(path.answer) for path in endpoints}
    types = [part for each in parts.values() for part in each]
    found, components = msgspec.json.schema_components([*types, Problem], ref_template=_REF)
    left = iter(found)
    schemas = {}
    for name, each in parts.items():
        own = [next(left) for _ in each]
        schemas[name] = own[0] if len(own) == 1 else {"anyOf": own}
    return schemas, components


def _parts(answer: Any) -> tuple[Any, ...]:
    """The members of a union of Structs; `str` for plain text."""
    if isinstance(answer, UnionType):
        return get_args(answer)
    return (str,) if answer is Text else (answer,)


def _operation(path: Endpoint[Any], examples: Sequence[Json], schema: Json) -> Json:
    good = [example for example in examples if example["status"] == 200]
    content: Json = {"schema": schema}
    if good:
        content["examples"] = {
            f"example{number}": {"summary": f"GET {example['address']}", "value": example["body"]}
            for number, example in enumerate(good, 1)
        }
    headers = {"X-Request-Id": _header("X-Request-Id")}
    if isinstance(path, Resource):
        headers |= {name: _header(name) for name in ("ETag", "Warning")}
    for name, says in path.headers.items():
        headers[name] = {"description": says, "schema": {"type": "string"}}
    operation: Json = {
        "operationId": re.sub(r"[^a-z_]+", "_", path.path.removeprefix("/api")).strip("_"),
        "summary": path.summary,
        "tags": [path.group],
        "parameters": _parameters(path, good),
        "responses": {
            "200": {
                "description": path.summary,
                "headers": headers,
                "content": {path.media.partition(";")[0]: content},
            }
        },
    }
    if isinstance(path, Resource) or (isinstance(path, DirectEndpoint) and path.conditional):
        operation["responses"]["304"] = {
            "description": "Not modified since the response with the ETag in If-None-Match."
        }
    return operation


def _parameters(path: Endpoint[Any], examples: Sequence[Json]) -> list[Json]:
    reader = ParameterReader(path.parameters)
    path_names = _PATH_PARAMETER.findall(path.path)
    shown = _values(path, examples)
    described = []
    for name, rule in reader.rules.items():
        schema = dict(rule.schema)
        default = reader.defaults[name]
        if default is not MISSING and default is not None:
            schema["default"] = default
        parameter: Json = {
            "name": name,
            "in": "path" if name in path_names else "query",
            "required": name in reader.required,
            "description": f"{rule.expected[0].upper()}{rule.expected[1:]}.",
            "schema": schema,
        }
        if name in shown:
            parameter["example"] = int(shown[name]) if schema["type"] == "integer" else shown[name]
        described.append(parameter)
    return described


def _values(path: Endpoint[Any], examples: Sequence[Json]) -> dict[str, str]:
    """Parameter values of the first example."""
    if not examples:
        return {}
    address = urlsplit(examples[0]["address"])
    pattern = "".join(
        f"(?P<{part}>[^/]+)" if at % 2 else re.escape(part)
        for at, part in enumerate(_PATH_PARAMETER.split(path.path))
    )
    found = re.fullmatch(pattern, address.path)
    assert found is not None
    return {**found.groupdict(), **dict(parse_qsl(address.query))}


def _errors(codes: Iterable[str], responses: Json) -> Json:
    """References to the error responses of one operation, by status; the responses go to `responses`."""
    by_status: dict[int, list[str]] = {}
    for code in sorted(set(codes)):
        by_status.setdefault(KINDS[code].status, []).append(code)
    refs = {}
    for status, among in sorted(by_status.items()):
        name = "_or_".join(among)
        responses.setdefault(name, _error(status, among))
        refs[str(status)] = {"$ref": f"#/components/responses/{name}"}
    return refs


def _error(status: int, codes: Sequence[str]) -> Json:
    """The error response with one status, and the codes it can have."""
    headers = {"X-Request-Id": _header("X-Request-Id")}
    if status in (429, 503):
        headers["Retry-After"] = _header("Retry-After")
    code = {"type": "object", "properties": {"code": {"enum": list(codes)}, "status": {"const": status}}}
    return {
        "description": "; ".join(f"`{code}`: {KINDS[code].when}" for code in codes) + ".",
        "headers": headers,
        "content": {PROBLEM: {"schema": {"allOf": [{"$ref": _REF.format(name="Problem")}, code]}}},
    }


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}
