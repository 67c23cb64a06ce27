"""When a sequence of visits happens whose driver must rest: which break is taken on the way to which visit.

A dynamic program over (visit, breaks behind the driver): the earliest begin in each state is the best one, as whoever
is earlier can wait. A break on the way to a visit is taken as early as its window allows: on the road, or at the place.
"""

import itertools
from collections.abc import Sequence

import msgspec

from dispatcher.optimizers.transport.problem import Break, Vehicle
from dispatcher.optimizers.transport.routes import BREAK, Visit

_NEVER = 1 << 60
Leg = tuple[int, int, tuple[tuple[int, int], ...]]
"""When it arrives and is ready for service, and the breaks before that: number, begin (s)."""


class Timed(msgspec.Struct, frozen=True):
    """Begin of service and arrival of each visit (s), and the breaks on the way to it: number, begin (s)."""

    begin_s: list[int]
    arrive_s: list[int]
    breaks: dict[int, tuple[tuple[int, int], ...]]


def with_breaks(
    vehicle: Vehicle, names: Sequence[str], opens: Sequence[int], closes: Sequence[int], drive: Sequence[int],
    service: Sequence[int], begun: Sequence[Visit], now_s: int,
) -> Timed | str:  # fmt: skip
    """Time a route that ends as early as it can and begins as late as that allows; or why it cannot be driven.

    Parameters
    ----------
    vehicle
        Its breaks are what is owed.
    names, opens, closes, drive, service
        Of each visit, from the first depot to the last: name, window of the begin of service, drive to it and length
        of service (s).
    begun
        Visits with breaks that are history, from the first depot on.
    now_s
        Nothing new begins before, where there is a history.
    """
    past = [v for v in begun if v.kind != BREAK]
    floor_s = now_s if past else 0
    if past:
        first, starts = len(past) - 1, {_behind(vehicle, begun): past[-1].begin_s}
    else:
        first, starts = 0, _starts(vehicle, opens[0], closes[0])
    earliest = _forward(vehicle, opens, closes, drive, service, first, starts, floor_s)
    ends = [
        (at, -k) for k, at in earliest[-1].items() if all(at <= rest.close_s for rest in vehicle.breaks[k:])
    ]  # fmt: skip
    if not ends:
        return _why(vehicle, names, earliest, first)
    end_s, k_end = min(ends)[0], -min(ends)[1]
    if not past:
        latest = _backward(vehicle, opens, closes, drive, service, k_end, end_s)
        able = [(min(at, closes[0]), k) for k, at in latest.items() if k in starts and min(at, closes[0]) >= starts[k]]
        start_s, k_start = max(able)
        starts = {k_start: start_s}
    return _path(vehicle, opens, closes, drive, service, first, starts, floor_s, k_end, begun)


def _behind(vehicle: Vehicle, begun: Sequence[Visit]) -> int:
    """How many breaks are behind a driver who has done this."""
    taken = [int(v.id.removeprefix("break ")) for v in begun if v.kind == BREAK]
    if taken:
        return taken[-1]
    return max(k for k, at in _starts(vehicle, 0, _NEVER).items() if at <= begun[0].begin_s)


def _starts(vehicle: Vehicle, opens_s: int, closes_s: int) -> dict[int, int]:
    """The earliest begin of a route with so many breaks taken before it."""
    found, rested = {0: opens_s}, 0
    for k, rest in enumerate(vehicle.breaks, 1):
        rested = max(rested, rest.open_s) + rest.duration_s
        found[k] = max(opens_s, rested)
    return {k: at for k, at in found.items() if at <= closes_s}


def _leg(breaks: Sequence[Break], first: int, leave_s: int, drive_s: int) -> Leg | None:
    """Drive with these breaks on the way, numbered from `first` on; None: one of them would be too late."""
    at, left, arrive, taken = leave_s, drive_s, None, []
    for k, rest in enumerate(breaks, first):
        begin = max(at, rest.open_s)
        if begin > rest.close_s:
            return None
        if arrive is None and begin >= at + left:
            arrive = at + left
        elif arrive is None:
            left -= begin - at
        taken.append((k, begin))
        at = begin + rest.duration_s
    if arrive is None:
        arrive = at = at + left
    return arrive, at, tuple(taken)


