"""A plan of stations, followed: its totes get the slots of their stations in its order, before any rule is asked.

What came since, or what the plan does not know, goes by the rule; and so does what was planned for a station that is
closed by now. A tote that is more urgent than what the plan has next goes first.
"""

from contracts.ids import ToteId
from contracts.messages.ops import OpsAnswer, OpsCommand, SeatTotes
from dispatcher.world import Place, StationWork, World


def follow(world: World, command: OpsCommand, body: SeatTotes) -> OpsAnswer:
    """Follow a plan from now on, instead of the one before; totes that stand somewhere stay there."""
    for seat in body.seats:
        work = world.stations.get(seat.station)
        if work is None or not work.slots:
            return OpsAnswer(command.id, done=False, reason=f"The site has no pick station {seat.station}.")
    world.seats = {seat.tote: seat.station for seat in body.seats}
    world.slots_changed = True
    return OpsAnswer(command.id, done=True, reason="")


def choose(world: World, free: list[StationWork]) -> tuple[StationWork, int] | None:
    """Take the next tote that the plan wants at a station with a free slot, the first of these by the plan's order."""
    if not world.seats:
        return None
    open_now = {work.station.id: work for work in free}
    for name, station in list(world.seats.items()):
        tote = world.totes.get(name)
        if station in world.closed_stations or (tote is not None and tote.place is not Place.WAITING):
            del world.seats[name]
        elif tote is not None and tote.listed and station in open_now:
            first = world.totes[world.waiting[0][1]]
            if first.priority > tote.priority and first.id not in world.seats:
                return None
            return open_now[station], world.waiting.index((tote.rank, name))
    return None


def unplanned(world: World, most: int | None = None) -> list[tuple[int, ToteId]]:
    """Return the places in `World.waiting`, and the totes, that no plan has a seat for: the first so many."""
    if not world.seats:
        return [(i, name) for i, (_, name) in enumerate(world.waiting[:most])]
    return [(i, name) for i, (_, name) in enumerate(world.waiting) if name not in world.seats][:most]
