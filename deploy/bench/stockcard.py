"""The card of an item and the stock of a past day, over REST, of a ledger of millions of moves.

Central is a process of its own on the embedded PostgreSQL. Figures are medians over many items and days; `p99` beside
them. The baseline are the same questions without what central keeps for them: the sum of all moves up to the day, and
the bare SQL of the card through asyncpg, without HTTP.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles

import asyncpg
import uvloop

from central.database import dsn
from contracts.errors import Unavailable
from deploy.bench.bounds import seed, whole
from deploy.bench.central_stand import Connection, Stand, standing

_ITEMS, _BINS_EACH, _MONTHS = 10_000, 3, 24
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
_END = datetime(2026, 1, 1, tzinfo=UTC)
_LAY = """
INSERT INTO place (code, kind) SELECT 'B' || n, 'bin' FROM generate_series(0, $1::integer * $2::integer - 1) n
"""
_KNOW = """
INSERT INTO item (id, kind, barcode, name, weight_g, volume_ml, category, product_line)
SELECT 'item' || n, 'stock', '', '', 1, 1, '', '' FROM generate_series(0, $1::integer - 1) n
"""
_MOVE = """
INSERT INTO ledger (at, a, b, item, qty, reason, actor, key)
SELECT $1::timestamptz + n * $2::interval,
       CASE WHEN opens THEN 'supplier' ELSE 'B' || item * each + n % each END,
       CASE WHEN opens THEN 'B' || n WHEN n % 5 = 0 THEN 'customer' ELSE 'B' || item * each + (n + 1) % each END,
       'item' || item, CASE WHEN opens THEN 1000000 ELSE 1 + n % 3 END, CASE WHEN opens THEN 'opening' ELSE 'bench' END,
       'bench', 'm' || n
FROM (SELECT n, each, n < items * each AS opens,
             CASE WHEN n < items * each THEN n / each ELSE n * 7919 % items END AS item
      FROM generate_series($5::bigint, $6::bigint - 1) n, (SELECT $3::bigint AS items, $4::bigint AS each) c) x
"""
_SUM = """
INSERT INTO stock (place, item, qty)
SELECT place, item, sum(qty)
FROM (SELECT b AS place, item, qty FROM ledger UNION ALL SELECT a, item, -qty FROM ledger) m
WHERE place LIKE 'B%' GROUP BY place, item
"""
_BARE_THEN = """
SELECT place, item, sum(qty) FROM (SELECT b AS place, item, qty FROM ledger WHERE at <= $1
    UNION ALL SELECT a, item, -qty FROM ledger WHERE at <= $1) m
