"""The next-bin benchmark is a floor that works: its roads lead everywhere, its figures are of pods that were done."""

import json
import math
import subprocess
import sys

import pytest

from contracts.layout import NodeKind
from contracts.runtime.settings import bare_environment
from deploy.bench.nextbin_site import build
from dispatcher.params import Params
from dispatcher.traffic.engine import Traffic


def test_every_pod_can_be_brought_to_every_station_and_back() -> None:
    """Loaded, on an empty road, from each storage place to each station and from its exit to each storage place."""
    site = build(4, 8)
    traffic = Traffic(site.layout, Params().traffic)
    storage = [n.id for n in site.layout.nodes if n.kind is NodeKind.STORAGE]
    assert len({r.start for r in site.robots}) == 8
    for station in site.stations:
        for place in storage:
            assert traffic.travel_s(place, station.lane[-1], loaded=True) < math.inf
            assert traffic.travel_s(station.exit, place, loaded=True) < math.inf


@pytest.mark.slow
def test_the_command_measures_pods_that_were_done_and_leaves_none_unnamed() -> None:
    """A short run of a few stations over the real broker, dispatcher and central."""
    words = ["nextbin", "--stations", "8", "--seconds", "20", "--warm", "25", "--json", "-"]
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "bench", *words], capture_output=True, text=True, timeout=240, check=False,
        env=bare_environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["measured"] >= 4
    assert (found["never_named"], found["orders_refused"]) == (0, 0)
    assert found["picks"] > 0
    assert found["baseline"]["measured"] > 100
