"""REST of tasks, shipments and throughput."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from central.context import Here
from central.identity.access import ANYONE, HOUSE, Principal
from central.listing import Cursor, Limit, Page, following, turn
from central.moment import moment
from central.problems import documented

router = APIRouter(prefix="/v1", tags=["work"])


class Task(BaseModel):
    """One piece of work, who does it and what became of it."""

    id: str
    kind: str = Field(description="pick | convey | pack")
    state: str = Field(description="waiting | released | started | done | short | cancelled")
    attempt: int
    order_id: str
    line: int | None
    tote: str
    item: str | None
    bin: str | None
    qty: int | None
    done_qty: int | None
    station: str | None
    robot: str | None
    reason: str
    created_at: datetime
    released_at: datetime | None
    started_at: datetime | None
    closed_at: datetime | None


class Bucket(BaseModel):
    """What was finished in five minutes."""

    at: datetime = Field(description="Begin of the five minutes")
    lines: int = Field(description="Picks that were closed")
    pieces: int
    short: int = Field(description="Picks that were short")
    totes: int = Field(description="Totes that were packed")
    orders: int = Field(description="Orders that were shipped")


class Stats(BaseModel):
    """Throughput, and how things stand."""

    buckets: list[Bucket]
    orders: dict[str, int] = Field(description="Orders by state")
    tasks: dict[str, int] = Field(description="Open tasks by kind")
    alarms: int = Field(description="Alarms that are active")


TASK_COLUMNS = (
    "id, kind, state, attempt, order_id, line, tote, item, bin, qty, done_qty, station, robot, reason,"
    " created_at, released_at, started_at, closed_at"
)


@router.get("/tasks", response_model=Page[Task], responses=documented())
async def list_tasks(
    here: Here,
    state: Annotated[str | None, Query(description="Only in this state")] = None,
    kind: Annotated[str | None, Query(description="Only of this kind")] = None,
    order: Annotated[str | None, Query(description="Only of this order")] = None,
    robot: Annotated[str | None, Query(description="Only of this robot")] = None,
    open_only: Annotated[bool, Query(alias="open", description="Only what is not closed")] = False,
    newest: Annotated[bool, Query(description="The newest first")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List tasks in the order in which they were made, or the newest first."""
    at, name, past, direction = turn(cursor, newest=newest)
    rows = await here.database.read(
        f"SELECT {TASK_COLUMNS} FROM task WHERE (created_at, id) {past} ($1, $2)"  # noqa: S608 - constants
        " AND ($3::text IS NULL OR state = $3) AND ($4::text IS NULL OR kind = $4)"
        " AND ($5::text IS NULL OR order_id = $5) AND ($6::text IS NULL OR robot = $6)"
        " AND (NOT $7 OR state IN ('waiting', 'released', 'started'))"
        " AND ($9 = '' OR EXISTS (SELECT FROM orders o WHERE o.id = order_id AND o.owner = $9))"
        f" ORDER BY created_at {direction}, id {direction} LIMIT $8",
        at, name, state, kind, order, robot, open_only, limit, who.owner,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": following(rows, limit, "created_at")}


_BUCKETS = """
WITH t AS (
    SELECT date_bin('5 minutes', closed_at, 'epoch') AS at, count(*) FILTER (WHERE kind = 'pick') AS lines,
           COALESCE(sum(done_qty), 0) AS pieces, count(*) FILTER (WHERE state = 'short') AS short,
           count(*) FILTER (WHERE kind = 'pack') AS totes
    FROM task WHERE closed_at >= $1 AND closed_at < $2 AND state IN ('done', 'short') GROUP BY 1
), s AS (
    SELECT date_bin('5 minutes', at, 'epoch') AS at, count(*) AS orders
    FROM shipment WHERE at >= $1 AND at < $2 GROUP BY 1
)
SELECT COALESCE(t.at, s.at) AS at, COALESCE(lines, 0) AS lines, COALESCE(pieces, 0) AS pieces,
       COALESCE(short, 0) AS short, COALESCE(totes, 0) AS totes, COALESCE(orders, 0) AS orders
FROM t FULL JOIN s ON s.at = t.at ORDER BY 1
"""


@router.get("/stats", response_model=Stats, responses=documented())
async def get_stats(
    here: Here,
    hours: Annotated[int, Query(ge=1, le=168, description="How far back")] = 8,
    _: Principal = HOUSE,
) -> dict[str, Any]:
    """Show throughput by five minutes, orders by state, open tasks by kind. Empty buckets are left out."""
    now = moment(here.clock.now_ms() + 1)
    buckets = await here.database.read(_BUCKETS, now - timedelta(hours=hours), now)
    orders = await here.database.read("SELECT state, count(*) AS n FROM orders GROUP BY state ORDER BY state")
    tasks = await here.database.read(
        "SELECT kind, count(*) AS n FROM task WHERE state IN ('released', 'started') GROUP BY kind ORDER BY kind"
    )
    alarms = await here.database.read("SELECT count(*) AS n FROM alarm WHERE cleared_at IS NULL")
    return {
        "buckets": [dict(r) for r in buckets],
        "orders": {r["state"]: r["n"] for r in orders},
        "tasks": {r["kind"]: r["n"] for r in tasks},
        "alarms": alarms[0]["n"],
    }
