"""REST of robots and of the site: what was last heard of them, and what an operator asks of the dispatcher."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from central.context import Context, Correlation, Here
from central.fleet import adopted
from central.fleet.asking import Done, ask_dispatcher
from central.fleet.halt import halt_fleet
from central.fleet.why import sentence
from central.idempotency import PerhapsKey
from central.identity.access import FLOOR, HOUSE, Principal, Role
from central.problems import Refusal, documented
from central.reason import Reason
from contracts.codec import encode
from contracts.ids import PATTERN, EdgeId, NodeId, RobotId, StationId
from contracts.messages.ops import (
    AdoptRobot,
    CancelRobot,
    ChargeRobot,
    CloseEdge,
    CloseNode,
    CloseStation,
    OpsBody,
    PauseRobot,
    PauseZone,
    ReassignRobot,
    ReopenEdge,
    ReopenNode,
    ReopenStation,
    ResumeRobot,
    RetireRobot,
    ReturnRobot,
    RobotView,
    Wait,
)

fleet = APIRouter(prefix="/v1", tags=["fleet"])


class Fleet(BaseModel):
    """The fleet as it was last heard of."""

    at_ms: int | None = Field(description="When the dispatcher said so (ms since 1970, UTC); null: not heard yet")
    age_ms: int | None
    stopped: bool
    robots: list[dict[str, Any]] = Field(description="Robots as in `contracts.messages.ops.RobotView`")
    stations: list[dict[str, Any]]
    open_tasks: int
    closed: list[str] = Field([], description="Nodes that somebody closed")
    closed_edges: list[str] = Field([], description="Edges that somebody closed, or on which robots got stuck")
    vendors: list[dict[str, Any]] = Field(
        [], description="By manufacturer what of its robots VDA 5050 does not say, and how often it was seen"
    )
    unreadable: list[dict[str, Any]] = Field(
        [], description="The newest messages that could not be read: `topic`, `text` (its begin), `error`, `at_ms`"
    )
    unreadable_count: int = Field(0, description="How many there were since the dispatcher began")


@fleet.get("/robots", response_model=Fleet, responses=documented())
async def list_robots(here: Here, _: Principal = HOUSE) -> dict[str, Any]:
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
        "closed": view.closed,
        "closed_edges": view.closed_edges,
        "vendors": msgspec.to_builtins(view.vendors),
        "unreadable": msgspec.to_builtins(view.unreadable),
        "unreadable_count": view.unreadable_count,
    }


@fleet.get("/sites/{site_id}", responses=documented(404), response_model=dict[str, Any])
async def get_site(site_id: str, here: Here, _: Principal = HOUSE) -> Response:
    """Show a site: its road map, pods, stations, chutes, doors, cells and robots (`contracts.site.Site`)."""
    if site_id != here.site.id:
        raise Refusal(404, f"site: {site_id!r} is not known; this is {here.site.id}")
    return Response(encode(here.site), media_type="application/json")


@fleet.get("/sites", responses=documented())
async def list_sites(here: Here, _: Principal = HOUSE) -> list[str]:
    """List the sites that this central serves."""
    return [here.site.id]


class RobotOut(BaseModel):
    """One robot as it was last heard of."""

    at_ms: int
    age_ms: int = Field(description="How old the dispatcher's word is")
    robot: dict[str, Any] = Field(description="As in `contracts.messages.ops.RobotView`")
    deviations: dict[str, int] = Field(
        description="What its manufacturer's robots do that VDA 5050 does not say, and how often it was seen"
    )


class Link(BaseModel):
    """One link of the chain: what it waits for, who has that, and what would free it."""

    resource: str
    holder: str
    holder_task: str
    since_ms: int
    until: str


class Why(BaseModel):
    """Why a robot does not move, link by link, from itself to what would free them all."""

    robot: str
    state: str
    waiting: bool
    at_ms: int = Field(description="When the dispatcher said so")
    chain: list[Link]
    says: str = Field(description="The same in one sentence")


@fleet.get("/robots/{robot_id}", response_model=RobotOut, responses=documented(404))
async def get_robot(
    robot_id: Annotated[str, Path(pattern=PATTERN)], here: Here, _: Principal = HOUSE
) -> dict[str, Any]:
    """Show one robot, its dialect, and how robots of its manufacturer depart from the standard."""
    robot = _robot(here, robot_id)
    view = here.fleet.view
    assert view is not None  # noqa: S101 - the robot was found in it
    vendors = {v.manufacturer: v.deviations for v in view.vendors}
    return {
        "at_ms": view.at_ms,
        "age_ms": max(0, here.clock.now_ms() - view.at_ms),
        "robot": msgspec.to_builtins(robot),
        "deviations": vendors.get(robot.manufacturer, {}),
    }


@fleet.get("/robots/{robot_id}/why", response_model=Why, responses=documented(404))
async def why(robot_id: Annotated[str, Path(pattern=PATTERN)], here: Here, _: Principal = HOUSE) -> dict[str, Any]:
    """Say why a robot waits: resource, who holds it, for which task, since when, and what would free it."""
    robot = _robot(here, robot_id)
    view = here.fleet.view
    assert view is not None  # noqa: S101 - the robot was found in it
    chain = list(robot.wait)
    if view.stopped and not chain:
        chain = [Wait(here.site.id, "the fleet's stop", "", view.at_ms, "the stop is lifted")]
    return {
        "robot": robot.id,
        "state": robot.state,
        "waiting": bool(chain),
        "at_ms": view.at_ms,
        "chain": msgspec.to_builtins(chain),
        "says": sentence(robot, chain, view.at_ms),
    }


def _robot(here: Context, robot_id: str) -> RobotView:
    found = None if here.fleet.view is None else next((r for r in here.fleet.view.robots if r.id == robot_id), None)
    if found is None:
        raise Refusal(404, f"robot: {robot_id!r} is not known")
    return found


_ROBOT: dict[
    str,
    type[PauseRobot | ResumeRobot | RetireRobot | ReturnRobot | ChargeRobot | AdoptRobot | CancelRobot | ReassignRobot],
] = {
    "pause": PauseRobot,
    "resume": ResumeRobot,
    "retire": RetireRobot,
    "return": ReturnRobot,
    "charge": ChargeRobot,
    "adopt": AdoptRobot,
    "cancel": CancelRobot,
    "reassign": ReassignRobot,
}
_SUPERVISED = frozenset({"retire", "return", "adopt"})


@fleet.post("/robots/{robot_id}/{command}", response_model=Done, responses=documented(400, 404, 409))
async def command_robot(
    robot_id: Annotated[str, Path(pattern=PATTERN)],
    command: Literal["pause", "resume", "retire", "return", "charge", "adopt", "cancel", "reassign"],
    body: Reason,
    here: Here,
    correlation: Correlation,
    key: PerhapsKey = None,
    who: Principal = FLOOR,
) -> Response:
    """Ask the dispatcher something about one robot; a refusal answers 409 with its reason."""
    if command in _SUPERVISED and who.role is not Role.SUPERVISOR:
        raise Refusal(403, f"{who.name} has the role {who.role}; {command} needs {Role.SUPERVISOR}")
    known = {r.id for r in here.site.robots} | {r.id for r in (here.fleet.view.robots if here.fleet.view else ())}
    if robot_id not in known:
        raise Refusal(404, f"robot: {robot_id!r} is not known")
    shown = here.fleet.robot(robot_id)
    if command == "adopt" and shown is not None:
        # kept first: whatever becomes of the dispatcher, it learns of it by its work key
        await adopted.keep(here, shown, who.name, body.reason, correlation)
    return await ask_dispatcher(
        here, who, correlation, key, f"robot.{command}", robot_id, body.reason, _ROBOT[command](RobotId(robot_id))
    )


@fleet.post("/fleet/{command}", response_model=Done, responses=documented(400, 409))
async def command_fleet(
    command: Literal["pause", "resume"],
    body: Reason,
    here: Here,
    correlation: Correlation,
    key: PerhapsKey = None,
    who: Principal = FLOOR,
) -> Response:
    """Stop or resume the whole fleet: over the broker alone, whoever else lives; 409 with a refusal's reason.

    `reason` of the answer says how many robots confirm it. This is not a safety function.
    """
    if here.halt is not None:
        return await halt_fleet(here, here.halt, who, correlation, key, body.reason, pause=command == "pause")
    ask: OpsBody = PauseRobot(None) if command == "pause" else ResumeRobot(None)
    return await ask_dispatcher(here, who, correlation, key, f"fleet.{command}", here.site.id, body.reason, ask)


RoadName = Annotated[str, Path(min_length=1, max_length=200, description="As the layout's file names it")]


class Zone(Reason):
    """Nodes, and why."""

    nodes: list[str] = Field(min_length=1, max_length=10_000, description="Node ids", examples=[["N17", "N18"]])


@fleet.post("/zones/{command}", response_model=Done, responses=documented(400, 409))
async def command_zone(
    command: Literal["pause", "resume"],
    body: Zone,
    here: Here,
    correlation: Correlation,
    key: PerhapsKey = None,
    who: Principal = FLOOR,
) -> Response:
    """Pause every robot that is on some nodes or on its way over them, or let those go on; 409 with its reason."""
    ask = PauseZone(tuple(NodeId(n) for n in body.nodes), wanted=command == "pause")
    return await ask_dispatcher(
        here, who, correlation, key, f"zone.{command}", ",".join(body.nodes)[:200], body.reason, ask
    )


@fleet.post("/nodes/{node_id}/{command}", response_model=Done, responses=documented(400, 404, 409))
async def command_node(
    node_id: RoadName,
    command: Literal["close", "reopen"],
    body: Reason,
    here: Here,
    correlation: Correlation,
    key: PerhapsKey = None,
    who: Principal = FLOOR,
) -> Response:
    """Close a node for all robots, or open it again; what is released to a robot already is still driven."""
    if node_id not in here.site.layout.node:
        raise Refusal(404, f"node: {node_id!r} is not in the layout of {here.site.id}")
    ask: OpsBody = CloseNode(NodeId(node_id)) if command == "close" else ReopenNode(NodeId(node_id))
    return await ask_dispatcher(here, who, correlation, key, f"node.{command}", node_id, body.reason, ask)


@fleet.post("/edges/{edge_id}/{command}", response_model=Done, responses=documented(400, 404, 409))
async def command_edge(
    edge_id: RoadName,
    command: Literal["close", "reopen"],
    body: Reason,
    here: Here,
    correlation: Correlation,
    key: PerhapsKey = None,
    who: Principal = FLOOR,
) -> Response:
    """Close an edge in its one direction, or open it again; what is released to a robot already is still driven."""
    if not any(e.id == edge_id for e in here.site.layout.edges):
        raise Refusal(404, f"edge: {edge_id!r} is not in the layout of {here.site.id}")
    ask: OpsBody = CloseEdge(EdgeId(edge_id)) if command == "close" else ReopenEdge(EdgeId(edge_id))
    return await ask_dispatcher(here, who, correlation, key, f"edge.{command}", edge_id, body.reason, ask)


@fleet.post("/stations/{station_id}/{command}", response_model=Done, responses=documented(400, 404, 409))
async def command_station(
    station_id: Annotated[str, Path(pattern=PATTERN)],
    command: Literal["close", "reopen"],
    body: Reason,
    here: Here,
    correlation: Correlation,
    key: PerhapsKey = None,
    who: Principal = FLOOR,
) -> Response:
    """Take a pick station out of service, or put it back.

    Totes that wait are planned for the other stations, and it gets no new ones; those that stand there are finished.
    The last station that is open cannot be closed (409).
    """
    if not any(s.id == station_id and s.kind == "pick" for s in here.site.stations):
        raise Refusal(404, f"station: {station_id!r} is no pick station of {here.site.id}")
    ask: OpsBody = CloseStation(StationId(station_id)) if command == "close" else ReopenStation(StationId(station_id))
    return await ask_dispatcher(here, who, correlation, key, f"station.{command}", station_id, body.reason, ask)


router = APIRouter()
router.include_router(adopted.router)  # first: its paths are more particular
router.include_router(fleet)
