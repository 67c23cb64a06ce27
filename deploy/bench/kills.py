"""SIGKILL of the database under load: what was acknowledged and is gone, what is there twice, how soon it works again.

The real `floorplane central` on the embedded PostgreSQL (fsync on). ERP clients and a dispatcher, in a process of their
own, write each acknowledgement to their disk; they repeat what is not answered. Each kill is of the server's first
process, with no warning; whoever supervises starts it again at once. The time runs from the kill to the first answer
to a request that was sent after it. `baseline` is the same kill of the same server with nobody at work: until it
answers `SELECT 1`.
"""

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import msgspec

from central.database import dsn
from central.invariants import violations
from contracts.errors import Broken, Unavailable
from contracts.site import read_site, write_site
from deploy.bench.bounds import number, seed, whole
from deploy.bench.central_stand import Connection, process
from deploy.bench.kills_clients import Done, Plan
from deploy.bench.ports import free_ports
from deploy.embedded.nats import EmbeddedNats
from deploy.embedded.postgres import EmbeddedPostgres
from simulators.catalogue import Catalogue
from simulators.site import build

_ITEMS, _PIECES = 40, 20_000
_BARE_KILLS = 3
_PICKED = frozenset({"pick", "late_pick"})
"""Late: the order was cancelled meanwhile; the books follow the floor all the same."""
_RECOVERS_S, _ENDS_S = 60.0, 180.0


def run(args: list[str]) -> dict[str, object]:
    """Run it; see `--help`."""
    parser = argparse.ArgumentParser(prog="floorplane bench kills", description=__doc__)
    parser.add_argument("--times", type=whole(1), default=20, help="how often the database is killed")
    parser.add_argument("--clients", type=whole(1, 256), default=8, help="ERP connections at work")
    parser.add_argument("--between-s", type=number(0), nargs=2, default=(0.5, 2.0), help="work between two kills")
    parser.add_argument("--seed", type=seed, default=1)
    o = parser.parse_args(args)
    with tempfile.TemporaryDirectory(prefix="floorplane-kills-") as name:
        return _Bench(Path(name), o).measure()


