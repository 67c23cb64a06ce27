"""Whoever leads is killed amid the orders of robots that are not ours: no order comes in two contents, all is done."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from contracts import topics
from contracts.codec import decode
from contracts.ids import SiteId
from contracts.messages.lead import Term
from contracts.runtime.floor.mqtt import MqttConnector
from contracts.runtime.log.nats import connect_log
from contracts.vda5050 import topics as vda
from tests.e2e.fleet_floor import LIBRARY, NODE, FleetFloor, grid

pytestmark = [pytest.mark.peer, pytest.mark.slow]
library = pytest.mark.skipif(NODE is None or not LIBRARY.is_dir(), reason=f"no node, or no {LIBRARY}")


class Ear:
    """All orders that went over the broker, and what robots said against them."""

    def __init__(self) -> None:
        self.orders: dict[tuple[str, str, int], set[str]] = {}
        self.refused: list[dict[str, Any]] = []
        self.first: dict[str, set[str]] = {}

    def hear(self, topic: str, payload: bytes) -> None:
        address = vda.parse(topic)
        said = json.loads(payload)
        if address.name == vda.ORDER:
            key = (address.serial, said["orderId"], said["orderUpdateId"])
            content = json.dumps([said["nodes"], said["edges"]], sort_keys=True)
            self.orders.setdefault(key, set()).add(content)
        elif address.name == vda.STATE:
            self.refused += [e for e in said["errors"] if e["errorType"] != "batteryError"]


@library
def test_the_leader_is_killed_amid_orders_of_foreign_robots(tmp_path: Path) -> None:
    """Three takeovers, four AGVs, transports: each order and update has one content, none is refused, all is done."""
    layout = grid(8, 5)
    stations = {f"S{k}": n for k, n in enumerate(("0-0", "7-0", "0-4", "7-4"))}
    with FleetFloor(tmp_path, layout, stations, "--adopt", "auto", "--standby") as floor:
        asyncio.run(attack(floor))


async def attack(floor: FleetFloor) -> None:
    ear = Ear()
    client = await MqttConnector(floor.mqtt_url).connect("ear")
    await client.subscribe(vda.pattern(vda.ORDER), ear.hear)
    await client.subscribe(vda.pattern(vda.STATE), ear.hear)
    log = await connect_log(f"nats://127.0.0.1:{floor.nats}", "ear")
    site = SiteId((await asyncio.to_thread(floor.rest.get, "/v1/sites")).json()[0])

    async def leader() -> Term:
        entry = await log.last(topics.lead_key(site))
        assert entry is not None
        return decode(entry.payload, Term)

    def until(holds: Any, within_s: float) -> Any:
        return asyncio.to_thread(floor.until, holds, within_s, lambda: (floor.robots(), floor.alarms()[:5]))

    try:
        starts = {"V0": "1-1", "V1": "6-1", "V2": "1-3", "V3": "6-3"}
        await asyncio.to_thread(floor.vehicles, starts, time_lapse=4)
        await until(lambda: len(floor.robots()) == 4, 30)
        names = [
            await asyncio.to_thread(floor.transport, f"t{k}", f"S{k % 4}", f"S{(k + 1 + k // 4) % 4}")
            for k in range(12)
            if k % 4 != (k + 1 + k // 4) % 4
        ]
        epochs = set()
        for wanted in (2, 5, 7):
            await until(lambda n=wanted: len(names) - len(floor.open_transports()) >= n, 120)
            term = await leader()
            epochs.add(term.epoch)
            os.kill(term.pid, signal.SIGKILL)
            async with asyncio.timeout(30):
                while (await leader()).epoch == term.epoch:  # noqa: ASYNC110 - another process changes it
                    await asyncio.sleep(0.1)
        await until(lambda: not floor.open_transports(), 240)
        assert len(epochs) == 3
    finally:
        await log.close()
        await client.close()
    done = (await asyncio.to_thread(floor.rest.get, "/v1/transports", params={"state": "done", "limit": 500})).json()
    assert sorted(t["id"] for t in done["items"]) == sorted(names)
    assert {k: len(v) for k, v in ear.orders.items() if len(v) > 1} == {}
    assert ear.refused == []
    jobs: dict[tuple[str, str], set[str]] = {}
    for robot, order, _ in ear.orders:
        epoch, job = order.split("-", 1)
        jobs.setdefault((robot, job.rpartition("-")[0]), set()).add(epoch)
    assert all(len(e) == 1 for e in jobs.values())  # a leg's orders carry one epoch, whoever leads
