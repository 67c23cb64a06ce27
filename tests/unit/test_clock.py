"""The injected clock, and the one door for real I/O where there is no virtual time."""

import asyncio

import pytest

from contracts.runtime.clock import LoopClock, real
from simulators import virtual_time


@pytest.mark.parametrize("scale", [0, -1, 1001])
async def test_a_scale_out_of_bounds_is_refused(scale):
    """Floor seconds per second lie in (0, 1000]."""
    with pytest.raises(ValueError, match=r"scale: .* is not in \(0, 1000\]"):
        LoopClock(0, scale=scale)


def test_a_cancelled_timer_does_not_fire():
    """`call_later` counts floor seconds and its handle cancels it."""

    async def main():
        clock, fired = LoopClock(0, scale=10), []
        clock.call_later(50, lambda: fired.append(clock.now_ms()))
        clock.call_later(40, lambda: fired.append("cancelled")).cancel()
        await clock.sleep(100)
        assert asyncio.get_running_loop().time() == 10
        return fired

    assert virtual_time.run(main()) == [50_000]


async def test_real_is_a_plain_await_on_a_plain_loop():
    """On real time the door is open: the result and the exception pass, and cancellation reaches the work."""
    ended = asyncio.Event()

    async def work(value: str) -> str:
        await asyncio.sleep(0)
        return value

    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    assert await real(work("row")) == "row"
    task = asyncio.create_task(real(hangs()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert ended.is_set()
