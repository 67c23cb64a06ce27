"""Which pod each part of an order file lies in, learned from the days before the one that is run."""

import numpy as np

from contracts.errors import Rejected
from contracts.ids import ItemId, PodId
from contracts.site import Site
from simulators.catalogue import Catalogue
from simulators.orders import ErpOrder

SLOTTINGS = ("best", "optimized", "abc", "as-is")
"""`as-is`: by category and product line. `abc`: the most wanted parts in the nearest pods. `optimized`: what is ordered
together, and often, shares a pod as well. `best`: optimized where there are earlier days to learn from, else as-is."""


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
    from dispatcher.optimizers.slotting.pods import PodParams, PodProblem, abc, check, plan_pods
    from dispatcher.optimizers.slotting.problem import Orders

    if not history:
        raise Rejected("slotting", rule, "as-is, on a day that has no earlier ones in the order file to learn from")
    openings = catalogue.openings
    number = {o.item: k for k, o in enumerate(openings)}
    orders = [[number[x.item] for x in o.lines if x.item in number] for o in history]
    node = site.layout.node
    stations = [node[s.lane[-1]] for s in site.stations if s.kind == "pick"]
    way_m = [
        float(np.mean([abs(node[p.home].x_m - s.x_m) + abs(node[p.home].y_m - s.y_m) for s in stations]))
        for p in site.pods
    ]
    problem = PodProblem(
        Orders.of([o for o in orders if o]),
        np.array([o.bins for o in openings], np.int64),
        np.array([len(p.bins) for p in site.pods], np.int64),
        np.array(way_m),
    )
    if rule == "abc":
        found = abc(problem)
    else:
        plan = plan_pods(problem, PodParams(seed=seed))
        check(problem, plan)
        found = plan.pod_of
    return {o.item: site.pods[pod].id for o, pod in zip(openings, found.tolist(), strict=True)}
