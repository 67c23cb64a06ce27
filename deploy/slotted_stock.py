"""Which pod each part of an order file lies in, learned from the days before the one that is run."""

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.errors import Rejected
from contracts.ids import ItemId, PodId
from contracts.site import Site
from simulators.catalogue import Catalogue, StockRow
from simulators.orders import ErpOrder

if TYPE_CHECKING:
    from dispatcher.optimizers.slotting.pods import PodProblem

Ints = npt.NDArray[np.int64]

SLOTTINGS = ("best", "optimized", "moved", "abc", "as-is")
"""`as-is`: by category and product line. `abc`: the most wanted parts in the nearest pods. `optimized`: what is ordered
together, and often, shares a pod as well. `moved`: as-is, and those parts moved towards it that are worth most.
`best`: optimized where there are earlier days to learn from, else as-is."""
MOVED_SHARE = 0.15
"""Of all parts, so many are moved at the most."""


def pods_of(site: Site, catalogue: Catalogue, history: list[ErpOrder], rule: str, seed: int) -> dict[ItemId, PodId]:
    """Plan a slotting.

    Parameters
    ----------
    history
        Orders of earlier days, the oldest first; none of the day that is run.
    rule
        ``optimized`` or ``abc``.

    Raises
    ------
    Rejected
        There is no history, or the parts do not fit.
    """
    from dispatcher.optimizers.slotting.pods import PodParams, abc, check, plan_pods

    openings = catalogue.openings
    bins = np.array([o.bins for o in openings], np.int64)
    room = np.array([len(p.bins) for p in site.pods], np.int64)
    problem = _problem(site, [o.item for o in openings], bins, room, history, rule)
    if rule == "abc":
        found = abc(problem)
    else:
        plan = plan_pods(problem, PodParams(seed=seed))
        check(problem, plan)
        found = plan.pod_of
    return {o.item: site.pods[pod].id for o, pod in zip(openings, found.tolist(), strict=True)}


def moved_stock(
    site: Site, rows: tuple[StockRow, ...], history: list[ErpOrder], seed: int, most_share: float = MOVED_SHARE
) -> tuple[StockRow, ...]:
    """Return the stock after the moves that a re-slot plan ranks first; what lies in several pods stays.

    Raises
    ------
    Rejected
        There is no history.
    """
    from dispatcher.optimizers.slotting.pod_moves import check_moves, pod_moves
    from dispatcher.optimizers.slotting.pods import PodParams, plan_pods

    pod_of_bin = {b.id: n for n, p in enumerate(site.pods) for b in p.bins}
    lies: dict[ItemId, list[int]] = {}
    for n, row in enumerate(rows):
        lies.setdefault(row.item, []).append(n)
    items = [i for i, at in lies.items() if len({pod_of_bin[rows[n].bin] for n in at}) == 1]
    planned = set(items)
    room = np.array([len(p.bins) for p in site.pods], np.int64)
    for row in rows:
        room[pod_of_bin[row.bin]] -= row.item not in planned
    bins = np.array([len(lies[i]) for i in items], np.int64)
    problem = _problem(site, items, bins, room, history, "moved")
    now = np.array([pod_of_bin[rows[lies[i][0]].bin] for i in items], np.int64)
    steps = pod_moves(
        problem, now, plan_pods(problem, PodParams(seed=seed)).pod_of, most_moves=round(most_share * len(items))
    )  # fmt: skip
    check_moves(problem, now, steps)
    used = {row.bin for row in rows}
    free = [[b.id for b in p.bins if b.id not in used] for p in site.pods]
    after = list(rows)
    for move in steps:
        for n in lies[items[move.part]]:
            was = after[n].bin
            after[n] = msgspec.structs.replace(after[n], bin=free[move.pod].pop(0))
            free[pod_of_bin[was]].append(was)
    return tuple(after)


def _problem(
    site: Site, items: list[ItemId], bins: Ints, room: Ints, history: list[ErpOrder], rule: str
) -> "PodProblem":
    from dispatcher.optimizers.slotting.pods import PodProblem
    from dispatcher.optimizers.slotting.problem import Orders

    if not history:
        raise Rejected("slotting", rule, "as-is, on a day that has no earlier ones in the order file to learn from")
    number = {item: k for k, item in enumerate(items)}
    orders = [[number[x.item] for x in o.lines if x.item in number] for o in history]
    node = site.layout.node
    stations = [node[s.lane[-1]] for s in site.stations if s.kind == "pick"]
    way_m = [
        float(np.mean([abs(node[p.home].x_m - s.x_m) + abs(node[p.home].y_m - s.y_m) for s in stations]))
        for p in site.pods
    ]
    return PodProblem(Orders.of([o for o in orders if o]), bins, room, np.array(way_m))
