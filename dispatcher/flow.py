"""The way of a tote from its slot over the conveyor to its chute and into the parcel."""

import re

from contracts.ids import CellId, ChuteId, OrderId, ToteId
from contracts.messages.facts import Evidence, TaskStarted, ToteArrived, TotePacked
from contracts.messages.floor import (
    EdgeEvent,
    OpenTote,
    PackConfirmed,
    PackTote,
    PushTote,
    RouteTote,
    ToteDiverted,
    TotePushed,
    ToteSeen,
    UnknownScan,
)
from dispatcher import tasks
from dispatcher.outbox import Cause
from dispatcher.world import Place, Tote, World, remember

_HELD = re.compile(r"tote ([A-Za-z0-9_-]+) has it")
"""As a station's cell says what stands in a slot."""


def push_totes(world: World) -> None:
    """Put complete totes on the conveyor, oldest first, as long as a chute has room for them."""
    if not world.push_wanted:
        return
    world.push_wanted = False
    for name in list(world.pushable):
        tote = world.totes[name]
        chute = choose_chute(world)
        if chute is None:
            return
        del world.pushable[name]
        tote.place = Place.PUSHING
        tote.chute = chute
        world.chute_load[chute] += 1
        if tote.convey is not None:
            world.tell(
                TaskStarted(task=tote.convey.task, attempt=tote.convey.attempt, station=tote.station, robot=None)
            )
        _push(world, tote)
        _route(world, tote)


def clear_slot(world: World, cell: CellId, wanted: OpenTote, reason: str) -> None:
    """Send away what stands in a slot that another tote is to have, if no key is left of it.

    It was voided while nobody was there to hear it. It leaves as any other that nobody wants, and the packer takes it
    off; the slot's new tote is asked for again meanwhile.
    """
    held = _HELD.search(reason)
    if held is None or world.now_ms - world.started_ms < world.params.adopt_grace_ms:
        return  # its work may still be on its way to us
    name = ToteId(held[1])
    station = next((n for n, w in world.stations.items() if w.station.cell == cell and wanted.tote in w.slots), None)
    if name in world.totes or station is None:
        return
    world.totes_n += 1
    tote = Tote(id=name, n=world.totes_n, order=OrderId(""), due_ms=0, priority=0, unwanted=True)
    tote.place, tote.station, tote.slot = Place.STANDING, station, wanted.slot
    world.totes[name] = tote
    world.pushable[name] = None
    world.push_wanted = True


def choose_chute(world: World) -> ChuteId | None:
    """Return the chute with the smallest share of its capacity taken or on its way; None: all are full."""
    best: tuple[float, ChuteId] | None = None
    for name, chute in world.chutes.items():
        load = world.chute_load[name]
        if load < chute.capacity and (best is None or (load / chute.capacity, name) < best):
            best = (load / chute.capacity, name)
    return None if best is None else best[1]


def pushed(world: World, event: EdgeEvent, body: TotePushed) -> bool:
    """Free the slot that a tote left."""
    tote = world.totes.get(body.tote)
    if tote is not None and tote.station is not None and tote.place in {Place.STANDING, Place.PUSHING}:
        work = world.stations[tote.station]
        if work.slots[tote.slot] == tote.id:
            work.slots[tote.slot] = None
            world.slots_changed = True
        world.pushable.pop(tote.id, None)
        if tote.chute is None:  # a person pushed it before we asked
            _route_somewhere(world, tote)
        tote.place = Place.CONVEYED
    _done(world, event.cell, f"push-{body.tote}")
    return False


def seen(world: World, event: EdgeEvent, body: ToteSeen) -> bool:
    """Give a tote that the sorter does not know its way (again), also one that seemed to have come down a chute."""
    tote = world.totes.get(body.tote)
    if body.chute is not None or tote is None:
        return False
    if tote.place is Place.ARRIVED and (event.epoch, event.seq) > tote.arrived:
        tote.place = Place.CONVEYED  # it rides: the line took another for it
        _done(world, event.cell, f"pack-{tote.id}")
    if tote.place in {Place.PUSHING, Place.CONVEYED}:
        if tote.chute is None:
            _route_somewhere(world, tote)
        else:
            _route(world, tote, retry=event.seq)  # a name of its own: the cell answers one that it knows from memory
    return False


def scanned(world: World, event: EdgeEvent, body: UnknownScan, cause: Cause) -> bool | None:
    """Believe a packer who scans a tote at a chute that it was not seen to come down; other scans lead to nothing."""
    tote = world.totes.get(ToteId(body.code))
    if tote is None or tote.place in {Place.WAITING, Place.STANDING, Place.PACKED}:
        return False
    for cell in world.site.cells:
        for device in cell.devices:
            if device.id == body.device and device.serves in world.chutes:
                return diverted(world, event, ToteDiverted(tote.id, ChuteId(device.serves)), cause)
    return False


