"""SIGKILL, one after another, during a slice of a real day on real time: nothing acknowledged is lost, nothing twice.

The simulated floor is the physical world and lives on; whoever plans, books, speaks to devices or carries messages is
killed without warning. The ERP's twin, a process of its own, writes to the disk what was acknowledged to it.
"""

import contextlib
import csv
import gzip
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.runtime.settings import bare_environment
from deploy.floor_time import FloorTime
from simulators.catalogue import read_catalogue
from simulators.orders import COLUMNS
from simulators.witness import Packed, Violation, read_testimony
from tests.free_ports import take

pytestmark = pytest.mark.slow

SHIPMENTS = Path(__file__).parents[3] / "shared" / "data" / "orders" / "warehouse_shipments.csv.gz"
DAY = "2013-12-02"
SEED = 2
ORDERS = 60
SCALE = 15
WITHIN_H = 0.6
VICTIMS = (
    ("dispatcher",),
    ("edge",),
    ("central",),
    ("nats",),
    ("nats", "store"),
    ("postgres",),
    ("edge", "dispatcher"),
    ("central", "postgres"),
    ("nats", "dispatcher", "edge"),
)
"""Who is killed at one time; the store is the broker's, deleted while it is dead."""
SCALE_MISSES_G, SCALE_MISSES = 6, 0.04
"""What a station's scale cannot tell apart: a piece more or less within these grams or this share is honest."""


class Floor:
    """One `floorplane up` in a folder of its own, on free ports."""

    def __init__(self, folder: Path, orders: Path) -> None:
        self.folder, self.state = folder, folder / ".floorplane"
        self.port, self.nats, self.mqtt = take(), take(), take()
        self._environment = bare_environment(NO_COLOR="1", COLUMNS="300", FLOORPLANE_ORDERS_WITHIN_H=str(WITHIN_H))
        self._args = [
            "up", "--port", str(self.port), "--nats-port", str(self.nats), "--mqtt-port", str(self.mqtt),
            "--device-port", str(take(250)), "--scale", str(SCALE), "--orders", str(orders),
        ]  # fmt: skip
        self.said = folder / "said.txt"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        with self.said.open("a") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.cli", *self._args], cwd=self.folder, env=self._environment,
                stdout=subprocess.PIPE, stderr=said, text=True, start_new_session=True,
            )  # fmt: skip
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 120)
        assert ready, self.said.read_text()
        assert "floorplane is up" in self.process.stdout.readline(), self.said.read_text()

    def end(self, sign: signal.Signals) -> float:
        """Send a signal to `up`, and return how long the end took, in seconds."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(sign)
        self.process.wait(20)
        took_s = time.monotonic() - began
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return took_s

    def command(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "deploy.cli", *args], cwd=self.folder, env=self._environment,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    # --------------------------------------------------------------------------------------------------------- killing

    def pid(self, name: str) -> int:
        """Process id of a child of `up`: one of our processes by its name, or ``nats`` or ``postgres``."""
        assert self.process is not None
        for proc in _processes():
            with contextlib.suppress(OSError, IndexError):
                parent = int((proc / "stat").read_text().rpartition(")")[2].split()[1])
                words = (proc / "cmdline").read_bytes().decode().split("\0")
                found = {"nats-server": "nats", "postgres": "postgres"}.get(Path(words[0]).name, words[-2])
                if parent == self.process.pid and found == name:
                    return int(proc.name)
        raise LookupError(name)

    def kill(self, name: str) -> int:
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def runs_again(self, name: str, before: int) -> bool:
        with contextlib.suppress(LookupError):
            return self.pid(name) != before
        return False

    def processes(self) -> list[str]:
        """Command lines of whatever runs for this folder."""
        found = []
        for proc in _processes():
            with contextlib.suppress(OSError):
                words, environment = (proc / "cmdline").read_bytes(), (proc / "environ").read_bytes()
                if words and os.fsencode(self.folder) in words + environment and int(proc.name) != os.getpid():
                    found.append(words.replace(b"\0", b" ").decode())
        return found

    # ---------------------------------------------------------------------------------------------------------- asking

    def now_ms(self) -> int:
        """Floor time."""
        return FloorTime.read(self.state / "floor_time.json").at(time.time_ns() // 1_000_000)

    def get(self, path: str, **params: Any) -> Any:
        token = json.loads((self.state / "secrets.json").read_text())["tokens"]["supervisor"]
        url = f"http://127.0.0.1:{self.port}{path}"
        answer = httpx.get(url, params=params, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def every(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """All pages of a list."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self.get(path, limit=500, **params, **({} if cursor is None else {"cursor": cursor}))
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                return found

    def acknowledged(self) -> list[str]:
        """Ids of the orders that the ERP has on its disk as taken."""
        file = self.state / "erp" / "acknowledged.jsonl"
        return [json.loads(line)["id"] for line in file.read_text().splitlines()] if file.exists() else []

    def works(self, since_ms: int) -> bool:
        """Whether a pick that was begun after a moment is done: all parts of the floor had a hand in it."""
        since = _iso(since_ms)
        done = self.every("/v1/tasks", kind="pick", state="done")
        return any(t["started_at"] is not None and t["started_at"] > since for t in done)

    def shipped(self) -> int:
        return int(self.get("/v1/stats", hours=168)["orders"].get("shipped", 0))

    def ships_more(self, than: int) -> bool:
        return self.shipped() > than


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    if not SHIPMENTS.exists():
        pytest.skip(f"the order file is not there: {SHIPMENTS}")
    it = Floor(tmp_path, _slice(tmp_path / "slice.csv"))
    yield it
    if it.process is not None:
        it.end(signal.SIGTERM)


