"""All stations on one clock, compiled: who stands where, which pod comes next, and what that costs.

Which pod comes next is no choice of its own: of the pods that can be there first, the one that brings an order nearest
to its end (`FINISH`), so that its slot is free for the next, or that of the order that is listed first (`OLDEST`).
"""

import numpy as np
from numba import njit

FINISH, OLDEST = 0, 1
GIVEN, LISTED, SHARED = 0, 1, 2
"""How free slots are filled: as the seats say, as orders are listed, or with those whose pods come anyway."""
_EPS = 1e-9


@njit(cache=True)
def simulate(  # type: ignore[no-untyped-def]
    start, pod, lines, due, weight, slots, way, allowed, costs, seat, seats, filling, next_pod, work, visits, served
):  # fmt: skip
    """Let all stations work; return what it costs and how many visits it takes.

    Parameters
    ----------
    seat, seats
        Orders of each station as they get its slots, shape (stations, orders), and how many, shape (stations,). Unless
        `filling` is GIVEN these begin with those that stand there already, and the rest is written.
    work
        Of `workspace`.
    visits, served
        Written if `visits` has rows: station, pod, begin and end of each visit, shape (pods of all orders, 4); and the
        visit by which each pod of each order is served, shape (pods of all orders,).
    """
    stations, orders = len(slots), len(start) - 1
    pick_s, change_s, visit_s, finish_weight, late_weight = costs
    standing, held, taken, free, left, done, pod_free, pod_at, here, least, wants, seated, needs = work
    keep = len(visits) > 0
    for s in range(stations):
        held[s] = 0
        taken[s] = 0
        free[s] = 0.0
    for n in range(orders):
        left[n] = start[n + 1] - start[n]
        seated[n] = False
    for k in range(len(pod)):
        done[k] = False
    for p in range(way.shape[1]):
        pod_free[p] = -1.0
        pod_at[p] = -1
        here[p] = 0
        for s in range(stations):
            needs[s, p] = 0
    if filling != GIVEN:
        for s in range(stations):
            for i in range(seats[s]):
                seated[seat[s, i]] = True
    # at first one each, in turn
    some = True
    while some:
        some = False
        for s in range(stations):
            if held[s] < slots[s]:
                some |= _sit(s, start, pod, allowed, seat, seats, filling, standing, held, taken, seated, needs)
    cost, finish, n_visits = 0.0, 0.0, 0
    while True:
        at = -1
        for s in range(stations):
            if held[s] > 0 and (at < 0 or free[s] < free[at]):
                at = s
        if at < 0:
            break
        now, found = free[at], 0
        for i in range(held[at]):
            n = standing[at, i]
            for k in range(start[n], start[n + 1]):
                if done[k]:
                    continue
                p = pod[k]
                if here[p] == 0:
                    wants[found] = p
                    found += 1
                    least[p] = 1 << 60
                here[p] += lines[k]
                least[p] = min(least[p], n if next_pod == OLDEST else left[n])
        best, best_begin = -1, 0.0
        for i in range(found):
            p = wants[i]
            begin = way[at, p]
            if pod_at[p] >= 0:
                begin = pod_free[p] + (way[at, p] if pod_at[p] != at else 0.0)
            begin = max(begin, now)
            if best >= 0:
                if begin > best_begin + _EPS:
                    continue
                if begin > best_begin - _EPS:
                    if least[p] > least[best] or (least[p] == least[best] and here[p] < here[best]):
                        continue
                    if least[p] == least[best] and here[p] == here[best] and p > best:
                        continue
            best, best_begin = p, begin
        end = best_begin + change_s + pick_s * here[best]
        for i in range(found):
            here[wants[i]] = 0
        stay = 0
        for i in range(held[at]):
            n = standing[at, i]
            for k in range(start[n], start[n + 1]):
                if pod[k] == best and not done[k]:
                    done[k] = True
                    left[n] -= 1
                    needs[at, best] -= 1
                    if keep:
                        served[k] = n_visits
            if left[n] == 0:
                if end > due[n]:
                    cost += late_weight * weight[n] * (end - due[n])
            else:
                standing[at, stay] = n
                stay += 1
        held[at] = stay
        if keep:
            visits[n_visits, 0], visits[n_visits, 1] = at, best
            visits[n_visits, 2], visits[n_visits, 3] = best_begin, end
        n_visits += 1
        cost += visit_s + 2 * way[at, best]
        pod_free[best], pod_at[best], free[at] = end, at, end
        finish = max(finish, end)
        while held[at] < slots[at] and _sit(
            at, start, pod, allowed, seat, seats, filling, standing, held, taken, seated, needs
        ):  # fmt: skip
            pass
    return cost + finish_weight * finish, n_visits


@njit(cache=True)
def _sit(  # type: ignore[no-untyped-def]
    s, start, pod, allowed, seat, seats, filling, standing, held, taken, seated, needs
):  # fmt: skip
    """Give a free slot of a station to an order; false: there is none for it."""
    n = -1
    if taken[s] < seats[s]:
        n = seat[s, taken[s]]
    elif filling == LISTED:
        for m in range(len(start) - 1):
            if not seated[m] and allowed[s, m]:
                n = m
                break
    elif filling == SHARED:
        fewest = 2.0
        for m in range(len(start) - 1):
            if seated[m] or not allowed[s, m]:
                continue
            new = 0
            for k in range(start[m], start[m + 1]):
                new += needs[s, pod[k]] == 0
            share = new / (start[m + 1] - start[m])
            if share < fewest - _EPS:
                fewest, n = share, m
    if n < 0:
        return False
    if taken[s] == seats[s]:
        seat[s, seats[s]] = n
        seats[s] += 1
        seated[n] = True
    taken[s] += 1
    standing[s, held[s]] = n
    held[s] += 1
    for k in range(start[n], start[n + 1]):
        needs[s, pod[k]] += 1
    return True


def workspace(stations: int, orders: int, pods: int, most_slots: int, needed: int):  # type: ignore[no-untyped-def]
    """Working arrays of `simulate`."""
    return (
        np.empty((stations, most_slots), np.int64), np.empty(stations, np.int64), np.empty(stations, np.int64),
        np.empty(stations), np.empty(orders, np.int64), np.empty(needed, np.bool_), np.empty(pods),
        np.empty(pods, np.int64), np.empty(pods, np.int64), np.empty(pods, np.int64), np.empty(needed, np.int64),
        np.empty(orders, np.bool_), np.empty((stations, pods), np.int64),
    )  # fmt: skip
