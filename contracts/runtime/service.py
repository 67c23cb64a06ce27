"""Supervised services: started together, restarted when they crash, stopped in good order, in one event loop."""

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from contracts.errors import Broken, FloorplaneError, Rejected, Unavailable
from contracts.runtime.logging import get_log

BACK_OFF_S = (1.0, 30.0)
_CALM_S = 60.0
_log = get_log("contracts.service")

OK, FAILED, REJECTED, BROKEN = 0, 1, 2, 3
"""Exit statuses: stopped in good order; a peer was not there or a bug; input to mend; an invariant does not hold."""


class Service(Protocol):
    """A part of a process. `run` may be called again after it ended with an error."""

    name: str
    ready: asyncio.Event
    """Set by `run` when it serves; the supervisor clears it when `run` ended."""

    async def run(self) -> None:
        """Run until cancelled, and clean up; every task that it starts ends with it."""
        ...


class Supervisor:
    """Runs services until it is cancelled, told to stop, or one of them meets what no retry mends.

    Parameters
    ----------
    services
        Started in this order, stopped in the reverse one; their names differ.
    stop_within_s
        How long all of them together have to end, seconds; who has not is named and abandoned.
    """

    def __init__(self, services: Sequence[Service], *, stop_within_s: float = 5.0) -> None:
        names = [s.name for s in services]
        if len(set(names)) < len(names):
            raise Rejected("services", names, "services of different names")
        self.services = tuple(services)
        self.restarts: dict[str, int] = dict.fromkeys(names, 0)
        self.name = "supervisor"
        self.ready = asyncio.Event()
        """Set while every service is ready."""
        self._stop_within_s = stop_within_s
        self._stop = asyncio.Event()
        self._ended = asyncio.Event()
        self._fatal: FloorplaneError | None = None

    def stop(self) -> None:
        """Ask for a stop in good order; `run` returns then."""
        self._stop.set()

    async def run(self) -> None:
        """Run all services.

        Raises
        ------
        Rejected, Broken
            As the service said that met it, after all have been stopped.
        """
        loop = asyncio.get_running_loop()
        tasks = {loop.create_task(self._keep(s), name=f"service:{s.name}"): s for s in self.services}
        watch = loop.create_task(self._watch(), name="supervisor:readiness")
        stop = loop.create_task(self._stop.wait(), name="supervisor:stop")
        try:
            running = set(tasks)
            while running and not self._stop.is_set():
                done, _ = await asyncio.wait([*running, stop], return_when=asyncio.FIRST_COMPLETED)
                running -= done
        finally:
            watch.cancel()
            stop.cancel()
            await self._end(list(tasks))
            await asyncio.wait([watch, stop])
            self.ready.clear()
        if self._fatal is not None:
            raise self._fatal

    async def _keep(self, service: Service) -> None:
        loop = asyncio.get_running_loop()
        wait_s = BACK_OFF_S[0]
        while True:
            since, ended = loop.time(), False
            try:
                await service.run()
            except asyncio.CancelledError:
                raise
            except Exception as e:  # noqa: BLE001 - whatever it was, this is where it ends
                if (fatal := _beyond_retry(e)) is not None:
                    _log.error("service stops the process", service=service.name, why=str(fatal))
                    self._fatal = self._fatal or fatal
                    self._stop.set()
                    return
                if loop.time() - since > _CALM_S:
                    wait_s = BACK_OFF_S[0]
                if isinstance(e, Unavailable):
                    _log.warning("service waits for a peer", service=service.name, why=str(e), again_in_s=wait_s)
                else:
                    _log.exception("service crashed", service=service.name, again_in_s=wait_s)
            else:
                _log.info("service ended", service=service.name)
                ended = True
            finally:
                service.ready.clear()
                self.ready.clear()
                self._ended.set()
            if ended:
                service.ready.set()
                return
            self.restarts[service.name] += 1
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, BACK_OFF_S[1])

    async def _watch(self) -> None:
        """Keep `ready` set while all are; one that has done its work for good counts as ready."""
        while True:
            for service in self.services:
                await service.ready.wait()
            if all(s.ready.is_set() for s in self.services):
                self.ready.set()
                await self._ended.wait()
            self._ended.clear()

    async def _end(self, tasks: list[asyncio.Task[None]]) -> None:
        """Cancel in reverse order and wait, all together at most `stop_within_s`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._stop_within_s
        for task in reversed(tasks):
            task.cancel()
        pending = {t for t in tasks if not t.done()}
        while pending and (left := until - loop.time()) > 0:
            try:
                _, pending = await asyncio.wait(pending, timeout=left)
            except asyncio.CancelledError:
                continue  # we are stopping already
        for task in pending:
            _log.error("service does not stop", task=task.get_name(), within_s=self._stop_within_s)
        for task in set(tasks) - pending:
            if not task.cancelled() and (error := task.exception()) is not None:
                _log.error("service failed while stopping", task=task.get_name(), why=repr(error))


Assemble = Callable[[], AbstractAsyncContextManager[Sequence[Service]]]
"""Opens a process's ports, gives its services, and closes the ports when they have ended."""


def run_process(assemble: Assemble, *, stop_within_s: float = 5.0) -> int:
    """Run a process on real time (uvloop) until SIGINT or SIGTERM, and return its exit status.

    Parameters
    ----------
    assemble
        See `Assemble`; it is entered inside the loop.
    stop_within_s
        See `Supervisor`; a second signal ends the process at once.
    """
    import uvloop

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_main(assemble, stop_within_s))
    except KeyboardInterrupt:
        return OK
    except Exception as e:  # noqa: BLE001 - the last place to say it
        status, text = _verdict(e)
        if status == FAILED and not isinstance(e, FloorplaneError):
            _log.exception("the process failed")
        sys.stderr.write(f"floorplane: {text}\n")
        return status
    return OK


async def _main(assemble: Assemble, stop_within_s: float) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    main = asyncio.current_task()
    supervisor: Supervisor | None = None

    def on_signal() -> None:
        if stopping.is_set() or supervisor is None:
            if main is not None:
                main.cancel("a second signal, or one before the start was over")
            return
        stopping.set()
        supervisor.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        async with assemble() as services:
            supervisor = Supervisor(services, stop_within_s=stop_within_s)
            await supervisor.run()
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _beyond_retry(error: BaseException) -> FloorplaneError | None:
    """Return what stops the line, also from within the group of a service's tasks."""
    if isinstance(error, Rejected | Broken):
        return error
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            if (found := _beyond_retry(inner)) is not None:
                return found
    return None


def _verdict(error: Exception) -> tuple[int, str]:
    fatal = _beyond_retry(error)
    if isinstance(fatal, Rejected):
        return REJECTED, str(fatal)
    if isinstance(fatal, Broken):
        return BROKEN, str(fatal)
    if isinstance(error, Unavailable):
        return FAILED, str(error)
    return FAILED, f"{type(error).__name__}: {error}"
