"""Bin closed, next bin named: from a station's event on the wire to the message that names the next bin there.

AutoStore's rule for a port. Station cells and VDA 5050 twins speak over the real broker with the real `floorplane
dispatcher`; the real `floorplane central` takes orders one by one beside it, on the embedded PostgreSQL, posts every
pick and closes its work. The time runs at the station's own connection: from sending the `PickConfirmed` that ends the
last pick at a pod to hearing `NextPod` (or `PresentPod` with more from the same one). A pod after which none is on its
way has no next bin and is counted apart. `baseline` is a bare question and answer of the same sizes at QoS 1 over the
same connections, before the floor runs and beside it.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from contracts.errors import Broken, Rejected, Unavailable
from contracts.site import write_site
from deploy.bench.bounds import number, positive, seed, whole
from deploy.bench.central_stand import Connection, process
from deploy.bench.nextbin_floor import Plan, Report
from deploy.bench.nextbin_site import SLOTS, build
from deploy.bench.ports import free_ports
from deploy.embedded.nats import EmbeddedNats
from deploy.embedded.postgres import EmbeddedPostgres

_LINES, _ITEM_BINS, _PIECES = 4, 4, 100_000
_DUE = "2026-12-02T16:00:00Z"


class Visits(msgspec.Struct, frozen=True):
    """What the robots' world says."""

    pod_visits: int = 0
    violations: tuple[str, ...] = ()


def run(args: list[str]) -> dict[str, object]:
    """Run it; see `--help`."""
    parser = argparse.ArgumentParser(prog="floorplane bench nextbin", description=__doc__)
    parser.add_argument("--stations", type=whole(2, 80), default=40, help="even, 2 to 80")
    parser.add_argument("--robots-each", type=whole(1, 20), default=4, help="robots for each station")
    parser.add_argument("--seconds", type=positive, default=120.0, help="how long is measured")
    parser.add_argument("--warm", type=number(0), default=30.0, help="how long the floor runs before")
    parser.add_argument("--pick-s", type=number(0), nargs=2, default=(2.0, 4.0), help="shortest and longest pick")
    parser.add_argument("--orders-per-s", type=positive, default=4.0, help="orders that the ERP sends meanwhile")
    parser.add_argument("--seed", type=seed, default=1)
    o = parser.parse_args(args)
    if o.stations % 2 or not 2 <= o.stations <= 80:
        raise Rejected("--stations", o.stations, "an even number from 2 to 80")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="floorplane-nextbin-") as name:
        found = _Bench(Path(name), o).measure()
    return {**found, "load_average_1m_before": round(load, 2)}


