"""The fleet by itself against robots that are not ours: Siemens' `vda-5050-lib`, one, and fifty in one process."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.fleet_floor import LIBRARY, NODE, FleetFloor, grid

pytestmark = pytest.mark.peer
library = pytest.mark.skipif(NODE is None or not LIBRARY.is_dir(), reason=f"no node, or no {LIBRARY}")


@library
def test_a_foreign_robot_is_adopted_once_and_brings_what_is_asked(tmp_path: Path) -> None:
    """New until somebody adopts it; then it picks, drives and drops; unknown places are refused with their name."""
    layout = grid(6, 4)
    with FleetFloor(tmp_path, layout, {"IN": "0-0", "OUT": "5-3"}) as floor:
        floor.vehicles({"A1": "2-1"})
        floor.until(lambda: "A1" in floor.robots(), 20)
        assert floor.robots()["A1"]["state"] == "new"
        (alarm,) = [a for a in floor.alarms() if a["subject"] == "A1"]
        assert (alarm["severity"], "adopt" in alarm["remedy"]) == ("info", True)
        name = floor.transport("t1", "IN", "OUT", load="PAL-1")
        refused = floor.rest.post(
            "/v1/transports", json={"from": "IN", "to": "MOON"}, headers={"Idempotency-Key": "t2"}
        )
        assert (refused.status_code, "MOON" in refused.text) == (422, True)
        assert floor.rest.post("/v1/robots/A1/adopt", json={"reason": "it is ours"}).status_code == 200
        floor.until(lambda: not floor.open_transports(), 60, lambda: (floor.robots(), floor.alarms()))
        shown = floor.rest.get(f"/v1/transports/{name}").json()
        assert [s["state"] for s in shown["history"]] == ["open", "assigned", "loaded", "done"]
        robot = floor.rest.get("/v1/robots/A1").json()
        assert (robot["robot"]["version"], robot["robot"]["dialect"]) == ("2.0.0", "vda-5050-lib")
        assert floor.rest.get("/v1/robots/A1/why").json()["robot"] == "A1"
        assert [a for a in floor.alarms() if a["severity"] == "error"] == []
        # the dispatcher loses all that it knew, and central still knows whose robot it is
        shutil.rmtree(floor.folder / ".floorplane" / "dispatcher")
        os.kill(dispatcher_of(floor), signal.SIGKILL)
        again = floor.transport("t3", "OUT", "IN", load="PAL-1")
        floor.until(lambda: not floor.open_transports(), 90, lambda: (floor.robots(), floor.alarms()))
        assert floor.rest.get(f"/v1/transports/{again}").json()["state"] == "done"
        assert [r["robot"] for r in floor.rest.get("/v1/adoptions").json()["items"]] == ["A1"]


def dispatcher_of(floor: FleetFloor) -> int:
    """Return the process that `up` started as dispatcher."""
    for process in floor.started:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if parent == process.pid and b"dispatcher" in words:
                return int(folder.name)
    raise AssertionError("no dispatcher runs")


@library
@pytest.mark.slow
def test_fifty_foreign_robots_bring_two_hundred_things_and_none_is_stuck(tmp_path: Path) -> None:
    """Fifty AgvControllers in one Node process, 200 transports among 16 places, all done; no alarm is an error."""
    layout = grid(20, 16)
    stations = {f"S{k}": f"{2 + 5 * (k % 4)}-{1 + 4 * (k // 4)}" for k in range(16)}
    starts = {f"V{k:02d}": f"{2 * (k % 10)}-{3 * (k // 10) + 2}" for k in range(50)}
    with FleetFloor(tmp_path, layout, stations, "--adopt", "auto") as floor:
        floor.vehicles(starts, time_lapse=10)
        floor.until(lambda: len(floor.robots()) == 50, 30, lambda: len(floor.robots()))
        began = time.monotonic()
        names = [
            floor.transport(f"t{k}", f"S{k % 16}", f"S{(k * 7 + 3) % 16}")
            for k in range(200)
            if k % 16 != (k * 7 + 3) % 16
        ]
        more = 200 - len(names)
        names += [floor.transport(f"m{k}", f"S{k % 16}", f"S{(k + 1) % 16}") for k in range(more)]
        floor.until(
            lambda: not floor.open_transports(), 420,
            lambda: ([(t["id"], t["state"], t["robot"]) for t in floor.open_transports()], floor.alarms()[:10]),
        )  # fmt: skip
        took_s = time.monotonic() - began
        done = floor.rest.get("/v1/transports", params={"state": "done", "limit": 500}).json()["items"]
        assert sorted(t["id"] for t in done) == sorted(names)
        alarms = [a for a in floor.alarms() if a["severity"] != "info"]
        print(  # noqa: T201 - the figure of this run
            f"200 transports with 50 robots in {took_s:.0f} s, load {os.getloadavg()[0]:.1f}; alarms: {alarms[:5]}"
        )
        assert [a for a in alarms if a["cleared_at"] is None] == []
