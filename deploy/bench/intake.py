"""Order intake over real HTTP: orders a second one by one and lines a second in bulk, reservations included.

Central is a process of its own, on the embedded PostgreSQL with fsync on, with a real log behind its relay. The
baseline is a FastAPI route that only validates the same bodies, served by the same server on the same machine.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import quantiles
from typing import Any

import msgspec
import uvloop
from fastapi import FastAPI

from central.invariants import violations
from central.orders.model import OrderIn, OrderTaken
from central.serve import HttpServer
from contracts.runtime import service
from deploy.bench.bounds import seed, whole
from deploy.bench.central_stand import Connection, Stand, process, standing
from deploy.bench.ports import free_ports

_DUE = "2026-12-02T16:00:00Z"
Send = Callable[[Connection, int], Awaitable[tuple[int, float]]]


def run(args: list[str]) -> dict[str, object]:
    """Measure central, then the baseline; see `--help`."""
    parser = argparse.ArgumentParser(prog="floorplane bench intake", description=__doc__)
    parser.add_argument("--orders", type=whole(1), default=5_000, help="orders one by one, and as many again in bulk")
    parser.add_argument("--clients", type=whole(1, 256), default=8, help="connections that send at the same time")
    parser.add_argument("--lines", type=whole(1, 500), default=5, help="lines of an order")
    parser.add_argument("--bulk-orders", type=whole(1, 100_000), default=500, help="orders of one bulk request")
    parser.add_argument("--connections", type=whole(1, 64), default=8, help="database connections of central")
    parser.add_argument("--seed", type=seed, default=1)
    o = parser.parse_args(args)
    with standing({"database_connections": o.connections}) as stand:
        bodies = orders(stand.items, o.orders, o.lines, o.seed)
        single = _measure(stand, bodies, o.clients)
        bulk_lines_per_s, bulk_errors = _measure_bulk(stand, bodies, o.bulk_orders, o.lines, o.clients)
        bad = len(asyncio.run(violations(stand.database_url)))
    baseline = _baseline(bodies, o.clients)
    return {
        "orders_per_s": single["per_s"],
        "bulk_lines_per_s": bulk_lines_per_s,
        "p50_ms": single["p50_ms"],
        "p99_ms": single["p99_ms"],
        "errors": single["errors"] + bulk_errors,
        "invariant_violations": bad,
        "orders": o.orders, "clients": o.clients, "lines_per_order": o.lines, "bulk_orders": o.bulk_orders,
        "baseline": {
            "what": "a FastAPI route that only validates the same bodies, same server, same clients",
            "orders_per_s": baseline["per_s"],
            "p99_ms": baseline["p99_ms"],
            "ratio": round(single["per_s"] / baseline["per_s"], 3),
        },
    }  # fmt: skip


def orders(items: Sequence[str], count: int, lines: int, seed: int) -> list[dict[str, Any]]:
    """Draw orders whose items follow a long tail: some are in many orders, most in few."""
    rng = random.Random(f"{seed}/intake")
    weights = [1 / (rank + 20) for rank in range(len(items))]
    return [
        {
            "ref": f"one-{n}",
            "due": _DUE,
            "lines": [
                {"line": k, "item": item, "qty": rng.randint(1, 4)}
                for k, item in enumerate(rng.choices(items, weights, k=lines), 1)
            ],
        }
        for n in range(count)
    ]


def _measure(stand: Stand, bodies: list[dict[str, Any]], clients: int, path: str = "/v1/orders") -> dict[str, Any]:
    encoded = [msgspec.json.encode(b) for b in bodies]

    async def send(connection: Connection, n: int) -> tuple[int, float]:
        headers = {"Idempotency-Key": f"one-{n}", "Content-Type": "application/json"}
        answer = await connection.send("POST", path, encoded[n], headers)
        return answer.status, answer.took_s

    wall, taken = uvloop.run(_drive(stand, send, len(encoded), clients))
    cuts = quantiles((t for _, t in taken), n=100)
    print(f"intake: {len(encoded)} orders in {wall:.1f} s at {path}", file=sys.stderr)
    return {
        "per_s": round(len(encoded) / wall, 1),
        "p50_ms": round(cuts[49] * 1e3, 2),
        "p99_ms": round(cuts[98] * 1e3, 2),
        "errors": sum(status != 201 for status, _ in taken),
    }


def _measure_bulk(stand: Stand, bodies: list[dict[str, Any]], size: int, lines: int, clients: int) -> tuple[float, int]:
    again = [msgspec.json.encode(b | {"ref": f"bulk-{n}"}) for n, b in enumerate(bodies)]
    requests = [again[n : n + size] for n in range(0, len(again), size)]

    async def send(connection: Connection, n: int) -> tuple[int, float]:
        headers = {"Idempotency-Key": f"bulk-{n}", "Content-Type": "application/x-ndjson"}
        answer = await connection.send("POST", "/v1/orders:bulk", b"\n".join(requests[n]), headers)
        return answer.body.count(b'"outcome":"created"') - len(requests[n]), answer.took_s

    wall, taken = uvloop.run(_drive(stand, send, len(requests), clients))
    print(f"intake: {len(again)} orders in bulk in {wall:.1f} s", file=sys.stderr)
    return round(len(again) * lines / wall, 1), -sum(missing for missing, _ in taken)


async def _drive(stand: Stand, send: Send, count: int, clients: int) -> tuple[float, list[tuple[int, float]]]:
    connections = [Connection(stand.host, stand.port, stand.tokens["erp"]) for _ in range(clients)]
    for c in connections:
        await c.open()
    numbers, taken = iter(range(count)), []

    async def client(connection: Connection) -> None:
        for n in numbers:
            taken.append(await send(connection, n))  # noqa: PERF401 - several clients fill it

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for n, c in enumerate(connections):
            group.create_task(client(c), name=f"client-{n}")
    wall = time.perf_counter() - began
    for c in connections:
        await c.close()
    return wall, taken


def _baseline(bodies: list[dict[str, Any]], clients: int) -> dict[str, Any]:
    (port,) = free_ports(1)
    with process([sys.executable, "-m", "deploy.bench.intake", str(port)]):
        stand = Stand("127.0.0.1", port, "", {"erp": "none"}, ())
        return _measure(stand, bodies, clients)


def _validating_only() -> FastAPI:
    app = FastAPI()

    @app.post("/v1/orders", status_code=201)
    async def post(order: OrderIn) -> OrderTaken:
        return OrderTaken(id=order.ref, source="", ref=order.ref, state="", due=order.due, lines=[], totes=0, short=0)

    return app


if __name__ == "__main__":
    from collections.abc import AsyncIterator
    from contextlib import asynccontextmanager

    from deploy.process import Readiness

    @asynccontextmanager
    async def _assemble() -> AsyncIterator[tuple[HttpServer, Readiness]]:
        server = HttpServer(_validating_only(), port=int(sys.argv[1]))
        yield (server, Readiness([server]))

    sys.exit(service.run_process(_assemble))
