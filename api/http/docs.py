"""/api/openapi.json, and /api/docs: its page, without anything from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path as File
from typing import Any, Final, NamedTuple

from flask import Flask, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.http.answers import Body
from api.http.errors import KINDS, encode
from api.http.openapi import Json, describe
from api.http.parameters import NoParameters
from api.http.resource import Direct, Path, send
from api.http.shapes import Text

HTML: Final = "text/html; charset=utf-8"
GROUP: Final = "Description"
_FOLDER: Final = File(__file__).with_name("docs_page")
_FILES: Final = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}
_DEEPEST: Final = 5


class Docs:
    """The description of these paths, and of its own two."""

    def __init__(self, paths: Sequence[Path[Any]]) -> None:
        self._others = tuple(paths)
        self.paths = (
            Direct(
                "/api/openapi.json",
                NoParameters,
                dict[str, Any],
                "This description, as OpenAPI 3.1.",
                lambda _: _constant(Body(self._json)),
                group=GROUP,
                conditional=True,
            ),
            Direct(
                "/api/docs",
                NoParameters,
                Text,
                "This description, as a page.",
                lambda _: _constant(Body(self._page, HTML)),
                group=GROUP,
                media="text/html",
                conditional=True,
            ),
        )

    @cached_property
    def _document(self) -> Json:
        """Made when it is first asked for: most processes that make an application never are."""
        return describe((*self._others, *self.paths))

    @cached_property
    def _json(self) -> bytes:
        return encode(self._document)

    @cached_property
    def _page(self) -> bytes:
        return page(self._document).encode()

    def serve_files(self, app: Flask) -> None:
        """What the page loads."""
        for name, content_type in _FILES.items():
            body = Body((_FOLDER / name).read_bytes(), content_type)
            address = f"/api/docs/{name}"
            app.add_url_rule(address, address, lambda body=body: _constant(body), methods=["GET"])


def _constant(body: Body) -> Response:
    return send(body, sha256(body.content).hexdigest()[:24])


class Field(NamedTuple):
    """A row of the table of an answer."""

    name: str
    kind: str
    says: str


class Answer(NamedTuple):
    """What a path gives with 200: its fields, unless it is text, and an example of it."""

    fields: Sequence[Field]
    example: str | None


def page(document: Json) -> str:
    """The page, as HTML."""
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
        tried={path: _tried(each) for path, each in operations.items()},
        problem=list(_fields({"$ref": "#/components/schemas/Problem"}, schemas)),
        kinds=KINDS,
        refusals=document["components"]["responses"],
    )


def _answer(operation: Json, schemas: Json) -> Answer:
    content = next(iter(operation["responses"]["200"]["content"].values()))
    examples = list(content.get("examples", {}).values())
    example = examples[0]["value"] if examples else None
    text = example if example is None or isinstance(example, str) else json.dumps(example, indent=2)
    return Answer(list(_fields(content["schema"], schemas)), text)


def _tried(operation: Json) -> str | None:
    """The address of the first example."""
    for content in operation["responses"]["200"]["content"].values():
        for example in content.get("examples", {}).values():
            return str(example["summary"]).removeprefix("GET ")
    return None


def _fields(schema: Json, schemas: Json, prefix: str = "", depth: int = 0) -> Iterator[Field]:
    """The members of an object, and of the objects in it, with their full names."""
    for variant in _variants(schema, schemas):
        if variant.get("type") == "array" and depth < _DEEPEST:
            yield from _fields(variant.get("items") or {}, schemas, f"{prefix}[]", depth + 1)
        for name, member in variant.get("properties", {}).items():
            full = f"{prefix}.{name}".lstrip(".")
            optional = "" if name in variant.get("required", ()) else ", not always there"
            yield Field(full, _kind(member, schemas) + optional, _says(member, schemas))
            if depth < _DEEPEST:
                yield from _fields(member, schemas, full, depth + 1)


def _variants(schema: Json, schemas: Json) -> list[Json]:
    """The schema, or each one of which it may be, with references followed."""
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


def _says(schema: Json, schemas: Json) -> str:
    """What is said about a member: beside it, else about its type."""
    for each in (schema, *_variants(schema, schemas)):
        if "description" in each:
            return str(each["description"]).replace("`", "")
    return ""
