"""What operators ask: pause, resume, take out of service and back, charge; and the fleet-wide stop."""

from contracts.ids import RobotId
from contracts.messages.floor import StopState
from contracts.messages.ops import (
    AdoptRobot,
    CancelRobot,
    ChargeRobot,
    CloseEdge,
    CloseNode,
    CloseStation,
    ForgetRobot,
    OpsAnswer,
    OpsCommand,
    PauseRobot,
    PauseZone,
    ReassignRobot,
    ReopenEdge,
    ReopenNode,
    ReopenStation,
    ResumeRobot,
    RetireRobot,
    ReturnRobot,
    SeatTotes,
    ShowPods,
    VehicleState,
)
from dispatcher import lateness, members, orders, presenting, recovery, seating, vehicles, widths
from dispatcher.commands import AnswerOps
from dispatcher.fleet.member import Pin, Vehicle
from dispatcher.world import World

_REMEMBERED = 1_000
_REST_MS = 30_000
"""A robot whose work was given to others gets none for so long, or it would take the same again."""


def asked(world: World, command: OpsCommand) -> None:
    """Carry out an operator's command once, and answer it every time."""
    answer = world.answers.get(command.id)
    if answer is None:
        answer = world.answers[command.id] = _carry_out(world, command)
        while len(world.answers) > _REMEMBERED:
            del world.answers[next(iter(world.answers))]
    world.out.append(AnswerOps(answer))


def stop_heard(world: World, state: StopState) -> None:
    """Stand, or go on, with the whole fleet. The robots were paused by whoever said stop; we say it again."""
    if state.stopped == world.stopped:
        return
    world.stopped = state.stopped
    for v in world.vehicles.values():
        pause(world, v, wanted=state.stopped)
    if state.stopped:
        world.raise_alarm(
            "stop",
            "warning",
            world.site.id,
            f"The fleet was stopped by {state.who}: {state.reason}.",
            "Lift the stop when the floor is clear.",
        )
    else:
        world.clear_alarm("stop")
        world.plan_wanted = world.release_wanted = world.demand_changed = world.fleet_changed = True
        for name in world.vehicles:
            world.touched[name] = None


def pause(world: World, v: Vehicle, *, wanted: bool) -> None:
    """Pause or resume one robot, until its state shows it.

    What it was told before may be on its way still, so that its state alone does not say that nothing is to be done.
    """
    told, v.pause_wanted = v.pause_wanted == wanted, wanted
    if v.state is VehicleState.OFFLINE:
        return
    if v.placed and wanted:
        world.pin(v, Pin.PAUSE)
    if v.report is not None and v.report.paused == wanted:
        recovery.paused(world, v)
        if told:
            return
    v.instant_tries = 0
    orders.instant(world, v, "startPause" if wanted else "stopPause")
    world.timers.set(world.now_ms + world.params.instant_resend_ms, "instant", v.id)


def _carry_out(world: World, command: OpsCommand) -> OpsAnswer:
    body = command.body
    if isinstance(body, CloseStation | ReopenStation):
        return _station(world, command, body)
    if isinstance(body, SeatTotes):
        return seating.follow(world, command, body)
    if isinstance(body, ShowPods):
        return presenting.follow(world, command, body)
    if isinstance(body, PauseRobot | ResumeRobot):
        wanted = isinstance(body, PauseRobot)
        if not wanted and world.stopped:
            return OpsAnswer(command.id, done=False, reason="The fleet is stopped; lift the stop first.")
        if body.robot is None:
            world.paused = wanted
            for v in world.vehicles.values():
                pause(world, v, wanted=wanted)
            return OpsAnswer(command.id, done=True, reason="")
        found = world.vehicles.get(body.robot)
        if found is None:
            return _unknown(command, body.robot)
        if not wanted and _asks_for_a_person(world, found):
            found.failures = 0
            recovery.reset(world, found, "")
        pause(world, found, wanted=wanted)
        return OpsAnswer(command.id, done=True, reason="")
    if isinstance(body, CloseNode | ReopenNode | PauseZone):
        return _on_the_road(world, command, body)
    if isinstance(body, CloseEdge | ReopenEdge):
        return _on_an_edge(world, command, body)
    if isinstance(body, AdoptRobot) and body.robot in world.strangers:
        if too_wide := widths.too_wide(world, world.strangers[body.robot]):
            return OpsAnswer(command.id, done=False, reason=too_wide)
        vehicles.adopt(world, body.robot)
        return OpsAnswer(command.id, done=True, reason="")
    found = world.vehicles.get(body.robot)
    if found is None:
        return _unknown(command, body.robot)
    if isinstance(body, ForgetRobot):
        refused = members.forget(world, found)
        return OpsAnswer(command.id, done=not refused, reason=refused)
    if isinstance(body, CancelRobot):
        if not found.placed or found.state is VehicleState.OFFLINE or found.cancelling:
            return OpsAnswer(command.id, done=False, reason=f"Robot {found.id} is {found.state}: it cannot be asked.")
        recovery.reset(world, found, "")
    elif isinstance(body, ReassignRobot):
        if not recovery.hand_on(world, found):
            return OpsAnswer(
                command.id, done=False, reason=f"Robot {found.id} has nothing that another one could fetch."
            )
        world.timers.set(world.now_ms + _REST_MS, "rest", found.id)
        found.resting = True
    elif isinstance(body, RetireRobot):
        found.retired = True
    elif isinstance(body, ReturnRobot):
        if wide := widths.too_wide(world, found):
            return OpsAnswer(command.id, done=False, reason=wide)
        found.retired = False
        found.failed_job, found.failed_jobs = "", 0
        world.clear_alarm(f"unfit-{found.id}")
    elif isinstance(body, ChargeRobot):
        if not world.chargers:
            return OpsAnswer(command.id, done=False, reason="The site has no charger.")
        found.charge_asked = True
    world.fleet_changed = world.demand_changed = True
    return OpsAnswer(command.id, done=True, reason="")