WHERE place NOT IN ('supplier', 'customer', 'adjustment') GROUP BY place, item ORDER BY item, place LIMIT 100
"""
_BARE_CARD = "SELECT * FROM ledger WHERE item = $1 ORDER BY at DESC, seq DESC LIMIT 100"


def run(args: list[str]) -> dict[str, object]:
    """Lay the ledger and ask; see `--help`."""
    parser = argparse.ArgumentParser(prog="floorplane bench stockcard", description=__doc__)
    parser.add_argument("--moves", type=whole(1), default=3_000_000, help="rows of the ledger, over two years")
    parser.add_argument("--cards", type=whole(1), default=200, help="items whose cards are asked for")
    parser.add_argument("--days", type=whole(1), default=20, help="past days that are asked for")
    parser.add_argument("--seed", type=seed, default=1)
    o = parser.parse_args(args)
    took: dict[str, float] = {}

    async def prepare(url: str) -> None:
        await _prepare(url, o.moves, took)

    rng = random.Random(f"{o.seed}/stockcard")
    items = [f"item{rng.randrange(_ITEMS)}" for _ in range(o.cards)]
    days = [(_BEGIN + timedelta(days=rng.randrange(31, 731))).date().isoformat() for _ in range(o.days)]
    with standing({}, prepare) as stand:
        cards, then, one = uvloop.run(_ask(stand, items, days))
        bare_card, bare_then = uvloop.run(_bare(stand.database_url, items, days[:3]))
    return {
        "stockcard_ms": _ms(median(cards)),
        "stockcard_p99_ms": _ms(quantiles(cards, n=100)[98]),
        "as_of_ms": _ms(median(then)),
        "as_of_worst_ms": _ms(max(then)),
        "as_of_one_item_ms": _ms(median(one)),
        "moves": o.moves, "items": _ITEMS, "accounts": _ITEMS * _BINS_EACH, "months": _MONTHS,
        **took,
        "baseline": {
            "what": "the sum of all moves up to the day, and the card's rows in bare SQL, through asyncpg without HTTP",
            "stockcard_ms": _ms(median(bare_card)),
            "as_of_ms": _ms(median(bare_then)),
            "as_of_ratio": round(median(then) / median(bare_then), 3),
        },
    }  # fmt: skip


async def _prepare(url: str, moves: int, took: dict[str, float]) -> None:
    connection = await asyncpg.connect(dsn(url))
    try:
        began = time.perf_counter()
        for month in range(0, _MONTHS + 1, 3):
            await connection.execute("SELECT make_partitions($1)", _BEGIN + timedelta(days=31 * month - month // 2))
        await connection.execute(_LAY, _ITEMS, _BINS_EACH)
        await connection.execute(_KNOW, _ITEMS)
        every, step = (_END - _BEGIN) / moves, 250_000
        for first in range(0, moves, step):
            until = min(first + step, moves)
            await connection.execute(_MOVE, _BEGIN, every, _ITEMS, _BINS_EACH, first, until)
            await connection.execute(
                "INSERT INTO posted SELECT 'm' || n FROM generate_series($1::bigint, $2::bigint - 1) n", first, until
            )
            print(f"stockcard: {until} of {moves} moves laid", file=sys.stderr)
        await connection.execute(_SUM)
        took["laid_s"] = round(time.perf_counter() - began, 1)
        began = time.perf_counter()
        seq = await connection.fetchval("SELECT settled_seq()")
        await connection.execute("SET enable_seqscan = off")
        kept = await connection.fetchval("SELECT keep_months($1, $2)", _END + timedelta(days=1), seq)
        took["keep_month_s"] = round((time.perf_counter() - began) / max(kept, 1), 2)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _ask(stand: Stand, items: Sequence[str], days: Sequence[str]) -> tuple[list[float], list[float], list[float]]:
    erp = Connection(stand.host, stand.port, stand.tokens["erp"])
    await erp.open()
    for path in (f"/v1/items/{items[0]}/card", f"/v1/stock?as_of={days[0]}"):
        await erp.send("GET", path)  # the first plans the statement
    cards = [await _timed(erp, f"/v1/items/{i}/card") for i in items]
    whole = [await _timed(erp, f"/v1/stock?as_of={d}") for d in days]
    one = [await _timed(erp, f"/v1/stock?as_of={d}&item={i}") for d, i in zip(days, items, strict=False)]
    await erp.close()
    return cards, whole, one


async def _timed(erp: Connection, path: str) -> float:
    answer = await erp.send("GET", path)
    if answer.status != 200 or len(answer.body) < 100:
        raise Unavailable(f"{path}: {answer.status} {answer.body[:200]!r}")
    return answer.took_s


async def _bare(url: str, items: Sequence[str], days: Sequence[str]) -> tuple[list[float], list[float]]:
    connection = await asyncpg.connect(dsn(url))
    took: tuple[list[float], list[float]] = [], []
    for item in items:
        began = time.perf_counter()
        await connection.fetch(_BARE_CARD, item)
        took[0].append(time.perf_counter() - began)
    for day in days:
        began = time.perf_counter()
        await connection.fetch(_BARE_THEN, datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1))
        took[1].append(time.perf_counter() - began)
    await connection.close()
    return took


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 2)
