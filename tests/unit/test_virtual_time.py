"""The virtual-time loop: real latencies never change what happens, nor when."""

import asyncio
import logging
import random
import time

import pytest

from contracts.runtime.clock import LoopClock, real
from contracts.runtime.floor.memory import MemoryBroker
from simulators import virtual_time
from simulators.virtual_time import Stuck, VirtualLoop


def test_a_day_passes_at_once():
    """Ten hours of sleep cost no wall time and end at the exact virtual second."""

    async def main():
        await asyncio.sleep(36_000)
        return asyncio.get_running_loop().time()

    wall = time.perf_counter()
    assert virtual_time.run(main()) == 36_000
    assert time.perf_counter() - wall < 2


def _race(latencies: random.Random | None) -> list[tuple[float, str]]:
    """Twenty workers mix virtual sleeps with real I/O of random length; return who did what when."""
    log: list[tuple[float, str]] = []

    async def unit(name: str) -> str:
        if latencies is not None:
            await asyncio.get_running_loop().run_in_executor(None, time.sleep, latencies.random() * 0.004)
        return name

    async def worker(name: str, pace: random.Random) -> None:
        loop = asyncio.get_running_loop()
        for n in range(4):
            await asyncio.sleep(pace.choice((0.0, 0.5, 1.0)))
            log.append((loop.time(), f"{name} asks {n}"))
            await real(unit(name))
            log.append((loop.time(), f"{name} has {n}"))

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for i in range(20):
                group.create_task(worker(f"w{i}", random.Random(i)))

    virtual_time.run(main())
    return log


def test_real_latency_does_not_change_the_order():
    """Runs with no, and with two different sets of random real delays, give one and the same history."""
    expected = _race(None)
    assert _race(random.Random(1)) == expected
    assert _race(random.Random(2)) == expected


def test_results_come_in_order_of_request_and_the_clock_stands():
    """A slow unit asked for first is delivered before a quick one asked for second, at the same virtual moment."""

    async def main():
        loop = asyncio.get_running_loop()
        done: list[tuple[str, float]] = []

        async def ask(name: str, wall_s: float) -> None:
            await asyncio.to_thread(time.sleep, wall_s)
            done.append((name, loop.time()))

        await asyncio.gather(ask("slow", 0.05), ask("quick", 0.0), asyncio.sleep(1))
        return done

    assert virtual_time.run(main()) == [("slow", 0.0), ("quick", 0.0)]


def test_timers_of_one_moment_run_in_the_order_set():
    """A thousand timers for the same moment keep their order, also when others are cancelled between them."""

    async def main():
        loop = asyncio.get_running_loop()
        ran: list[int] = []
        handles = [loop.call_at(5.0, ran.append, n) for n in range(1000)]
        for n in range(0, 1000, 3):
            handles[n].cancel()
        await asyncio.sleep(6)
        return ran

    assert virtual_time.run(main()) == [n for n in range(1000) if n % 3]


def test_nested_real_passes_through():
    """A unit of work that calls `real` and the executor again does not wait for itself."""

    async def inner():
        return await asyncio.to_thread(lambda: 20)

    async def outer():
        return await real(inner()) + 1

    async def main():
        return await real(outer()) * 2

    assert virtual_time.run(main()) == 42


def test_an_exception_reaches_the_caller():
    """What the unit raises is raised where it was awaited, and later units still come."""

    async def bad():
        await asyncio.to_thread(time.sleep, 0.001)
        raise KeyError("row")

    async def main():
        with pytest.raises(KeyError, match="row"):
            await real(bad())
        return await asyncio.to_thread(lambda: "next")

    assert virtual_time.run(main()) == "next"


