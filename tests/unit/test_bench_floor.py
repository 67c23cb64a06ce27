"""The benchmark's own referee sees what it must, and its floor lets every robot get everywhere."""

import math
import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from deploy.bench.footprints import LENGTH_M, WIDTH_M, Referee, overlap
from deploy.bench.streets import CELL_M, streets
from dispatcher.traffic.engine import Traffic

Place = tuple[float, float, float]
places = st.tuples(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5), st.floats(-math.pi, math.pi))


def _inside(body: Place, x: float, y: float, slack: float) -> bool:
    dx, dy = x - body[0], y - body[1]
    along = dx * math.cos(body[2]) + dy * math.sin(body[2])
    across = dy * math.cos(body[2]) - dx * math.sin(body[2])
    return abs(along) < LENGTH_M / 2 - slack and abs(across) < WIDTH_M / 2 - slack


@settings(max_examples=200, deadline=None)
@given(places, places, st.integers(0, 1000))
def test_bodies_overlap_when_a_point_lies_in_both(a: Place, b: Place, seed: int) -> None:
    """A point that is well inside both bodies, found by chance, means that they overlap; and it is symmetric."""
    rng = random.Random(seed)
    found = overlap(np.array(a), np.array(b))
    assert found == overlap(np.array(b), np.array(a))
    points = [(rng.uniform(-2, 2), rng.uniform(-2, 2)) for _ in range(50)]
    if any(_inside(a, x, y, 0.01) and _inside(b, x, y, 0.01) for x, y in points):
        assert found


def test_neighbours_that_turn_do_not_touch_and_closer_ones_do() -> None:
    """Two robots on adjacent nodes of the floor may turn; half a cell apart they collide, once."""
    referee = Referee(2)
    for k in range(20):
        referee.look(k / 10, [(0.0, 0.0, k / 3), (CELL_M, 0.0, -k / 5)])
    assert referee.collisions == 0
    for k in range(20, 25):
        referee.look(k / 10, [(0.0, 0.0, 0.0), (CELL_M / 2, 0.0, 0.0)])
    assert referee.collisions == 1
    assert referee.first == [(2.0, 0, 1)]


def test_standing_is_counted_a_robot_and_for_the_whole_floor() -> None:
    """One that stands is counted alone while another one moves, and the floor when neither does."""
    referee = Referee(2)
    for k in range(11):
        referee.look(float(k), [(0.0, 0.0, 0.0), (5.0 + min(k, 4), 0.0, 0.0)])
    assert referee.standstill_s == 6.0
    assert referee.stood_s.tolist() == [10.0, 6.0]


def test_every_bay_is_reached_from_every_other_one() -> None:
    """A robot with a load drives from bay to bay all over the floor."""
    site = streets(8, 1)
    traffic = Traffic(site.layout)
    bays = [n.id for n in site.layout.nodes if n.kind == "storage"]
    assert len(bays) == 96
    times = traffic.travel_times_s(bays, bays[::7], loaded=True)
    assert math.isfinite(times.max())


def test_one_that_stands_for_good_on_a_street_shuts_in_nobody_but_who_stands_behind_it_in_a_bay() -> None:
    """Whichever street cell is taken away, all others before bays are reached from each other: also at the edges."""
    layout = streets(8, 1).layout
    road = [n.id for n in layout.nodes if n.kind == "aisle"]
    number = {n: k for k, n in enumerate(road)}
    mouths = {number[e.end] for e in layout.edges if layout.node[e.start].kind == "storage"}
    ways = np.array([(number[e.start], number[e.end]) for e in layout.edges if {e.start, e.end} <= number.keys()])
    assert len(mouths) == 96
    for dead in range(len(road)):
        u, v = ways[(ways != dead).all(axis=1)].T
        open_road = csr_array((np.ones(len(u)), (u, v)), shape=(len(road), len(road)))
        _, part = connected_components(open_road, connection="strong")
        assert len({int(part[k]) for k in mouths - {dead}}) == 1, road[dead]
