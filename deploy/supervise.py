"""Several programs as one: started in order, started again when they fall, stopped in reverse order."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from contracts.errors import FloorplaneError, Unavailable
from deploy import launch
from deploy.embedded.child import end, last_words, turn_over
from deploy.notify import Ear

Say = Callable[[str], None]

_BACK_OFF_S = (0.25, 10.0)
_HEALTHY_S = 60.0
"""A program that ran that long begins with the shortest pause again."""


class Program(Protocol):
    """What is supervised: an embedded server, or one of our processes. `launch` is called from the main thread."""

    @property
    def pid(self) -> int | None:
        """Its process id, None while it does not run."""
        ...

    def prepare(self) -> None:
        """Do what must be done before each start."""
        ...

    def launch(self) -> None:
        """Start it and return at once."""
        ...

    def await_ready(self) -> None:
        """Return when it works; Unavailable when it ended or took too long."""
        ...

    def stop(self, timeout_s: float) -> None:
        """End it: in good order within the timeout, else by force. Nothing happens when it does not run."""
        ...


class Child:
    """One of our own processes: in a session of its own, with a log file, and dead when we are.

    Parameters
    ----------
    name
        Of the process and its log.
    command
        Program and arguments.
    environment
        What it gets beside PATH and HOME.
    logs
        Folder of its log, ``NAME.log``.
    patience_s
        How long it may take to be ready.
    death_signal
        What the kernel sends it when we are killed. One that has to write something down gets SIGTERM.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        logs: Path,
        patience_s: float = 60.0,
        *,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        self._command = list(command)
        self._environment = environment
        self._patience_s = patience_s
        self._death_signal = death_signal
        self._ear: Ear | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id, None while it does not run."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def prepare(self) -> None:
        """Put a log aside that has grown too long, and listen for its word."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        turn_over(self.log)
        if self._ear is None:
            self._ear = Ear()
        self._ear.forget()

    def launch(self) -> None:
        """Start it and return at once. The kernel ends it with the thread that called this."""
        address = "" if self._ear is None else self._ear.address
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                launch.argv(self._command, death_signal=self._death_signal),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**self._environment, "NOTIFY_SOCKET": address},
            )

    def await_ready(self) -> None:
        """Wait until it says that it is ready.

        Raises
        ------
        Unavailable
            It ended, or kept silent.
        """
        deadline = time.monotonic() + self._patience_s
        while (ear := self._ear) is not None and not ear.heard():
            if self.pid is None:
                raise Unavailable(
                    f"{self.name} ended while starting; its log {self.log} ends with:\n{last_words(self.log)}"
                )
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"{self.name} is not ready after {self._patience_s:.0f} s; its log {self.log} ends with:\n"
                    f"{last_words(self.log)}"
                )
            time.sleep(0.02)

    def stop(self, timeout_s: float) -> None:
        """End it, and whatever it started in its session."""
        process, self._process = self._process, None
        if process is not None:
            if process.poll() is None:
                end(process, signal.SIGTERM, timeout_s)
            with contextlib.suppress(ProcessLookupError):  # most leave nobody behind
                os.killpg(process.pid, signal.SIGKILL)
        ear, self._ear = self._ear, None
        if ear is not None:
            ear.close()


class Supervisor:
    """Runs programs until it is told to stop.

    Parameters
    ----------
    say
        Told in one line what a person wants to know: who fell, and that it runs again.
    """

    def __init__(self, say: Say) -> None:
        self._say = say
        self._running: list[tuple[str, Program]] = []

    async def start(self, name: str, program: Program) -> None:
        """Start one more program and return when it is ready.

        Raises
        ------
        Unavailable
            It did not come up. Call `stop` then.
        """
        self._running.append((name, program))  # first, so that a start that is interrupted is stopped too
        await self._bring_up(program)

    async def watch(self) -> None:
        """Start again whoever falls, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, program in self._running:
                tasks.create_task(self._keep(name, program), name=f"keep {name}")

    async def stop(self, within_s: float = 5.0) -> None:
        """Stop our own processes, all at once, then the servers that they rest on, in reverse order.

        What does not end within its share of the time is killed.
        """
        deadline = time.monotonic() + within_s
        while self._running:
            last = len(self._running) - 1
            while last and isinstance(self._running[last][1], Child) and isinstance(self._running[last - 1][1], Child):
                last -= 1
            share_s = max(0.3, (deadline - time.monotonic()) * 0.6)
            async with asyncio.TaskGroup() as tasks:
                for name, program in self._running[last:]:
                    tasks.create_task(self._end(name, program, share_s), name=f"stop {name}")
            del self._running[last:]

    async def _end(self, name: str, program: Program, share_s: float) -> None:
        try:
            await asyncio.to_thread(program.stop, share_s)
        except OSError as e:
            self._say(f"{name}: {e}")

    async def _keep(self, name: str, program: Program) -> None:
        pause_s = _BACK_OFF_S[0]
        while True:
            began = time.monotonic()
            await _ended(program.pid)
            if time.monotonic() - began > _HEALTHY_S:
                pause_s = _BACK_OFF_S[0]
            self._say(f"{name} ended unexpectedly; it starts again in {pause_s:g} s")
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _BACK_OFF_S[1])
            try:
                await self._bring_up(program)
            except FloorplaneError as e:
                self._say(f"{name} does not start: {e}")
                await asyncio.to_thread(_kill, program)
            else:
                self._say(f"{name} runs again (process {program.pid})")

    async def _bring_up(self, program: Program) -> None:
        await asyncio.to_thread(program.prepare)
        program.launch()
        await asyncio.to_thread(program.await_ready)


def _kill(program: Program) -> None:
    pid = program.pid
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


async def _ended(pid: int | None) -> None:
    """Return when a child is gone."""
    if pid is None:
        return
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(fd, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)
