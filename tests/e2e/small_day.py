"""A small order file with the warts of the real one, and the floor that is laid out for it."""

import random
from pathlib import Path

from deploy.one_loop import FloorPlan
from simulators.catalogue import Catalogue
from simulators.demand import HOUR_MS, PlanFeed, day_plan, midnight_ms
from simulators.orders import read_orders
from simulators.site import build, stock

DATE = "2013-12-02"
HEADER = "order_ref,planned_ship_date,actual_ship_date,sku,quantity,product_line,category"
CATEGORIES = ("Machines", "SpareParts", "Liquids", "Marketables")
ROBOTS = 8
HUGE = 1_305
WARTS = (
    ("services", (("serv17", 5, ""), ("serv32", 1, ""))),
    ("huge", (("bulk", HUGE, "Liquids"),)),
    ("twice", (("part001", 2, ""), ("part001", 3, ""), ("part002", 1, ""), ("serv17", 1, ""))),
)
"""Orders of services only, of a quantity that no tote holds, and with one part in two lines beside a service."""


def write_orders(path: Path, *, orders: int, seed: int, parts: int = 60) -> Path:
    """Write `orders` seeded orders and the three with warts, in a seeded order."""
    rng = random.Random(f"{seed}/small day")
    category = {f"part{n:03d}": CATEGORIES[n % len(CATEGORIES)] for n in range(parts)}
    planned = [
        (f"s{n:03d}", tuple((rng.choice(sorted(category)), rng.randint(1, 6), "") for _ in range(rng.randint(1, 4))))
        for n in range(orders)
    ]
    planned += WARTS
    rng.shuffle(planned)
    rows = [HEADER]
    for ref, lines in planned:
        for sku, qty, kind in lines:
            known = kind or category.get(sku, "")
            rows.append(f"{ref},{DATE},{DATE},{sku},{qty},{'line1' if known else ''},{known}")
    path.write_text("\n".join(rows) + "\n")
    return path


def asked(path: Path) -> dict[str, list[tuple[int, str, int]]]:
    """Line number, item and quantity of each line, by order."""
    return {o.ref: [(line.line, line.item, line.qty) for line in o.lines] for o in read_orders(path, DATE)}


def floor_plan(path: Path, database_url: str, journal: Path, *, seed: int = 1, within_h: float = 0.3) -> FloorPlan:
    """Lay out a floor of eight robots for the file; its orders come within so many hours from six o'clock."""
    catalogue = Catalogue.from_orders(path, seed)
    site = build(seed, catalogue, ROBOTS)
    midnight = midnight_ms(DATE)
    plan = day_plan(read_orders(path, DATE), midnight, seed, from_h=6.0, until_h=6.0 + within_h)
    return FloorPlan(
        site=site, catalogue=catalogue, stock=stock(site, catalogue, seed), feed=PlanFeed(plan),
        database_url=database_url, journal=journal, start_ms=midnight + 6 * HOUR_MS - 120_000, seed=seed,
    )  # fmt: skip
