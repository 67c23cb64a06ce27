"""The pure core: facts and time in, commands out; no clock, bus or database. The same facts give the same commands."""

from collections.abc import Callable, Sequence
from typing import Any

from contracts.messages.ops import VehicleState
from contracts.site import Site
from dispatcher import (
    assignment,
    attempts,
    cells,
    doors,
    energy,
    failures,
    flow,
    lateness,
    leases,
    missions,
    motion,
    muster,
    operators,
    orders,
    presenting,
    recovery,
    release,
    tasks,
    transports,
    unfinished,
    upcoming,
    vehicles,
)
from dispatcher.commands import Command, SendEdgeCommand, TellCentral
from dispatcher.facts import (
    AckHeard,
    AnswerHeard,
    CellHeard,
    EventHeard,
    Fact,
    OpsAsked,
    Restarted,
    RobotConnection,
    RobotFactsheet,
    RobotState,
    StopHeard,
    Timer,
    TookOver,
    TransportUp,
    WorkClosed,
    WorkOpened,
)
from dispatcher.params import Params
from dispatcher.world import Place, World, new_world

SCHEMA = 13
"""Grows when a pickled core of an older version cannot be read any more."""

_TAKEOVER_MS = 600_000
"""So long people are told that another dispatcher took over."""


class Core:
    """The dispatcher's mind of one site.

    Parameters
    ----------
    site
        What stands on the floor.
    params
        How to decide.
    epoch
        This run's number; stands in every order id and fact.
    """

    __slots__ = ("world",)

    def __init__(self, site: Site, params: Params, epoch: int) -> None:
        self.world = new_world(site, params, epoch)
        motion.close_zones(self.world)

    @property
    def epoch(self) -> int:
        """The number of this run."""
        return self.world.outbox.epoch

    @property
    def next_due_ms(self) -> int | None:
        """When `step` should be called with a `Timer`, if nothing is heard until then; None: not at all."""
        return self.world.timers.next_ms()

    def step(self, now_ms: int, facts: Sequence[Fact]) -> list[Command]:
        """Take what was heard, in order, and return what is to be done now, in order.

        Parameters
        ----------
        now_ms
            Floor time.
        facts
            Perhaps none but a `Timer`.
        """
        world = self.world
        world.now_ms = now_ms
        if not world.started_ms:
            world.started_ms = now_ms
            muster.begin(world)
            world.timers.set(now_ms + world.params.sweep_ms, "sweep")
        for fact in facts:
            _HEARD[type(fact)](world, fact)
        for what, whom in world.timers.pop(now_ms):
            _DUE[what](world, whom)
        release.fill_slots(world)
        assignment.assign(world)
        presenting.bring(world)
        transports.assign(world)
        upcoming.name_next(world)
        energy.look_after(world)
        motion.move(world)
        orders.write_orders(world)
        leases.serve(world)
        doors.move_doors(world)
        flow.push_totes(world)
        _keep_facts(world)
        world.flush_acks()
        out, world.out = world.out, []
        return out


def _keep_facts(world: World) -> None:
    due = world.outbox.due_ms
    if due is None:
        world.timers.cancel("facts")
    else:
        world.timers.earlier(due, "facts")


def _ack_heard(world: World, fact: AckHeard) -> None:
    if fact.ack.site == world.site.id and fact.ack.epoch > world.outbox.epoch:
        _new_epoch(world, fact.ack.epoch + 1)
        return
    causes, again = world.outbox.heard(world.now_ms, fact.ack)
    cells.covered(world, causes)
    world.out.extend(map(TellCentral, again))


def _facts_due(world: World, _: str) -> None:
    due = world.outbox.due_ms
    if due is not None and due <= world.now_ms:
        world.out.extend(map(TellCentral, world.outbox.resend(world.now_ms)))


def _transport_up(world: World, fact: TransportUp) -> None:
    if fact.port == "log":
        world.out.extend(map(TellCentral, world.outbox.resend(world.now_ms)))
        return
    for link in world.cells.values():
        if link.online:
            world.out.extend(SendEdgeCommand(c.command) for c in link.commands.values() if not c.rejected)
    for v in world.vehicles.values():
        orders.resend(world, v)


