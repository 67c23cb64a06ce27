"""`floorplane stop` reaches every robot that the broker knows, and says who has not confirmed."""

import asyncio

from contracts import topics
from contracts.codec import decode, encode
from contracts.ids import SiteId
from contracts.messages.floor import StopState
from contracts.runtime.clock import LoopClock
from contracts.runtime.floor.memory import MemoryBroker, MemoryFloor
from contracts.vda5050 import topics as vda
from contracts.vda5050.reading import read
from contracts.vda5050.v2 import Connection, InstantActions, State
from deploy.stop import FleetStop, Outcome
from simulators.virtual_time import run

SITE = SiteId("reference")


class Peer:
    """A robot of another maker: names itself, and obeys pauses unless it is deaf or slow to hear."""

    def __init__(self, floor: MemoryFloor, serial: str, deaf_to: int = 0) -> None:
        self.floor, self.serial, self.deaf_to = floor, serial, deaf_to
        self.heard: list[str] = []
        self.ids: set[str] = set()

    async def join(self) -> None:
        online = Connection(manufacturer="Acme", serial_number=self.serial, connection_state="ONLINE")
        await self.floor.publish(vda.topic("Acme", self.serial, vda.CONNECTION), encode(online), retain=True)
        await self.floor.subscribe(vda.topic("Acme", self.serial, vda.INSTANT_ACTIONS), self.asked)

    def asked(self, _topic: str, payload: bytes) -> None:
        (action,) = read(payload, InstantActions).actions
        self.heard.append(action.action_type)
        self.ids.add(action.action_id)
        if len(self.heard) > self.deaf_to:
            state = State(
                order_id="",
                order_update_id=0,
                last_node_id="",
                last_node_sequence_id=0,
                paused=action.action_type == "startPause",
            )
            self.floor.send(vda.topic("Acme", self.serial, vda.STATE), encode(state))


def stop(peers: dict[str, int], *, pause: bool = True) -> tuple[Outcome, list[Peer], StopState]:
    async def scenario() -> tuple[Outcome, list[Peer], StopState]:
        broker = MemoryBroker()
        robots = [Peer(await broker.connect(s), s, deaf) for s, deaf in peers.items()]
        for robot in robots:
            await robot.join()
        stopper = FleetStop(await broker.connect("stop"), LoopClock(0), SITE, pause=pause)
        outcome = await stopper.run("anna", "spill in aisle 4")
        kept: asyncio.Queue[bytes] = asyncio.Queue()
        late = await broker.connect("late")
        await late.subscribe(topics.stop(SITE), lambda _, payload: kept.put_nowait(payload))
        return outcome, robots, decode(await kept.get(), StopState)

    return run(scenario())


def test_every_robot_is_paused_and_the_stop_is_kept() -> None:
    """Each known robot gets startPause once and confirms; whoever starts later finds the stop on the broker."""
    outcome, robots, kept = stop({"A": 0, "B": 0, "C": 0})
    assert outcome.confirmed == ("Acme/A", "Acme/B", "Acme/C")
    assert outcome.silent == ()
    assert all(r.heard == ["startPause"] for r in robots)
    assert (kept.stopped, kept.who, kept.reason) == (True, "anna", "spill in aisle 4")


def test_resume_ends_the_pause_and_the_kept_stop() -> None:
    """--resume sends stopPause, and the retained state says that the fleet runs."""
    outcome, robots, kept = stop({"A": 0}, pause=False)
    assert robots[0].heard == ["stopPause"]
    assert outcome.silent == ()
    assert not kept.stopped


def test_a_robot_that_missed_it_is_asked_again_with_the_same_action() -> None:
    """Instant actions travel at QoS 0: without a confirmation the same action is sent again."""
    outcome, (robot,), _ = stop({"A": 2})
    assert outcome.confirmed == ("Acme/A",)
    assert robot.heard == ["startPause"] * 3
    assert len(robot.ids) == 1


def test_a_deaf_robot_is_named() -> None:
    """A robot that never confirms is not counted as stopped."""
    outcome, _, _ = stop({"A": 0, "deaf": 100})
    assert outcome.confirmed == ("Acme/A",)
    assert outcome.silent == ("Acme/deaf",)


def test_a_busy_floor_does_not_hold_up_the_end() -> None:
    """Robots that say their state all the time, and one that never confirms, are no reason to wait for ever."""

    async def scenario() -> tuple[Outcome, float]:
        broker = MemoryBroker()
        deaf = Peer(await broker.connect("deaf"), "deaf", deaf_to=100)
        await deaf.join()
        state = State(order_id="", order_update_id=0, last_node_id="", last_node_sequence_id=0, paused=False)

        async def chatter() -> None:
            while True:
                deaf.floor.send(vda.topic("Acme", "deaf", vda.STATE), encode(state))
                await asyncio.sleep(0.1)

        talking = asyncio.create_task(chatter(), name="chatter")
        began = asyncio.get_running_loop().time()
        outcome = await FleetStop(await broker.connect("stop"), LoopClock(0), SITE, pause=True).run("anna", "")
        talking.cancel()
        return outcome, asyncio.get_running_loop().time() - began

    outcome, took_s = run(scenario())
    assert outcome.silent == ("Acme/deaf",)
    assert took_s < 10.0


def test_an_empty_floor_keeps_the_stop_all_the_same() -> None:
    """With no robot known there is nobody to ask, and the stop is kept for those that come."""
    outcome, _, kept = stop({})
    assert outcome.asked == ()
    assert kept.stopped
