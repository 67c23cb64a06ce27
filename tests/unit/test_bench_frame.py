"""Benchmarks are found by name, say where they were measured, and are refused without a baseline."""

import sys
from types import ModuleType

import pytest

from contracts.errors import Broken, Rejected
from deploy.bench import frame


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A benchmark of the name `probe`, which returns this dict."""
    result: dict[str, object] = {"steps_per_s": 12.5}
    module = ModuleType("deploy.bench.probe")
    module.run = lambda args: {**result, "options": args}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "deploy.bench.probe", module)
    monkeypatch.setattr(frame, "names", lambda: {"probe": "Measure a probe."})
    return result


def test_the_result_stands_beside_the_machine(benchmark: dict[str, object]) -> None:
    """Figures, options and baseline of the benchmark; wall, CPU and machine from the frame."""
    benchmark["baseline"] = {"steps_per_s": 10.0, "from": "the first version"}
    found = frame.measure("probe", ["--steps", "3"])
    assert found["steps_per_s"] == 12.5
    assert found["options"] == ["--steps", "3"]
    assert found["wall_s"] >= 0
    assert {"cpu", "cores", "load_average_1m", "python", "versions"} <= set(found["machine"])


def test_a_figure_without_a_baseline_is_refused(benchmark: dict[str, object]) -> None:
    """A number that is compared with nothing says nothing."""
    assert "baseline" not in benchmark
    with pytest.raises(Broken, match="baseline"):
        frame.measure("probe", [])


def test_an_unknown_name_lists_those_that_exist(benchmark: dict[str, object]) -> None:
    """A misspelled benchmark is answered with what there is."""
    assert benchmark
    with pytest.raises(Rejected, match="probe"):
        frame.measure("prob", [])


def test_every_benchmark_there_is_says_what_it_measures() -> None:
    """`floorplane bench` shows a line for each."""
    assert [name for name, line in frame.names().items() if not line] == []