def diverted(world: World, event: EdgeEvent, body: ToteDiverted, cause: Cause) -> bool | None:
    """Tell central that a tote is on a chute, and show it to the packer."""
    tote = world.totes.get(body.tote)
    if tote is None:
        return _unknown(world)
    again = tote.place is Place.ARRIVED
    if again and (tote.chute == body.chute or (event.epoch, event.seq) < tote.arrived):
        return False
    if tote.place is Place.PACKED or body.chute not in world.chutes:
        return False
    again = again or tote.arrived > (0, 0)
    _leave_slot(world, tote)
    if tote.chute != body.chute:
        if tote.chute is not None:
            world.chute_load[tote.chute] -= 1
        world.chute_load[body.chute] += 1
        tote.chute = body.chute
    tote.place = Place.ARRIVED
    tote.arrived = (event.epoch, event.seq)
    _done(world, event.cell, f"route-{tote.id}")
    if tote.pack is not None:
        world.tell(TaskStarted(task=tote.pack.task, attempt=tote.pack.attempt, station=None, robot=None))
    _pack(world, tote, retry=event.seq if again else 0)
    if tote.convey is None:
        return False
    key = (tote.convey.task, tote.convey.attempt)
    if key in world.told:
        return False
    world.told[key] = None
    remember(world.told)
    world.tell(
        ToteArrived(task=key[0], attempt=key[1], chute=body.chute, evidence=_evidence(event)),
        cause,
    )
    return True


def packed(world: World, event: EdgeEvent, body: PackConfirmed, cause: Cause) -> bool | None:
    """Tell central that a tote is packed."""
    tote = world.totes.get(body.tote)
    if tote is None:
        return _unknown(world)
    if tote.place is Place.PACKED:
        return False
    _leave_slot(world, tote)
    if tote.chute is not None:
        world.chute_load[tote.chute] -= 1
    tote.place = Place.PACKED
    world.push_wanted = True
    _done(world, event.cell, f"pack-{tote.id}")
    if tote.pack is None:
        if tote.unwanted:
            tasks.forget(world, tote)
        return False
    key = (tote.pack.task, tote.pack.attempt)
    if key in world.told:
        return False
    world.told[key] = None
    remember(world.told)
    world.tell(
        TotePacked(
            task=key[0],
            attempt=key[1],
            weight_g=body.weight_g,
            evidence=_evidence(event, barcode=body.barcode, weight_g=body.weight_g),
        ),
        cause,
    )
    return True


def repeat_at_station(world: World, cell: CellId, tote: Tote) -> None:
    """Tell a restarted station what stands in a slot."""
    world.command(cell, f"open-{tote.id}", OpenTote(tote=tote.id, slot=tote.slot))
    if tote.place is Place.PUSHING:
        _push(world, tote)


def repeat_at_line(world: World, tote: Tote) -> None:
    """Tell a restarted line where a tote goes, or that it lies there."""
    if tote.place is Place.ARRIVED:
        _pack(world, tote)
    elif tote.place in {Place.PUSHING, Place.CONVEYED}:
        _route(world, tote)


def _route_somewhere(world: World, tote: Tote) -> None:
    chute = choose_chute(world)
    if chute is not None:
        tote.chute = chute
        world.chute_load[chute] += 1
        _route(world, tote)


def _push(world: World, tote: Tote) -> None:
    if tote.station is not None:
        cell = world.stations[tote.station].station.cell
        world.command(cell, f"push-{tote.id}", PushTote(tote=tote.id, slot=tote.slot))


def _route(world: World, tote: Tote, *, retry: int = 0) -> None:
    if tote.chute is not None:
        cell = world.chutes[tote.chute].cell
        world.command(cell, f"route-{tote.id}", RouteTote(tote=tote.id, chute=tote.chute), retry=retry)


def _pack(world: World, tote: Tote, *, retry: int = 0) -> None:
    if tote.chute is not None:
        cell = world.chutes[tote.chute].cell
        world.command(cell, f"pack-{tote.id}", PackTote(tote=tote.id, chute=tote.chute), retry=retry)


def _leave_slot(world: World, tote: Tote) -> None:
    """Free a tote's slot when it is met further on: the event that it was pushed was overtaken."""
    if tote.station is not None and tote.place in {Place.STANDING, Place.PUSHING}:
        work = world.stations[tote.station]
        if work.slots[tote.slot] == tote.id:
            work.slots[tote.slot] = None
            world.slots_changed = True
        world.pushable.pop(tote.id, None)
        _done(world, work.station.cell, f"push-{tote.id}")
    elif tote.listed and tote.place is Place.WAITING:
        world.waiting.remove((tote.rank, tote.id))
        tote.listed = False


def _done(world: World, cell: CellId, subject: str) -> None:
    if world.cells[cell].commands.pop(subject, None) is not None:
        world.clear_alarm(f"command-{subject}")


def _unknown(world: World) -> bool | None:
    """Let an event about an unknown tote come again while its work may still be on its way to us."""
    return None if world.now_ms - world.started_ms < world.params.adopt_grace_ms else False


def _evidence(event: EdgeEvent, *, barcode: str = "", weight_g: int | None = None) -> Evidence:
    return Evidence(
        cell=event.cell, epoch=event.epoch, seq=event.seq, at_ms=event.at_ms, barcode=barcode, weight_g=weight_g
    )
