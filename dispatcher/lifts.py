"""Lifts: called to the level where a committed way needs them, held open there, let go of when nobody needs them.

A robot is let in, and out, only while its lift was reported open at its level after the last call, and no lift is
called away from a robot that was let in or out: `Traffic.wanted_lifts`.
"""

from contracts.ids import LiftId
from contracts.messages.floor import CallLift, LiftChanged
from dispatcher.traffic.graph import gate_of
from dispatcher.world import LiftWatch, World

_TIMER = "lift "
"""Before a lift's name in a timer's, as it may be a door's too."""


def open_lifts(world: World) -> frozenset[str]:
    """Return where lifts stand open, by `gate_of`: reported after the last call, by a cell that is there.

    One that the robots call themselves is in nobody's way before one of them is in it.
    """
    return frozenset(
        gate_of(name, w.level)
        for name, w in world.lifts.items()
        if w.state == "open" and w.asked is None and world.cells[w.lift.cell].online
    ).union(gate_of(x.id, world.site.layout.level(n)) for x in world.site.lifts if not x.cell for n in x.nodes)


def move_lifts(world: World) -> None:
    """Call lifts to where they are needed next; let the others go after a while."""
    if not world.lifts:
        return
    wanted = world.traffic.wanted_lifts()
    for name, watch in world.lifts.items():
        level = wanted.get(name)
        if level is not None:
            world.timers.cancel("close", _TIMER + name)
            there = watch.state == "open" and watch.level == level
            if watch.asked != (level, True) and not (there and watch.asked is None):
                _call(world, watch, level, open_=True)
        elif (watch.asked is None and watch.state == "open") or (watch.asked is not None and watch.asked[1]):
            world.timers.earlier(world.now_ms + world.params.door_close_ms, "close", _TIMER + name)


def let_go_due(world: World, timer: str) -> None:
    """Let a lift close that nobody has needed for a while: people may take it."""
    watch = world.lifts[LiftId(timer.removeprefix(_TIMER))]
    if watch.lift.id in world.traffic.wanted_lifts():
        return
    level = watch.level if watch.asked is None else watch.asked[0]
    if level and (watch.asked is None or watch.asked[1]):
        _call(world, watch, level, open_=False)


def patience_due(world: World, timer: str) -> None:
    """Call a lift again that did not come."""
    watch = world.lifts[LiftId(timer.removeprefix(_TIMER))]
    if watch.asked is None:
        return
    name, (level, open_) = watch.lift.id, watch.asked
    text = f"Lift {name} does not {'come to level ' + level if open_ else 'close'}."
    world.raise_alarm(f"lift-{name}", "error", name, text, "Look what stands in its door, and who else has called it.")
    _call(world, watch, level, open_=open_)


def changed(world: World, body: LiftChanged) -> bool:
    """Note what a lift does; returns that no fact carries the event."""
    watch = world.lifts.get(body.lift)
    if watch is None:
        return False
    if body.ask and watch.asks and body.ask != watch.asks:
        return False  # from before the last call: another report follows when the cell has taken it
    watch.state, watch.level = body.state, body.level
    if watch.asked is not None and (
        watch.asked == (body.level, True) if body.state == "open" else body.state == "closed" and not watch.asked[1]
    ):
        watch.asked = None
        world.timers.cancel("door", _TIMER + body.lift)
        world.clear_alarm(f"lift-{body.lift}")
    if body.state == "fault":
        world.raise_alarm(
            f"lift-{body.lift}", "error", body.lift, f"Lift {body.lift} is out of order, or in somebody else's hand.",
            "Robots wait until it comes again.",
        )  # fmt: skip
    world.release_wanted = world.doors_wanted = True
    return False


def ask_anew(world: World, watch: LiftWatch) -> None:
    """Forget what a restarted cell was asked, and what it reported; it will be called again as needed."""
    watch.asked, watch.state, watch.level = None, "", ""
    world.timers.cancel("door", _TIMER + watch.lift.id)
    world.doors_wanted = True


def _call(world: World, watch: LiftWatch, level: str, *, open_: bool) -> None:
    lift = watch.lift
    world.cells[lift.cell].commands.pop(f"lift-{lift.id}-{watch.asks}", None)
    watch.asked = level, open_
    watch.asks += 1
    body = CallLift(lift=lift.id, level=level, open=open_, ask=watch.asks)
    world.command(lift.cell, f"lift-{lift.id}-{watch.asks}", body)
    world.timers.set(world.now_ms + world.params.lift_patience_ms, "door", _TIMER + lift.id)
