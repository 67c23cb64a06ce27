"""The pool of waiting totes: what waits, what joins the pods that come anyway, and what comes first."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Rejected
from contracts.ids import ToteId
from contracts.messages.facts import TotePacked
from contracts.messages.floor import OpenTote, PresentPod
from dispatcher import pooling
from dispatcher.params import Params
from dispatcher.world import Place
from tests.unit.dispatcher_bench import Bench, small_site, tote_work

HOLD_MS = 600_000
POOL = Params(station_rule="optimized", release_rule="due", hold_ms=HOLD_MS, due_lead_ms=60_000)


def standing(bench: Bench) -> list[str]:
    return [t for s in bench.world.stations.values() for t in s.slots if t is not None]


def quiet(slots: int = 2) -> Bench:
    """A floor on which totes stay in their slots."""
    bench = Bench(small_site(slots=slots), POOL)
    bench.people = bench.central = False
    return bench


def test_a_tote_is_held_until_its_hold_ends() -> None:
    bench = quiet()
    bench.work(*tote_work("A", [0]))
    bench.wait(HOLD_MS / 1000 - 1)
    assert standing(bench) == []
    bench.wait(2)
    assert standing(bench) == ["T-A-1"]


def test_a_tote_starts_earlier_when_its_due_time_comes_near() -> None:
    bench = quiet()
    bench.work(*tote_work("A", [0], due_ms=bench.now_ms + 100_000))
    bench.wait(39)
    assert standing(bench) == []
    bench.wait(2)
    assert standing(bench) == ["T-A-1"]


@pytest.mark.parametrize("rule", ["optimized", "affinity", "first_come"])
def test_nothing_is_held_without_the_rule_due(rule: str) -> None:
    bench = Bench(small_site(), msgspec.structs.replace(POOL, station_rule=rule, release_rule="fcfs"))
    bench.people = bench.central = False
    bench.work(*tote_work("A", [0]))
    assert standing(bench) == ["T-A-1"]


def test_an_urgent_tote_is_never_held() -> None:
    bench = quiet()
    bench.work(*tote_work("A", [0]), *tote_work("B", [1], priority=1))
    assert standing(bench) == ["T-B-1"]


def test_a_rider_takes_a_slot_where_its_pod_comes_anyway_and_others_wait_on() -> None:
    bench = quiet(slots=3)
    bench.work(*tote_work("A", [0, 1, 2], priority=1))
    station = bench.world.totes[ToteId("T-A-1")].station
    bench.work(*tote_work("B", [3]), *tote_work("C", [1], priority=1), *tote_work("D", [2], priority=0))
    assert sorted(standing(bench)) == ["T-A-1", "T-C-1", "T-D-1"]
    assert bench.world.totes[ToteId("T-C-1")].station == station
    assert bench.world.totes[ToteId("T-D-1")].station == station
    assert bench.world.totes[ToteId("T-B-1")].place is Place.WAITING


def test_the_seed_is_the_tote_that_shares_most() -> None:
    bench = quiet(slots=2)
    bench.work(*tote_work("A", [0, 1, 2], priority=1))
    station = bench.world.totes[ToteId("T-A-1")].station
    bench.work(*tote_work("B", [3, 4, 5]), *tote_work("C", [1, 2, 6]))
    bench.wait(HOLD_MS / 1000)
    bench.hear()
    assert bench.world.totes[ToteId("T-C-1")].station == station
    assert [o.tote for o in bench.commanded(OpenTote) if isinstance(o, OpenTote)][:2] == ["T-A-1", "T-C-1"]


def test_single_batching_takes_totes_in_their_order_whatever_they_share() -> None:
    bench = Bench(small_site(slots=2), msgspec.structs.replace(POOL, batching="single"))
    bench.people = bench.central = False
    bench.work(*tote_work("A", [0, 1, 2], priority=1))
    bench.work(*tote_work("B", [3, 4, 5]), *tote_work("C", [1, 2]))
    assert standing(bench) == ["T-A-1"]
    bench.wait(HOLD_MS / 1000)
    bench.hear()
    assert [o.tote for o in bench.commanded(OpenTote) if isinstance(o, OpenTote)][:2] == ["T-A-1", "T-B-1"]


def test_an_overdue_tote_is_the_next_seed_whatever_it_shares() -> None:
    bench = quiet(slots=1)
    bench.work(*tote_work("X", [4], priority=1), *tote_work("Y", [5], priority=1))
    bench.work(*tote_work("A", [0]))
    bench.wait(pooling.OVERDUE * HOLD_MS / 1000)
    bench.work(*tote_work("B", [4, 4]))
    station = bench.world.totes[ToteId("T-X-1")].station
    assert station is not None
    bench.world.stations[station].slots[0] = None
    bench.world.stations[station].demand.clear()
    bench.world.slots_changed = True
    bench.hear()
    assert bench.world.stations[station].slots == ["T-A-1"]


def test_the_tote_that_needs_fewest_pods_more_gets_its_pods_first() -> None:
    bench = Bench(small_site(1, slots=2), POOL)
    bench.work(*tote_work("A", [0, 1, 2, 3], priority=1), *tote_work("B", [3], priority=1))
    bench.wait(600)
    shown = [p.pod for p in bench.commanded(PresentPod) if isinstance(p, PresentPod)]
    assert sorted(shown) == ["P0", "P1", "P2", "P3"]
    assert shown[0] == "P3"


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.integers(0, 1), st.integers(0, 900)),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(["due", "fcfs"]),
)
def test_whatever_comes_is_packed_in_the_end(orders: list[tuple[list[int], int, int]], release: str) -> None:
    """Any totes with any urgency, held or not: each is packed once, and no slot holds two."""
    bench = Bench(small_site(2, slots=2), msgspec.structs.replace(POOL, release_rule=release))
    for k, (pods, priority, gap_s) in enumerate(orders):
        bench.work(*tote_work(f"O{k}", pods, priority=priority, due_ms=bench.now_ms + 3_600_000))
        bench.wait(gap_s)
    bench.wait(4 * 3_600)
    packed = [body.task for body in bench.told(TotePacked) if isinstance(body, TotePacked)]
    assert sorted(packed) == sorted(f"K-T-O{k}-1" for k in range(len(orders)))


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("release_rule", {"release_rule": "later"}),
        ("release_rule", {"station_rule": "first_come", "release_rule": "due"}),
        ("batching", {"batching": "some"}),
        ("hold_ms", {"hold_ms": 0}),
    ],
)
def test_parameters_that_make_no_sense_are_refused(field: str, change: dict[str, object]) -> None:
    with pytest.raises(Rejected) as refused:
        msgspec.convert({**msgspec.structs.asdict(Params()), **change}, Params, from_attributes=True)
    assert refused.value.field == field
