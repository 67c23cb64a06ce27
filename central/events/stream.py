"""What happened, for whoever asks: page by page, or as a stream that goes on where it broke off."""

import re
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from central.context import Here
from central.database import Database
from central.events.cloudevents import cloud_event
from central.events.published import Published
from central.identity.access import ANYONE, Principal
from central.problems import Refusal, documented, refused
from contracts.errors import Unavailable
from contracts.ids import SiteId
from contracts.runtime.clock import Clock

router = APIRouter(prefix="/v1", tags=["events"])
MOST_STREAMS = 64
_LOOKED_AT = 1_000
_QUIET_S = 15.0
_TYPE = r"^[a-z0-9_.]+\*?$"
_PLACE = re.compile(r"(\d{1,19})-(\d{1,18})")
START = ("0", 0)


class Filter(msgspec.Struct, frozen=True):
    """Which events somebody wants, and may have."""

    patterns: tuple[str, ...]
    subject: str
    owner: str


def patterns(types: Sequence[str]) -> tuple[str, ...]:
    """Turn ``floorplane.order.*`` into what SQL's LIKE reads."""
    return tuple(t.replace("_", r"\_").replace("*", "%") for t in types)


def read_place(text: str | None, field: str) -> tuple[str, int] | None:
    """Read the place in the log after which somebody goes on.

    Raises
    ------
    Refusal
        422: it is none of ours.
    """
    if text is None:
        return None
    found = _PLACE.fullmatch(text)
    if found is None or int(found[1]) >= 2**63:
        raise refused(field, text, "the id of an event of this stream")
    return found[1], int(found[2])


async def read_some(
    database: Database, site: SiteId, place: tuple[str, int], wanted: Filter
) -> tuple[list[tuple[str, str, bytes]], tuple[str, int], bool]:
    """Return (id, subject, CloudEvent) of what follows a place, the place reached, and whether there may be more."""
    rows = await database.read(
        "SELECT * FROM events_after($1, $2, $3, $4, $5, $6)",
        *place, list(wanted.patterns), wanted.subject, wanted.owner, _LOOKED_AT,
    )  # fmt: skip
    if not rows:
        return [], place, False
    end = rows[-1]
    found = [(f"{r['tx']}-{r['seq']}", r["subject"], cloud_event(site, r)) for r in rows[:-1]]
    return found, (end["tx"], end["seq"]), end["looked"] == _LOOKED_AT


async def newest(database: Database) -> tuple[str, int]:
    """Return the place after everything that is committed by now."""
    rows = await database.read("SELECT (pg_snapshot_xmin(pg_current_snapshot()))::text AS tx")
    return str(int(rows[0]["tx"]) - 1), 10**17


async def follow(
    database: Database, site: SiteId, clock: Clock, published: Published, place: tuple[str, int], wanted: Filter
) -> AsyncIterator[bytes]:
    """Write the stream until the reader goes away or the database does; a comment now and then keeps it open."""
    wake = published.follow()
    try:
        yield b"retry: 1000\n\n"
        while True:
            try:
                found, place, more = await read_some(database, site, place, wanted)
            except Unavailable:
                return  # the reader comes back and goes on where it was
            for name, _, event in found:
                yield b"id: " + name.encode() + b"\ndata: " + event + b"\n\n"
            if more:
                continue
            if not found:
                yield b":\n\n"
            quiet = clock.call_later(_QUIET_S, wake.set)
            await wake.wait()
            quiet.cancel()
            wake.clear()
    finally:
        published.unfollow(wake)


_SHAPES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "CloudEvents 1.0: a stream of them, or one page",
        "content": {
            "text/event-stream": {"schema": {"type": "string"}},
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "items": {"type": "array", "items": {"type": "object"}},
                        "next": {"type": "string", "description": "`after` of the next page"},
                    },
                    "required": ["items", "next"],
                }
            },
        },
    }
}


@router.get("/events", response_class=Response, responses=documented(429) | _SHAPES, summary="Follow what happens")
async def get_events(
    request: Request,
    here: Here,
    types: Annotated[
        list[Annotated[str, Query(pattern=_TYPE, max_length=100)]],
        Query(alias="type", max_length=50, description="Only these types; `floorplane.order.*` for all that begin so"),
    ] = [],  # noqa: B006 - FastAPI copies it
    subject: Annotated[str, Query(pattern=r"^[^\x00]{0,100}$", description="Only subjects that begin so")] = "",
    after: Annotated[
        str | None, Query(max_length=40, description="`next` of the page before; `start` for the first")
    ] = None,
    last_event_id: Annotated[str | None, Header(max_length=40, description="As a browser sends it")] = None,
    who: Principal = ANYONE,
) -> Response:
    """Follow what happens, as CloudEvents in the order of commits.

    With `Accept: text/event-stream` the answer is a stream of server-sent events; it begins after `Last-Event-ID` (or
    `after`), else with what happens from now on, and no event is missed or said twice across a reconnect. Otherwise the
    answer is one page from `after` (or the start) with `next`, which is where to go on, also when there is nothing yet.
    """
    wanted = Filter(patterns(types), subject, who.owner)
    place = START if after == "start" else read_place(last_event_id, "Last-Event-ID") or read_place(after, "after")
    if "text/event-stream" in request.headers.get("accept", ""):
        if here.published.followers >= MOST_STREAMS:
            raise Refusal(429, f"{MOST_STREAMS} streams are open already; close one, or read pages")
        place = place or await newest(here.database)
        stream = follow(here.database, here.site.id, here.clock, here.published, place, wanted)
        return StreamingResponse(stream, headers={"Cache-Control": "no-store"}, media_type="text/event-stream")
    found, place, _ = await read_some(here.database, here.site.id, place or START, wanted)
    items = b",".join(event for _, _, event in found)
    return Response(
        b'{"items":[' + items + b'],"next":"' + "-".join(map(str, place)).encode() + b'"}',
        media_type="application/json",
    )
