"""The console's stop needs no dispatcher: central asks every robot that the broker knows, and says who has answered."""

from contracts import topics
from contracts.codec import decode, encode
from contracts.ids import SiteId
from contracts.messages.floor import StopState
from contracts.runtime.clock import LoopClock
from contracts.runtime.floor import Floor as Bus
from contracts.runtime.floor.memory import MemoryBroker
from contracts.vda5050 import topics as vda
from contracts.vda5050.reading import read
from contracts.vda5050.v2 import Connection, ConnectionState, InstantActions, State, timestamp
from deploy.embedded.scratch import ScratchPostgres
from deploy.stop import BrokerHalt
from tests.wire.central_floor import running


class Peer:
    """A robot that pauses and goes on when it is asked to, unless it is deaf."""

    def __init__(self, bus: Bus, serial: str, *, deaf: bool = False) -> None:
        self.bus, self.serial, self.deaf = bus, serial, deaf
        self.heard: list[str] = []

    async def join(self) -> None:
        here = Connection(
            header_id=1, timestamp=timestamp(0), manufacturer="Acme", serial_number=self.serial,
            connection_state=ConnectionState.ONLINE,
        )  # fmt: skip
        await self.bus.publish(vda.topic("Acme", self.serial, vda.CONNECTION), encode(here), retain=True)
        await self.bus.subscribe(vda.topic("Acme", self.serial, vda.INSTANT_ACTIONS), self._asked)

    def _asked(self, _: str, payload: bytes) -> None:
        (action,) = read(payload, InstantActions).actions
        self.heard.append(action.action_type)
        if self.deaf:
            return
        state = State(
            header_id=1, timestamp=timestamp(0), manufacturer="Acme", serial_number=self.serial, order_id="",
            order_update_id=0, last_node_id="", last_node_sequence_id=0, paused=action.action_type == "startPause",
        )  # fmt: skip
        self.bus.send(vda.topic("Acme", self.serial, vda.STATE), encode(state))


async def test_the_fleet_stops_and_goes_on_without_a_dispatcher(postgres: ScratchPostgres) -> None:
    """Robots are asked, the stop is kept with who and why, silent ones are named, and the audit has it."""
    broker = MemoryBroker()
    robots = [Peer(await broker.connect(s), s, deaf=s == "B") for s in ("A", "B")]
    for robot in robots:
        await robot.join()
    kept: list[StopState] = []
    listener = await broker.connect("listener")
    await listener.subscribe(topics.stop(SiteId("test")), lambda _, p: kept.append(decode(p, StopState)))
    halt = BrokerHalt(broker, SiteId("test"), LoopClock(0))
    async with running(postgres, halt=halt) as floor:
        key = {"Idempotency-Key": "stop-1"}
        for _ in range(2):  # the second is answered from what is kept
            stopped = await floor.operator.post("/v1/fleet/pause", json={"reason": "a spill"}, headers=key)
            assert stopped.status_code == 200, stopped.text
            assert stopped.json()["reason"] == "1 of 2 robots confirm that they stand still. No word yet from: Acme/B."
        assert (kept[-1].stopped, kept[-1].who, kept[-1].reason) == (True, "operator", "a spill")
        resumed = await floor.operator.post("/v1/fleet/resume", json={"reason": "dry again"})
        assert resumed.json()["done"] is True
        assert robots[0].heard == ["startPause", "stopPause"]
        assert set(robots[1].heard) == {"startPause", "stopPause"}
        assert [s.stopped for s in kept] == [True, False]
        rows = (await floor.supervisor.get("/v1/audit", params={"limit": 5})).json()["items"]
        told = [(r["action"], r["who"], r["reason"]) for r in rows]
        assert told[:2] == [("fleet.resume", "operator", "dry again"), ("fleet.pause", "operator", "a spill")]
