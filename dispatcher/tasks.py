"""Central's work as the dispatcher keeps it: totes with their picks, convey and pack, opened and closed by key."""

from bisect import insort

from contracts.ids import TaskId
from contracts.messages.work import Convey, Member, Pick, Transport, Work
from dispatcher import members, stations, transports
from dispatcher.world import PickState, PickTask, Place, Tote, World, remember


def opened(world: World, work: Work) -> None:
    """Take a work key: a new task, a new attempt at one, or one that is known (which changes nothing)."""
    if isinstance(work, Transport):
        transports.opened(world, work)
        return
    if isinstance(work, Member):
        members.opened(world, work)
        return
    if world.closed.get(work.task, -1) >= work.attempt:
        return
    tote = world.totes.get(work.tote)
    if tote is None:
        world.totes_n += 1
        tote = world.totes[work.tote] = Tote(
            id=work.tote, n=world.totes_n, order=work.order, due_ms=work.due_ms, priority=work.priority
        )
    if isinstance(work, Pick):
        _pick_opened(world, tote, work)
    elif isinstance(work, Convey):
        if tote.convey is None or work.attempt > tote.convey.attempt:
            tote.convey = work
            world.conveys[work.task] = tote.id
            complete(world, tote)
    elif tote.pack is None or work.attempt > tote.pack.attempt:
        tote.pack = work
        world.packs[work.task] = tote.id
    list_for_slot(world, tote)


def list_for_slot(world: World, tote: Tote, *, empty: bool = False) -> None:
    """Let a tote compete for a slot once it is wholly known: its convey, and (unless `empty`) a pick."""
    if tote.place is Place.WAITING and not tote.listed and tote.convey is not None and (tote.picks or empty):
        tote.listed = True
        tote.listed_ms = world.now_ms
        insort(world.waiting, (tote.rank, tote.id))
        world.slots_changed = True


def closed(world: World, task: TaskId) -> None:
    """Let a task go: central committed its result, or cancelled it."""
    if transports.closed(world, task) or members.closed(world, task):
        return
    if (name := world.picks.pop(task, None)) is not None:
        tote = world.totes[name]
        pick = tote.picks.pop(task)
        _close(world, task, pick.work.attempt)
        stations.forget_pick(world, tote, pick.work)
        complete(world, tote)
    elif (name := world.conveys.pop(task, None)) is not None:
        tote = world.totes[name]
        if tote.convey is not None:
            _close(world, task, tote.convey.attempt)
            tote.convey = None
            if tote.place in {Place.WAITING, Place.STANDING} and (task, world.closed[task]) not in world.told:
                _cancelled(world, tote)
    elif (name := world.packs.pop(task, None)) is not None:
        tote = world.totes[name]
        if tote.pack is not None:
            _close(world, task, tote.pack.attempt)
            tote.pack = None
            if tote.unwanted and tote.place is not Place.PACKED:
                return
            if tote.place in {Place.PUSHING, Place.CONVEYED, Place.ARRIVED} and tote.chute is not None:
                world.chute_load[tote.chute] -= 1
                world.push_wanted = True
                tote.chute = None
            forget(world, tote)


def complete(world: World, tote: Tote) -> None:
    """Let a tote go to the conveyor when it stands at a station and central has closed all its picks."""
    if tote.place is Place.STANDING and not tote.picks and tote.convey is not None:
        world.pushable[tote.id] = None
        world.push_wanted = True


def _pick_opened(world: World, tote: Tote, work: Pick) -> None:
    known = tote.picks.get(work.task)
    if known is not None:
        if work.attempt <= known.work.attempt:
            return
        stations.forget_pick(world, tote, known.work)
    pick = tote.picks[work.task] = PickTask(work)
    world.picks[work.task] = tote.id
    if work.pod not in world.pods:
        world.raise_alarm(
            f"pod-{work.pod}",
            "error",
            work.pod,
            f"Pick {work.task} asks for pod {work.pod}, which is not in the site file.",
            "Add the pod to the site and restart the dispatcher, or cancel the pick.",
        )
    world.pushable.pop(tote.id, None)
    if (work.task, work.attempt) in world.told:
        pick.state = PickState.TOLD
    elif tote.place is Place.STANDING:
        stations.want_pick(world, tote, work)
    elif tote.place is not Place.WAITING:
        world.raise_alarm(
            f"tote-{tote.id}",
            "warning",
            tote.id,
            f"Pick {work.task} was added to tote {tote.id}, which has left its station.",
            "Bring the tote back by hand, or cancel the pick.",
        )


def _close(world: World, task: TaskId, attempt: int) -> None:
    world.closed[task] = attempt
    remember(world.closed)


def _cancelled(world: World, tote: Tote) -> None:
    """Take back a tote that nobody wants any more, before it reached the conveyor.

    One that stands at a station holds nothing (central keeps what holds anything). No other can be put where it stands,
    so it leaves over the conveyor as if it were full, and the packer takes it off.
    """
    world.pushable.pop(tote.id, None)
    if tote.listed:
        world.waiting.remove((tote.rank, tote.id))
        tote.listed = False
    if tote.place is Place.STANDING and tote.station is not None:
        tote.unwanted = True
        world.pushable[tote.id] = None
        world.push_wanted = True
        return
    tote.place = Place.PACKED
    forget(world, tote)


def forget(world: World, tote: Tote) -> None:
    """Forget a tote of which nothing is left to do."""
    if not tote.picks and tote.convey is None and tote.pack is None:
        world.clear_alarm(f"tote-{tote.id}")
        world.totes.pop(tote.id, None)
