"""The supervisor starts programs in order, starts them again when they fall, and leaves nobody behind."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.errors import Unavailable
from deploy.supervise import Child, Supervisor

ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])}
OBEDIENT = "import signal, deploy.notify as n; n.ready(); signal.pause()"
STUBBORN = "import signal, deploy.notify as n; signal.signal(signal.SIGTERM, signal.SIG_IGN); n.ready(); signal.pause()"
PARENT = """
import signal, subprocess, sys, deploy.notify as n
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print(child.pid, flush=True)
n.ready()
signal.pause()
"""
FAILING = "import sys; sys.exit('the tide is out')"


def child(tmp_path: Path, name: str, code: str, patience_s: float = 20.0) -> Child:
    return Child(name, [sys.executable, "-c", code], ENVIRONMENT, tmp_path, patience_s)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until_said(said: "asyncio.Queue[str]", text: str) -> None:
    async with asyncio.timeout(20):
        while text not in await said.get():
            pass


@pytest.fixture
async def said() -> "asyncio.Queue[str]":
    return asyncio.Queue()


@pytest.fixture
async def supervisor(said: "asyncio.Queue[str]") -> AsyncIterator[Supervisor]:
    it = Supervisor(said.put_nowait)
    yield it
    await it.stop(2.0)


async def test_a_killed_program_runs_again(tmp_path: Path, supervisor: Supervisor, said: "asyncio.Queue[str]") -> None:
    """SIGKILL of one program is noticed, said, and mended; the others are left alone."""
    a, b = child(tmp_path, "a", OBEDIENT), child(tmp_path, "b", OBEDIENT)
    await supervisor.start("a", a)
    await supervisor.start("b", b)
    watching = asyncio.create_task(supervisor.watch())
    first, other = a.pid, b.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until_said(said, "a ended unexpectedly")
    await until_said(said, "a runs again")
    assert a.pid not in {None, first}
    assert b.pid == other
    watching.cancel()
    await asyncio.wait([watching])


async def test_a_program_that_does_not_start_is_named_with_its_last_words(
    tmp_path: Path, supervisor: Supervisor
) -> None:
    """A failed start carries the end of the log, and the programs before it are ended by `stop`."""
    good = child(tmp_path, "good", OBEDIENT)
    await supervisor.start("good", good)
    pid = good.pid
    assert pid is not None
    with pytest.raises(Unavailable, match=r"bad ended while starting(?s:.*)the tide is out"):
        await supervisor.start("bad", child(tmp_path, "bad", FAILING))
    await supervisor.stop()
    assert not alive(pid)


async def test_a_silent_program_is_given_up(tmp_path: Path, supervisor: Supervisor) -> None:
    """A program that never says that it is ready does not hold the start for ever."""
    with pytest.raises(Unavailable, match="mute is not ready after 1 s"):
        await supervisor.start("mute", child(tmp_path, "mute", "import signal; signal.pause()", patience_s=1.0))


async def test_stop_is_quick_also_with_a_program_that_will_not_end(tmp_path: Path, supervisor: Supervisor) -> None:
    """Five seconds are enough for all, though one ignores SIGTERM; children of a program go with it."""
    programs = [child(tmp_path, n, c) for n, c in (("s", STUBBORN), ("p", PARENT), ("o", OBEDIENT))]
    for program in programs:
        await supervisor.start(program.name, program)
    grandchild = int((tmp_path / "p.log").read_text())
    pids = [p.pid for p in programs if p.pid is not None]
    began = time.monotonic()
    await supervisor.stop(5.0)
    assert time.monotonic() - began < 5.0
    assert [pid for pid in (*pids, grandchild) if alive(pid)] == []


SUPERVISOR = """
import asyncio, signal, sys
from pathlib import Path
from deploy.supervise import Child, Supervisor
async def main():
    s = Supervisor(print)
    c = Child(
        "c", [sys.executable, "-c", sys.argv[2]], {"PYTHONPATH": sys.argv[3]}, Path(sys.argv[1]),
        death_signal=signal.Signals(int(sys.argv[4])),
    )
    await s.start("c", c)
    print(c.pid, flush=True)
    await s.watch()
asyncio.run(main())
"""


MINDFUL = """
import signal, sys
from deploy.notify import ready
def end(*_):
    print("written", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
ready()
while True:
    signal.pause()
"""


@pytest.mark.parametrize(
    ("code", "sign", "last_word"),
    [(OBEDIENT, signal.SIGKILL, ""), (MINDFUL, signal.SIGTERM, "written")],
    ids=["killed", "asked"],
)
def test_no_program_outlives_a_supervisor_that_is_killed(
    tmp_path: Path, code: str, sign: signal.Signals, last_word: str
) -> None:
    """SIGKILL of the supervisor takes its programs with it, by the kernel's hand; one may write a last word."""
    root = str(Path(__file__).parents[2])
    killed = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path), code, root, str(int(sign))],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert killed.stdout is not None
    pid = int(killed.stdout.readline())
    watch = os.pidfd_open(pid)
    killed.kill()
    killed.wait()
    killed.stdout.close()
    ended, _, _ = select.select([watch], [], [], 10)
    os.close(watch)
    assert ended
    assert not alive(pid)
    assert (tmp_path / "c.log").read_text().strip() == last_word
