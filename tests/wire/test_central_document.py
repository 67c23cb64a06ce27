"""Schemathesis drives every operation of the OpenAPI document: no fault, no answer that the document does not allow.

Each call has an Idempotency-Key of its own, and goes on after a failure, so that all of them are seen at once.
"""

import itertools
import json
import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS

from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_served import served

NAMES = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
KNOWN = {
    "order_id": "A1", "item_id": "part1", "robot_id": "R1", "site_id": "test", "number": 1, "alarm_id": 1,
    "task_id": "H1",
}  # fmt: skip
"""Path parameters that lead somewhere; in half of the calls they are what schemathesis makes up."""
ENDLESS = ("/v1/events/stream", "/v1/events:stream")


@schemathesis.serializer("application/x-ndjson")
def _ndjson(_: Any, value: Any) -> Any:
    rows = value if isinstance(value, list) else [value]
    return b"".join(json.dumps(r).encode() + b"\n" for r in rows)


def drive(url: str, tokens: dict[str, str], examples: int) -> tuple[int, list[str]]:
    """Call each operation so many times; how many calls, and what was wrong with them."""
    headers = {"Authorization": f"Bearer {tokens['supervisor']}"}
    schema = schemathesis.openapi.from_url(f"{url}/v1/openapi.json", headers=headers)
    checks = [CHECKS.get_one(n) for n in NAMES]
    keys, calls, wrong = itertools.count(), itertools.count(), []
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in ENDLESS or operation.path.startswith("/v1/session"):
            continue

        @settings(
            max_examples=examples, deadline=None, derandomize=True, database=None,
            phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy(), known=st.booleans())
        def call(case: Any, known: bool) -> None:
            if known:
                case.path_parameters.update({k: v for k, v in KNOWN.items() if k in case.path_parameters})
            given_headers = {**headers, "Idempotency-Key": f"fresh-{next(keys)}"}
            if case.method == "PATCH" or (case.method == "PUT" and known):
                given_headers["If-Match"] = "*"
            answer = case.call(headers=given_headers, timeout=20)
            next(calls)
            try:
                case.validate_response(answer, checks=checks)
            except (AssertionError, BaseExceptionGroup) as e:
                wrong.append(f"{case.method} {case.path} -> {answer.status_code}\n{_words(e)}")

        call()
    return next(calls), wrong


def _words(e: BaseException) -> str:
    if isinstance(e, BaseExceptionGroup):
        return "\n".join(_words(x) for x in e.exceptions)
    return str(e)[:700]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("examples", [2, pytest.param(60, marks=pytest.mark.slow)])
def test_every_operation_answers_as_the_document_says(postgres: ScratchPostgres, examples: int) -> None:
    """A few made-up calls of each operation, or (slow) many."""
    with served(postgres) as (url, tokens):
        calls, wrong = drive(url, tokens, int(os.environ.get("FLOORPLANE_EXAMPLES", examples)))
    assert calls > 100
    assert not wrong, f"{len(wrong)} of {calls} calls:\n" + "\n\n".join(sorted(set(wrong))[:40])
