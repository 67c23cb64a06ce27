"""The OpenAPI document: what FastAPI writes of the routes, with what all of them share.

Problems, the headers that tell a client its quota, the `ETag` of what is changed under `If-Match`, and an example of
each body: the one that a model gives, else one made of the examples of its fields.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from central.masterdata import items, storage
from central.masterdata.ndjson import LineResult
from central.orders.model import OrderIn
from central.problems import Problem
from central.stock import routes as stock

Json = dict[str, Any]
_MODELS: tuple[type[BaseModel], ...] = (Problem, LineResult, OrderIn, stock.BookingIn, items.Item, storage.Place)
"""Models that routes name without FastAPI's knowing."""
_TEXT: Json = {"type": "string"}
_HEADERS: dict[str, Json] = {
    "RateLimit-Policy": {"description": "How many requests a client has, and in how many seconds", "schema": _TEXT},
    "RateLimit": {"description": "How many are left, and when all of them are there again", "schema": _TEXT},
    "Retry-After": {"description": "Seconds until the next request is taken", "schema": {"type": "integer"}},
    "ETag": {"description": "What a change says in `If-Match`", "schema": _TEXT},
    "Link": {"description": "`rel=next`: the following page, where there is one", "schema": _TEXT},
}
_METHODS = ("get", "post", "put", "patch", "delete")


def document_of(app: FastAPI) -> Json:
    """Return the document, written once."""
    if app.openapi_schema is None:
        app.openapi_schema = _write(app)
    return app.openapi_schema


def _write(app: FastAPI) -> Json:
    document: Json = get_openapi(
        title=app.title, version=app.version, summary=app.summary, routes=app.routes, openapi_version="3.1.0"
    )
    parts = document["components"]
    schemas: Json = parts["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for model in _MODELS:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "floorplane_session"},
    }
    parts["headers"] = _HEADERS
    document["security"] = [{"token": []}, {"session": []}]
    for path, operations in document["paths"].items():
        changed = any(_takes(o, "if-match") for m, o in operations.items() if m != "delete")
        for method, operation in operations.items():
            if method in _METHODS:
                _share(operation, tagged=changed and method in {"get", "put", "patch"}, limited=path.startswith("/v1/"))
                _illustrate(operation, schemas)
    return document


def _takes(operation: Json, header: str) -> bool:
    return any(p["in"] == "header" and p["name"].lower() == header for p in operation.get("parameters", ()))


def _share(operation: Json, *, tagged: bool, limited: bool) -> None:
    """Write the headers that an answer may have."""
    for status, answer in operation["responses"].items():
        names = ["RateLimit-Policy", "RateLimit"] if limited else []
        if status in {"429", "503"}:
            names.append("Retry-After")
        if status in {"200", "201"} and tagged:
            names.append("ETag")
        if names:
            told = {n: {"$ref": f"#/components/headers/{n}"} for n in names}
            answer["headers"] = told | answer.get("headers", {})


def _illustrate(operation: Json, schemas: Json) -> None:
    """Give a body an example, where its model has none."""
    for media in operation.get("requestBody", {}).get("content", {}).values():
        schema = media.get("schema", {})
        if "example" in media or "examples" in media or _given(schema, schemas):
            continue
        made = next(_made(schema, schemas), None)
        if made is not None:
            media["example"] = made


def _resolved(schema: Json, schemas: Json) -> Json:
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    return schema


def _given(schema: Json, schemas: Json) -> bool:
    return "examples" in _resolved(schema, schemas)


def _made(schema: Json, schemas: Json) -> Iterator[Any]:
    """Yield an example of a schema, or nothing: of its own, its only value, or those of its fields."""
    schema = _resolved(schema, schemas)
    if schema.get("examples"):
        yield schema["examples"][0]
    elif "const" in schema:
        yield schema["const"]
    elif "enum" in schema:
        yield schema["enum"][0]
    elif "anyOf" in schema or "oneOf" in schema:
        for one in schema.get("anyOf") or schema["oneOf"]:
            if one.get("type") != "null":
                yield from _made(one, schemas)
    elif schema.get("type") == "array":
        yield from ([x] for x in _made(schema["items"], schemas))
    elif schema.get("type") == "integer":
        yield max(1, schema.get("minimum", 1))
    elif "properties" in schema:
        made: Json = {}
        for name, field in schema["properties"].items():
            needed = name in schema.get("required", ())
            value = next(_made(field, schemas), None) if needed or "examples" in field else None
            if value is not None:
                made[name] = value
            elif needed:
                return
        yield made
