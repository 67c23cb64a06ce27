"""What every route promises to who builds on it, read from the OpenAPI document itself."""

import asyncio
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs
import pytest

from central.service import Central
from central.settings import CentralSettings
from contracts.runtime.clock import LoopClock
from contracts.runtime.log.memory import MemoryStore
from tests.wire.central_floor import small_site

METHODS = ("get", "post", "put", "patch", "delete")
QUESTIONS = {"POST /v1/epcis/events:query", "POST /v1/session", "DELETE /v1/session"}
"""They change nothing that is kept: a question that is too long for a URL, and a browser that comes and goes."""
COMMANDS = {"DELETE /v1/clients/{name}"}
"""All tokens of a name are revoked, whatever became of them meanwhile: there is no state to have seen."""
ENDLESS = {"GET /v1/events/stream", "GET /v1/epcis/events/stream"}


@cache
def document() -> dict[str, Any]:
    """Return what `/v1/openapi.json` answers."""

    async def app() -> Any:
        settings = CentralSettings(database_url="postgresql://nobody@127.0.0.1:1/nothing")
        return Central(settings, small_site(), MemoryStore().connect("central"), LoopClock(0)).app

    made: dict[str, Any] = asyncio.run(app()).openapi()
    return made


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, found in document()["paths"].items():
        if path.startswith("/v1/"):
            for method in METHODS:
                if method in found:
                    yield f"{method.upper()} {path}", found[method]


def headers(operation: dict[str, Any]) -> set[str]:
    return {p["name"].lower() for p in operation.get("parameters", ()) if p["in"] == "header"}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def bodies() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, operation in operations():
        for kind, media in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} {kind}", media


def test_each_body_has_an_example_that_its_schema_allows() -> None:
    """It can be copied from the document and sent."""
    wrong = []
    schemas = {"components": {"schemas": document()["components"]["schemas"]}}
    for name, media in bodies():
        schema = media["schema"]
        examples = [media["example"]] if "example" in media else resolved(schema).get("examples", [])
        if not examples or not all(examples):
            wrong.append(f"{name}: no example")
        validator = jsonschema_rs.Draft202012Validator(schemas | schema)
        for example in examples:
            lines = [example]
            if "ndjson" in name and isinstance(example, str):
                lines = [json.loads(x) for x in example.splitlines()]
            wrong += [f"{name}: {e.message}" for x in lines for e in validator.iter_errors(x)]
    assert not wrong, "\n".join(wrong)


def test_every_error_is_a_problem_and_says_how_much_may_be_asked() -> None:
    """RFC 9457 for 4xx and 5xx; who asks too much, who may not, what cannot be understood: always documented."""
    wrong = []
    for name, operation in operations():
        answers = operation["responses"]
        wrong += [f"{name}: {s} is missing" for s in ("401", "403", "422", "429", "503") if s not in answers]
        for status, answer in answers.items():
            if status[0] in "45" and set(answer.get("content", ())) != {"application/problem+json"}:
                wrong.append(f"{name}: {status} is no problem")
            missing = {"RateLimit", "RateLimit-Policy"} - set(answer.get("headers", ()))
            wrong += [f"{name}: {status} without {h}" for h in sorted(missing)]
            if status == "429" and "Retry-After" not in answer["headers"]:
                wrong.append(f"{name}: 429 without Retry-After")
    assert not wrong, "\n".join(wrong)


def test_a_post_may_be_sent_again_and_a_change_says_what_it_has_seen() -> None:
    """Idempotency-Key with 409 (under way) and 422 (another body); If-Match with 412, and 428 where it is needed."""
    wrong = []
    for name, operation in operations():
        known, answers = headers(operation), operation["responses"]
        bulk = "application/x-ndjson" in operation.get("requestBody", {}).get("content", {})
        if name.startswith("POST") and name not in QUESTIONS:
            if "idempotency-key" not in known:
                wrong.append(f"{name}: no Idempotency-Key")
            if "409" not in answers and not bulk:  # of a bulk, each line is known by itself
                wrong.append(f"{name}: no 409")
        if name.startswith(("PUT", "PATCH", "DELETE")) and name not in QUESTIONS | COMMANDS and "if-match" not in known:
            wrong.append(f"{name}: no If-Match")
        if "if-match" in known and "412" not in answers:
            wrong.append(f"{name}: no 412")
        if "if-match" in known and name.startswith(("PUT", "PATCH")) and "428" not in answers:
            wrong.append(f"{name}: no 428")
    assert not wrong, "\n".join(wrong)


def test_what_is_changed_shows_its_etag_and_what_is_named_may_be_missing() -> None:
    """A resource that asks for If-Match shows an ETag when it is read; a path with a name in it answers 404."""
    wrong = []
    for path, found in document()["paths"].items():
        changed = any("if-match" in headers(o) for m, o in found.items() if m in {"put", "patch"})
        if changed and "get" in found and "ETag" not in found["get"]["responses"]["200"].get("headers", ()):
            wrong.append(f"{path}: no ETag")
        for method, operation in found.items():
            unknown = "404" not in operation["responses"] and method in {"get", "patch", "delete"}
            if path.startswith("/v1/") and re.search(r"\{(?!command|kind)", path) and unknown:
                wrong.append(f"{method} {path}: no 404")
    assert not wrong, "\n".join(wrong)


def test_a_list_with_a_limit_goes_on() -> None:
    """By a cursor, in `next` or in a Link."""
    wrong = []
    for name, operation in operations():
        asked = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"}
        goes_on = {"cursor", "nextPageToken", "beyond", "after", "offset"} & asked
        if name.startswith("GET") and "limit" in asked and not goes_on:
            wrong.append(name)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("field", ["operationId", "summary", "description", "tags"])
def test_each_operation_says_what_it_is(field: str) -> None:
    """For who reads it, and for who generates a client of it."""
    assert [n for n, o in operations() if not o.get(field)] == []
