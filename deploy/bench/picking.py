"""Picker tours: published optima matched, microseconds a tour for 1 to 4 blocks, and what the usual routings walk.

`optima_*` counts all instances of Hessler and Irnich's sets for one block and for two (`opt_1block`, `opt_2block`: one
of them may be absent). Three and four blocks have no
published optima; they are timed on the same orders in a floor cut into more blocks, and every 40th tour is walked by
the independent check. `rules` are walks with one-way aisles, another end, and two places for every third item.
"""

import argparse
import random
import sys
import time
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from deploy.bench.bounds import whole
from deploy.bench.instances import MOST_AISLES, MOST_CELLS, MOST_PIECES, json_lines, within
from dispatcher.optimizers.picking import (
    Area,
    Depot,
    OneWay,
    PickList,
    Picks,
    Spot,
    Want,
    Warehouse,
    check,
    route,
    shortest_length_m,
    shortest_tour,
    verify,
)
from dispatcher.optimizers.picking.heuristics import combined, largest_gap, s_shape

_PITCH_M = 3.0
_CALLS = 3


class _Row(msgspec.Struct, frozen=True):
    aisles: int
    cells: Annotated[int, msgspec.Meta(ge=1)]
    depot_aisle: int
    depot: Literal["top", "bottom"]
    picks: list[tuple[int, int]]
    opt_1block: Annotated[float, msgspec.Meta(gt=0)] | None = None
    opt_2block: Annotated[float, msgspec.Meta(gt=0)] | None = None

    def __post_init__(self) -> None:
        within("aisles", self.aisles, 1, MOST_AISLES)
        within("cells", self.cells, 1, MOST_CELLS)
        within("depot_aisle", self.depot_aisle, 0, self.aisles - 1)
        within("picks", len(self.picks), 1, MOST_PIECES)
        for n, (aisle, cell) in enumerate(self.picks):
            within(f"picks/{n}/0", aisle, 0, self.aisles - 1)
            within(f"picks/{n}/1", cell, 0, self.cells - 1)
        if self.opt_1block is None and self.opt_2block is None:
            raise ValueError("opt_1block and opt_2block: neither is given")


