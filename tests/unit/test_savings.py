"""What each choice of a day saves: one day with each choice at its baseline, and one with all of them."""

import msgspec
import pytest

from deploy.one_day import DayOptions
from deploy.savings import cases, run_savings, savings_table
from dispatcher.params import Params

CHOSEN = DayOptions(
    orders_per_h=4.0, robots=8, slotting="best",
    params=Params(station_rule="optimized", release_rule="due", hold_ms=600_000),
)  # fmt: skip


def test_each_case_differs_in_one_choice_and_the_last_in_all() -> None:
    found = {c.flag: c.options for c in cases(CHOSEN)}
    assert list(found) == [
        "", "--slotting as-is", "--batching single", "--release fcfs", "--stations first-come", "all of these",
    ]  # fmt: skip
    assert found[""] == CHOSEN
    assert found["--slotting as-is"].params == CHOSEN.params
    assert found["--batching single"].params.batching == "single"
    assert found["--release fcfs"].params.station_rule == "optimized"
    assert found["--stations first-come"].slotting == "best"
    assert (found["all of these"].slotting, found["all of these"].params.station_rule) == ("as-is", "first_come")
    assert {o.params.hold_ms for o in found.values()} == {600_000}


def test_planned_stations_are_compared_with_their_rule_as_well() -> None:
    found = {c.flag: c.options for c in cases(msgspec.structs.replace(CHOSEN, plan_min=10.0))}
    assert list(found)[:3] == ["", "--slotting as-is", "--stations optimized"]
    assert {flag for flag, o in found.items() if o.plan_min == 0} == {
        "--stations optimized", "--stations first-come", "all of these",
    }  # fmt: skip


def test_what_is_at_its_baseline_already_is_not_run_again() -> None:
    plain = DayOptions(slotting="as-is", params=Params(station_rule="first_come"))
    assert [c.flag for c in cases(plain)] == ["", "all of these"]


@pytest.mark.slow
def test_the_days_are_run_and_compared() -> None:
    """The first is the day as it is chosen; what it saves against each other one is told as a share of that one's."""
    told = run_savings(CHOSEN, lambda *_: None)
    assert [s.flag for s in told] == [c.flag for c in cases(CHOSEN)]
    assert {s.shipped for s in told} == {told[0].shipped}
    assert told[0].saved_visits == 0
    last = told[-1]
    assert last.saved_visits == pytest.approx(1 - told[0].pod_visits / last.pod_visits, abs=1e-4)
    assert savings_table(told).row_count == len(told)
