"""REST of adopted robots: those that the site does not name, kept until somebody forgets them."""

import hashlib
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, Field

from central.context import Context, Correlation, Here
from central.fleet.asking import Done, ask_dispatcher
from central.idempotency import PerhapsKey
from central.identity.access import HOUSE, Principal, Role, allowed
from central.listing import Cursor, Limit, Page, following, turn
from central.moment import moment
from central.problems import Refusal, documented
from central.reason import Reason
from contracts.ids import PATTERN, RobotId
from contracts.messages.ops import ForgetRobot, RobotView

router = APIRouter(prefix="/v1", tags=["fleet"])
SUPERVISOR = Depends(allowed(Role.SUPERVISOR))


class Adopted(BaseModel):
    """A robot that somebody adopted."""

    robot: str = Field(description="What it is called here")
    manufacturer: str
    serial: str = Field(description="What it calls itself")
    adopted_at: datetime
    adopted_by: str
    reason: str
    forgotten_at: datetime | None
    forgotten_by: str | None
    forgotten_why: str | None


@router.get("/adoptions", response_model=Page[Adopted], responses=documented())
async def list_adoptions(
    here: Here,
    forgotten: Annotated[bool, Query(description="Those too that were forgotten")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    _: Principal = HOUSE,
) -> dict[str, Any]:
    """List adopted robots in the order in which they were adopted."""
    at, name, past, direction = turn(cursor, newest=False)
    rows = await here.database.read(
        f"SELECT * FROM adopted_robot WHERE (adopted_at, id) {past} ($1, $2)"  # noqa: S608 - constants
        f" AND ($3 OR forgotten_at IS NULL) ORDER BY adopted_at {direction}, id {direction} LIMIT $4",
        at, name, forgotten, limit,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": following(rows, limit, "adopted_at")}


@router.post("/robots/{robot_id}/forget", response_model=Done, responses=documented(400, 404, 409))
async def forget_robot(
    robot_id: Annotated[str, Path(pattern=PATTERN)],
    body: Reason,
    here: Here,
    correlation: Correlation,
    key: PerhapsKey = None,
    who: Principal = SUPERVISOR,
) -> Response:
    """Let an adopted robot go: it is new again when it speaks. 409 while it has work, a load, or a way to drive."""
    rows = await here.database.read("SELECT forgotten_at FROM adopted_robot WHERE robot = $1", robot_id)
    if not rows:
        raise Refusal(404, f"robot: {robot_id!r} was not adopted")

    async def forget() -> None:
        await here.database.write(
            "SELECT forget_robot($1, $2, $3, $4, $5)",
            robot_id, moment(here.clock.now_ms()), who.name, body.reason, correlation,
        )  # fmt: skip

    shown = here.fleet.robot(robot_id)
    there = shown is not None and shown.adopted
    command = ForgetRobot(RobotId(robot_id))
    return await ask_dispatcher(
        here, who, correlation, key, "robot.forget", robot_id, body.reason, command, needed=there, then=forget
    )


async def keep(here: Context, robot: RobotView, who: str, reason: str, correlation: str) -> None:
    """Keep a robot as adopted, whatever becomes of the dispatcher's memory; again without effect."""
    if any(r.id == robot.id and r.manufacturer == robot.manufacturer for r in here.site.robots):
        return
    name = "R-" + hashlib.sha256(f"{robot.manufacturer}\n{robot.serial}".encode()).hexdigest()[:16]
    await here.database.write(
        "SELECT adopt_robot($1, $2, $3, $4, $5, $6, $7, $8)",
        name, robot.id, robot.manufacturer, robot.serial, moment(here.clock.now_ms()), who, reason, correlation,
    )  # fmt: skip