def run(args: list[str]) -> dict[str, object]:
    """Run all instances; see `--help`."""
    parser = argparse.ArgumentParser(prog="floorplane bench picking", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/optimizers"), help="folder of sprp/")
    parser.add_argument("--every", type=whole(1), default=1, metavar="N", help="only every Nth instance (1: all 2,400)")
    parser.add_argument("--rules", type=whole(0), default=20, metavar="N", help="walks by rules of each kind; 0: none")
    options = parser.parse_args(args)
    source = options.data / "sprp" / "sprp_2400_opt.jsonl.gz"
    rows = json_lines(source, _Row)[:: options.every]
    matched, total, worst = dict.fromkeys("12", 0), dict.fromkeys("12", 0), 0.0
    took_us: dict[str, list[float]] = {k: [] for k in "1234"}
    excess: dict[str, dict[str, list[float]]] = {k: {"s_shape": [], "largest_gap": [], "combined": []} for k in "12"}
    walked = 0
    for n, row in enumerate(rows):
        if n % 240 == 0:
            print(f"picking: {n} of {len(rows)} instances", file=sys.stderr)
        for blocks in (1, 2, 3, 4):
            key = str(blocks)
            warehouse, picks = _instance(row, blocks)
            length, us = _timed(warehouse, picks)
            took_us[key].append(us)
            optimum = row.get(f"opt_{blocks}block")
            if optimum is not None:
                total[key] += 1
                matched[key] += abs(length - optimum) < 1e-6
                worst = max(worst, abs(length / optimum - 1))
                for name, routing in (("s_shape", s_shape), ("largest_gap", largest_gap), ("combined", combined)):
                    excess[key][name].append(routing(warehouse, picks).length_m / optimum - 1)
            if n % 40 == 0:
                check(warehouse, picks, shortest_tour(warehouse, picks))
                walked += 1
    return {
        "rules": _ruled(rows, options.rules),
        "optima_matched": sum(matched.values()),
        "optima_total": sum(total.values()),
        "by_blocks": {k: {"matched": matched[k], "total": total[k]} for k in "12"},
        "worst_gap": worst,
        "p95_us": {k: round(float(np.percentile(v, 95)), 1) for k, v in took_us.items()},
        "median_us": {k: round(float(np.median(v)), 1) for k, v in took_us.items()},
        "timing": f"best of {_CALLS} calls an instance after one that is not counted; sorted picks in, length out",
        "tours_walked_by_the_check": walked,
        "instances": len(rows),
        "baseline": {
            "what": "mean excess over the optimum of what is usually walked, same instances",
            **{f"{k}_block": {m: round(fmean(x), 4) if x else None for m, x in v.items()} for k, v in excess.items()},
        },
    }


def _ruled(rows: list[dict[str, Any]], count: int) -> dict[str, Any]:
    """Walk published picks by rules: one-way aisles, another end, two places for every third item, all of these."""
    told: dict[str, Any] = {}
    for kind in ("one_way", "two_depots", "two_places", "all"):
        for blocks in (1, 2):
            found, took_ms, gaps = [], [], []
            # in one aisle alone nobody comes back by a one-way rule
            fit = [row for row in rows if row["aisles"] > 1 or kind in {"two_depots", "two_places"}]
            for n, row in enumerate(fit[:: max(1, len(fit) // count)][:count] if count else []):
                picks = _ruled_list(row, blocks, kind, random.Random(f"{kind}/{blocks}/{n}"))
                begun = time.process_time()
                walk = route(picks)
                took_ms.append((time.process_time() - begun) * 1e3)
                verify(picks, walk)
                found.append(walk)
                gaps.append(walk.cost_m / walk.bound_m - 1)
            if found:
                told[f"{kind}_{blocks}_block"] = {
                    "walks": len(found), "exact": sum(w.exact for w in found),
                    "mean_gap_to_bound": round(fmean(gaps), 4),
                    "p95_cpu_ms": round(float(np.percentile(took_ms, 95)), 1),
                }  # fmt: skip
        print(f"picking: walks by rules, {kind}", file=sys.stderr)
    return told


def _ruled_list(row: dict[str, Any], blocks: int, kind: str, rng: random.Random) -> PickList:
    warehouse, picks = _instance(row, blocks)
    far = float(warehouse.cross_m[-1])
    depots = (
        Depot("in", warehouse.depot_aisle, warehouse.depot_cross),
        Depot("out", warehouse.aisles - 1, blocks - warehouse.depot_cross),
    )
    one_way: tuple[OneWay, ...] = ()
    if kind in {"one_way", "all"}:
        one_way = tuple(OneWay("down" if j % 2 else "up", aisle=j) for j in range(warehouse.aisles))
    area = Area(warehouse.aisles, warehouse.pitch_m, warehouse.block_m, depots, one_way)
    wants = []
    for k, (aisle, at_m) in enumerate(zip(picks.aisle.tolist(), picks.at_m.tolist(), strict=True)):
        spots = [Spot(aisle, at_m)]
        if kind in {"two_places", "all"} and k % 3 == 0:
            spots.append(Spot(rng.randrange(warehouse.aisles), float(rng.randint(1, round(far) - 1))))
        wants.append(Want(f"w{k}", tuple(spots)))
    return PickList(area, tuple(wants), ("in",), ("out",) if kind in {"two_depots", "all"} else ())


def _instance(row: dict[str, object], blocks: int) -> tuple[Warehouse, Picks]:
    """Cut the instance's aisles into equal blocks; a cross aisle is one cell wide (README.SPRP-SS.txt)."""
    cells = int(row["cells"])  # type: ignore[call-overload]  # JSON
    places = np.array(row["picks"], np.int64)
    cut = [round(cells * b / blocks) for b in range(blocks + 1)]
    lengths = tuple(cut[b + 1] - cut[b] + 1.0 for b in range(blocks))
    cell = places[:, 1]
    at = cell + 1.0 + sum((cell >= c).astype(np.float64) for c in cut[1:-1])
    end = 0 if row["depot"] == "top" else blocks
    warehouse = Warehouse(int(row["aisles"]), _PITCH_M, lengths, int(row["depot_aisle"]), end)  # type: ignore[call-overload]  # JSON
    return warehouse, Picks.sort(warehouse, places[:, 0], at)


def _timed(warehouse: Warehouse, picks: Picks) -> tuple[float, float]:
    length, best = shortest_length_m(warehouse, picks), float("inf")
    for _ in range(_CALLS):
        begun = time.perf_counter()
        shortest_length_m(warehouse, picks)
        best = min(best, time.perf_counter() - begun)
    return length, best * 1e6
