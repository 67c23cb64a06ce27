"""Every error as RFC 9457 problem+json, FastAPI's own included: one mapping, one shape, in the document too."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from pydantic_core import PydanticSerializationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from central.database import DiskFull
from contracts.errors import Rejected, Unavailable
from contracts.runtime.logging import get_log

logger = get_log(__name__)
MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """One field that cannot be accepted."""

    field: str = Field(description="Path in the body, or the name of a parameter", examples=["lines/3/item"])
    value: Any = Field(description="What was found there", examples=["part0000000"])
    bound: str = Field(description="What would have been accepted", examples=["an item of the item master"])


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field("about:blank", examples=["about:blank"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["lines/3/item: 'part0000000' is not an item of the item master"])
    errors: list[FieldError] = Field(default_factory=list)


class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault
    """An answer other than success, raised from inside a unit of work so that nothing of it is stored."""

    def __init__(self, status: int, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)


def refused(field: str, value: object, bound: str, *, status: int = 422) -> Refusal:
    """Make the refusal of one field."""
    return Refusal(status, f"{field}: {value!r} is not {bound}", [FieldError(field=field, value=value, bound=bound)])


def problem(
    status: int, detail: str, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """Write a problem as an answer."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors))
    try:
        text = body.model_dump_json()
    except PydanticSerializationError:  # what was found may be half a character
        text = json.dumps(body.model_dump(), default=str)
    return Response(text, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


_TEXT = {
    400: "The body is not JSON, or a parameter cannot be read",
    401: "No token, or one that is not known",
    403: "The token's role may not do this",
    404: "No such thing",
    405: "This path has no such method",
    409: "In conflict with what is stored, or the same request is under way",
    412: "If-Match names another state of the resource than it has now",
    413: "The body is larger than allowed",
    415: "The body is compressed, which is not taken",
    422: "A field is missing or out of its bounds; `errors` names each",
    428: "If-Match is needed: read the resource first",
    429: "More than this client may ask at a time; `Retry-After` says when it may again",
    507: "The disk is full; nothing of the request was stored",
    503: "A part of the system does not answer now; try again",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that may answer with these problems (401, 403, 422, 429, 503, 507 always)."""
    return {
        s: {"description": _TEXT[s], "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        for s in sorted({401, 403, 422, 429, 503, 507, *statuses, *({415} if 400 in statuses else ())})
    }


def install(app: FastAPI) -> None:
    """Answer every error of an application in this shape."""
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(Rejected, _rejected)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(asyncpg.CharacterNotInRepertoireError, _unkept)
    app.add_exception_handler(asyncpg.DataError, _half)
    app.add_exception_handler(PydanticSerializationError, _half)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _fault)


async def _refusal(_: Request, e: Exception) -> Response:
    e = cast("Refusal", e)
    return problem(e.status, e.detail, e.errors)


async def _rejected(_: Request, e: Exception) -> Response:
    e = cast("Rejected", e)
    return problem(422, str(e), [FieldError(field=e.field, value=str(e.value), bound=e.bound)])


async def _unavailable(_: Request, e: Exception) -> Response:
    if isinstance(e, DiskFull):
        return problem(507, f"Nothing of this was stored: {e}", headers={"Retry-After": "60"})
    return problem(503, str(e), headers={"Retry-After": "1"})


async def _unkept(_: Request, __: Exception) -> Response:
    return problem(422, "A text holds a character that no database keeps (NUL)")


async def _gone(_: Request, __: Exception) -> Response:
    return problem(400, "The body broke off")  # nobody hears it


async def _half(_: Request, e: Exception) -> Response:
    if "surrogates not allowed" not in str(e):
        raise e
    return problem(422, "A text holds half a character (a surrogate without its other half)")


async def _http(_: Request, e: Exception) -> Response:
    e = cast("HTTPException", e)
    return problem(e.status_code, str(e.detail), headers=e.headers)


async def _fault(request: Request, e: Exception) -> Response:
    logger.error("request failed", method=request.method, path=request.url.path, exc_info=e)
    return problem(500, "A fault of ours; it is in the log")


async def _invalid(_: Request, e: Exception) -> Response:
    errors = cast("RequestValidationError", e).errors()
    if any(x["type"] == "json_invalid" for x in errors):
        where = next(x["loc"][-1] for x in errors if x["type"] == "json_invalid")
        return problem(400, f"The body is not JSON (at character {where})")
    if any(isinstance(x.get("input"), bytes) and x["loc"] == ("body",) for x in errors):
        return problem(400, "The body was not sent as JSON (Content-Type: application/json)")
    found = [FieldError(field=_path(x["loc"]), value=_short(x.get("input")), bound=_bound(x)) for x in errors[:100]]
    return problem(422, "; ".join(f"{f.field}: {f.bound}" for f in found[:5]), found)


def _path(loc: Sequence[Any]) -> str:
    inside = loc[1:] if loc and loc[0] in {"body", "query", "path", "header", "cookie"} else loc
    return "/".join(str(x) for x in inside) or "body"


def _short(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 100 else text[:97] + "..."


_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def _bound(error: Mapping[str, Any]) -> str:
    context = error.get("ctx") or {}
    for key, words in _BOUNDS.items():
        if key in context:
            return f"{words} {context[key]}"
    return str(error["msg"])
