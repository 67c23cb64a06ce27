"""Fire doors: opened when a committed way leads through them, closed when nobody needs them any more."""

from contracts.ids import DoorId
from contracts.messages.floor import DoorChanged, MoveDoor
from dispatcher import lifts
from dispatcher.world import DoorWatch, World


def open_doors(world: World) -> frozenset[str]:
    """Return the doors that robots may be let through: reported open after the last ask, by a cell that is there."""
    return frozenset(
        name
        for name, w in world.doors.items()
        if w.state == "open" and w.asked is None and world.cells[w.door.cell].online
    ).union(d.id for d in world.site.doors if not d.cell)


def move_doors(world: World) -> None:
    """Ask doors to open that a committed way needs; let the others close after a while."""
    if not world.doors_wanted:
        return
    world.doors_wanted = False
    lifts.move_lifts(world)
    if not world.doors:
        return
    wanted = world.traffic.wanted_doors()
    for name, watch in world.doors.items():
        if name in wanted:
            world.timers.cancel("close", name)
            if watch.asked is False or (watch.state != "open" and watch.asked is None):
                _ask(world, watch, open_=True)
        elif (watch.state == "open" and watch.asked is None) or watch.asked is True:
            world.timers.earlier(world.now_ms + world.params.door_close_ms, "close", name)


def close_due(world: World, name: str) -> None:
    """Close a door that nobody has needed for a while."""
    watch = world.doors.get(DoorId(name))
    if watch is None:
        lifts.let_go_due(world, name)
    elif watch.door.id not in world.traffic.wanted_doors() and (watch.state == "open" or watch.asked is True):
        _ask(world, watch, open_=False)


def patience_due(world: World, name: str) -> None:
    """Ask a door again that did not do what it was asked."""
    watch = world.doors.get(DoorId(name))
    if watch is None:
        lifts.patience_due(world, name)
        return
    if watch.asked is None:
        return
    verb = "open" if watch.asked else "close"
    world.raise_alarm(
        f"door-{name}", "error", name, f"Door {name} does not {verb}.", "Look whether something stands in it."
    )
    _ask(world, watch, open_=watch.asked)


def changed(world: World, body: DoorChanged) -> bool:
    """Note what a door does; returns that no fact carries the event."""
    watch = world.doors.get(body.door)
    if watch is None:
        return False
    if body.ask and watch.asks and body.ask != watch.asks:
        return False  # from before the last ask: another report follows when the cell has taken it
    watch.state = body.state
    if (body.state == "open" and watch.asked is True) or (body.state == "closed" and watch.asked is False):
        watch.asked = None
        world.timers.cancel("door", body.door)
        world.clear_alarm(f"door-{body.door}")
    if body.state == "fault":
        world.raise_alarm(
            f"door-{body.door}",
            "error",
            body.door,
            f"Door {body.door} is broken or in fire alarm.",
            "Robots wait until it opens again.",
        )
    world.release_wanted = world.doors_wanted = True
    return False


def ask_anew(world: World, watch: DoorWatch) -> None:
    """Forget what a restarted cell was asked, and what it reported; it will be asked again as needed."""
    watch.asked, watch.state = None, ""
    world.timers.cancel("door", watch.door.id)
    world.doors_wanted = True


def _ask(world: World, watch: DoorWatch, *, open_: bool) -> None:
    watch.asked, watch.asked_ms = open_, world.now_ms
    watch.asks += 1
    door = watch.door
    world.cells[door.cell].commands.pop(f"door-{door.id}-{watch.asks - 1}", None)
    world.command(door.cell, f"door-{door.id}-{watch.asks}", MoveDoor(door=door.id, open=open_, ask=watch.asks))
    world.timers.set(world.now_ms + world.params.door_patience_ms, "door", door.id)