def test_whoever_is_killed_every_acknowledged_order_ships_once(floor: Floor, record_property: Any) -> None:
    """One after the other, some together, at last `up` itself: each time the floor recovers by itself."""
    floor.start()
    eventually(lambda: floor.shipped() >= 2, "the first orders ship", 120)
    table: dict[str, float] = {}
    for victims in VICTIMS:
        at, at_ms = time.monotonic(), floor.now_ms()
        before = {name: floor.kill(name) for name in victims if name != "store"}
        if "store" in victims:
            (floor.state / "nats" / "store").rename(floor.folder / "lost")
            shutil.rmtree(floor.folder / "lost")
        what = " and ".join(victims)
        for name, pid in before.items():
            eventually(partial(floor.runs_again, name, pid), f"{name} runs again ({what} were killed)", 30)
        eventually(partial(floor.works, at_ms), f"work goes on after {what} were killed", 60)
        table[what] = round(time.monotonic() - at, 1)
        eventually(partial(floor.ships_more, floor.shipped()), f"orders ship after {what} were killed", 60)
    at = time.monotonic()
    floor.end(signal.SIGKILL)
    eventually(lambda: floor.processes() == [], "nothing survives `up`", 10)
    at_ms = floor.now_ms()
    floor.start()
    eventually(partial(floor.works, at_ms), "work goes on after `up` was killed", 60)
    table["up"] = round(time.monotonic() - at, 1)
    eventually(lambda: len(floor.acknowledged()) == ORDERS, "every order of the slice is acknowledged", 240)
    orders = floor.acknowledged()
    eventually(lambda: not _open_of(floor, orders), "every acknowledged order is closed", 240)
    _books_are_right(floor, orders)
    _floor_is_as_the_books_say(floor, orders)
    table["Ctrl-C to its end"] = round(floor.end(signal.SIGINT), 1)
    record_property("recovery_s", table)
    (floor.folder / "recovery_s.json").write_text(json.dumps(table, indent=1))
    assert table["Ctrl-C to its end"] < 5.0
    assert floor.processes() == []
    replayed = floor.command("replay", str(floor.state / "dispatcher"))
    assert replayed.returncode == 0, replayed.stderr