def _forward(
    vehicle: Vehicle, opens: Sequence[int], closes: Sequence[int], drive: Sequence[int], service: Sequence[int],
    first: int, starts: dict[int, int], floor_s: int,
) -> list[dict[int, int]]:  # fmt: skip
    """The earliest begin of each visit from `first` on, by how many breaks are behind."""
    found = [dict[int, int]() for _ in range(first)] + [starts]
    for i in range(first + 1, len(opens)):
        now: dict[int, int] = {}
        for k, begin in found[-1].items():
            for m in range(k, len(vehicle.breaks) + 1):
                leg = _leg(vehicle.breaks[k:m], k, begin + service[i - 1], drive[i])
                if leg is None:
                    break
                at = max(leg[1], opens[i], floor_s)
                if at <= closes[i] and at < now.get(m, _NEVER):
                    now[m] = at
        found.append(now)
    return found


def _backward(
    vehicle: Vehicle, opens: Sequence[int], closes: Sequence[int], drive: Sequence[int], service: Sequence[int],
    k_end: int, end_s: int,
) -> dict[int, int]:  # fmt: skip
    """The latest begin of the route, by how many breaks were taken before it, that still ends at `end_s`."""
    later = {k_end: end_s}
    for i in range(len(opens) - 1, 0, -1):
        now: dict[int, int] = {}
        for m, at in later.items():
            limit = min(at, closes[i])
            if limit < opens[i]:
                continue
            for k in range(m + 1):
                leave = _latest_leave(vehicle.breaks[k:m], drive[i], limit)
                if leave is not None:
                    now[k] = max(now.get(k, -_NEVER), leave - service[i - 1])
        later = now
    return later


def _latest_leave(breaks: Sequence[Break], drive_s: int, ready_s: int) -> int | None:
    """When to leave at the latest to be ready by then, with these breaks on the way; None: they do not fit."""
    leave = ready_s - drive_s - sum(b.duration_s for b in breaks)
    rested = 0
    for k, rest in enumerate(breaks):
        leave = min(leave, rest.close_s - sum(b.duration_s for b in breaks[:k]))
        rested = max(rested, rest.open_s) + rest.duration_s
        if rested - rest.duration_s > rest.close_s or rested > ready_s:
            return None
    return leave


def _path(
    vehicle: Vehicle, opens: Sequence[int], closes: Sequence[int], drive: Sequence[int], service: Sequence[int],
    first: int, starts: dict[int, int], floor_s: int, k_end: int, begun: Sequence[Visit],
) -> Timed:  # fmt: skip
    """Follow the earliest begins back from the end."""
    earliest = _forward(vehicle, opens, closes, drive, service, first, starts, floor_s)
    n = len(opens)
    begin, arrive = [0] * n, [0] * n
    breaks: dict[int, tuple[tuple[int, int], ...]] = {}
    k = k_end
    for i in range(n - 1, first, -1):
        begin[i] = earliest[i][k]
        for k0, at in sorted(earliest[i - 1].items(), reverse=True):
            leg = _leg(vehicle.breaks[k0:k], k0, at + service[i - 1], drive[i]) if k0 <= k else None
            if leg is not None and max(leg[1], opens[i], floor_s) == begin[i]:
                arrive[i], breaks[i] = leg[0], leg[2]
                k = k0
                break
    begin[first] = arrive[first] = earliest[first][k]
    resting: list[tuple[int, int]] = []
    i = 0
    for v in begun:
        if v.kind == BREAK:
            resting.append((int(v.id.removeprefix("break ")) - 1, v.begin_s))
        else:
            begin[i], arrive[i], breaks[i] = v.begin_s, v.arrive_s, tuple(resting)
            resting = []
            i += 1
    return Timed(begin, arrive, {at: taken for at, taken in breaks.items() if taken})


def _why(vehicle: Vehicle, names: Sequence[str], earliest: list[dict[int, int]], first: int) -> str:
    for name, states in itertools.islice(zip(names, earliest, strict=True), first + 1, None):
        if not states:
            return f"{name} cannot be reached within its window with the breaks that {vehicle.id} owes"
    return f"a break that {vehicle.id} owes does not fit anywhere"
