"""The twin's motion by formula: legs keep their limits, join without a jump, and can always be braked for."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Rejected
from simulators.battery import Battery, BatteryParams
from simulators.motion import DriveParams, Leg, braking_m, entry_mps

metres = st.floats(0.01, 30)
speed = st.floats(0.05, 3)
rate = st.floats(0.1, 3)


@given(st.lists(st.tuples(metres, speed), min_size=1, max_size=6), rate, rate, st.floats(0, 1))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_a_chain_of_legs_keeps_every_limit(ahead: list[tuple[float, float]], a: float, b: float, share: float) -> None:
    """From any speed within the bound, each leg keeps its limit and acceleration, and the last one ends at rest."""
    v = entry_mps(ahead, b) * share
    for k, (length, limit) in enumerate(ahead):
        assert v <= limit * (1 + 1e-9)
        bound = entry_mps(ahead[k + 1 :], b) if k + 1 < len(ahead) else 0.0
        leg = Leg(v, length, limit, bound, a, b)
        times = [leg.duration_s * i / 50 for i in range(51)]
        speeds, ways = [leg.speed_mps(t) for t in times], [leg.travelled_m(t) for t in times]
        assert speeds[0] == pytest.approx(v, abs=1e-9)
        assert ways[-1] == pytest.approx(length, rel=1e-6)
        assert leg.exit_mps <= bound + 1e-9
        assert all(s <= max(limit, v) + 1e-9 for s in speeds)
        assert all(y >= x for x, y in pairwise(ways))
        step = leg.duration_s / 50
        assert all(-b * step * 1.001 - 1e-6 <= y - x <= a * step * 1.001 + 1e-6 for x, y in pairwise(speeds))
        middle = [(x + y) / 2 * step for x, y in pairwise(speeds)]
        assert math.isclose(sum(middle), length, rel_tol=0.05, abs_tol=0.01)
        v = leg.exit_mps
    assert v == 0.0


@given(st.floats(0, 3), metres, speed, speed, rate, rate, st.floats(0.05, 0.95))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_planning_anew_in_the_middle_changes_nothing(
    v: float, length: float, limit: float, exit_mps: float, a: float, b: float, share: float
) -> None:
    """The rest of a leg, planned again from the actual speed to the same end, takes the rest of its time."""
    v = min(v, limit, math.sqrt(exit_mps**2 + 2 * b * length))
    whole = Leg(v, length, limit, exit_mps, a, b)
    t = whole.duration_s * share
    rest = Leg(whole.speed_mps(t), length - whole.travelled_m(t), limit, exit_mps, a, b)
    assert rest.duration_s == pytest.approx(whole.duration_s - t, abs=1e-3, rel=1e-3)
    assert rest.exit_mps == pytest.approx(whole.exit_mps, abs=1e-4)


def test_braking_is_looked_for_no_farther_than_needed() -> None:
    """A long road ahead costs no more to look at than the braking distance."""
    looked = []

    def road():
        for k in range(1000):
            looked.append(k)
            yield 1.2, 1.5

    assert entry_mps(road(), 1.0) == 1.5
    assert len(looked) == 1
    assert braking_m(1.5, 1.0) == 1.125


@pytest.mark.parametrize("bad", [{"speed_mps": 0}, {"brake_mps2": -1}, {"turn_radps": float("nan")}])
def test_impossible_robots_are_refused(bad: dict[str, float]) -> None:
    """By the name of the value."""
    with pytest.raises(Rejected) as e:
        DriveParams(**bad)
    assert e.value.field == next(iter(bad))


def test_a_battery_loses_and_gains_what_its_figures_say() -> None:
    """Half an hour of idling, a loaded kilometre, a lift; then charging to full and never beyond."""
    battery = Battery(BatteryParams(capacity_wh=100, idle_w=40, loaded_j_per_m=36, lift_j=3600, charge_w=440), 1.0, 0)
    battery.pass_time(1_800_000)
    assert battery.level == pytest.approx(0.8)
    battery.drive(1000, loaded=True)
    battery.lift()
    assert battery.level == pytest.approx(0.69)
    battery.charging = True
    assert battery.full_in_s() == pytest.approx(31 * 3600 / 400)
    battery.pass_time(36_000_000)
    assert battery.level == 1.0
    battery.charging = False
    battery.pass_time(360_000_000)
    assert battery.level == 0.0
