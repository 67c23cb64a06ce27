"""A charge that no plan can be below: the time-indexed relaxation, which is the tightest known for weighted tardiness.

J. P. Sousa, L. A. Wolsey: A time indexed formulation of non-preemptive single machine scheduling problems (Mathematical
Programming 54, 1992). People of the same skills, zones and hours are counted, not told apart. It is for measuring and
for problems of some dozens of batches: it grows with batches times kinds of people times the length of the day.
"""

import math
from collections import Counter

import numpy as np

from dispatcher.optimizers.waves.problem import Problem


def lower_bound(problem: Problem, charge: int, seconds: float = 60.0) -> float:
    """Return the least charge that is not excluded, given that a plan with `charge` is known.

    Starts that alone would be charged more than that are left out; branch and bound then runs for so many wall-clock
    seconds (HiGHS) and its dual bound is taken.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_matrix

    if charge == 0:
        return 0.0
    unit = problem.unit_s
    kinds = Counter((w.skills, w.zones, tuple(w.windows())) for w in problem.workers)
    numbered = sorted(kinds, key=lambda kind: (kind[2], sorted(kind[0]), sorted(kind[1])))
    end_s = max(w.end_s for w in problem.workers)
    slots = end_s // unit
    batches = len(problem.batches)
    cost: list[float] = [float(b.weight * problem.unplanned_s) for b in problem.batches]
    rows: list[int] = list(range(batches))
    columns: list[int] = list(range(batches))
    upper = [float(kinds[kind]) for kind in numbered for _ in range(slots)]
    for n, b in enumerate(problem.batches):
        latest = end_s if not b.weight else b.due_s + charge // b.weight
        length = b.duration_s // unit
        for k, (skills, zones, windows) in enumerate(numbered):
            if b.skill not in skills or b.zone not in zones:
                continue
            for begin, end in windows:
                first = -(-max(begin, b.release_s) // unit)
                for t in range(first, min(end, latest) // unit - length + 1):
                    column = len(cost)
                    cost.append(float(b.weight * max(0, (t + length) * unit - b.due_s)))
                    rows += [n, *range(batches + k * slots + t, batches + k * slots + t + length)]
                    columns += [column] * (length + 1)
    height = batches + len(numbered) * slots
    matrix = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(height, len(cost)))
    low = np.concatenate((np.ones(batches), np.zeros(height - batches)))
    high = np.concatenate((np.ones(batches), upper))
    scale = math.gcd(*(int(c) for c in cost)) or 1
    found = milp(
        np.array(cost) / scale,
        integrality=np.ones(len(cost), np.int64),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(matrix, low, high),
        options={"time_limit": seconds},
    )
    dual = getattr(found, "mip_dual_bound", None)
    if dual is None or not math.isfinite(dual):
        return 0.0
    return min(float(charge), float(scale * math.ceil(dual - 1e-6)))
