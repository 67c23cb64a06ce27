"""REST of zones and places: what a place takes, and where people store, stage and unload."""

from typing import Annotated, Any, Literal

import asyncpg
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from central.context import Correlation, Here
from central.database import Connection
from central.idempotency import PerhapsKey
from central.identity.access import HOUSE, Principal, Role, allowed
from central.identity.audit import AUDIT
from central.listing import Limit
from central.masterdata.items import Text
from central.masterdata.ndjson import MEDIA_TYPE, RESULTS, LineResult, lines_of, once_lines, take_lines, write_results
from central.moment import moment
from central.preconditions import IfMatch, check, tag
from central.problems import Refusal, documented, refused
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1", tags=["places"])
KEEPERS = Depends(allowed(Role.ERP, Role.SUPERVISOR, house=True))
Code = Annotated[str, Path(pattern=PATTERN)]
Hazard = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[A-Za-z0-9.-]+$")]
_CHUNK = 500
_BY_SITE = frozenset({"pod", "bin", "station", "chute"})
_MADE_HERE = frozenset({"shelf", "dock", "staging"})


class ZoneIn(BaseModel):
    """A part of the building with a climate and a licence of its own."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Cold room", "temperature": "chilled", "hazards": []}]}
    )

    name: Text = ""
    temperature: Literal["ambient", "chilled", "frozen"] = "ambient"
    hazards: list[Hazard] = Field(default_factory=list, max_length=30, description="Hazard classes that may lie here")


class Zone(ZoneIn):
    """A zone as it is kept."""

    code: str


class PlaceIn(BaseModel):
    """What a place takes. Of the site's own places (bins) everything but kind and parent may be set."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"kind": "shelf", "volume_ml": 1_200_000, "weight_g": 800_000, "mixing": "lot", "way": 17}]
        }
    )

    kind: Literal["shelf", "dock", "staging"] | None = Field(
        None, description="Needed for a new place: reserve storage, a door, or a lane for what came or will go"
    )
    parent: str | None = Field(None, pattern=PATTERN, description="The place that it is a part of")
    volume_ml: int | None = Field(None, ge=1, le=10**12, strict=True, description="What fits in; absent: no limit")
    weight_g: int | None = Field(None, ge=1, le=10**12, strict=True, description="What it carries; absent: no limit")
    mixing: Literal["free", "owner", "item", "lot"] = Field(
        "free", description="What lies here at a time: anything, goods of one owner, one item, or one lot of one item"
    )
    zone: str | None = Field(None, pattern=PATTERN, description="A zone; absent: ambient, and no hazardous goods")
    item: str | None = Field(None, pattern=PATTERN, description="Kept free for this item: its fixed place")
    way: int = Field(0, ge=0, le=2_000_000_000, strict=True, description="Order in which people come by; nearest first")


class Place(PlaceIn):
    """A place as it is kept."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"code": "A-01", "kind": "shelf", "volume_ml": 1_200_000, "weight_g": 800_000}]}
    )

    code: str = Field(pattern=PATTERN)


class PlaceOut(BaseModel):
    """A place, and how full it is."""

    code: str
    kind: str
    parent: str | None
    volume_ml: int | None
    weight_g: int | None
    mixing: str
    zone: str | None
    item: str | None
    way: int
    used_volume_ml: int = Field(description="By what lies there")
    used_weight_g: int


class PlacePage(BaseModel):
    """Places in order of their codes; `next` is the cursor of the following page."""

    items: list[PlaceOut]
    next: str | None = None


_FIELDS = ("kind", "parent", "volume_ml", "weight_g", "mixing", "zone", "item", "way")
_SHOWN = """
SELECT p.code, p.kind, p.parent, p.volume_ml, p.weight_g, p.mixing, p.zone, p.item, p.way,
       u.volume_ml AS used_volume_ml, u.weight_g AS used_weight_g
