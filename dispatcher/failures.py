"""An action that failed ends in a decision: tried again, skipped, given to another robot, or a person is asked.

A robot of 3.0 may wait for that decision (RETRIABLE): it is asked some times to try again, then to leave it failed. One
that has failed, of any version, does it again in a new order, as its loads tell. After that it has failed for good:

* what could not be picked up another robot picks up; a pod that cannot be set down is brought to another place; a robot
  that cannot charge goes to another charger;
* what two robots in a row, or one twice, could not pick up, and a place where nothing could be done, is left alone for
  a while, and a person is told;
* a robot that could do nothing at two places in a row is taken out of service; with a load that it cannot set down, or
  not where it must, it waits for a person.
"""

from dispatcher import attempts, missions, orders, recovery, transports
from dispatcher.facts import RobotState
from dispatcher.fleet import order as orders_of_one
from dispatcher.fleet.member import Leg, Pin, Purpose, Vehicle
from dispatcher.fleet.order import RunningOrder
from dispatcher.world import World

_REST_MS = 30_000
"""A robot that could not pick something up gets no work for so long, so that another one takes it."""


def waits(world: World, v: Vehicle, order: RunningOrder, report: RobotState) -> bool:
    """Whether an action of a robot's order waits for a decision; it is taken after a short while."""
    name = orders_of_one.held(order, report.actions)
    if not name:
        return False
    if name != v.held:
        v.held, v.retries, v.skipped = name, 0, 0
    world.timers.earlier(world.now_ms + world.params.retry_wait_ms, "retry", v.id)
    return True


def retry_due(world: World, name: str) -> None:
    """Ask a robot to try an action again, or to leave it failed; a message may have been lost."""
    v = next((v for v in world.vehicles.values() if v.id == name), None)
    if v is None or v.order is None or v.report is None or v.cancelling or v.pins & (Pin.AWAY | Pin.PAUSE):
        return
    if world.stopped or orders_of_one.held(v.order, v.report.actions) != v.held:
        return
    p = world.params
    if v.retries < p.action_retries:
        v.retries += 1
        orders.instant(world, v, "retry", actionId=v.held)
    elif v.skipped < p.instant_tries:
        v.skipped += 1
        orders.instant(world, v, "skipRetry", actionId=v.held)
    else:
        recovery.reset(world, v, f"its action {v.held} can neither be tried again nor skipped")
        return
    world.timers.set(world.now_ms + p.retry_wait_ms, "retry", v.id)


def decision(world: World, v: Vehicle) -> str:
    """Say in words what a robot waits for whose action failed; empty: it does not wait for that."""
    if v.order is not None and v.report is not None and v.held:
        name = orders_of_one.held(v.order, v.report.actions)
        what = name.removeprefix(f"{v.order.id}-")
        if name and v.retries < world.params.action_retries:
            return f"it is asked to try its {what} again ({v.retries + 1} of {world.params.action_retries})"
        if name:
            return f"it was asked to leave its {what} failed"
    return "a person looks at it and resumes it" if v.failures > world.params.leg_tries else ""


def failed(world: World, v: Vehicle) -> None:
    """Decide what follows an action at the end of a robot's order that failed."""
    leg, order, report = v.leg, v.order, v.report
    what = "action" if leg is None else leg.act
    said = [] if order is None or report is None else [why for name, why in report.failed if name.startswith(order.id)]
    why = f"its {what} failed" + (f" ({said[0]})" if said else "")
    spent = order is not None and v.skipped > 0 and any(a.action_id == v.held for a in order.actions)
    if leg is None or order is None or report is None or order.leg != leg.n:
        recovery.reset(world, v, why)
    elif leg.act in _LEAVES and report.loads is not None and bool(report.loads) == _LEAVES[leg.act]:
        recovery.reset(world, v, "")  # its loads say that it was done
    elif not spent and v.failures < world.params.leg_tries:
        recovery.reset(world, v, why)
    else:
        _for_good(world, v, leg, why)


def _for_good(world: World, v: Vehicle, leg: Leg, why: str) -> None:
    v.failures = 0
    job = attempts.key_of(leg)
    if job != v.failed_job:
        v.failed_job, v.failed_jobs = job, v.failed_jobs + 1
    helpless = v.failed_jobs >= attempts.ENOUGH
    mission = None if v.mission is None else world.missions.get(v.mission)
    if leg.purpose in {Purpose.FETCH, Purpose.COLLECT}:
        _give_away(world, v, leg, why)
    elif leg.purpose is Purpose.CHARGE:
        attempts.leave_alone(world, leg.goal, f"Robot {v.id} could not charge at {leg.goal}: {why}")
        missions.give_up_place(world, v)
        v.leg = None
    elif leg.purpose is Purpose.STORE and mission is not None and mission.store is not None:
        text = f"Robot {v.id} could not set pod {mission.pod} down at {leg.goal}: {why}"
        attempts.leave_alone(world, leg.goal, text)
        world.stored.pop(mission.store, None)
        mission.store, v.leg = None, None
        if helpless:
            _ask(world, v, why)
            return
    else:
        _ask(world, v, why)
        return
    if helpless:
        v.retired = True
        text = f"Robot {v.id} could not do what it had to at {v.failed_jobs} places in a row, last as {why}."
        remedy = "It is out of service: mend it, then return it to service."
        world.raise_alarm(f"unfit-{v.id}", "error", v.id, text, remedy)
    recovery.reset(world, v, "")


def _ask(world: World, v: Vehicle, why: str) -> None:
    """Let a robot stand until a person has looked at it and resumes it."""
    v.failures = world.params.leg_tries + 1
    world.pin(v, Pin.AWAY)
    text = f"Robot {v.id} waits for a person: {why}."
    world.raise_alarm(f"failed-{v.id}", "error", v.id, text, "Look at it, then resume it on the console.")
    world.timers.set(world.now_ms + world.params.lost_after_ms, "lost", v.id)


def _give_away(world: World, v: Vehicle, leg: Leg, why: str) -> None:
    """Let another robot pick up what this one could not; after two in a row a person is asked what is wrong there."""
    key = attempts.key_of(leg)
    if attempts.count(world, key) >= attempts.ENOUGH:
        attempts.leave_alone(world, key, f"{key} could not be picked up at {leg.goal}, last by robot {v.id}: {why}")
    if leg.purpose is Purpose.COLLECT:
        transports.give_up(world, v, why)
    elif v.mission is not None and v.mission in world.missions:
        missions.drop(world, world.missions[v.mission])
    v.resting = True
    world.timers.set(world.now_ms + _REST_MS, "rest", v.id)


_LEAVES = {"pick": True, "drop": False}
"""Whether a robot has a load after an action."""