def test_a_unit_ends_though_its_caller_is_cancelled():
    """Cancellation reaches the caller alone: the unit commits, and those queued behind it are delivered."""
    committed: list[str] = []

    async def unit(name: str) -> str:
        await asyncio.to_thread(time.sleep, 0.01)
        committed.append(name)
        return name

    async def main():
        first = asyncio.create_task(real(unit("first")))
        second = asyncio.create_task(real(unit("second")))
        await asyncio.sleep(0)
        first.cancel()
        result = await second
        assert first.cancelled()
        return result

    assert virtual_time.run(main()) == "second"
    assert sorted(committed) == ["first", "second"]  # real I/O ends when it likes


def test_a_late_failure_is_reported(caplog):
    """A unit that fails after its caller was cancelled is not swallowed."""

    async def bad():
        await asyncio.to_thread(time.sleep, 0.01)
        raise KeyError("late")

    async def main():
        task = asyncio.create_task(real(bad()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(1)

    with caplog.at_level(logging.ERROR, "asyncio"):
        virtual_time.run(main())
    assert "failed after its caller was cancelled" in caplog.text


def test_patience_names_the_hung_unit():
    """Real I/O that gives no sign of life stops the run and is named."""

    async def query_that_hangs():
        await asyncio.get_running_loop().create_future()

    async def main():
        await real(query_that_hangs())

    with pytest.raises(Stuck, match="query_that_hangs"):
        virtual_time.run(main(), patience_s=0.05)


def test_nothing_to_do_is_an_error():
    """When everything waits for everything the run ends with the names of who waits."""

    async def main():
        task = asyncio.create_task(asyncio.Event().wait(), name="waits for ever")
        await task

    with pytest.raises(Stuck, match=r"nothing to do.*waits for ever"):
        virtual_time.run(main())


def test_streams_work_behind_the_door():
    """A real socket conversation runs inside one unit while the clock stands."""

    async def talk():
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            writer.close()

        async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello\n")
            line = await reader.readline()
            writer.close()
            return line

    async def main():
        await asyncio.sleep(10)
        line = await real(talk())
        return line, asyncio.get_running_loop().time()

    assert virtual_time.run(main()) == (b"hello\n", 10)


def test_fifty_idle_robots_for_ten_hours():
    """Fifty robots that publish a state every 30 s for ten hours: every message arrives, at the price of seconds."""

    async def main():
        broker, clock = MemoryBroker(), LoopClock(0)
        heard: list[int] = []
        reader = await broker.connect("dispatcher")
        await reader.subscribe("uagv/v2/+/+/state", lambda _topic, _payload: heard.append(clock.now_ms()))

        async def robot(n: int) -> None:
            floor = await broker.connect(f"r{n}")
            for _ in range(1200):
                floor.send(f"uagv/v2/acme/r{n}/state", b"{}", retain=True)
                await clock.sleep(30)

        async with asyncio.TaskGroup() as group:
            for n in range(50):
                group.create_task(robot(n))
        return heard

    cpu = time.process_time()
    heard = virtual_time.run(main())
    cpu = time.process_time() - cpu
    assert len(heard) == 50 * 1200
    assert heard[-1] == 1199 * 30_000
    assert cpu < 15  # 0.3 s measured; tenfold under coverage


def test_the_loop_clock_reads_virtual_time():
    """Floor time is the epoch given plus virtual seconds, and a scale shortens the loop's."""

    async def main():
        plain, fast = LoopClock(1_000), LoopClock(1_000, scale=10)
        await plain.sleep(2)
        assert (plain.now_ms(), fast.now_ms()) == (3_000, 21_000)
        await fast.sleep(10)
        fired = asyncio.Event()
        fast.call_later(20, fired.set)
        await fired.wait()
        return plain.now_ms()

    assert virtual_time.run(main()) == 6_000


def test_the_loop_closes_cleanly():
    """A loop that used threads closes, and a second one starts at its own time."""

    async def main():
        await asyncio.to_thread(time.sleep, 0)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main(), start=7.5) == 7.5
    loop = VirtualLoop()
    loop.close()
    assert loop.is_closed()
