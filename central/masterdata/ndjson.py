"""NDJSON bodies, read as they stream in: lines in, one result a line out."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Generic, TypeVar

import msgspec
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request

from central.database import Connection, Database
from central.idempotency import once
from central.problems import FieldError

M = TypeVar("M", bound=BaseModel)
_LONGEST_LINE = 100_000
_MARK = b"\xef\xbb\xbf"
"""What some programs write before the first line."""


class LineResult(BaseModel):
    """What became of one line of the body."""

    line: int = Field(description="Number of the line, from 1")
    id: str = Field("", description="What the line is about")
    outcome: str = Field(description="created | updated | posted | pending | duplicate | refused")
    errors: list[FieldError] = Field(default_factory=list)


MEDIA_TYPE = "application/x-ndjson"
RESULTS: dict[str, Any] = {
    "description": "NDJSON, one result a line",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/LineResult"}}},
}


def lines_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return a body of one such model a line, as the document says it; `central.app` brings its schema in."""
    return {
        "required": True,
        "description": "NDJSON, one object a line",
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}},
    }


class Numbered(msgspec.Struct, Generic[M]):
    """A line that was read, or why it could not be."""

    line: int
    row: M | None
    refused: LineResult | None


async def read_lines(request: Request, model: type[M]) -> AsyncIterator[Numbered[M]]:
    """Yield each line of a body as a model, or with what is wrong with it; empty lines are skipped."""
    number, rest, endless = 0, b"", False
    async for chunk in request.stream():
        *lines, rest = (rest + chunk).split(b"\n")
        for raw in lines:
            number += 1
            if endless or len(raw) > _LONGEST_LINE:
                endless = False
                yield Numbered(number, None, _too_long(number))
            elif raw.strip():
                yield _read(number, raw, model)
        if endless or len(rest) > _LONGEST_LINE:
            endless, rest = True, b""
    if endless:
        yield Numbered(number + 1, None, _too_long(number + 1))
    elif rest.strip():
        yield _read(number + 1, rest, model)


async def take_lines(
    request: Request,
    model: type[M],
    most: int,
    take: Callable[[list[tuple[int, M]]], Awaitable[Iterable[LineResult]]],
    *,
    apart: Callable[[M], str] | None = None,
) -> list[LineResult]:
    """Take a body in as it streams, chunk by chunk, and return one result a line in the order of lines.

    Parameters
    ----------
    most
        Lines of one chunk, at most.
    take
        Does what the (number, line) pairs of a chunk ask for, in one transaction.
    apart
        Lines for which it gives the same come into different chunks.
    """
    results: list[LineResult] = []
    chunk: list[tuple[int, M]] = []
    seen: set[str] = set()
    async for one in read_lines(request, model):
        if one.refused is not None:
            results.append(one.refused)
        if one.row is None:
            continue
        name = "" if apart is None else apart(one.row)
        if len(chunk) >= most or (apart is not None and name in seen):
            results.extend(await take(chunk))
            chunk, seen = [], set()
        chunk.append((one.line, one.row))
        seen.add(name)
    if chunk:
        results.extend(await take(chunk))
    return sorted(results, key=lambda r: r.line)


async def once_lines(
    database: Database,
    client: str,
    key: str | None,
    what: str,
    chunk: list[tuple[int, M]],
    at: object,
    work: Callable[[Connection], Awaitable[list[LineResult]]],
) -> list[LineResult]:
    """Take a chunk of lines in, in one transaction; under the same key the same chunk is answered and not taken again.

    A change that is sent again late must not undo a newer one.

    Raises
    ------
    Refusal
        As `central.idempotency.once`.
    """
    first = chunk[0][0]
    said = "\n".join(row.model_dump_json() for _, row in chunk)

    async def written(connection: Connection) -> str:
        return write_results(await work(connection)).decode()

    name = None if key is None else f"{key}/{first}"
    answer = await once(database, client, name, f"{what}/{first}", said, at, 200, written)
    return [LineResult.model_validate_json(line) for line in bytes(answer.body).splitlines()]


def _too_long(number: int) -> LineResult:
    error = FieldError(field="line", value=None, bound=f"a line of at most {_LONGEST_LINE} bytes")
    return LineResult(line=number, outcome="refused", errors=[error])


def _read(number: int, raw: bytes, model: type[M]) -> Numbered[M]:
    try:
        return Numbered(number, model.model_validate_json(raw.removeprefix(_MARK) if number == 1 else raw), None)
    except ValidationError as e:
        errors = [
            FieldError(field="/".join(map(str, x["loc"])) or "line", value=_shown(x.get("input")), bound=x["msg"])
            for x in e.errors(include_url=False)[:20]
        ]
        return Numbered(number, None, LineResult(line=number, outcome="refused", errors=errors))


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        value = value[:200].decode(errors="replace")
    return value if isinstance(value, bool | int | None) else str(value)[:100]


def write_results(results: list[LineResult]) -> bytes:
    """Write results as NDJSON."""
    return b"".join(r.model_dump_json().encode() + b"\n" for r in results)
