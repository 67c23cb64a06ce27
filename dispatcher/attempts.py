"""How often robots could not do what is to be done at or with something, and what is left alone because of that."""

from dispatcher.fleet.member import Leg, Purpose, Vehicle
from dispatcher.world import World

ENOUGH = 2
"""What so many robots in a row could not do, or one so often, is left alone for a while."""


def done(world: World, v: Vehicle, leg: Leg) -> None:
    """Note that a robot did what was to be done at the end of a leg."""
    if not leg.act:
        return
    v.failed_job, v.failed_jobs = "", 0
    forget(world, key_of(leg))


def forget(world: World, key: str) -> None:
    """Let something be tried again that was left alone: it was done, or is not wanted any more."""
    if world.failures.pop(key, None) is not None:
        world.held.pop(key, None)
        world.timers.cancel("held", key)
        world.clear_alarm(f"failing-{key}")


def held_due(world: World, key: str) -> None:
    """Try something again that was left alone for a while; if it fails again it is left alone at once."""
    if world.held.pop(key, None) is not None:
        world.failures[key] = ENOUGH - 1
        world.clear_alarm(f"failing-{key}")
        world.demand_changed = world.hauls_changed = world.fleet_changed = True


def leave_alone(world: World, key: str, text: str) -> None:
    """Let nobody try something for a while, and tell a person."""
    world.failures.setdefault(key, 1)
    world.held[key] = world.now_ms + world.params.held_ms
    world.timers.set(world.held[key], "held", key)
    minutes = world.params.held_ms / 60_000
    remedy = f"See what is wrong there. It is tried again after {minutes:g} minutes."
    world.raise_alarm(f"failing-{key}", "error", key, f"{text}.", remedy)


def count(world: World, key: str) -> int:
    """Note one more failure, and return how many there were in a row."""
    world.failures[key] = world.failures.get(key, 0) + 1
    return world.failures[key]


def key_of(leg: Leg) -> str:
    """Return under what name failures at a leg's end are counted: what is picked up, or the place."""
    if leg.purpose is Purpose.FETCH:
        return leg.load
    return leg.job if leg.purpose in {Purpose.COLLECT, Purpose.DELIVER} else leg.goal
