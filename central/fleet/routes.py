"""REST of robots and of the site: what was last heard of them, and what an operator asks of the dispatcher."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from central.context import Context, Correlation, Here
from central.identity.access import ANYONE, FLOOR, Principal, Role
from central.identity.audit import AUDIT
from central.moment import moment
from central.orders.routes import Reason
from central.problems import Refusal, documented
from contracts import topics
from contracts.codec import decode, encode
from contracts.ids import PATTERN, RobotId
from contracts.messages.ops import (
    ChargeRobot,
    OpsAnswer,
    OpsBody,
    OpsCommand,
    PauseRobot,
    ResumeRobot,
    RetireRobot,
    ReturnRobot,
)

router = APIRouter(prefix="/v1", tags=["fleet"])
_PATIENCE_S = 5.0


class Fleet(BaseModel):
    """The fleet as it was last heard of."""

    at_ms: int | None = Field(description="When the dispatcher said so (ms since 1970, UTC); null: not heard yet")
    age_ms: int | None
    stopped: bool
    robots: list[dict[str, Any]] = Field(description="Robots as in `contracts.messages.ops.RobotView`")
    stations: list[dict[str, Any]]
    open_tasks: int


class Done(BaseModel):
    """The dispatcher's answer to a command."""

    id: str
    done: bool
    reason: str


@router.get("/robots", response_model=Fleet, responses=documented())
async def list_robots(here: Here, _: Principal = ANYONE) -> dict[str, Any]:
    """Show every robot and station as last heard, with its age."""
    view = here.fleet.view
    if view is None:
        return {"at_ms": None, "age_ms": None, "stopped": False, "robots": [], "stations": [], "open_tasks": 0}
    return {
        "at_ms": view.at_ms,
        "age_ms": max(0, here.clock.now_ms() - view.at_ms),
        "stopped": view.stopped,
        "robots": msgspec.to_builtins(view.robots),
        "stations": msgspec.to_builtins(view.stations),
        "open_tasks": view.open_tasks,
    }


@router.get("/sites/{site_id}", responses=documented(404), response_model=dict[str, Any])
async def get_site(site_id: str, here: Here, _: Principal = ANYONE) -> Response:
    """Show a site: its road map, pods, stations, chutes, doors, cells and robots (`contracts.site.Site`)."""
    if site_id != here.site.id:
        raise Refusal(404, f"site: {site_id!r} is not known; this is {here.site.id}")
    return Response(encode(here.site), media_type="application/json")


@router.get("/sites", responses=documented())
async def list_sites(here: Here, _: Principal = ANYONE) -> list[str]:
    """List the sites that this central serves."""
    return [here.site.id]


_ROBOT: dict[str, type[PauseRobot | ResumeRobot | RetireRobot | ReturnRobot | ChargeRobot]] = {
    "pause": PauseRobot,
    "resume": ResumeRobot,
    "retire": RetireRobot,
    "return": ReturnRobot,
    "charge": ChargeRobot,
}
_SUPERVISED = frozenset({"retire", "return"})


@router.post("/robots/{robot_id}/{command}", response_model=Done, responses=documented(400, 404, 409))
async def command_robot(
    robot_id: Annotated[str, Path(pattern=PATTERN)],
    command: Literal["pause", "resume", "retire", "return", "charge"],
    body: Reason,
    here: Here,
    correlation: Correlation,
    who: Principal = FLOOR,
) -> OpsAnswer:
    """Ask the dispatcher something about one robot; a refusal answers 409 with its reason."""
    if command in _SUPERVISED and who.role is not Role.SUPERVISOR:
        raise Refusal(403, f"{who.name} has the role {who.role}; {command} needs {Role.SUPERVISOR}")
    known = {r.id for r in here.site.robots} | {r.id for r in (here.fleet.view.robots if here.fleet.view else ())}
    if robot_id not in known:
        raise Refusal(404, f"robot: {robot_id!r} is not known")
    return await _ask(
        here, who, correlation, f"robot.{command}", robot_id, body.reason, _ROBOT[command](RobotId(robot_id))
    )


@router.post("/fleet/{command}", response_model=Done, responses=documented(400, 409))
async def command_fleet(
    command: Literal["pause", "resume"], body: Reason, here: Here, correlation: Correlation, who: Principal = FLOOR
) -> OpsAnswer:
    """Pause or resume the whole fleet; a refusal answers 409 with its reason."""
    ask: OpsBody = PauseRobot(None) if command == "pause" else ResumeRobot(None)
    return await _ask(here, who, correlation, f"fleet.{command}", here.site.id, body.reason, ask)


async def _ask(
    here: Context, who: Principal, correlation: str, action: str, subject: str, reason: str, body: OpsBody
) -> OpsAnswer:
    # the row comes first: what was asked is known even if the answer never comes
    rows = await here.database.write(
        AUDIT + " RETURNING id",
        moment(here.clock.now_ms()), who.name, who.role, action, subject, reason, correlation, None,
    )  # fmt: skip
    command = OpsCommand(f"ops-{rows[0]['id']}", who.name, reason, body)
    payload = await here.log.request(topics.ops_subject(here.site.id), encode(command), timeout_s=_PATIENCE_S)
    answer = decode(payload, OpsAnswer)
    if not answer.done:
        raise Refusal(409, answer.reason)
    return answer