class _Bench:
    """One run, in a folder."""

    def __init__(self, folder: Path, o: argparse.Namespace) -> None:
        self._folder, self._o, self._rng = folder, o, random.Random(f"{o.seed}/kills")
        self._postgres = EmbeddedPostgres(folder / "postgres")
        self._book = folder / "acknowledged.jsonl"
        self._clients: subprocess.Popen[bytes]

    def measure(self) -> dict[str, object]:
        folder = self._folder
        write_site(build(1, Catalogue.seeded(1)), folder / "site.json")
        site = read_site(folder / "site.json")
        (port,) = free_ports(1)
        with self._postgres, EmbeddedNats(folder / "nats", *free_ports(2)) as nats:
            flags = {
                "site": folder / "site.json", "nats-url": nats.url, "database-url": self._postgres.url(),
                "secrets": folder / "secrets.json", "port": port, "log-level": "error",
            }  # fmt: skip
            with process([sys.executable, "-m", "deploy.cli", "central", *(f"--{k}={v}" for k, v in flags.items())]):
                secrets = msgspec.json.decode((folder / "secrets.json").read_bytes())
                bins = tuple(b.id for p in site.pods[:_ITEMS] for b in p.bins[:2])
                items = tuple(f"item{n:03d}" for n in range(_ITEMS))
                plan = Plan(
                    "127.0.0.1", port, secrets["tokens"]["erp"], nats.url, site.id, self._o.clients, items, bins,
                    self._o.seed,
                )  # fmt: skip
                bare = [self._kill_bare() for _ in range(_BARE_KILLS)]
                asyncio.run(self._fill(plan))
                (folder / "plan.json").write_bytes(msgspec.json.encode(plan))
                kills = self._kill_under_load()
                found = asyncio.run(self._compare())
        return self._told(kills, bare, found)

    # ------------------------------------------------------------------------------------------------------ the kills

    def _kill_bare(self) -> float:
        """Kill the server while nobody works, and return the seconds until it answers again."""
        began = time.monotonic()
        self._kill()
        self._postgres.start()
        self._postgres.query("SELECT 1")
        return time.monotonic() - began

    def _kill(self) -> int:
        """Kill the server's first process; returns when (monotonic ns)."""
        pid = self._postgres.pid
        if pid is None:
            raise Broken("benchmark kills: the database does not run")
        at_ns = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        while self._postgres.pid is not None:
            time.sleep(0.001)
        return at_ns

    def _kill_under_load(self) -> list[int]:
        kills: list[int] = []
        with (self._folder / "clients.txt").open("ab") as log:
            command = [sys.executable, "-m", "deploy.bench.kills_clients", str(self._folder)]
            self._clients = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            self._until(lambda: len(self._acknowledged()) > 20, "the first acknowledgements")
            for n in range(self._o.times):
                time.sleep(self._rng.uniform(*self._o.between_s))
                kills.append(self._kill())
                self._postgres.start()
                self._until(lambda: self._answers_after(kills[-1]), f"work after kill {n + 1}")
            time.sleep(self._rng.uniform(*self._o.between_s))
            (self._folder / "stop").touch()
            self._until((self._folder / "over").exists, "the clients' end", _ENDS_S)
            self._clients.wait(10)
        finally:
            if self._clients.poll() is None:
                self._clients.kill()
                self._clients.wait()
        return kills

    def _answers_after(self, at_ns: int) -> bool:
        return any(d.sent_ns > at_ns and d.kind != "pick" for d in self._acknowledged())

    def _acknowledged(self) -> list[Done]:
        if not self._book.exists():
            return []
        whole = self._book.read_bytes().rpartition(b"\n")[0]
        return [msgspec.json.decode(line, type=Done) for line in whole.splitlines()]

    def _until(self, holds: Callable[[], bool], what: str, within_s: float = _RECOVERS_S) -> None:
        end = time.monotonic() + within_s
        while not holds():
            if self._clients.poll() not in {None, 0}:
                said = (self._folder / "clients.txt").read_text()[-2000:]
                raise Broken(f"benchmark kills: the clients ended: {said}")
            if time.monotonic() > end:
                raise Unavailable(f"benchmark kills: {what} did not come within {within_s:g} s")
            time.sleep(0.02)

    # ------------------------------------------------------------------------------------------------------ the books

    async def _fill(self, plan: Plan) -> None:
        erp = Connection(plan.host, plan.port, plan.token)
        await erp.open()
        items = [{"id": i, "weight_g": 10, "volume_ml": 10, "category": "Spare"} for i in plan.items]
        stock = [
            {"place": b, "item": plan.items[n % len(plan.items)], "qty": _PIECES, "reason": "opening", "key": f"o/{n}"}
            for n, b in enumerate(plan.bins)
        ]
        for path, rows in (("/v1/items:bulk", items), ("/v1/stock:bulk", stock)):
            body = b"\n".join(map(msgspec.json.encode, rows))
            end = time.monotonic() + _RECOVERS_S
            while (answer := await erp.send("POST", path, body, {"Idempotency-Key": path})).status == 503:
                if time.monotonic() > end:  # the bare kills were a moment ago
                    raise Unavailable(f"{path}: {answer.body[:300]!r}")
                await asyncio.sleep(0.05)
            if answer.status != 200 or b'"refused"' in answer.body:
                raise Unavailable(f"{path}: {answer.status} {answer.body[:300]!r}")
        await erp.close()

    async def _compare(self) -> dict[str, Any]:
        """Hold the clients' own books against the database."""
        done = self._acknowledged()
        by = {k: [d for d in done if d.kind == k] for k in ("order", "booking", "cancel", "pick")}
        connection = await asyncpg.connect(dsn(self._postgres.url()))
        try:
            orders = {r["id"]: r for r in await connection.fetch("SELECT id, state FROM orders")}
            moves = await connection.fetch("SELECT key, qty, reason, task FROM ledger")
            lines = await connection.fetchval("SELECT count(*) - count(DISTINCT (order_id, line)) FROM order_line")
            events = await connection.fetchval(
                "SELECT count(*) - count(DISTINCT subject) FROM event WHERE type = 'floorplane.order.received'"
            )
            # taken for a cancelled order out of a bin whose pieces were promised anew: a person was told to look
            told = {r["key"].partition("/")[2] for r in await connection.fetch("SELECT key FROM alarm")}
            held = await connection.fetchval(
                "SELECT sum(s.qty) FROM stock s JOIN place p ON p.code = s.place AND p.kind = 'bin'"
            )
        finally:
            await connection.close()
        booked = Counter(r["key"].rpartition("/")[2] for r in moves if r["reason"] == "found")
        picked = Counter(r["task"] for r in moves if r["reason"] in _PICKED)
        lost = {
            "orders": sum(d.name not in orders for d in by["order"]),
            "bookings": sum(not booked[d.name] for d in by["booking"]),
            "cancels": sum(
                d.qty > 0 and orders[d.name]["state"] != "cancelled" and not _going_on(d, moves) for d in by["cancel"]
            ),
            "picks": sum(not picked[d.name] and d.name not in told for d in by["pick"]),
        }
        twice = {
            "moves": sum(n - 1 for n in Counter(r["key"] for r in moves).values()),
            "bookings": sum(n - 1 for n in booked.values()),
            "picks": sum(n - 1 for n in picked.values()),
            "order_lines": lines,
            "order_events": events,
        }
        # every request was repeated until it was answered: nothing may be there that nobody acknowledged
        extra = {
            "orders": len(orders) - len({d.name for d in by["order"]}),
            "bookings": len(booked) - len({d.name for d in by["booking"]}),
            "pieces": held
            - _PIECES * _ITEMS * 2
            - sum(d.qty for d in by["booking"])
            + sum(r["qty"] for r in moves if r["reason"] in _PICKED),
        }
        return {
            "lost": lost, "duplicated": twice, "unexplained": extra, "acknowledged": {k: len(v) for k, v in by.items()},
            "repeated": sum(d.attempts > 1 for d in done),
            "invariant_violations": len(await violations(self._postgres.url())),
        }  # fmt: skip

    def _told(self, kills: list[int], bare: list[float], found: dict[str, Any]) -> dict[str, object]:
        asked = [d for d in self._acknowledged() if d.kind != "pick"]
        back = [min(d.answered_ns for d in asked if d.sent_ns > k) / 1e9 - k / 1e9 for k in kills]
        return {
            "times": len(kills), "clients": self._o.clients,
            "lost": sum(found["lost"].values()), "duplicated": sum(found["duplicated"].values()),
            "unexplained": sum(map(abs, found["unexplained"].values())),
            "invariant_violations": found["invariant_violations"],
            "back_s": {"median": round(median(back), 3), "max": round(max(back), 3)},
            "back_within_5_s": sum(b <= 5 for b in back),
            "acknowledged": found["acknowledged"], "repeated": found["repeated"],
            "detail": {k: found[k] for k in ("lost", "duplicated", "unexplained")},
            "baseline": {
                "what": "the same kill with nobody at work, until the server itself answers SELECT 1",
                "times": len(bare), "median_s": round(median(bare), 3), "max_s": round(max(bare), 3),
                "ratio": round(median(back) / median(bare), 2),
            },
        }  # fmt: skip


def _going_on(cancelled: Done, moves: list[Any]) -> bool:
    """Whether an order that was cancelled in part had a pick done: it goes on with that."""
    return any(r["task"] is not None and f"-T-{cancelled.name}-" in r["task"] for r in moves)
