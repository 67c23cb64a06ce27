"""Transport routes: gaps to best known distances on Solomon, Gehring-Homberger and X, beside OR-Tools in the same run.

The objective is distance in all sets and the best known values are those for distance (DIMACS 2021 and CVRPLIB;
never the vehicles-first ones): times and distances cut to one decimal in the sets with time windows, rounded in X.
Each set is a seeded sample; every plan passes the independent check. A budget is CPU seconds of one thread; OR-Tools,
which knows the wall clock alone, gets as much more of it as our run before it took. `--workers 2` does two instances at
a time, each in a process of its own with its own budget.
"""

import argparse
import itertools
import lzma
import multiprocessing
import random
import re
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import msgspec
import numpy as np

from contracts.codec import UNREADABLE
from contracts.errors import Broken, Rejected
from deploy.bench.bounds import positive, seed, whole
from dispatcher.optimizers.transport import Depot, Matrix, Params, Place, Plan, Problem, Stop, Vehicle, check, plan
from dispatcher.optimizers.transport.guided_local_search import guided_local_search
from dispatcher.optimizers.transport.strings import compiled

Parse = Callable[[str], Problem]
_TENTHS = 10
_X, _TIMED = re.compile(r"X-n\d+-k\d+"), re.compile(r"(R|C|RC)\d+|(R|C|RC)[12]_\d+_\d+")


