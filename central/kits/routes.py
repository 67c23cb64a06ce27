"""REST of kits: what they are made of, and making them and taking them apart."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from central.context import Correlation, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, once, request_hash
from central.identity.access import ANYONE, ERP, FLOOR, Principal
from central.identity.audit import AUDIT
from central.listing import Cursor, Limit, Page, following, turn
from central.moment import moment
from central.preconditions import IfMatch, check
from central.problems import Refusal, documented, refused
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1", tags=["kits"])
KitId = Annotated[str, Path(pattern=PATTERN, description="The item that is a kit")]


class Part(BaseModel):
    """So many pieces of an item in one kit."""

    item: str = Field(pattern=PATTERN)
    qty: int = Field(ge=1, le=10_000, strict=True)


class KitIn(BaseModel):
    """What a kit is made of."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"mode": "build", "parts": [{"item": "part04ef2f7", "qty": 2}, {"item": "part1fedfcf", "qty": 1}]}
            ]
        }
    )

    mode: Literal["explode", "build"] = Field(
        description="explode: a service item whose parts are picked for each order. build: a stock item, pre-made"
    )
    parts: list[Part] = Field(min_length=1, max_length=100)

    @field_validator("parts")
    @classmethod
    def _once(cls, parts: list[Part]) -> list[Part]:
        if len({p.item for p in parts}) < len(parts):
            raise ValueError("each part once")
        return parts


class Kit(KitIn):
    """A kit."""

    item: str
    version: int
    possible: int = Field(description="How many could be made of what is free now")


class KitPage(BaseModel):
    """Kits by item; `next` is the cursor of the following page."""

    items: list[Kit]
    next: str | None = None


class BuildIn(BaseModel):
    """Kits that should be made, or taken apart."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kit": "starter-kit", "way": "build", "qty": 5, "place": "P001-A11"}]}
    )

    kit: str = Field(pattern=PATTERN)
    way: Literal["build", "unbuild"] = "build"
    qty: int = Field(ge=1, le=10_000, strict=True)
    place: str = Field(pattern=PATTERN, description="Where the kits go, or are")
    priority: int = Field(0, ge=-1_000, le=1_000, strict=True)


class Build(BaseModel):
    """Kits that are, or were, made or taken apart; by the hand task `B-<id>`, whose undoing undoes it."""

    id: str
    kit: str
    way: str
    qty: int
    done: int
    place: str
    parts: list[Part] = Field(description="Of one kit, as it was when it was asked for")
    state: str = Field(description="open | done | cancelled | undone")
    task: str
    made_by: str
    made_at: datetime
    closed_at: datetime | None


_KIT = (
    "SELECT k.item, k.mode, k.version, md5(k::text) AS tag, i.owner,"
    " (SELECT json_agg(json_build_object('item', p.part, 'qty', p.qty) ORDER BY p.part) FROM kit_part p"
    " WHERE p.kit = k.item)"
    " AS parts, (SELECT min((a.bins + a.reserve) / p.qty) FROM kit_part p"
    " CROSS JOIN LATERAL availability(p.part, '-infinity') AS a"
    " WHERE p.kit = k.item) AS possible FROM kit k JOIN item i ON i.id = k.item"
)
_WHY = {
    "kind": ("mode", "build for a stock item and explode for a service item: this one is of the kind {part}"),
    "unknown part": ("parts", "stock items of the kit's owner: {part} is none"),
    "circle": ("parts", "free of circles: the kit would be a part of itself"),
}


@router.get("/kits", responses=documented())
async def list_kits(
    here: Here,
    limit: Limit = 100,
    cursor: Annotated[str | None, Query(max_length=64, pattern=PATTERN)] = None,
    who: Principal = ANYONE,
) -> KitPage:
    """List kits by item."""
    rows = await here.database.read(
        f"{_KIT} WHERE k.item > $1 AND ($2 = '' OR i.owner = $2) ORDER BY k.item LIMIT $3",
        cursor or "",
        who.owner,
        limit,
    )
    return KitPage(items=[_kit(r) for r in rows], next=rows[-1]["item"] if len(rows) == limit else None)


@router.get("/kits/{kit}", responses=documented(404))
async def get_kit(kit: KitId, here: Here, response: Response, who: Principal = ANYONE) -> Kit:
    """Show what a kit is made of; its ETag goes into the If-Match of a change."""
    rows = await here.database.read(f"{_KIT} WHERE k.item = $1 AND ($2 = '' OR i.owner = $2)", kit, who.owner)
    if not rows:
        raise Refusal(404, f"kit: {kit!r} is not known")
    response.headers["ETag"] = f'"{rows[0]["tag"]}"'
    return _kit(rows[0])


@router.put("/kits/{kit}", responses=documented(400, 404, 412, 428))
async def put_kit(
    kit: KitId, body: KitIn, here: Here, correlation: Correlation, response: Response,
    if_match: IfMatch = None, who: Principal = ERP,
) -> Kit:  # fmt: skip
    """Say what a kit is made of; a change needs If-Match. Orders and builds that are there keep the parts they have."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> Any:
        was = await connection.fetchrow(
            "SELECT md5(k::text) AS tag FROM kit k JOIN item i ON i.id = k.item AND ($2 = '' OR i.owner = $2)"
            " WHERE k.item = $1",
            kit, who.owner,
        )  # fmt: skip
        if was is not None:
            check(if_match, was["tag"])
        elif if_match is not None:
            raise Refusal(412, f"If-Match: {kit!r} is no kit yet")
        parts = msgspec.json.encode([{"part": p.item, "qty": p.qty} for p in body.parts]).decode()
        row = await connection.fetchrow(
            "SELECT * FROM keep_kit($1, $2, $3::jsonb, $4)", kit, body.mode, parts, who.owner
        )
        if row["outcome"] == "unknown":
            raise Refusal(404, f"item: {kit!r} is not known")
        if row["outcome"] != "kept":
            field, bound = _WHY[row["outcome"]]
            raise refused(field, body.mode if field == "mode" else row["part"], bound.format(part=row["part"]))
        await connection.execute(AUDIT, at, who.name, who.role, "kit.put", kit, "", correlation, body.model_dump_json())
        return await connection.fetchrow(f"{_KIT} WHERE k.item = $1", kit)

    row = await here.database.unit(work)
    response.headers["ETag"] = f'"{row["tag"]}"'
    return _kit(row)