def _restarted(world: World, fact: Restarted) -> None:
    """Go on in a new process: what was under way may be lost, and the clock may have been set."""
    world.started_ms, world.fresh = world.now_ms, False
    world.timers.hasten(world.now_ms)
    for v in world.vehicles.values():
        v.heard_ms = v.moved_ms = world.now_ms
        v.ready_ms = 0
    world.plan_after_ms = 0
    world.plan_wanted = world.release_wanted = world.doors_wanted = True
    world.params = fact.params
    _new_epoch(world, fact.epoch)
    for v in world.vehicles.values():
        if v.state is not VehicleState.OFFLINE:
            orders.instant(world, v, "stateRequest")  # some report seldom
            orders.resend(world, v)


def _took_over(world: World, fact: TookOver) -> None:
    """Tell a person; and central, which then takes nothing of the one before any more."""
    world.clear_alarm("takeover")
    world.raise_alarm(
        "takeover", "warning", world.site.id,
        f"This dispatcher took over from {fact.holder}, which was silent or gone.",
        "See why, and that another one stands by again.",
    )  # fmt: skip
    world.timers.set(world.now_ms + _TAKEOVER_MS, "takeover")


def _new_epoch(world: World, epoch: int) -> None:
    world.out.extend(map(TellCentral, world.outbox.renumber(world.now_ms, epoch)))


def _sweep(world: World, whom: str) -> None:
    """Besides the robots, look for totes whose picks were done before this dispatcher knew them (a lost journal)."""
    recovery.sweep(world, whom)
    unfinished.look(world)
    missions.find_other_ways(world)
    if world.now_ms - world.started_ms >= world.params.adopt_grace_ms:
        for tote in world.totes.values():
            if tote.place is Place.WAITING and not tote.listed:
                tasks.list_for_slot(world, tote, empty=True)


_HEARD: dict[type, Callable[[World, Any], None]] = {
    RobotState: vehicles.state_heard,
    RobotConnection: vehicles.connection_heard,
    RobotFactsheet: vehicles.factsheet_heard,
    WorkOpened: lambda world, fact: tasks.opened(world, fact.work),
    WorkClosed: lambda world, fact: tasks.closed(world, fact.task),
    EventHeard: lambda world, fact: cells.event_heard(world, fact.event),
    AnswerHeard: lambda world, fact: cells.answer_heard(world, fact.answer),
    CellHeard: lambda world, fact: cells.cell_heard(world, fact.state),
    AckHeard: _ack_heard,
    OpsAsked: lambda world, fact: operators.asked(world, fact.command),
    StopHeard: lambda world, fact: operators.stop_heard(world, fact.state),
    TransportUp: _transport_up,
    Timer: lambda world, fact: None,  # noqa: ARG005 - time alone has passed
    Restarted: _restarted,
    TookOver: _took_over,
}
_DUE: dict[str, Callable[[World, str], None]] = {
    "plan": motion.plan_due,
    "replan": motion.replan_due,
    "order": orders.order_due,
    "doubt": orders.doubt_due,
    "instant": recovery.instant_due,
    "lost": recovery.lost_due,
    "retry": failures.retry_due,
    "held": attempts.held_due,
    "late": lateness.late_due,
    "edge": lateness.edge_due,
    "place": recovery.place_due,
    "park": energy.park_due,
    "release": release.release_due,
    "commands": cells.commands_due,
    "facts": _facts_due,
    "sweep": _sweep,
    "aim": missions.aim_due,
    "store": missions.store_due,
    "way": missions.way_due,
    "close": doors.close_due,
    "muster": muster.muster_due,
    "absent": muster.absent_due,
    "rest": operators.rest_due,
    "cut off": transports.cut_off_due,
    "lease": leases.lease_due,
    "door": doors.patience_due,
    "takeover": lambda world, _: world.clear_alarm("takeover"),
}