def _asks_for_a_person(world: World, v: Vehicle) -> bool:
    """Whether a robot waits until somebody has looked at it: it was set back too often, or has lost its load."""
    if v.failures > world.params.leg_tries:
        return True
    if not v.pins & Pin.AWAY or v.cancelling or f"failed-{v.id}" not in world.alarms:
        return False
    return v.state not in {VehicleState.OFFLINE, VehicleState.ERROR, VehicleState.MANUAL}


def _station(world: World, command: OpsCommand, body: CloseStation | ReopenStation) -> OpsAnswer:
    if body.station not in world.stations:
        return OpsAnswer(command.id, done=False, reason=f"The site has no station {body.station}.")
    if isinstance(body, ReopenStation):
        world.closed_stations.pop(body.station, None)
    elif len(world.closed_stations | {body.station: None}) == sum(s.kind == "pick" for s in world.site.stations):
        return OpsAnswer(command.id, done=False, reason=f"Station {body.station} is the last one that is open.")
    else:
        world.closed_stations[body.station] = None
    world.slots_changed = True
    return OpsAnswer(command.id, done=True, reason="")


def rest_due(world: World, name: str) -> None:
    """Let a robot work again whose work was given to others."""
    world.vehicles[RobotId(name)].resting = False
    world.fleet_changed = world.demand_changed = world.hauls_changed = True


def _on_the_road(world: World, command: OpsCommand, body: CloseNode | ReopenNode | PauseZone) -> OpsAnswer:
    for node in body.nodes if isinstance(body, PauseZone) else (body.node,):
        if node not in world.site.layout.node:
            return OpsAnswer(command.id, done=False, reason=f"The layout has no node {node}.")
    if isinstance(body, CloseNode):
        world.closed_nodes[body.node] = None
        world.traffic.close(body.node)
    elif isinstance(body, ReopenNode):
        world.closed_nodes.pop(body.node, None)
        if body.node not in world.masked.values():
            world.traffic.reopen(body.node)
    else:
        if not body.wanted and world.stopped:
            return OpsAnswer(command.id, done=False, reason="The fleet is stopped; lift the stop first.")
        zone = set(body.nodes)
        for v in world.vehicles.values():
            if v.placed and (v.node in zone or not zone.isdisjoint(world.traffic.route(v.id)[0])):
                pause(world, v, wanted=body.wanted)
    world.plan_wanted = world.release_wanted = True
    world.hauls_changed = world.fleet_changed = True  # other places can be reached now
    return OpsAnswer(command.id, done=True, reason="")


def _on_an_edge(world: World, command: OpsCommand, body: CloseEdge | ReopenEdge) -> OpsAnswer:
    edge = next((e for e in world.site.layout.edges if e.id == body.edge), None)
    if edge is None:
        return OpsAnswer(command.id, done=False, reason=f"The layout has no edge {body.edge}.")
    if isinstance(body, CloseEdge):
        world.closed_edges[edge.id] = 0
        world.traffic.close_edge(edge.start, edge.end)
    else:
        lateness.open_edge(world, edge)
    world.plan_wanted = world.release_wanted = True
    return OpsAnswer(command.id, done=True, reason="")


def _unknown(command: OpsCommand, robot: RobotId) -> OpsAnswer:
    return OpsAnswer(command.id, done=False, reason=f"No robot {robot} has spoken yet.")