FROM place p CROSS JOIN LATERAL (
    SELECT COALESCE(sum(s.qty::bigint * i.volume_ml), 0)::bigint AS volume_ml,
           COALESCE(sum(s.qty::bigint * i.weight_g), 0)::bigint AS weight_g
    FROM stock s JOIN item i ON i.id = s.item WHERE s.place = p.code AND s.qty > 0) AS u
"""


def _tag(row: Any) -> str:
    return tag(*(row[c] for c in _FIELDS))


async def keep_place(connection: Connection, place: Place, if_match: str | None = None, *, seen: bool = True) -> bool:
    """Store a place; says whether it is new.

    Parameters
    ----------
    seen
        Whether who changes it must have seen it (If-Match).

    Raises
    ------
    Refusal
        409: its kind or parent would change although the site or stock there says otherwise, or what lies there breaks
        the new rule. 412, 428: as `central.preconditions.check`. 422: a zone, item or parent that is not known.
    """
    was = await connection.fetchrow("SELECT * FROM place WHERE code = $1 FOR NO KEY UPDATE", place.code)
    if was is not None and seen:
        check(if_match, _tag(was))
    elif was is None and if_match is not None:
        raise Refusal(412, f"If-Match: there is no place {place.code!r} to change")
    for field, table in (("zone", "zone"), ("item", "item"), ("parent", "place")):
        value = getattr(place, field)
        column = "id" if table == "item" else "code"
        known = f"SELECT 1 FROM {table} WHERE {column} = $1"  # noqa: S608 - constants
        if value is not None and not await connection.fetchval(known, value):
            raise refused(field, value, f"a known {table}")
    if was is None:
        if place.kind is None:
            raise refused("kind", None, f"{', '.join(sorted(_MADE_HERE))}, as a new place needs")
        await _no_loop(connection, place.code, place.parent)
        await connection.execute(
            "INSERT INTO place (code, kind, parent, volume_ml, weight_g, mixing, zone, item, way)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            place.code, *(getattr(place, f) for f in _FIELDS),
        )  # fmt: skip
        return True
    if was["kind"] not in _BY_SITE | _MADE_HERE:
        raise refused("code", place.code, f"a place that is furnished: it is a {was['kind']}", status=409)
    if place.kind not in {None, was["kind"]}:
        raise refused("kind", place.kind, f"{was['kind']}, which it is", status=409)
    parent = was["parent"] if was["kind"] in _BY_SITE else place.parent
    if was["kind"] in _BY_SITE and place.parent not in {None, was["parent"]}:
        raise refused("parent", place.parent, f"{was['parent']}: the site says where it is", status=409)
    await _no_loop(connection, place.code, parent)
    await connection.execute(
        "UPDATE place SET parent = $2, volume_ml = $3, weight_g = $4, mixing = $5, zone = $6, item = $7, way = $8"
        " WHERE code = $1",
        place.code, parent, *(getattr(place, f) for f in _FIELDS[2:]),
    )  # fmt: skip
    broken = await connection.fetchrow("SELECT * FROM place_breach($1)", place.code)
    if broken is not None:
        raise refused(broken["field"], getattr(place, broken["field"]), broken["bound"], status=409)
    return False


async def _no_loop(connection: Connection, code: str, parent: str | None) -> None:
    while parent is not None:
        if parent == code:
            raise refused("parent", parent, "a place that does not stand in this one", status=409)
        parent = await connection.fetchval("SELECT parent FROM place WHERE code = $1", parent)


@router.put("/places/{code}", response_model=PlaceOut, responses=documented(400, 409, 412, 428))
async def put_place(
    code: Code,
    body: PlaceIn,
    response: Response,
    here: Here,
    correlation: Correlation,
    if_match: IfMatch = None,
    who: Principal = KEEPERS,
) -> dict[str, Any]:
    """Make a place, or change what it takes: a change needs If-Match with the place's ETag.

    A limit or a mixing rule that what lies there would break is refused (409).
    """
    place = Place(code=code, **body.model_dump())

    async def work(connection: Connection) -> dict[str, Any]:
        await keep_place(connection, place, if_match)
        detail = body.model_dump_json(exclude_unset=True)
        at = moment(here.clock.now_ms())
        await connection.execute(AUDIT, at, who.name, who.role, "place.put", code, "", correlation, detail)
        return dict(await connection.fetchrow(_SHOWN + "WHERE p.code = $1", code))

    kept = await here.database.unit(work)
    response.headers["ETag"] = f'"{_tag(kept)}"'
    return kept


@router.post(
    "/places:bulk",
    response_class=Response,
    responses=documented(413) | {200: RESULTS},
    openapi_extra={"requestBody": lines_of(Place)},
)
async def bulk_places(
    request: Request, here: Here, correlation: Correlation, key: PerhapsKey = None, who: Principal = KEEPERS
) -> Response:
    """Make or change many places; each line by itself, whatever it was before.

    With an Idempotency-Key the body may be sent again later: it undoes nothing that was changed since.
    """
    at = moment(here.clock.now_ms())

    async def take(chunk: list[tuple[int, Place]]) -> list[LineResult]:
        async def work(connection: Connection) -> list[LineResult]:
            results = []
            for n, place in chunk:
                try:
                    async with connection.transaction():
                        new = await keep_place(connection, place, seen=False)
                    results.append(LineResult(line=n, id=place.code, outcome="created" if new else "updated"))
                except Refusal as e:
                    results.append(LineResult(line=n, id=place.code, outcome="refused", errors=list(e.errors)))
            return results

        return await once_lines(here.database, who.name, key, "POST /v1/places:bulk", chunk, at, work)

    results = await take_lines(request, Place, _CHUNK, take)
    await here.database.write(
        AUDIT, at, who.name, who.role, "place.bulk", f"{len(results)} lines", "", correlation, None
    )
    return Response(write_results(results), media_type=MEDIA_TYPE)


@router.get("/places", response_model=PlacePage, responses=documented())
async def list_places(
    here: Here,
    kind: Annotated[str | None, Query(max_length=20, description="Only of this kind")] = None,
    zone: Annotated[str | None, Query(max_length=64, description="Only in this zone")] = None,
    parent: Annotated[str | None, Query(max_length=64, description="Only parts of this place")] = None,
    item: Annotated[str | None, Query(max_length=64, description="Only the fixed places of this item")] = None,
    limit: Limit = 100,
    cursor: Annotated[str, Query(max_length=64, description="`next` of the page before")] = "",
    _: Principal = HOUSE,
) -> dict[str, Any]:
    """List places in order of their codes, and how full each is."""
    rows = await here.database.read(
        _SHOWN + "WHERE p.code > $1 AND p.kind <> 'virtual' AND ($2::text IS NULL OR p.kind = $2)"
        " AND ($3::text IS NULL OR p.zone = $3) AND ($4::text IS NULL OR p.parent = $4)"
        " AND ($5::text IS NULL OR p.item = $5) ORDER BY p.code LIMIT $6",
        cursor, kind, zone, parent, item, limit,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": rows[-1]["code"] if len(rows) == limit else None}


@router.get("/places/{code}", response_model=PlaceOut, responses=documented(404))
async def get_place(code: Code, response: Response, here: Here, _: Principal = HOUSE) -> dict[str, Any]:
    """Show a place and how full it is."""
    rows = await here.database.read(_SHOWN + "WHERE p.code = $1 AND p.kind <> 'virtual'", code)
    if not rows:
        raise Refusal(404, f"place: {code!r} is not known")
    response.headers["ETag"] = f'"{_tag(rows[0])}"'
    return dict(rows[0])


@router.put("/zones/{code}", response_model=Zone, responses=documented(400, 409, 412, 428))
async def put_zone(
    code: Code,
    body: ZoneIn,
    response: Response,
    here: Here,
    correlation: Correlation,
    if_match: IfMatch = None,
    who: Principal = KEEPERS,
) -> dict[str, Any]:
    """Make a zone, or change it (If-Match); never so that what lies there must not lie there."""

    async def work(connection: Connection) -> dict[str, Any]:
        was = await connection.fetchrow("SELECT * FROM zone WHERE code = $1 FOR UPDATE", code)
        if was is not None:
            check(if_match, tag(was["name"], was["temperature"], was["hazards"]))
        elif if_match is not None:
            raise Refusal(412, f"If-Match: there is no zone {code!r} to change")
        await connection.execute(
            "INSERT INTO zone VALUES ($1, $2, $3, $4) ON CONFLICT (code) DO UPDATE SET name = excluded.name,"
            " temperature = excluded.temperature, hazards = excluded.hazards",
            code, body.name, body.temperature, sorted(set(body.hazards)),
        )  # fmt: skip
        wrong = await connection.fetchrow(
            "SELECT p.code, i.id, i.temperature, i.hazard FROM place p JOIN stock s ON s.place = p.code AND s.qty > 0"
            " JOIN item i ON i.id = s.item WHERE p.zone = $1 AND (i.temperature <> $2"
            " OR (i.hazard <> '' AND NOT i.hazard = ANY($3))) LIMIT 1",
            code, body.temperature, body.hazards,
        )  # fmt: skip
        if wrong is not None:
            field = "temperature" if wrong["temperature"] != body.temperature else "hazards"
            bound = f"right for {wrong['id']} ({wrong['temperature']} {wrong['hazard']}), which lies at {wrong['code']}"
            raise refused(field, getattr(body, field), bound.replace(" )", ")"), status=409)
        at = moment(here.clock.now_ms())
        await connection.execute(AUDIT, at, who.name, who.role, "zone.put", code, "", correlation, None)
        return dict(await connection.fetchrow("SELECT * FROM zone WHERE code = $1", code))

    kept = await here.database.unit(work)
    response.headers["ETag"] = f'"{tag(kept["name"], kept["temperature"], kept["hazards"])}"'
    return kept


@router.get("/zones", response_model=list[Zone], responses=documented())
async def list_zones(here: Here, _: Principal = HOUSE) -> list[dict[str, Any]]:
    """List all zones."""
    return [dict(r) for r in await here.database.read("SELECT * FROM zone ORDER BY code")]


@router.get("/zones/{code}", response_model=Zone, responses=documented(404))
async def get_zone(code: Code, response: Response, here: Here, _: Principal = HOUSE) -> dict[str, Any]:
    """Show a zone."""
    rows = await here.database.read("SELECT * FROM zone WHERE code = $1", code)
    if not rows:
        raise Refusal(404, f"zone: {code!r} is not known")
    kept = dict(rows[0])
    response.headers["ETag"] = f'"{tag(kept["name"], kept["temperature"], kept["hazards"])}"'
    return kept


@router.delete("/zones/{code}", status_code=204, responses=documented(404, 409, 412, 428))
async def delete_zone(
    code: Code, here: Here, correlation: Correlation, if_match: IfMatch = None, who: Principal = KEEPERS
) -> None:
    """Forget a zone that no place is in."""

    async def work(connection: Connection) -> None:
        was = await connection.fetchrow("SELECT * FROM zone WHERE code = $1 FOR UPDATE", code)
        if was is None:
            raise Refusal(404, f"zone: {code!r} is not known")
        check(if_match, tag(was["name"], was["temperature"], was["hazards"]))
        await connection.execute("DELETE FROM zone WHERE code = $1", code)
        at = moment(here.clock.now_ms())
        await connection.execute(AUDIT, at, who.name, who.role, "zone.delete", code, "", correlation, None)

    try:
        await here.database.unit(work)
    except asyncpg.ForeignKeyViolationError as e:
        raise refused("code", code, "a zone without places", status=409) from e
