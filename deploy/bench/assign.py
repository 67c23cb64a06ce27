"""Assignment: robots and transports matched by travel times gathered from the distance tables, against the optimum.

Each round places robots and tasks anew on a grid of roads, with urgencies drawn as well. The time is that of one
matching: costs gathered from the tables of the tasks' origins (which are there already) and the pairs found, by the
function that the dispatcher uses. `gap` is how far the sum of costs is above that of the dense optimum, at worst.
"""

import argparse
import time

import numpy as np

from contracts.errors import Broken
from contracts.ids import EdgeId, NodeId
from contracts.layout import Edge, Layout, Node
from deploy.bench.bounds import seed, whole
from dispatcher.matching import match_dense, match_nearest
from dispatcher.traffic.engine import Traffic

_SIDE = 64


def run(args: list[str]) -> dict[str, object]:
    """Run it; see `--help`."""
    parser = argparse.ArgumentParser(prog="floorplane bench assign", description=__doc__)
    parser.add_argument("--robots", type=whole(1, 4096), default=1000)
    parser.add_argument("--tasks", type=whole(1, 1_000_000), default=5000)
    parser.add_argument("--rounds", type=whole(1), default=100)
    parser.add_argument("--checked", type=whole(0), default=10, help="rounds whose dense optimum is computed too")
    parser.add_argument("--seed", type=seed, default=1)
    o = parser.parse_args(args)
    layout = _grid()
    traffic = Traffic(layout)
    rng = np.random.default_rng(o.seed)
    names = [n.id for n in layout.nodes]
    tables = traffic.tables_to(names, loaded=False)
    if tables is None:
        raise Broken("benchmark assign: its distance tables do not fit into their memory")
    pool, rows = tables
    took, cpu, gaps, dense = [], [], [], []
    match_nearest(
        pool, rows[:300], np.arange(300, dtype=np.int32), np.zeros(300, np.int32)
    )  # compiled before it counts
    for k in range(o.rounds):
        starts = rng.choice(len(names), o.robots, replace=False).astype(np.int32)
        origins = rng.choice(len(names), o.tasks).astype(np.int32)
        gain = rng.integers(0, 900_000, o.tasks).astype(np.int32) // 60
        begun, used = time.perf_counter(), time.process_time()
        pairs = match_nearest(pool, rows[origins], starts, gain)
        took.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - used)
        if k < o.checked:
            begun = time.perf_counter()
            cost = (pool[rows[origins]][:, starts] - gain[:, None]).T.astype(np.float64)
            best = match_dense(cost)
            dense.append(time.perf_counter() - begun)
            # costs above the least that any pair has: urgency must not make the sum small, and the gap large
            floor = cost.min() * len(best)
            ours, optimum = (sum(cost[i, j] for i, j in p) - floor for p in (pairs, best))
            gaps.append((ours - optimum) / optimum if optimum > 0 else 0.0)
    return {
        "robots": o.robots,
        "tasks": o.tasks,
        "rounds": o.rounds,
        "p50_ms": round(float(np.percentile(took, 50)) * 1000, 2),
        "p99_ms": round(float(np.percentile(took, 99)) * 1000, 2),
        "cpu_p50_ms": round(float(np.percentile(cpu, 50)) * 1000, 2),
        "cpu_p99_ms": round(float(np.percentile(cpu, 99)) * 1000, 2),
        "gap": round(max(gaps), 6) if gaps else None,
        "baseline": {
            "what": "scipy linear_sum_assignment on the whole matrix, which is the optimum",
            "p50_ms": round(float(np.percentile(dense, 50)) * 1000, 2) if dense else None,
        },
    }


def _grid() -> Layout:
    nodes = tuple(Node(NodeId(f"{x}-{y}"), 2.0 * x, 2.0 * y) for y in range(_SIDE) for x in range(_SIDE))
    edges = tuple(
        Edge(EdgeId(f"{x}-{y}_{u}-{v}"), NodeId(f"{x}-{y}"), NodeId(f"{u}-{v}"))
        for y in range(_SIDE)
        for x in range(_SIDE)
        for u, v in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1))
        if 0 <= u < _SIDE and 0 <= v < _SIDE
    )
    return Layout("grid", "floor", "1", nodes, edges)
