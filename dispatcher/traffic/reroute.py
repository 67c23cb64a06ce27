"""Letting robots know of congestion: what is learned is counted in the distance tables, a few at each planning."""

import numpy as np

from dispatcher.traffic.commitments import Commitments


def look(c: Commitments) -> None:
    """Learn from who waits now, and renew a few tables; call it when nothing is promised beyond what is released."""
    p, tables, f = c.params, c.tables, c.fleet
    if not p.congestion:
        return
    if c.now >= c.congestion.next_look:
        n = len(f)
        since = np.fromiter((c.since.get(r, 0) for r in range(n)), np.int64, n)
        if c.congestion.look(c.now, f, since, c.roads, c.barred, tables.ms, tables.edge, tables.pool):
            on_way = [r for r in np.flatnonzero(f.goal[:n] >= 0).tolist() if r not in c.detours]
            tables.charge(c.congestion.extra_ms, [(int(f.goal[r]), int(f.kind[r])) for r in on_way])
    tables.spare = left = p.renew_nodes
    while left > 0 and (key := tables.due()) is not None:
        left -= _renew(c, key)


def _renew(c: Commitments, key: tuple[int, int]) -> int:
    """Renew a table; whoever goes by it stays as far from the nearest he came to his goal as he was."""
    f, row = c.fleet, c.tables.known(*key)
    users = np.flatnonzero(f.row[: len(f)] == row)
    back = c.tables.pool[row, f.end[users]] - f.best[users]
    cost = c.tables.renew(key)
    f.best[users] = c.tables.pool[row, f.end[users]] - back
    return cost
