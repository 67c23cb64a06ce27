"""The conversation with the edges: events heard once and acknowledged late, commands repeated until answered."""

from contracts.ids import CellId
from contracts.messages.floor import (
    CellState,
    DeviceAlarm,
    DoorChanged,
    EdgeAnswer,
    EdgeEvent,
    LiftChanged,
    OpenTote,
    Outcome,
    PackConfirmed,
    PickConfirmed,
    ToteDiverted,
    TotePushed,
    ToteSeen,
)
from dispatcher import doors, flow, lifts, stations, upcoming
from dispatcher.commands import SendEdgeCommand
from dispatcher.outbox import Cause
from dispatcher.world import CellLink, OpenCommand, Place, World

EVENTS_REMEMBERED = 4_096
"""How many events of each cell are remembered against repetitions."""
_RETRIES_BEFORE_ALARM = 2


def event_heard(world: World, event: EdgeEvent) -> None:
    """Take an event once; acknowledge it when what it led to is committed, at once if it led to nothing."""
    link = world.cells.get(event.cell)
    if link is None:
        _unknown_cell(world, event.cell)
        return
    key = (event.epoch, event.seq)
    known = link.handled.get(key)
    if known is not None:
        if known:
            world.free_acks.setdefault(link.id, []).append(key)
        return
    carried = _take(world, event, (event.cell, event.epoch, event.seq))
    if carried is None:
        return
    link.handled[key] = not carried
    while len(link.handled) > EVENTS_REMEMBERED:
        del link.handled[next(iter(link.handled))]
    if not carried:
        world.free_acks.setdefault(link.id, []).append(key)


def covered(world: World, causes: list[Cause]) -> None:
    """Acknowledge the events whose facts central has committed."""
    for cell, epoch, seq in causes:
        link = world.cells.get(cell)
        if link is not None:
            link.handled[epoch, seq] = True
            world.free_acks.setdefault(cell, []).append((epoch, seq))


def answer_heard(world: World, answer: EdgeAnswer) -> None:
    """Close a command, or give it again."""
    link = world.cells.get(answer.cell)
    found = None if link is None else next((c for c in link.commands.values() if c.command.id == answer.id), None)
    if link is None or found is None:
        return
    alarm = f"command-{found.subject}"
    if answer.outcome is Outcome.ACCEPTED:
        del link.commands[found.subject]
        world.clear_alarm(alarm)
    elif answer.outcome is Outcome.EXPIRED:
        world.command(link.id, found.subject, found.command.body, retry=found.retry + 1)
    else:
        found.rejected = True
        if isinstance(found.command.body, OpenTote):
            flow.clear_slot(world, link.id, found.command.body, answer.reason)
        world.timers.earlier(world.now_ms + world.params.command_retry_ms, "commands", link.id)
        if found.retry >= _RETRIES_BEFORE_ALARM:
            world.raise_alarm(
                alarm,
                "warning",
                link.id,
                f"Cell {link.id} refuses {type(found.command.body).__name__} ({found.command.id}): {answer.reason}",
                "See what stands there; the command is repeated.",
            )


def cell_heard(world: World, state: CellState) -> None:
    """Note whether a cell is there; after its restart tell it again what is open."""
    link = world.cells.get(state.cell)
    if link is None:
        _unknown_cell(world, state.cell)
        return
    back, restarted = state.online and not link.online, link.epoch not in {None, state.epoch}
    link.online, link.epoch = state.online, state.epoch
    alarm = f"cell-{link.id}"
    if not state.online:
        world.raise_alarm(
            alarm, "error", link.id, f"Cell {link.id} is offline.", "Start its edge, or look at its network."
        )
        return
    world.clear_alarm(alarm)
    if restarted:
        tell_again(world, link)
    elif back:
        world.release_wanted = True
        resend(world, link)


def commands_due(world: World, name: str) -> None:
    """Repeat what a cell has not answered."""
    link = world.cells[CellId(name)]
    if link.online:
        resend(world, link)


def resend(world: World, link: CellLink) -> None:
    """Send every open command of a cell again; one that was rejected under a new name."""
    for found in list(link.commands.values()):
        if found.rejected or found.command.deadline_ms <= world.now_ms:
            world.command(link.id, found.subject, found.command.body, retry=found.retry + 1)
        else:
            world.out.append(SendEdgeCommand(found.command))
    if link.commands:
        world.timers.set(world.now_ms + world.params.command_resend_ms, "commands", link.id)


def done(world: World, cell: CellId, subject: str) -> None:
    """Forget an open command whose effect was seen."""
    found: OpenCommand | None = world.cells[cell].commands.pop(subject, None)
    if found is not None:
        world.clear_alarm(f"command-{subject}")


def tell_again(world: World, link: CellLink) -> None:
    """Give a restarted cell all that is open in it: totes, the pod there, ways on the line, doors, lifts."""
    link.commands.clear()
    for work in world.stations.values():
        if work.station.cell != link.id:
            continue
        for name in work.slots:
            if name is not None:
                flow.repeat_at_station(world, link.id, world.totes[name])
        if work.present is not None and world.missions[work.present].open:
            stations.show_again(world, world.missions[work.present])
        upcoming.say_again(world, work)
    for tote in world.totes.values():
        if tote.chute is not None and world.chutes[tote.chute].cell == link.id and tote.place is not Place.PACKED:
            flow.repeat_at_line(world, tote)
    for watch in world.doors.values():
        if watch.door.cell == link.id:
            doors.ask_anew(world, watch)
    for lift in world.lifts.values():
        if lift.lift.cell == link.id:
            lifts.ask_anew(world, lift)


def _take(world: World, event: EdgeEvent, cause: Cause) -> bool | None:
    """Let an event have its effect: True: a fact carries it, False: it led to nothing, None: come again later."""
    body = event.body
    if isinstance(body, PickConfirmed):
        return stations.pick_confirmed(world, event, body, cause)
    if isinstance(body, ToteSeen):
        return flow.seen(world, event, body)
    if isinstance(body, TotePushed):
        return flow.pushed(world, event, body)
    if isinstance(body, ToteDiverted):
        return flow.diverted(world, event, body, cause)
    if isinstance(body, PackConfirmed):
        return flow.packed(world, event, body, cause)
    if isinstance(body, DoorChanged):
        return doors.changed(world, body)
    if isinstance(body, LiftChanged):
        return lifts.changed(world, body)
    if isinstance(body, DeviceAlarm):
        return _device(world, body)
    return flow.scanned(world, event, body, cause)


def _device(world: World, body: DeviceAlarm) -> bool:
    key = f"device-{body.device}"
    if body.raised:
        world.raise_alarm(key, "warning", body.device, body.text, "Look at the device and its cable.")
    else:
        world.clear_alarm(key)
    return False


def _unknown_cell(world: World, cell: CellId) -> None:
    world.raise_alarm(
        f"cell-{cell}",
        "warning",
        cell,
        f"Cell {cell} speaks, but is not in the site file.",
        "Add it to the site, or stop its edge.",
    )
