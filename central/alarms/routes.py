"""REST of alarms."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from central.context import Correlation, Here
from central.database import Connection
from central.idempotency import PerhapsKey, once
from central.identity.access import FLOOR, HOUSE, Principal
from central.identity.audit import AUDIT
from central.listing import Limit
from central.moment import moment
from central.problems import Refusal, documented
from central.reason import Reason

router = APIRouter(prefix="/v1", tags=["alarms"])


class Alarm(BaseModel):
    """Something that needs a person's eyes."""

    id: int
    key: str = Field(description="The same for the same cause")
    severity: str = Field(description="info | warning | error")
    subject: str
    text: str
    remedy: str = Field(description="What a person can do about it")
    raised_at: datetime
    cleared_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledged_why: str | None


class AlarmPage(BaseModel):
    """A page of alarms, newest first; `next` is the cursor of the following page."""

    items: list[Alarm]
    next: int | None = None


@router.get("/alarms", response_model=AlarmPage, responses=documented())
async def list_alarms(
    here: Here,
    active: Annotated[bool, Query(description="Only those whose cause is still there")] = False,
    unacknowledged: Annotated[bool, Query(description="Only those that nobody has seen")] = False,
    limit: Limit = 100,
    cursor: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of the page before")] = None,
    _: Principal = HOUSE,
) -> dict[str, Any]:
    """List alarms, newest first."""
    rows = await here.database.read(
        "SELECT * FROM alarm WHERE ($1::bigint IS NULL OR id < $1) AND (NOT $2 OR cleared_at IS NULL)"
        " AND (NOT $3 OR acknowledged_at IS NULL) ORDER BY id DESC LIMIT $4",
        cursor, active, unacknowledged, limit,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": rows[-1]["id"] if len(rows) == limit else None}


@router.post("/alarms/{alarm_id}/acknowledge", response_model=Alarm, responses=documented(400, 404, 409))
async def acknowledge(
    alarm_id: Annotated[int, Path(ge=1, le=2**62)],
    body: Reason,
    here: Here,
    correlation: Correlation,
    key: PerhapsKey = None,
    who: Principal = FLOOR,
) -> Response:
    """Say that somebody has seen it; the first one who says so is kept. An active alarm stays active."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        changed = await connection.fetchrow(
            "UPDATE alarm SET acknowledged_at = $2, acknowledged_by = $3, acknowledged_why = $4"
            " WHERE id = $1 AND acknowledged_at IS NULL RETURNING *",
            alarm_id, at, who.name, body.reason,
        )  # fmt: skip
        if changed is None:
            seen = await connection.fetchrow("SELECT * FROM alarm WHERE id = $1", alarm_id)
            if seen is None:
                raise Refusal(404, f"alarm: {alarm_id} is not known")
            return Alarm.model_validate(dict(seen)).model_dump_json()
        await connection.execute(
            "SELECT emit('floorplane.alarm.acknowledged', $1, $2,"
            " jsonb_build_object('key', $3::text, 'who', $4::text), $5)",
            str(alarm_id), at, changed["key"], who.name, correlation,
        )  # fmt: skip
        await connection.execute(
            AUDIT, at, who.name, who.role, "alarm.acknowledge", str(alarm_id), body.reason, correlation, None
        )
        return Alarm.model_validate(dict(changed)).model_dump_json()

    what = f"POST /v1/alarms/{alarm_id}/acknowledge"
    return await once(here.database, who.name, key, what, body.model_dump_json(), at, 200, work)