class _Bench:
    """The processes of one run, in a folder."""

    def __init__(self, folder: Path, o: argparse.Namespace) -> None:
        self._folder, self._o = folder, o
        self._site = build(o.stations, o.stations * o.robots_each)
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._rng = random.Random(f"{o.seed}/nextbin")
        self._items = [f"item{n:04d}" for n in range(len(self._site.pods) * 8 // _ITEM_BINS)]
        self._orders = self._refused = 0

    def measure(self) -> dict[str, object]:
        folder, o = self._folder, self._o
        write_site(self._site, folder / "site.json")
        (port,) = free_ports(1)
        with (
            EmbeddedPostgres(folder / "postgres") as postgres,
            EmbeddedNats(folder / "nats", *free_ports(2)) as nats,
        ):
            plan = Plan(nats.mqtt_url, len(self._site.robots), tuple(o.pick_s), o.seed)
            (folder / "plan.json").write_bytes(msgspec.json.encode(plan))
            common = {"site": folder / "site.json", "nats-url": nats.url, "log-level": "warning"}
            central = common | {"database-url": postgres.url(), "secrets": folder / "secrets.json", "port": port}
            brain = common | {"mqtt-url": nats.mqtt_url, "state": folder}
            try:
                self._play("echo")
                self._play("cells")
                self._until((folder / "bare.json").exists, 120)
                with process(_command("central", central)):
                    erp = Connection("127.0.0.1", port, _token(folder))
                    asyncio.run(self._fill(erp))
                    with process(_command("dispatcher", brain)):
                        self._play("robots")
                        self._until((folder / "robots.json").exists, 120)  # whoever stands somewhere has said so
                        (folder / "drive").touch()
                        begun_ns, ended_ns = asyncio.run(self._feed(erp))
                        (folder / "robots.json").unlink()
                        (folder / "stop").touch()
                        self._until(lambda: all((folder / f).exists() for f in ("report.json", "robots.json")), 60)
            finally:
                for one in self._started.values():
                    one.kill()
                    one.wait()
        return self._evaluate(begun_ns, ended_ns)

    # ------------------------------------------------------------------------------------------------------ the load

    async def _fill(self, erp: Connection) -> None:
        """Lay every item into four bins of four pods."""
        await erp.open()
        bins = [b.id for k in range(8) for b in (p.bins[k] for p in self._site.pods)]
        items = [
            {"id": i, "barcode": f"98{n:011d}", "weight_g": 100, "volume_ml": 200, "category": "Spare"}
            for n, i in enumerate(self._items)
        ]
        stock = [
            {
                "place": bin_,
                "item": self._items[n % len(self._items)],
                "qty": _PIECES,
                "reason": "opening",
                "key": f"o/{n}",
            }
            for n, bin_ in enumerate(bins)
        ]
        for path, rows in (("/v1/items:bulk", items), ("/v1/stock:bulk", stock)):
            await self._bulk(erp, path, rows)
        await erp.close()

    @staticmethod
    async def _bulk(erp: Connection, path: str, rows: Sequence[Mapping[str, object]]) -> None:
        body = b"\n".join(map(msgspec.json.encode, rows))
        answer = await erp.send("POST", path, body, {"Idempotency-Key": path})
        if answer.status != 200 or b'"refused"' in answer.body:
            raise Unavailable(f"{path}: {answer.status} {answer.body[:300]!r}")

    def _order(self) -> dict[str, object]:
        self._orders += 1
        chosen = self._rng.sample(self._items, _LINES)
        lines = [{"line": k, "item": item, "qty": self._rng.randint(1, 3)} for k, item in enumerate(chosen, 1)]
        return {"ref": f"N{self._orders}", "due": _DUE, "lines": lines}

    async def _feed(self, erp: Connection) -> tuple[int, int]:
        """Give every station orders, and send more while the floor runs; returns begin and end (monotonic ns)."""
        await erp.open()
        await self._bulk(erp, "/v1/orders:bulk", [self._order() for _ in range(self._o.stations * SLOTS * 2)])
        begun = time.monotonic()
        end = begun + self._o.warm + self._o.seconds
        sent = 0
        while time.monotonic() < end:
            await asyncio.sleep(max(0.0, begun + sent / self._o.orders_per_s - time.monotonic()))
            sent += 1
            order = self._order()
            headers = {"Idempotency-Key": str(order["ref"]), "Content-Type": "application/json"}
            answer = await erp.send("POST", "/v1/orders", msgspec.json.encode(order), headers)
            self._refused += answer.status != 201
            self._watch()
        await erp.close()
        return round((begun + self._o.warm) * 1e9), time.monotonic_ns()

    # -------------------------------------------------------------------------------------------------- the processes

    def _play(self, role: str) -> None:
        with (self._folder / f"{role}.txt").open("ab") as log:
            command = [sys.executable, "-m", "deploy.bench.nextbin_floor", str(self._folder), role]
            self._started[role] = subprocess.Popen(command, stdout=log, stderr=log)

    def _watch(self) -> None:
        for role, one in self._started.items():
            if one.poll() not in {None, 0}:
                said = (self._folder / f"{role}.txt").read_text()
                raise Broken(f"benchmark nextbin: {role} ended with {one.returncode}: {said[-2000:]}")

    def _until(self, holds: Callable[[], bool], within_s: float) -> None:
        end = time.monotonic() + within_s
        while not holds():
            self._watch()
            if time.monotonic() > end:
                raise Unavailable(f"benchmark nextbin: its processes were not ready within {within_s:g} s")
            time.sleep(0.1)

    # -------------------------------------------------------------------------------------------------------- figures

    def _evaluate(self, begun_ns: int, ended_ns: int) -> dict[str, object]:
        report = msgspec.json.decode((self._folder / "report.json").read_bytes(), type=Report)
        visits = msgspec.json.decode((self._folder / "robots.json").read_bytes(), type=Visits)
        bare = msgspec.json.decode((self._folder / "bare.json").read_bytes(), type=list[int])
        within = [s for s in report.samples if begun_ns <= s.closed_ns < ended_ns - 1_000_000_000]
        how = Counter(s.how for s in within)
        took = [s.named_ns - s.closed_ns for s in within if s.how in {"next_pod", "present_pod"}]
        if not took:
            raise Broken(f"benchmark nextbin: no pod was done in the time: {how}, {visits}")
        p99, baseline = _ms(took, 99), _ms(bare, 99)
        return {
            "stations": self._o.stations, "robots": len(self._site.robots), "seconds": self._o.seconds,
            "p50_ms": _ms(took, 50), "p95_ms": _ms(took, 95), "p99_ms": p99, "max_ms": _ms(took, 100),
            "measured": len(took),
            "named_by": {"next_pod": how["next_pod"], "present_pod": how["present_pod"]},
            "no_pod_under_way": how["nothing"],
            "never_named": how["open"],
            "stations_measured": len({s.station for s in within}),
            "pods_done_per_s": round(len(within) / self._o.seconds, 2),
            "picks": report.picks, "totes_packed": report.packed, "events_sent_again": report.resent,
            "orders": self._orders, "orders_refused": self._refused, "violations": list(visits.violations),
            "baseline": {
                "what": "a bare question and answer of the same sizes at QoS 1 over the same broker and connections",
                "measured": len(bare), "p50_ms": _ms(bare, 50), "p99_ms": baseline,
                "beside_the_load_p50_ms": _ms(report.beside_ns, 50),
                "beside_the_load_p99_ms": _ms(report.beside_ns, 99),
                "ratio_p99": round(p99 / baseline, 2),
            },
        }  # fmt: skip


def _ms(took_ns: Sequence[int], q: float) -> float:
    return round(float(np.percentile(np.asarray(took_ns), q)) / 1e6, 3)


def _command(name: str, flags: dict[str, object]) -> list[str]:
    return [sys.executable, "-m", "deploy.cli", name, *(f"--{k}={v}" for k, v in flags.items())]


def _token(folder: Path) -> str:
    secrets = msgspec.json.decode((folder / "secrets.json").read_bytes())
    token: str = secrets["tokens"]["erp"]
    return token
