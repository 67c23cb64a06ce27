"""`floorplane up` for real: orders ship over the real protocols, Ctrl-C is quick, and the next start goes on."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from contracts.runtime.settings import bare_environment
from tests.free_ports import take

pytestmark = pytest.mark.slow


class Floor:
    """One floor in a folder of its own, twenty times as fast as the wall, with ten orders a minute of the wall."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.nats, self.mqtt = take(), take(), take()
        self.environment = bare_environment(NO_COLOR="1", COLUMNS="300", FLOORPLANE_ORDERS_PER_H="120")
        self.process: subprocess.Popen[str] | None = None

    def command(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "deploy.cli", *args], cwd=self.folder, env=self.environment,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def up_args(self) -> list[str]:
        ports = ["--port", str(self.port), "--nats-port", str(self.nats), "--mqtt-port", str(self.mqtt)]
        return ["up", *ports, "--scale", "20"]

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", *self.up_args()], cwd=self.folder, env=self.environment,
            stdout=subprocess.PIPE, stderr=(self.folder / "err.txt").open("a"), text=True, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 90)
        assert ready, (self.folder / "err.txt").read_text()
        line = self.process.stdout.readline()
        assert f"http://127.0.0.1:{self.port}/" in line, (self.folder / "err.txt").read_text()

    def end(self, sign: signal.Signals) -> float:
        """Send a signal and return how long the end took, in seconds."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(sign)
        self.process.wait(20)
        took_s = time.monotonic() - began
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return took_s

    def get(self, path: str) -> httpx.Response:
        token = json.loads((self.folder / ".floorplane" / "secrets.json").read_text())["tokens"]["supervisor"]
        url = f"http://127.0.0.1:{self.port}{path}"
        return httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=10)

    def state(self, order: str) -> str:
        answer = self.get(f"/v1/orders/{order}")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["state"])

    def acknowledged(self) -> list[str]:
        file = self.folder / ".floorplane" / "erp" / "acknowledged.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [json.loads(line)["id"] for line in lines]

    def processes(self) -> list[str]:
        found = []
        for proc in Path("/proc").iterdir():
            if proc.name.isdigit():
                try:
                    words, environment = (proc / "cmdline").read_bytes(), (proc / "environ").read_bytes()
                except OSError:
                    continue
                if words and os.fsencode(self.folder) in words + environment and int(proc.name) != os.getpid():
                    found.append(words.replace(b"\0", b" ").decode())
        return found


def eventually(condition: Callable[[], bool], what: str, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        time.sleep(0.25)


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    it = Floor(tmp_path)
    yield it
    if it.process is not None:
        it.end(signal.SIGTERM)


def test_orders_ship_and_the_next_start_goes_on(floor: Floor) -> None:
    """What was acknowledged before Ctrl-C ships after the next start; the books hold all the while."""
    floor.start()
    eventually(lambda: any(floor.state(o) == "shipped" for o in floor.acknowledged()), "an order ships", 90)
    second = floor.command(*floor.up_args())
    assert second.returncode == 1
    assert f"process {floor.process.pid if floor.process else ''}" in second.stderr
    assert floor.end(signal.SIGINT) < 5.0
    assert floor.processes() == []
    before = floor.acknowledged()
    floor.start()
    eventually(lambda: all(floor.state(o) == "shipped" for o in before), "all of the first run ship", 180)
    held = floor.command("invariants")
    assert held.returncode == 0, held.stderr
    assert floor.end(signal.SIGINT) < 5.0
    assert len(set(floor.acknowledged())) == len(floor.acknowledged())


def test_stop_needs_the_broker_alone(floor: Floor) -> None:
    """With central and dispatcher dead the fleet stands still at once, and goes on when told."""
    floor.start()
    for name in ("dispatcher", "central"):
        pids = [p for p in Path("/proc").iterdir() if p.name.isdigit() and _runs(p, name, floor.folder)]
        assert pids, name
        for p in pids:
            os.kill(int(p.name), signal.SIGSTOP)
    stopped = floor.command("stop", "--reason", "spill")
    assert "40 of 40 robots confirm that they stand still" in stopped.stdout, stopped.stderr
    assert "not a safety function" in stopped.stderr
    resumed = floor.command("stop", "--resume")
    assert "40 of 40 robots confirm that they run again" in resumed.stdout, resumed.stderr


def test_nothing_outlives_a_supervisor_that_is_killed(floor: Floor) -> None:
    """SIGKILL of `up` takes every process with it, and the next start finds a folder that it can use."""
    floor.start()
    floor.end(signal.SIGKILL)
    eventually(lambda: floor.processes() == [], "all processes are gone", 10)
    floor.start()
    assert floor.get("/healthz").status_code == 200
    assert floor.end(signal.SIGTERM) < 5.0


def _runs(proc: Path, name: str, folder: Path) -> bool:
    try:
        words = (proc / "cmdline").read_bytes().split(b"\0")
        return words[-2:-1] == [name.encode()] and os.fsencode(folder) in (proc / "environ").read_bytes()
    except OSError:
        return False
