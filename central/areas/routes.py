"""REST of pick areas: where people walk along aisles, and the batches that are planned there."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response

from central.areas.model import AreaIn, AreaOut, BatchOut
from central.context import Correlation, Here
from central.database import Connection
from central.identity.access import HOUSE, Principal, Role, allowed
from central.identity.audit import AUDIT
from central.moment import moment
from central.preconditions import IfMatch, check, tag
from central.problems import Refusal, documented, refused
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1/pick-areas", tags=["places"])
KEEPERS = Depends(allowed(Role.SUPERVISOR, house=True))
Code = Annotated[str, Path(pattern=PATTERN)]
_SHOWN = """
SELECT a.*, COALESCE((
    SELECT jsonb_object_agg(s.place, jsonb_build_array(s.aisle, s.at_m)) FROM pick_spot s WHERE s.area = a.code
), '{}') AS places FROM pick_area a
"""


def _out(row: Any) -> dict[str, Any]:
    told = json.loads(row["form"]) | json.loads(row["habit"]) | {"cart": json.loads(row["cart"])}
    kept: dict[str, Any] = AreaOut.model_validate(
        told | {n: row[n] for n in ("code", "crowd", "rebatch_s")} | {"places": json.loads(row["places"])}
    ).model_dump(mode="json")
    return kept


def _tag(shown: dict[str, Any]) -> str:
    return tag(json.dumps(shown, sort_keys=True))


async def _known(connection: Connection, code: str) -> dict[str, Any]:
    row = await connection.fetchrow(_SHOWN + " WHERE a.code = $1", code)
    if row is None:
        raise Refusal(404, f"pick area: {code!r} is not known")
    return _out(row)


@router.put("/{code}", response_model=AreaOut, responses=documented(400, 409, 412, 428))
async def put_area(
    code: Code,
    body: AreaIn,
    response: Response,
    here: Here,
    correlation: Correlation,
    if_match: IfMatch = None,
    who: Principal = KEEPERS,
) -> dict[str, Any]:
    """Make a pick area, or change it (If-Match): aisles, rules, and where each of its places lies.

    Rounds whose places all lie in one area are walked as a planner worker plans it from then on. A place that is not
    known, or lies in another area, is refused.
    """
    wrong = body.contradiction()
    if wrong is not None:
        raise refused(*wrong)
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> dict[str, Any]:
        was = await connection.fetchrow(_SHOWN + " WHERE a.code = $1 FOR UPDATE OF a", code)
        if was is not None:
            check(if_match, _tag(_out(was)))
        elif if_match is not None:
            raise Refusal(412, f"If-Match: there is no pick area {code!r} to change")
        places = sorted(body.places)
        strange = await connection.fetchval(
            "SELECT x.code FROM unnest($1::text[]) AS x (code) LEFT JOIN place p ON p.code = x.code"
            " AND p.kind IN ('shelf', 'bin', 'staging') WHERE p.code IS NULL ORDER BY x.code LIMIT 1",
            places,
        )
        if strange is not None:
            raise refused(f"places/{strange}", strange, "a known shelf, bin or staging place")
        taken = await connection.fetchrow(
            "SELECT place, area FROM pick_spot WHERE place = ANY($1) AND area <> $2 ORDER BY place LIMIT 1",
            places,
            code,
        )
        if taken is not None:
            raise refused(
                f"places/{taken['place']}", taken["place"], f"in no other area than {taken['area']}", status=409
            )
        await connection.execute(
            "INSERT INTO pick_area (code, form, cart, habit, crowd, rebatch_s) VALUES ($1, $2, $3, $4, $5, $6)"
            " ON CONFLICT (code) DO UPDATE SET form = excluded.form, cart = excluded.cart, habit = excluded.habit,"
            " crowd = excluded.crowd, rebatch_s = excluded.rebatch_s",
            code, json.dumps(body.form()), body.cart.model_dump_json(exclude_none=True), json.dumps(body.habit()),
            body.crowd, body.rebatch_s,
        )  # fmt: skip
        await connection.execute("DELETE FROM pick_batch WHERE area = $1", code)
        await connection.execute("DELETE FROM pick_spot WHERE area = $1", code)
        await connection.execute(
            "INSERT INTO pick_spot (place, area, aisle, at_m)"
            " SELECT x.place, $2, x.aisle, x.at_m"
            " FROM unnest($1::text[], $3::int[], $4::float8[]) AS x (place, aisle, at_m)",
            places, code, [body.places[p][0] for p in places], [body.places[p][1] for p in places],
        )  # fmt: skip
        await connection.execute(AUDIT, at, who.name, who.role, "area.put", code, "", correlation, None)
        return await _known(connection, code)

    kept = await here.database.unit(work)
    here.batcher.changed()
    response.headers["ETag"] = f'"{_tag(kept)}"'
    return kept


@router.get("", response_model=list[AreaOut], responses=documented())
async def list_areas(here: Here, _: Principal = HOUSE) -> list[dict[str, Any]]:
    """List all pick areas."""
    return [_out(r) for r in await here.database.read(_SHOWN + " ORDER BY a.code")]


@router.get("/{code}", response_model=AreaOut, responses=documented(404))
async def get_area(code: Code, response: Response, here: Here, _: Principal = HOUSE) -> dict[str, Any]:
    """Show a pick area."""
    kept = await here.database.unit(lambda connection: _known(connection, code))
    response.headers["ETag"] = f'"{_tag(kept)}"'
    return kept


@router.delete("/{code}", status_code=204, responses=documented(404, 412, 428))
async def delete_area(
    code: Code, here: Here, correlation: Correlation, if_match: IfMatch = None, who: Principal = KEEPERS
) -> None:
    """Forget a pick area: its places are walked by their `way` again."""

    async def work(connection: Connection) -> None:
        await connection.execute("SELECT FROM pick_area WHERE code = $1 FOR UPDATE", code)
        check(if_match, _tag(await _known(connection, code)))
        await connection.execute("DELETE FROM pick_area WHERE code = $1", code)
        at = moment(here.clock.now_ms())
        await connection.execute(AUDIT, at, who.name, who.role, "area.delete", code, "", correlation, None)

    await here.database.unit(work)


@router.get("/{code}/batches", response_model=list[BatchOut], responses=documented(404))
async def list_batches(code: Code, here: Here, _: Principal = HOUSE) -> list[dict[str, Any]]:
    """List the planned batches that nobody has begun, in the order in which they are given to people."""

    async def work(connection: Connection) -> list[dict[str, Any]]:
        await _known(connection, code)
        rows = await connection.fetch("SELECT n, plan, totes, walk FROM pick_batch WHERE area = $1 ORDER BY n", code)
        return [dict(r) for r in rows]

    return await here.database.unit(work)
