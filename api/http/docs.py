"""/api/openapi.json, and /api/docs, an HTML page of it that loads nothing from other sites."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path as File
from typing import Any, Final, NamedTuple

from flask import Flask, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.http.errors import KINDS, encode
from api.http.etag import RenderedBody, conditional_response
from api.http.openapi import Json, describe
from api.http.parameters import NoParameters
from api.http.resource import DirectEndpoint, Endpoint
from api.http.shapes import Text

HTML: Final = "text/html; charset=utf-8"
GROUP: Final = "Documentation"
_FOLDER: Final = File(__file__).with_name("docs_page")
_FILES: Final = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}
_MAX_DEPTH: Final = 5


class Docs:
    """The two documentation endpoints. The document describes them as well as the given endpoints."""

    def __init__(self, endpoints: Sequence[Endpoint[Any]]) -> None:
        self._others = tuple(endpoints)
        self.endpoints = (
            DirectEndpoint(
                "/api/openapi.json",
                NoParameters,
                dict[str, Any],
                "This documentation as OpenAPI 3.1.",
                lambda _: _constant(RenderedBody(self._json)),
                group=GROUP,
                conditional=True,
            ),
            DirectEndpoint(
                "/api/docs",
                NoParameters,
                Text,
                "This documentation as an HTML page.",
                lambda _: _constant(RenderedBody(self._page, HTML)),
                group=GROUP,
                media="text/html",
                conditional=True,
            ),
        )

    @cached_property
    def _document(self) -> Json:
        """Generated on the first request: most processes never need it."""
        return describe((*self._others, *self.endpoints))

    @cached_property
    def _json(self) -> bytes:
        return encode(self._document)

    @cached_property
    def _page(self) -> bytes:
        return page(self._document).encode()

    def serve_files(self, app: Flask) -> None:
        """Add the routes of the page's style sheet and script."""
        for name, content_type in _FILES.items():
            body = RenderedBody((_FOLDER / name).read_bytes(), content_type)
            address = f"/api/docs/{name}"
            app.add_url_rule(address, address, lambda body=body: _constant(body), methods=["GET"])


def _constant(body: RenderedBody) -> Response:
    return conditional_response(body, sha256(body.content).hexdigest()[:24])


class Field(NamedTuple):
    """A row in the table of a response's fields."""

    name: str  # with the names of the objects around it: order.price
    kind: str  # type in words
    description: str


class SuccessResponse(NamedTuple):
    """The 200 response of an endpoint."""

    fields: Sequence[Field]  # empty for plain text
    example: str | None


def page(document: Json) -> str:
    """The HTML page of an OpenAPI document."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    operations = {path: methods["get"] for path, methods in document["paths"].items()}
    groups = [
        (tag["name"], [(path, each) for path, each in operations.items() if tag["name"] in each["tags"]])
        for tag in document["tags"]
    ]
    schemas = document["components"]["schemas"]
    return environment.get_template("page.html").render(
        info=document["info"],
        groups=groups,
        answers={path: _answer(each, schemas) for path, each in operations.items()},
        examples={path: _first_example(each) for path, each in operations.items()},
        problem=list(_fields({"$ref": "#/components/schemas/Problem"}, schemas)),
        kinds=KINDS,
        errors=document["components"]["responses"],
    )


def _answer(operation: Json, schemas: Json) -> SuccessResponse:
    content = next(iter(operation["responses"]["200"]["content"].values()))
    examples = list(content.get("examples", {}).values())
    example = examples[0]["value"] if examples else None
    text = example if example is None or isinstance(example, str) else json.dumps(example, indent=2)
    return SuccessResponse(list(_fields(content["schema"], schemas)), text)


def _first_example(operation: Json) -> str | None:
    """Address of the first example."""
    for content in operation["responses"]["200"]["content"].values():
        for example in content.get("examples", {}).values():
            return str(example["summary"]).removeprefix("GET ")
    return None


def _fields(schema: Json, schemas: Json, prefix: str = "", depth: int = 0) -> Iterator[Field]:
    """The fields of an object and of the objects inside it."""
    for variant in _variants(schema, schemas):
        if variant.get("type") == "array" and depth < _MAX_DEPTH:
            yield from _fields(variant.get("items") or {}, schemas, f"{prefix}[]", depth + 1)
        for name, member in variant.get("properties", {}).items():
            full = f"{prefix}.{name}".lstrip(".")
            optional = "" if name in variant.get("required", ()) else ", optional"
            yield Field(full, _kind(member, schemas) + optional, _description(member, schemas))
            if depth < _MAX_DEPTH:
                yield from _fields(member, schemas, full, depth + 1)


def _variants(schema: Json, schemas: Json) -> list[Json]:
    """The schema, or the alternatives of a union, with references resolved."""
    if "$ref" in schema:
        return _variants(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    if "anyOf" in schema:
        return [each for part in schema["anyOf"] for each in _variants(part, schemas)]
    return [schema]


def _kind(schema: Json, schemas: Json) -> str:
    """A type in words."""
    words = []
    for variant in _variants(schema, schemas):
        if "enum" in variant:
            words.append(" | ".join(map(str, variant["enum"])))
        elif variant.get("type") == "array":
            words.append(_list_kind(variant, schemas))
        else:
            kind = str(variant.get("type", "anything"))
            words.append({"string": "text", "boolean": "true or false"}.get(kind, kind))
    return " or ".join(dict.fromkeys(words))


def _list_kind(schema: Json, schemas: Json) -> str:
    if "prefixItems" in schema:
        return f"[{', '.join(_kind(each, schemas) for each in schema['prefixItems'])}]"
    each = _kind(schema.get("items") or {}, schemas)
    return "list of objects" if each == "object" else f"list of {each}"


def _description(schema: Json, schemas: Json) -> str:
    """The description of a field, else of its type."""
    for each in (schema, *_variants(schema, schemas)):
        if "description" in each:
            return str(each["description"]).replace("`", "")
    return ""