@router.get("/kit-builds", response_model=Page[Build], responses=documented())
async def list_builds(
    here: Here,
    newest: Annotated[bool, Query(description="The newest first")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List kits that are, or were, made or taken apart."""
    at, name, past, direction = turn(cursor, newest=newest)
    rows = await here.database.read(
        f"SELECT b.* FROM kit_build b JOIN item i ON i.id = b.kit WHERE (b.made_at, b.id) {past} ($1, $2)"  # noqa: S608
        f" AND ($3 = '' OR i.owner = $3) ORDER BY b.made_at {direction}, b.id {direction} LIMIT $4",
        at, name, who.owner, limit,
    )  # fmt: skip
    return {"items": [_build(r) for r in rows], "next": following(rows, limit, "made_at")}


@router.get("/kit-builds/{build_id}", responses=documented(404))
async def get_build(build_id: Annotated[str, Path(pattern=PATTERN)], here: Here, who: Principal = ANYONE) -> Build:
    """Show one."""
    rows = await here.database.read(
        "SELECT b.* FROM kit_build b JOIN item i ON i.id = b.kit WHERE b.id = $1 AND ($2 = '' OR i.owner = $2)",
        build_id, who.owner,
    )  # fmt: skip
    if not rows:
        raise Refusal(404, f"kit build: {build_id!r} is not known")
    return _build(rows[0])


@router.post("/kit-builds", status_code=201, response_model=Build, responses=documented(400, 409))
async def ask_for_kits(
    body: BuildIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = FLOOR
) -> Response:
    """Have kits made, or taken apart: a hand task of the kind `kit`, `B-<id>`.

    Its confirmation may say where the parts came from (`taken`), or went (`laid`): a list of `item,place,pieces`.
    Undoing the task takes all of it back; its moves are not reversed one by one.
    """
    at = moment(here.clock.now_ms())
    name = request_hash(f"{who.name}/{idempotency_key}", "").hex()[:20]

    async def work(connection: Connection) -> str:
        said = await connection.fetchval(
            "SELECT ask_kit($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            name, at, who.name, body.kit, body.way, body.qty, body.place, body.priority, who.owner,
        )  # fmt: skip
        if said == "unknown":
            raise refused("kit", body.kit, "a kit that is made beforehand (mode build)")
        if said == "unknown place":
            raise refused("place", body.place, "a place for goods")
        await connection.execute(
            AUDIT, at, who.name, who.role, "kit.ask", name, "", correlation, body.model_dump_json()
        )
        row = await connection.fetchrow("SELECT * FROM kit_build WHERE id = $1", name)
        return _build(row).model_dump_json()

    what = "POST /v1/kit-builds"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 201, work)


def _kit(row: Any) -> Kit:
    parts = [Part(**p) for p in json.loads(row["parts"])]
    return Kit(item=row["item"], mode=row["mode"], version=row["version"], parts=parts, possible=row["possible"] or 0)


def _build(row: Any) -> Build:
    return Build(**dict(row) | {"parts": json.loads(row["parts"]), "task": f"B-{row['id']}"})
