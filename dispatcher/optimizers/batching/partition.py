"""Set partitioning: the best choice among all batches that were seen (CP-SAT, one worker, deterministic time)."""

import numpy as np
import numpy.typing as npt

_MILLI = 1000


def choose(
    orders: int, batches: list[tuple[tuple[int, ...], float]], hint: set[tuple[int, ...]], effort: float
) -> list[tuple[int, ...]] | None:
    """Choose batches so that each order is in exactly one and the sum of lengths is least.

    Parameters
    ----------
    orders
        Number of orders.
    batches
        Candidates with their lengths (m).
    hint
        A choice that is known to work, among the candidates.
    effort
        CP-SAT's deterministic time.

    Returns
    -------
    list or None
        The chosen batches, None if nothing was found in time.
    """
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    takes: list[list[cp_model.IntVar]] = [[] for _ in range(orders)]
    variables = []
    for n, (batch, _) in enumerate(batches):
        v = model.new_bool_var(f"b{n}")
        variables.append(v)
        model.add_hint(v, batch in hint)
        for order in batch:
            takes[order].append(v)
    for group in takes:
        model.add_exactly_one(group)
    lengths: npt.NDArray[np.int64] = np.rint(np.array([m for _, m in batches]) * _MILLI).astype(np.int64)
    model.minimize(sum(int(m) * v for m, v in zip(lengths, variables, strict=True)))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = effort
    status = solver.solve(model)
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return None
    return [batch for (batch, _), v in zip(batches, variables, strict=True) if solver.boolean_value(v)]
