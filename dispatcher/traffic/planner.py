"""Frontier PIBT: extend every robot's committed end, one move a round, in one pass of compiled code.

Priority inheritance with backtracking (Okumura et al., PIBT, AIJ 2022) on *committed ends* instead of robots: in each
round robots choose, in order of rank, the next node of their way; who stands there with his end is pushed on first.
Three things differ, so that the waits that follow from the order of moves never close a circle: nobody moves to where
the first robot of his own chain stands (no rotation, no swap), moves are written down from the last of a chain to its
first, and a resource is claimed by one robot a round.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dispatcher.traffic.graph import LONGEST_MS, Flags, Ints
from dispatcher.traffic.state import NEVER_MS, Longs

Keys = NDArray[np.int64]

_SIDE = 1 << 40
"""Puts a way that leads no nearer behind every one that does."""
_TOWARDS = 1 << 44
_SHY = 1 << 42
_TAKEN = 1 << 41
_CLASS = 1 << 54
_ESCAPES, _LEAVES, _GOES, _YIELDS = 0, 1, 2, 3


@njit(cache=True)
def extend(
    now: int,
    most: int,
    few: int,
    turn: int,
    ptr: Ints,
    nbr: Ints,
    ms: Ints,
    deg: Ints,
    res: Ints,
    storage: Flags,
    shy: Flags,
    pocket: Ints,
    shut: Flags,
    pool: Ints,
    holder: Ints,
    count: int,
    mode: Flags,
    kind: Flags,
    boost: Flags,
    end: Ints,
    heading: Ints,
    pending: Ints,
    goal: Ints,
    row: Ints,
    best: Ints,
    key: Longs,
    anchor: Longs,
    moved: Longs,
    progress: Longs,
    claim: Ints,
    leavers: Ints,
    option: Ints,
    option_key: Keys,
    option_deg: Ints,
    out_robot: Ints,
    out_node: Ints,
) -> int:
    """Plan rounds until nobody moves; write the moves (robot, node) in the order in which they are to be queued.

    Parameters
    ----------
    now
        Time in ms.
    most, few
        Robots with `most` or more pending moves stand still; nothing is planned unless a robot that wants to move has
        `few` or less.
    turn
        Cost of a turn, ms per degree.
    claim, leavers, option, option_key, option_deg, out_robot, out_node
        Scratch: (Q,), (pockets + 1,), three times (robots, degree), and twice (robots * most,).

    Returns
    -------
    int
        Number of moves.
    """
    hungry = False
    for r in range(count):
        if mode[r] == 1 and goal[r] >= 0 and end[r] != goal[r] and pending[r] <= few:
            hungry = True
            break
    if not hungry:
        return 0
    total = 0
    order = np.empty(count, np.int64)
    rank = np.empty(count, np.int64)
    decided = np.empty(count, np.uint8)
    chain = np.empty(count, np.int64)
    step = np.empty(count, np.int64)
    left = np.empty(count, np.int64)
    tried = np.zeros(count, np.int64)
    stamp = 0
    for _ in range(most):
        begin = total
        claim[:] = -1
        leavers[:] = 0
        for r in range(count):
            decided[r] = 1
            if mode[r] == 0:
                continue
            u, g, c = end[r], goal[r], kind[r]
            anchored = g >= 0 and u == g and now < anchor[r]
            if mode[r] == 2 or pending[r] >= most or anchored:
                claim[res[u]] = r
            else:
                decided[r] = 0
            if g >= 0 and mode[r] == 1:
                for k in range(2):
                    p = pocket[k, u]
                    if p >= 0 and pocket[k, g] != p:
                        leavers[p] += 1
        heads = 0
        for r in range(count):
            if decided[r] == 1:
                continue
            u, g, c = end[r], goal[r], kind[r]
            if g < 0 or u == g or pool[row[r], u] >= LONGEST_MS:
                continue
            if boost[r] == 1:
                level = _ESCAPES
            elif pocket[c, u] >= 0 and pocket[c, g] != pocket[c, u]:
                level = _LEAVES
            else:
                level = _GOES
                o = holder[res[g]]
                if o >= 0 and o != r and (mode[o] == 2 or (goal[o] >= 0 and res[goal[o]] == res[g])):
                    level = _YIELDS
            order[heads] = r
            rank[heads] = level * _CLASS + key[r]
            heads += 1
        sort = np.argsort(rank[:heads], kind="mergesort")
        for i in range(heads):
            first = order[sort[i]]
            if decided[first] == 1:
                continue
            depth = 0
            stamp += 1
            chain[0] = first
            decided[first] = 1
            fresh = True
            while True:
                r = chain[depth]
                u = end[r]
                if fresh:
                    step[depth] = 0
                    left[depth] = _options(
                        r, first, depth > 0, turn, ptr, nbr, ms, deg, res, storage, shy, pocket, shut, pool, holder,
                        kind, end, heading, goal, row, leavers, option, option_key, option_deg,
                    )  # fmt: skip
                    fresh = False
                found = False
                pushed = -1
                while step[depth] < left[depth]:
                    v = option[r, step[depth]]
                    step[depth] += 1
                    q = res[v]
                    if claim[q] != -1 or (depth > 0 and q == res[end[first]]):
                        continue
                    o = holder[q]
                    if o >= 0 and o != r and decided[o] == 0:
                        if tried[o] == stamp:
                            continue
                        pushed = o
                    claim[q] = r
                    found = True
                    break
                if pushed >= 0:
                    depth += 1
                    chain[depth] = pushed
                    decided[pushed] = 1
                    fresh = True
                    continue
                if found:
                    for d in range(depth, -1, -1):  # the last of the chain moves first
                        x = chain[d]
                        v = option[x, step[d] - 1]
                        if v != end[x]:
                            out_robot[total] = x
                            out_node[total] = v
                            total += 1
                            heading[x] = option_deg[x, step[d] - 1]
                    break
                if depth == 0:
                    claim[res[u]] = r
                    break
                claim[res[u]] = -1  # it cannot make way for this chain, but may still go where it wants itself
                decided[r] = 0
                tried[r] = stamp
                depth -= 1
        if total == begin:
            break
        for i in range(begin, total):
            r = out_robot[i]
            if holder[res[end[r]]] == r:
                holder[res[end[r]]] = -1
        for i in range(begin, total):
            r, v = out_robot[i], out_node[i]
            holder[res[v]] = r
            end[r] = v
            pending[r] += 1
            moved[r] = now
            if v == goal[r] and boost[r] == 0:
                anchor[r] = NEVER_MS  # from now on: a later round of this very call must not push it on
            if goal[r] >= 0 and pool[row[r], v] < best[r]:
                best[r] = pool[row[r], v]
                progress[r] = now
    return total


@njit(cache=True)
def _options(
    r: int,
    first: int,
    pushed: bool,
    turn: int,
    ptr: Ints,
    nbr: Ints,
    ms: Ints,
    deg: Ints,
    res: Ints,
    storage: Flags,
    shy: Flags,
    pocket: Ints,
    shut: Flags,
    pool: Ints,
    holder: Ints,
    kind: Flags,
    end: Ints,
    heading: Ints,
    goal: Ints,
    row: Ints,
    leavers: Ints,
    option: Ints,
    option_key: Keys,
    option_deg: Ints,
) -> int:
    """Write the nodes that a robot may go to, best first, and return how many.

    First the ways that lead nearer to its goal; then, for the first of a chain, to stay; then, for one that is pushed,
    the other ways: free ones before others, and those that do not lie ahead of who pushes before those that do.
    """
    u, g, c = end[r], goal[r], kind[r]
    going = g >= 0 and u != g and pool[row[r], u] < LONGEST_MS
    homing = g >= 0 and pool[row[r], u] < LONGEST_MS
    n = 0
    for e in range(ptr[c, u], ptr[c, u + 1]):
        v = nbr[e]
        if shut[v] or ms[e] >= LONGEST_MS or (c == 1 and storage[v] and v != g):
            continue
        p = pocket[c, v]
        if p >= 0 and p != pocket[c, u] and leavers[p] > 0:
            continue  # who leaves a dead end goes first
        bend = 0
        if heading[r] >= 0:
            bend = abs(deg[e] - heading[r])
            bend = min(bend, 360 - bend)
        cost = ms[e] + turn * bend
        if going and pool[row[r], v] < pool[row[r], u]:
            cost += pool[row[r], v]
        elif not pushed:
            continue
        else:
            cost += _SIDE
            if shy[v] and v != g:
                cost += _SHY
            if holder[res[v]] >= 0:
                cost += _TAKEN
            if homing:
                if pool[row[r], v] >= LONGEST_MS:
                    continue  # no way back from there
                cost += pool[row[r], v]
            else:
                ahead = row[first]
                if pool[ahead, v] < pool[ahead, u]:
                    cost += _TOWARDS
        k = n
        while k > 0 and option_key[r, k - 1] > cost:
            option_key[r, k] = option_key[r, k - 1]
            option[r, k] = option[r, k - 1]
            option_deg[r, k] = option_deg[r, k - 1]
            k -= 1
        option_key[r, k] = cost
        option[r, k] = v
        option_deg[r, k] = deg[e]
        n += 1
    if not pushed:
        option[r, n] = u
        option_deg[r, n] = heading[r]
        n += 1
    return n
