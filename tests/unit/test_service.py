"""Supervised services: restarted with back-off, stopped in good order, no task left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest

from contracts.errors import Broken, Rejected, Unavailable
from contracts.runtime.service import BROKEN, FAILED, OK, REJECTED, Supervisor, run_process
from simulators import virtual_time


class Part:
    """A service that behaves as told: what each run meets, or None to run until cancelled."""

    def __init__(self, name: str, *meets: BaseException | str, lasts_s: float = 0, clean_up_s: float = 0):
        self.name = name
        self.ready = asyncio.Event()
        self.runs: list[float] = []
        self.ended: list[float] = []
        self._meets = list(meets)
        self._lasts_s = lasts_s
        self._clean_up_s = clean_up_s

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self.runs.append(loop.time())
        self.ready.set()
        try:
            await asyncio.sleep(self._lasts_s)
            if self._meets:
                met = self._meets.pop(0)
                if met == "end":
                    return
                raise met
            await asyncio.Event().wait()
        finally:
            if self._clean_up_s:
                await asyncio.sleep(self._clean_up_s)
            self.ended.append(loop.time())


def tasks_left() -> set[str]:
    return {t.get_name() for t in asyncio.all_tasks() if t is not asyncio.current_task()}


def test_a_crashed_service_comes_back_with_back_off():
    """Pauses double from one second to thirty; others are not touched; nothing is left after the stop."""

    async def main():
        crashing, steady = Part("crashing", *(RuntimeError(str(n)) for n in range(8))), Part("steady")
        supervisor = Supervisor([crashing, steady])
        task = asyncio.create_task(supervisor.run())
        await asyncio.sleep(200)
        assert crashing.runs == [0, 1, 3, 7, 15, 31, 61, 91, 121]
        assert steady.runs == [0]
        assert supervisor.restarts == {"crashing": 8, "steady": 0}
        supervisor.stop()
        await task
        assert tasks_left() == set()
        return steady.ended

    assert virtual_time.run(main()) == [200]


def test_a_long_calm_resets_the_back_off():
    """A service that ran for more than a minute starts again after one second."""

    async def main():
        part = Part("part", *(RuntimeError() for _ in range(3)), lasts_s=100)
        task = asyncio.create_task(Supervisor([part]).run())
        await asyncio.sleep(400)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return part.runs

    assert virtual_time.run(main()) == [0, 101, 202, 303]


def test_ready_while_all_are():
    """The supervisor is ready when all are, not while one is down, and again after its return."""

    async def main():
        first, second = Part("first"), Part("second", Unavailable("peer"), lasts_s=10)
        supervisor = Supervisor([first, second])
        task = asyncio.create_task(supervisor.run())
        await asyncio.wait_for(supervisor.ready.wait(), 5)
        await asyncio.sleep(10.5)
        assert not supervisor.ready.is_set()
        await asyncio.sleep(1)
        assert supervisor.ready.is_set()
        supervisor.stop()
        await task
        assert not supervisor.ready.is_set()

    virtual_time.run(main())


@pytest.mark.parametrize(
    "error",
    [
        Rejected("site/pods/P1", "X", "a node"),
        Broken("the ledger does not add up"),
        ExceptionGroup("tasks", [RuntimeError(), ExceptionGroup("inner", [Broken("deep")])]),
    ],
)
def test_what_no_retry_mends_stops_all(error):
    """A rejected input or a broken invariant stops every service in good order and is raised."""

    async def main():
        bad, other = Part("bad", error, lasts_s=1), Part("other", clean_up_s=0.5)
        with pytest.raises((Rejected, Broken)):
            await Supervisor([bad, other]).run()
        assert other.ended == [1.5]
        assert bad.runs == [0]
        assert tasks_left() == set()

    virtual_time.run(main())


def test_one_that_does_not_stop_is_abandoned():
    """The stop takes no longer than allowed, and the service that lags is named."""

    async def main():
        lagging = Part("lagging", clean_up_s=1000)
        supervisor = Supervisor([lagging, Part("good")], stop_within_s=3)
        asyncio.get_running_loop().call_later(10, supervisor.stop)
        await supervisor.run()
        assert asyncio.get_running_loop().time() == 13
        assert tasks_left() == {"service:lagging"}

    virtual_time.run(main())


def test_services_that_end_are_not_restarted():
    """A service that has done its work is done; when all are, the supervisor returns."""

    async def main():
        await Supervisor([Part("a", "end", lasts_s=5), Part("b", "end", lasts_s=7)]).run()
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) == 7


def test_two_services_of_one_name():
    """Names tell services apart."""

    async def main():
        with pytest.raises(Rejected, match="different names"):
            Supervisor([Part("a"), Part("a")])

    virtual_time.run(main())


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (Rejected("mqtt_url", "x", "a URL"), REJECTED, "mqtt_url: 'x' is not a URL"),
        (Broken("the journal is torn"), BROKEN, "the journal is torn"),
        (Unavailable("nats://h is away"), FAILED, "nats://h is away"),
    ],
)
def test_exit_status_and_text(capfd, error, status, text):
    """A process that cannot start says why on standard error and exits by remedy."""

    @asynccontextmanager
    async def assemble():
        raise error
        yield []

    assert run_process(assemble) == status
    assert f"floorplane: {text}" in capfd.readouterr().err


def test_work_that_ends_is_a_good_exit():
    """A process whose services all end exits with zero, and its ports are closed after them."""
    order = []

    @asynccontextmanager
    async def assemble():
        part = Part("part", "end")
        yield [part]
        order.append(("closed", len(part.ended)))

    assert run_process(assemble) == OK
    assert order == [("closed", 1)]


_PROGRAM = """
import asyncio, sys
from contextlib import asynccontextmanager
from contracts.runtime.service import run_process

class Part:
    name = "part"
    def __init__(self): self.ready = asyncio.Event()
    async def run(self):
        print("running", flush=True)
        try: await asyncio.Event().wait()
        finally: print("cleaned up", flush=True)

@asynccontextmanager
async def assemble():
    yield [Part()]
    print("ports closed", flush=True)

sys.exit(run_process(assemble))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_in_good_order(number):
    """SIGINT and SIGTERM end services, then ports, and exit with zero."""
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "running\n"
    os.kill(process.pid, number)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (OK, "cleaned up\nports closed\n")