def run(args: list[str]) -> dict[str, object]:
    """Run the sets; see `--help`."""
    parser = argparse.ArgumentParser(prog="floorplane bench transport", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/optimizers"), help="folder of vrp/")
    parser.add_argument("--all", action="store_true", help="every instance (a day)")
    parser.add_argument("--instances", type=whole(1), default=12, metavar="N", help="instances a set")
    parser.add_argument(
        "--seconds", type=positive, default=None, metavar="S", help="one budget for all sets (default: own)"
    )
    parser.add_argument("--sets", nargs="*", default=None, metavar="NAME", help="only these (default: all)")
    parser.add_argument("--no-ortools", action="store_true", help="leave the baseline out")
    parser.add_argument("--workers", type=whole(1), default=1, metavar="N", help="instances at a time, a process each")
    parser.add_argument("--seed", type=seed, default=1)
    options = parser.parse_args(args)
    known, texts = _read(options.data / "vrp")
    sets: dict[str, tuple[list[str], float]] = {
        "solomon_gh200": (_named(texts, known, "tw", range(100, 201)), 30.0),
        "solomon_gh200_short": (_named(texts, known, "tw", range(100, 201)), 10.0),
        "x_up_to_500": (_named(texts, known, "x", range(501)), 30.0),
        "x_1000": (_named(texts, known, "x", range(900, 1001)), 60.0),
        "gh400": (_named(texts, known, "tw", range(400, 401)), 30.0),
    }
    for name in options.sets or ():
        if name not in sets:
            raise Rejected("--sets", name, f"one of {', '.join(sets)}")
    found: dict[str, Any] = {}
    come: dict[str, Any] = {}
    for name, (members, own) in sets.items():
        if options.sets is not None and name not in options.sets:
            continue
        # the short budget is tried on the same instances as the long one
        rng = random.Random(f"{options.seed}/{name.removesuffix('_short')}")
        chosen = members if options.all else rng.sample(members, min(options.instances, len(members)))
        seconds = options.seconds or own
        asked = [
            _Asked(one, texts[one], known[one], seconds, options.seed, ortools=not options.no_ortools)
            for one in chosen
        ]  # fmt: skip
        found[name] = _one_set(name, asked, seconds, options.workers)
        come[name] = found[name]["ortools_mean_gap"]
    return {
        "seed": options.seed,
        "workers": options.workers,
        "sets": found,
        "baseline": {
            "what": "best known distances are gap 0; ortools_mean_gap: OR-Tools guided local search, same budget",
            "ortools_mean_gap": come,
        },
    }


class _Asked(msgspec.Struct, frozen=True):
    """An instance, its best known value, and what is spent on it."""

    name: str
    text: str
    known: float
    seconds: float
    seed: int
    ortools: bool


class _Reached(msgspec.Struct, frozen=True):
    """Gaps (infinite: infeasible; None: no plan of OR-Tools'), and iterations."""

    gap: float
    iterations: int
    theirs: float | None


def _one(asked: _Asked) -> _Reached:
    """Plan one instance, and have OR-Tools plan it."""
    scale = 1 if asked.name.startswith("X") else _TENTHS
    problem = instance(asked.name, asked.text)
    best = asked.known * scale
    compiled()
    wall, cpu = time.perf_counter(), time.process_time()
    ours = plan(problem, Params(seconds=asked.seconds, seed=asked.seed), time.process_time)
    slowed = max(1.0, (time.perf_counter() - wall) / (time.process_time() - cpu))
    gap = round(ours.distance_m / best - 1, 5) if _feasible(problem, ours) else float("inf")
    theirs = None
    if asked.ortools:
        other = guided_local_search(problem, asked.seconds * slowed)
        theirs = round(other.distance_m / best - 1, 5) if other and _feasible(problem, other) else None
    return _Reached(gap, ours.iterations, theirs)


def _one_set(name: str, asked: list[_Asked], seconds: float, workers: int) -> dict[str, Any]:
    gaps: dict[str, float] = {}
    theirs: dict[str, float | None] = {}
    iterations = 0
    with ExitStack() as stack:
        if workers > 1:
            pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
            reached = stack.enter_context(pool).map(_one, asked)
        else:
            reached = map(_one, asked)
        for n, (one, r) in enumerate(zip(asked, reached, strict=True)):
            iterations += r.iterations
            gaps[one.name] = r.gap
            line = f"transport {name}: {n + 1} of {len(asked)}, {one.name}: gap {r.gap:.4f}, {r.iterations} iterations"
            if one.ortools:
                theirs[one.name] = r.theirs
                line += f", OR-Tools {r.theirs}"
            print(line, file=sys.stderr, flush=True)
    finite = [g for g in gaps.values() if g != float("inf")]
    solved = [g for g in theirs.values() if g is not None]
    return {
        "mean_gap": round(fmean(finite), 5) if finite else None,
        "worst_gap": max(finite, default=None),
        "budget_s": seconds,
        "instances": len(asked),
        "infeasible": len(gaps) - len(finite),
        "mean_iterations": round(iterations / max(1, len(asked))),
        "ortools_mean_gap": round(fmean(solved), 5) if solved else None,
        "ortools_without_plan": len(theirs) - len(solved),
        "ortools_ahead_on": [k for k, g in theirs.items() if g is not None and g < gaps[k] - 1e-9],
        "gaps": {k: [g, theirs.get(k)] for k, g in gaps.items() if g != float("inf")},
    }


def _feasible(problem: Problem, found: Plan) -> bool:
    try:
        check(problem, found)
    except Broken as e:
        print(f"transport: {e}", file=sys.stderr)
        return False
    return not found.unplanned


def _read(folder: Path) -> tuple[dict[str, float], dict[str, str]]:
    """Best known values, and the text of each instance that has one; the archives are read in memory."""
    values = folder / "bks_cvrplib_dimacs_2024-12-06.json"
    try:
        known = msgspec.json.decode(values.read_bytes(), type=dict[str, Annotated[float, msgspec.Meta(gt=0)]])
        return known, _texts(folder, known)
    except (OSError, EOFError, tarfile.TarError, lzma.LZMAError, *UNREADABLE) as e:
        bound = f"the folder with vrp/, its archives and best known values ({e})"
        raise Rejected("--data", str(folder), bound) from e


def _texts(folder: Path, known: Mapping[str, float]) -> dict[str, str]:
    texts = {}
    for archive in ("vrptw_solomon_gh200_gh400.tar.xz", "cvrp_x_100.tar.xz"):
        with tarfile.open(folder / archive) as tar:
            for member in tar:
                path = Path(member.name)
                name = path.stem if path.suffix == ".vrp" else path.stem.upper()
                content = tar.extractfile(member) if path.suffix in {".vrp", ".txt"} and name in known else None
                if content is not None:
                    texts[name] = content.read().decode()
    return texts


def _named(texts: dict[str, str], known: dict[str, float], kind: str, stops: range) -> list[str]:
    def size(name: str) -> int:
        if kind == "x":
            return int(name.split("-")[1].removeprefix("n")) - 1
        return 100 * int(name.split("_")[1]) if "_" in name else 100

    form = _X if kind == "x" else _TIMED
    return sorted(n for n in texts if n in known and form.fullmatch(n) and size(n) in stops)


def instance(name: str, text: str) -> Problem:
    """Make our problem of a file by its name.

    Raises
    ------
    Rejected
        It is not of the format that its name says; names the instance.
    """
    try:
        return (cvrp if name.startswith("X") else solomon)(text)
    except (LookupError, ValueError, StopIteration) as e:
        form = "CVRPLIB's" if name.startswith("X") else "Solomon's"
        raise Rejected(f"--data: {name}", text[:60], f"an instance in {form} format ({type(e).__name__}: {e})") from e


def solomon(text: str) -> Problem:
    """Make our problem of Solomon's format; a metre is a tenth of its unit, a second a tenth of its time."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    count, capacity = (int(x) for x in next(b for a, b in itertools.pairwise(lines) if a[0] == "NUMBER"))
    rows = np.array([[float(x) for x in line] for line in lines if len(line) == 7 and line[0].isdigit()])
    x, y = rows[:, 1], rows[:, 2]
    far = np.floor(_TENTHS * np.hypot(x[:, None] - x, y[:, None] - y) + 1e-9).astype(np.int64)
    tenths = (rows * _TENTHS).astype(np.int64)
    stops = tuple(
        Stop(str(n), str(n), (int(rows[n, 3]),), service_s=int(tenths[n, 6]), open_s=int(tenths[n, 4]),
             close_s=int(tenths[n, 5]))
        for n in range(1, len(rows))
    )  # fmt: skip
    depot = Depot("depot", "0", int(tenths[0, 4]), int(tenths[0, 5]))
    places = tuple(Place(str(n), float(x[n]), float(y[n])) for n in range(len(rows)))
    return Problem(places, (Matrix(far, far),), (depot,), (Vehicle("v", "depot", "depot", count, (capacity,)),), stops)


def cvrp(text: str) -> Problem:
    """Make our problem of a CVRPLIB file with EUC_2D distances, rounded to the nearest integer; any fleet size."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    heads = {line[0]: n for n, line in enumerate(lines)}
    capacity = int(lines[heads["CAPACITY"]][-1])
    points = np.array(lines[heads["NODE_COORD_SECTION"] + 1 : heads["DEMAND_SECTION"]], np.float64)
    demand = [int(line[1]) for line in lines[heads["DEMAND_SECTION"] + 1 : heads["DEPOT_SECTION"]]]
    x, y = points[:, 1], points[:, 2]
    far = np.floor(np.hypot(x[:, None] - x, y[:, None] - y) + 0.5).astype(np.int64)
    fleet = -(-sum(demand) * 5 // (4 * capacity)) + 3
    stops = tuple(Stop(str(n), str(n), (demand[n],)) for n in range(1, len(demand)))
    places = tuple(Place(str(n), float(x[n]), float(y[n])) for n in range(len(demand)))
    vehicles = (Vehicle("v", "depot", "depot", fleet, (capacity,)),)
    return Problem(places, (Matrix(far, np.zeros_like(far)),), (Depot("depot", "0"),), vehicles, stops)
