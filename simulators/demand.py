"""Which orders come when: a real day of the file spread over its hours, or a small seeded demand without an end."""

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from contracts.errors import Rejected
from contracts.ids import OrderId
from simulators.catalogue import Catalogue
from simulators.orders import ErpLine, ErpOrder

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
"""Central takes due times of these years."""
LONGEST_GAP_MS = 120_000
"""Between two orders of a file that feeds a running floor: nobody watches an empty one."""


class Planned(msgspec.Struct, frozen=True):
    """One order, when the ERP sends it and when it is due (Unix epoch, ms)."""

    at_ms: int
    due_ms: int
    order: ErpOrder


class Feed(Protocol):
    """Orders one after the other, by number from 0; the same number is always the same order."""

    def planned(self, number: int, after_ms: int) -> Planned | None:
        """Return the order of that number, None at the end; `after_ms` is when the one before was sent."""
        ...


def midnight_ms(date: str) -> int:
    """Return the beginning of a day like ``2013-12-02`` (UTC, ms since the Unix epoch).

    Raises
    ------
    Rejected
        It is no day, or not one that central's books can hold.
    """
    try:
        day = dt.datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=dt.UTC)
    except ValueError as e:
        raise Rejected("date", date, "a day like 2013-12-02") from e
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise Rejected("date", date, f"a day of the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return int(day.timestamp() * 1000)


def day_plan(
    orders: Sequence[ErpOrder],
    day_ms: int,
    seed: int,
    *,
    from_h: float = 6.0,
    until_h: float = 13.0,
    due_h: float = 18.0,
    name: str | None = None,
) -> tuple[Planned, ...]:
    """Spread a day's orders over its hours, evenly at random, in the order of time.

    Parameters
    ----------
    day_ms
        The day's midnight.
    from_h, until_h, due_h
        Hours of that day: first and last order, and when all are due.
    name
        Draws the times together with the seed; None: the midnight does.
    """
    if not 0 <= from_h < until_h <= due_h:
        raise Rejected("from_h, until_h, due_h", (from_h, until_h, due_h), "in ascending order")
    rng = random.Random(f"{seed}/day/{day_ms if name is None else name}")
    due_ms = day_ms + round(due_h * HOUR_MS)
    timed = [Planned(day_ms + round(rng.uniform(from_h, until_h) * HOUR_MS), due_ms, o) for o in orders]
    return tuple(sorted(timed, key=lambda p: p.at_ms))


def file_plan(orders: Sequence[ErpOrder], start_ms: int, seed: int, *, within_h: float = 7.0) -> tuple[Planned, ...]:
    """Plan all days of a file in turn: the first order comes at the start, and no gap is longer than two minutes.

    Nights, and days with an order or two, are shortened so. Whenever it starts, the orders come in the same order and
    at the same distances.

    Parameters
    ----------
    within_h
        Hours from a day's first order to its last, in (0, 12].
    """
    days: dict[str, list[ErpOrder]] = {}
    for order in orders:
        days.setdefault(order.ship_date, []).append(order)
    found: list[Planned] = []
    for k, day in enumerate(sorted(days)):
        found += day_plan(days[day], start_ms + k * DAY_MS, seed, from_h=0.0, until_h=within_h, due_h=12.0, name=day)
    return tuple(_without_idle_time(found, start_ms))


def _without_idle_time(plan: Sequence[Planned], start_ms: int) -> Iterator[Planned]:
    """Move each order ahead with its due time, so that it comes at most `LONGEST_GAP_MS` after the one before."""
    at_ms = start_ms
    before_ms = plan[0].at_ms if plan else start_ms
    for p in plan:
        at_ms += min(p.at_ms - before_ms, LONGEST_GAP_MS)
        before_ms = p.at_ms
        yield Planned(at_ms, p.due_ms - (p.at_ms - at_ms), p.order)


class PlanFeed:
    """A plan as a feed."""

    def __init__(self, plan: Sequence[Planned]) -> None:
        self.plan = tuple(plan)

    def planned(self, number: int, after_ms: int) -> Planned | None:  # noqa: ARG002 - a plan has its own times
        """Return the order of that number."""
        return self.plan[number] if number < len(self.plan) else None


class DemandFeed:
    """A demand without an end: few lines an order, some parts far more often than others.

    Parameters
    ----------
    orders_per_h
        On average, in (0, 10,000].
    due_h
        Hours from the order to its due time.
    """

    def __init__(self, catalogue: Catalogue, seed: int, orders_per_h: float = 60.0, due_h: float = 4.0) -> None:
        if not 0 < orders_per_h <= 10_000:
            raise Rejected("orders_per_h", orders_per_h, "above 0 and at most 10000")
        rng = random.Random(f"{seed}/demand")
        self._items = [o.item for o in catalogue.openings]
        self._most = {o.item: max(1, min(20, o.qty // 8)) for o in catalogue.openings}
        rng.shuffle(self._items)
        if not self._items:
            raise Rejected("catalogue", 0, "a catalogue with stock items")
        self._seed, self._gap_s, self._due_ms = seed, 3600 / orders_per_h, round(due_h * HOUR_MS)

    def planned(self, number: int, after_ms: int) -> Planned:
        """Return the order of that number: the first at once, each other some time after the one before."""
        rng = random.Random(f"{self._seed}/demand/{number}")
        gap_ms = round(rng.expovariate(1 / self._gap_s) * 1000)
        at_ms = after_ms + (gap_ms if number else 0)
        lines = []
        for line in range(1, 1 + min(6, int(rng.paretovariate(1.2)))):
            item = self._items[int(len(self._items) * rng.random() ** 2)]
            lines.append(ErpLine(line, item, rng.randint(1, self._most[item])))
        date = dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).date().isoformat()
        return Planned(at_ms, at_ms + self._due_ms, ErpOrder(OrderId(f"D{number + 1:06d}"), date, tuple(lines)))
