"""Waves and labour as a planner worker does them: who does which batch when, and a Gantt chart of it."""

import msgspec

from dispatcher.optimizers.waves import Params, Problem, check, plan
from dispatcher.planning.kinds import Report, Solved, read

EFFORT = 200_000
_MOVES_A_ROUND = 10_000
_GUARD_S = 600.0


def solve(problem: bytes, effort: int, seed: int, report: Report) -> Solved:
    """Plan a shift; `effort` is how many moves are tried, and a round of neighbourhood search for each ten thousand."""
    asked: Problem = read(problem, Problem)
    params = Params(moves=effort, rounds=effort // _MOVES_A_ROUND, seconds=_GUARD_S, seed=seed)
    used = 0

    def watch(moves: int, rounds: int, charge: int) -> bool:
        nonlocal used
        used = moves // 2 + min(effort // 2, rounds * _MOVES_A_ROUND // 2)
        return report(used, effort, float(charge))

    found = plan(asked, params, watch=watch)
    check(asked, found)
    due = {b.id: b.due_s for b in asked.batches}
    picture = {
        "kind": "gantt",
        "rows": [w.id for w in asked.workers],
        "begin_s": min((w.begin_s for w in asked.workers), default=0),
        "end_s": max([w.end_s for w in asked.workers] + [s.end_s for s in found.shifts], default=0),
        "bars": [
            {
                "row": s.worker, "id": s.batch, "begin_s": s.begin_s, "end_s": s.end_s,
                "due_s": due[s.batch], "late_s": s.late_s,
            }
            for s in found.shifts
        ],
        "breaks": [{"row": w.id, "begin_s": b.begin_s, "end_s": b.end_s} for w in asked.workers for b in w.breaks],
    }  # fmt: skip
    return Solved(float(found.charge), used, msgspec.to_builtins(found), picture)