def _books_are_right(floor: Floor, orders: list[str]) -> None:
    """Each order was taken once and shipped once, and what was not shipped was honestly short."""
    assert floor.get("/v1/invariants") == []
    assert len(set(orders)) == len(orders) == ORDERS
    assert sorted(o["id"] for o in floor.every("/v1/orders")) == sorted(orders)
    shipments = Counter(s["order_id"] for s in floor.every("/v1/shipments"))
    for order in orders:
        detail = floor.get(f"/v1/orders/{order}")
        picked = sum(row["qty"] for row in detail["ledger"] if row["reason"] == "pick")
        has_service = any(line["kind"] == "service" for line in detail["order_lines"])
        expected = "shipped" if picked or has_service else "short"
        assert detail["state"] == expected, detail
        assert shipments[order] == (expected == "shipped")
        keys = Counter(row["key"] for row in detail["ledger"])
        assert set(keys.values()) <= {1}, keys
        of_task = Counter(row["task"] for row in detail["ledger"] if row["reason"] == "pick")
        assert set(of_task.values()) <= {1}, of_task
        left: Counter[str] = Counter()
        for row in detail["ledger"]:
            if row["reason"] == "ship":
                left[row["item"]] += row["qty"]
        wanted: Counter[str] = Counter()
        for line in detail["order_lines"]:
            assert line["done"] + line["short"] == line["qty"], line
            if line["kind"] == "stock":
                wanted[line["item"]] += line["done"]
        assert +left == +wanted, order
        for task in detail["tasks"]:
            assert task["state"] in {"done", "short", "cancelled"}, task
            assert task["state"] != "short" or task["reason"] in {"bin_empty", "wrong_weight", "wrong_count"}, task


def _floor_is_as_the_books_say(floor: Floor, orders: list[str]) -> None:
    """No two robots were in one place, and each parcel holds what was booked into its tote."""
    weights = {i.id: i.weight_g for i in read_catalogue(floor.state / "catalogue.json").items}
    truth = list(read_testimony(floor.state / "simulators" / "truth.jsonl"))
    assert [t for t in truth if isinstance(t, Violation)] == []
    packed = [t for t in truth if isinstance(t, Packed)]
    times = Counter(p.tote for p in packed)
    assert set(times.values()) == {1}, [t for t, n in times.items() if n > 1]
    inside = {p.tote: p.contents for p in packed}
    booked: dict[str, Counter[str]] = {}
    for order in orders:
        for row in floor.get(f"/v1/orders/{order}")["ledger"]:
            if row["reason"] == "pick":
                booked.setdefault(row["to"], Counter())[row["item"]] += row["qty"]
    assert sorted(booked) == sorted(inside)
    for tote, items in booked.items():
        really = inside[tote]  # type: ignore[index]  # names from JSON
        assert set(really) == set(items), tote
        for item, qty in items.items():
            off_g = abs(really[item] - qty) * weights[item]  # type: ignore[index]
            assert off_g <= max(SCALE_MISSES_G, SCALE_MISSES * qty * weights[item]), (tote, item, really[item], qty)  # type: ignore[index]


def _open_of(floor: Floor, orders: list[str]) -> list[str]:
    closed = {o["id"] for o in floor.every("/v1/orders") if o["closed_at"] is not None}
    return [o for o in orders if o not in closed]


def _slice(path: Path) -> Path:
    """Write some real orders of one day, whole and drawn by the seed, as an order file of their own."""
    with gzip.open(SHIPMENTS, "rt", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["planned_ship_date"] == DAY]
    names = sorted({row["order_ref"] for row in rows})
    chosen = set(random.Random(SEED).sample(names, ORDERS))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row for row in rows if row["order_ref"] in chosen)
    return path


def eventually(condition: Callable[[], bool], what: str, within_s: float) -> None:
    """Wait until something holds; a process that is away is no answer."""
    deadline = time.monotonic() + within_s
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if condition():
                return
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        time.sleep(0.25)


def _iso(at_ms: int) -> str:
    seconds, ms = divmod(at_ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{ms:03d}Z"


def _processes() -> list[Path]:
    return [p for p in Path("/proc").iterdir() if p.name.isdigit()]
