"""Robots and tasks matched by the smallest sum of costs: exact where small, else exact on each robot's nearest tasks.

With many more tasks than robots the best task of a robot is among its nearest ones, so the matching is solved on those
alone: R. Jonker, A. Volgenant: A shortest augmenting path algorithm for dense and sparse linear assignment problems
(Computing 38, 1987), as SciPy has both.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

Ints = NDArray[np.int32]
DENSE = 60_000
"""A matrix of so many entries is solved as it is."""
_NEAREST = 24


def match_dense(cost: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Match rows and columns of a cost matrix by the smallest sum; as many pairs as the shorter side has."""
    rows, columns = linear_sum_assignment(cost)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True)]


def match_nearest(
    pool: Ints, rows: Ints, starts: Ints, gain: Ints, *, nearest: int = _NEAREST
) -> list[tuple[int, int]]:
    """Match robots and tasks by the smallest sum of travel time less gain, with costs gathered from distance tables.

    Parameters
    ----------
    pool
        Travel times to goals, ms, shape (tables, nodes).
    rows
        The table of each task's origin, shape (tasks,).
    starts
        The node of each robot, shape (robots,).
    gain
        What a task's urgency is worth, ms, shape (tasks,).
    nearest
        So many tasks of each robot enter first; doubled until all robots can be matched.

    Returns
    -------
    Pairs of (robot, task), by robot.
    """
    robots, tasks = len(starts), len(rows)
    while robots <= tasks and nearest < tasks and robots * tasks > DENSE:
        cost, task = _nearest(pool, rows, starts, gain, nearest)
        least = int(cost.min())
        # the solver takes positive weights only, and an absent entry is no pair
        sparse = csr_array(
            ((cost - (least - 1)).ravel().astype(np.float64), task.ravel(), np.arange(0, cost.size + 1, nearest)),
            shape=(robots, tasks),
        )
        try:
            i, j = min_weight_full_bipartite_matching(sparse)
        except ValueError:  # too many robots have the same nearest tasks
            nearest *= 2
            continue
        return [(int(a), int(b)) for a, b in zip(i, j, strict=True)]
    return match_dense((pool[rows][:, starts] - gain[:, None]).T.astype(np.float64))


def warm() -> None:
    """Load what is compiled, so that no robot waits for it later."""
    _nearest(np.zeros((1, 1), np.int32), np.zeros(1, np.int32), np.zeros(1, np.int32), np.zeros(1, np.int32), 1)


@njit(cache=True)
def _nearest(pool: Ints, rows: Ints, starts: Ints, gain: Ints, most: int) -> tuple[Ints, Ints]:
    """Return costs and names of the `most` cheapest tasks of each robot, shape (robots, most); tables read in order."""
    robots = len(starts)
    cost = np.full((robots, most), 2**31 - 1, np.int32)  # a heap a robot, the dearest on top
    task = np.zeros((robots, most), np.int32)
    for j in range(len(rows)):
        table, less = pool[rows[j]], gain[j]
        for i in range(robots):
            c = table[starts[i]] - less
            if c < cost[i, 0]:
                k = 0
                while True:
                    child = 2 * k + 1
                    if child >= most:
                        break
                    if child + 1 < most and cost[i, child + 1] > cost[i, child]:
                        child += 1
                    if cost[i, child] <= c:
                        break
                    cost[i, k], task[i, k] = cost[i, child], task[i, child]
                    k = child
                cost[i, k], task[i, k] = c, j
    return cost, task
