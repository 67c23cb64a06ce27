"""Postings a second through central's own statements, one by one and in batches; reservations that may not oversell.

The database is the embedded PostgreSQL with fsync on. The baseline are the same postings in bare SQL through asyncpg:
one statement for the key, the stock row and the ledger row each, in one transaction, with no checks of what is booked.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

import asyncpg
import msgspec
import uvloop

from central.database import Database, dsn
from central.invariants import violations
from central.migrate import migrate
from deploy.bench.bounds import seed, whole
from deploy.embedded.postgres import EmbeddedPostgres

_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
_ITEMS, _BINS = 500, 1_000
_OPENING = 100_000
_UNITS, _ATTEMPTS = 10_000, 12_000
_BARE = (
    "INSERT INTO posted VALUES ($1)",
    (
        "UPDATE stock SET qty = qty + $1 WHERE place = $2 AND item = $3 AND lot = '' AND owner = '' AND status = 'ok'"
        " AND qty - reserved >= -$1::integer"
    ),
    "INSERT INTO ledger (at, a, b, item, qty, reason, actor, key) VALUES ($1, $2, $3, $4, $5, 'bench', 'bench', $6)",
)


def run(args: list[str]) -> dict[str, object]:
    """Measure; see `--help`."""
    parser = argparse.ArgumentParser(prog="floorplane bench ledger", description=__doc__)
    parser.add_argument(
        "--postings", type=whole(1), default=50_000, help="in batches; a fifth of them one by one as well"
    )
    parser.add_argument("--clients", type=whole(1, 256), default=16, help="connections that post at the same time")
    parser.add_argument("--batch", type=whole(1), default=100, help="postings of a batch")
    parser.add_argument("--seed", type=seed, default=1)
    o = parser.parse_args(args)
    folder = Path(tempfile.mkdtemp(prefix="floorplane-ledger-"))
    try:
        with EmbeddedPostgres(folder / "postgres") as server:
            return uvloop.run(_measure(server.url(), o.postings, o.clients, o.batch, o.seed))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _measure(url: str, postings: int, clients: int, batch: int, seed: int) -> dict[str, object]:
    await migrate(url)
    database = Database(url, connections=clients)
    await database.open()
    await database.read("SELECT make_partitions($1)", _AT)
    await _lay(database)
    lines = _lines(postings, seed)
    single = lines[: max(postings // 5, clients)]
    one = await _drive("one by one", [[x] for x in single], clients, lambda rows: _book(database, "one", rows))
    batches = [lines[n : n + batch] for n in range(0, len(lines), batch)]
    many = await _drive("in batches", batches, clients, lambda rows: _book(database, "many", rows))
    oversold, attempts_per_s = await _oversell(database, clients)
    await database.close()
    bare, bare_many = await _baseline(url, single, batches, clients)
    bad = await violations(url)
    return {
        "postings_per_s": one["per_s"],
        "batch_postings_per_s": many["per_s"],
        "p50_ms": one["p50_ms"],
        "p99_ms": one["p99_ms"],
        "oversold": oversold,
        "reservations_per_s": attempts_per_s,
        "invariant_violations": len(bad),
        "errors": one["errors"] + many["errors"],
        "postings": postings, "clients": clients, "batch": batch,
        "baseline": {
            "what": "the same postings in bare SQL through asyncpg: key, stock row and ledger row in one transaction",
            "postings_per_s": bare["per_s"],
            "p99_ms": bare["p99_ms"],
            "ratio": round(one["per_s"] / bare["per_s"], 2),
            "batch_postings_per_s": bare_many["per_s"],
            "batch_ratio": round(many["per_s"] / bare_many["per_s"], 2),
        },
    }  # fmt: skip


async def _lay(database: Database) -> None:
    """Lay bins, items and an opening stock that no posting can use up."""
    await database.write(
        "INSERT INTO place (code, kind) SELECT 'B' || to_char(n, 'FM0000'), 'bin' FROM generate_series(1, $1) n",
        _BINS,
    )
    await database.write(
        "INSERT INTO item (id, kind, barcode, name, weight_g, volume_ml, category, product_line)"
        " SELECT format('item%s', to_char(n, 'FM0000')), 'stock', '', '', 1, 1, '', '' FROM generate_series(0, $1) n",
        _ITEMS,
    )
    opening = [
        {
            "n": n,
            "place": f"B{n:04d}",
            "item": f"item{n % _ITEMS:04d}",
            "qty": _OPENING,
            "reason": "opening",
            "key": f"o{n}",
        }
        for n in range(1, _BINS + 1)
    ]
    opening.append(
        {"n": 0, "place": "B0001", "item": f"item{_ITEMS:04d}", "qty": _UNITS, "reason": "opening", "key": "o0"}
    )
    rows = await database.write(
        "SELECT * FROM book($1, 'bench', $2::jsonb)", _AT, msgspec.json.encode(opening).decode()
    )
    if {r["outcome"] for r in rows} != {"posted"}:
        raise AssertionError({r["outcome"] for r in rows})


def _lines(count: int, seed: int) -> list[dict[str, Any]]:
    """Bookings in and out of bins, some of which are asked for far more often than others."""
    rng = random.Random(f"{seed}/ledger")
    bins = rng.choices(range(1, _BINS + 1), [1 / (k + 20) for k in range(_BINS)], k=count)
    return [
        {
            "n": n,
            "place": f"B{b:04d}",
            "item": f"item{b % _ITEMS:04d}",
            "qty": rng.choice((-3, -2, -1, 1, 2, 3)),
            "reason": "bench",
        }
        for n, b in enumerate(bins)
    ]


async def _book(database: Database, how: str, rows: Sequence[dict[str, Any]]) -> int:
    keyed = [r | {"key": f"{how}/{r['n']}"} for r in rows]
    found = await database.write("SELECT * FROM book($1, 'bench', $2::jsonb)", _AT, msgspec.json.encode(keyed).decode())
    return sum(r["outcome"] != "posted" for r in found)


async def _drive(
    what: str, work: Sequence[Sequence[Any]], clients: int, post: Callable[[Any], Awaitable[int]]
) -> dict[str, Any]:
    waiting, took, errors = iter(work), [], 0

    async def client() -> None:
        nonlocal errors
        for rows in waiting:
            began = time.perf_counter()
            refused = await post(rows)
            errors += refused
            took.append(time.perf_counter() - began)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for n in range(clients):
            group.create_task(client(), name=f"client-{n}")
    wall = time.perf_counter() - began
    count = sum(map(len, work))
    print(f"ledger: {count} postings {what} in {wall:.1f} s", file=sys.stderr)
    cuts = quantiles(took, n=100)
    return {
        "per_s": round(count / wall, 1), "p50_ms": round(cuts[49] * 1e3, 2), "p99_ms": round(cuts[98] * 1e3, 2),
        "errors": errors,
    }  # fmt: skip


async def _oversell(database: Database, clients: int) -> tuple[int, float]:
    """Try to reserve more units than there are, one each; what is reserved beyond the stock was oversold."""
    item, got = f"item{_ITEMS:04d}", 0

    async def attempt(_: Any) -> int:
        nonlocal got
        rows = await database.write("SELECT * FROM reserve($1, 1)", item)
        got += len(rows)
        return 0

    driven = await _drive("reserved", [[n] for n in range(_ATTEMPTS)], clients, attempt)
    rows = await database.read("SELECT sum(qty) AS qty, sum(reserved) AS reserved FROM stock WHERE item = $1", item)
    oversold = max(0, got - _UNITS) + max(0, rows[0]["reserved"] - rows[0]["qty"])
    # claims without a task behind them are given back, so that the invariants see what the postings left
    await database.write("UPDATE stock SET reserved = 0 WHERE item = $1", item)
    return oversold, driven["per_s"]


async def _baseline(
    url: str, single: Sequence[dict[str, Any]], batches: Sequence[Sequence[dict[str, Any]]], clients: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    pool = await asyncpg.create_pool(dsn(url), min_size=clients, max_size=clients)

    async def post(prefix: str, rows: Sequence[dict[str, Any]]) -> int:
        ordered = sorted(rows, key=lambda r: (r["item"], r["place"]))
        async with pool.acquire() as connection, connection.transaction():
            await connection.executemany(_BARE[0], [(f"{prefix}/{r['n']}",) for r in ordered])
            await connection.executemany(_BARE[1], [(r["qty"], r["place"], r["item"]) for r in ordered])
            await connection.executemany(_BARE[2], [_move(r, prefix) for r in ordered])
        return 0

    bare = await _drive("in bare SQL, one by one", [[x] for x in single], clients, lambda rows: post("bare", rows))
    many = await _drive("in bare SQL, in batches", batches, clients, lambda rows: post("bare-many", rows))
    await pool.close()
    return bare, many


def _move(row: dict[str, Any], prefix: str) -> tuple[object, ...]:
    a, b = ("adjustment", row["place"]) if row["qty"] > 0 else (row["place"], "adjustment")
    return _AT, a, b, row["item"], abs(row["qty"]), f"{prefix}/{row['n']}"
