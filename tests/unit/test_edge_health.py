"""A device that is away is told as an alarm, after a patience that is longer while everything comes up."""

import asyncio

from contracts.ids import CellId, DeviceId
from contracts.messages.floor import DeviceState, Quality
from contracts.runtime.clock import LoopClock
from edge.health import Health
from simulators import virtual_time


def test_a_device_that_was_never_there_is_alarmed_later_than_one_that_was_lost() -> None:
    """At the start sixty seconds, afterwards three; one that comes in between is not told at all."""
    told: list[tuple[float, str, Quality]] = []

    async def main() -> None:
        clock, loop = LoopClock(1_000_000), asyncio.get_running_loop()
        names = [DeviceId(n) for n in ("late", "never")]

        def settled(device: DeviceId, state: DeviceState) -> None:
            told.append((round(loop.time(), 3), device, state.quality))

        health = Health(CellId("c"), names, clock, lambda state: None, settled)
        for name in names:
            health.device(name, DeviceState(Quality.BAD, clock.now_ms(), "not connected yet"))
        await asyncio.sleep(40)
        health.device(names[0], DeviceState(Quality.GOOD, clock.now_ms(), ""))
        await asyncio.sleep(60)
        health.device(names[0], DeviceState(Quality.BAD, clock.now_ms(), "gone"))
        await asyncio.sleep(10)
        health.close()

    virtual_time.run(main())
    assert told == [(60.0, "never", Quality.BAD), (103.0, "late", Quality.BAD)]
