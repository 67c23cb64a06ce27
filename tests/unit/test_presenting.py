"""Pods for people: brought to idle stations by ordinary missions, kept there, and out of the way of picks."""

import pytest

from contracts.ids import PodId
from contracts.messages.facts import PodMoved, TotePacked
from contracts.messages.ops import OpsCommand, ShowPods
from dispatcher.commands import AnswerOps
from dispatcher.facts import OpsAsked
from dispatcher.params import STATION_RULES, Params
from dispatcher.presenting import MOST_MS
from dispatcher.world import World
from tests.unit.dispatcher_bench import Bench, small_site, tote_work


def need(bench: Bench, *pods: str) -> tuple[bool, str]:
    name = f"n{bench.now_ms}-{len(pods)}"
    said = bench.hear(OpsAsked(OpsCommand(name, "central", "moves", ShowPods(tuple(PodId(p) for p in pods)))))
    (answer,) = [c.answer for c in said if isinstance(c, AnswerOps)]
    return answer.done, answer.reason


def shown(world: World) -> dict[str, str | None]:
    return {name: None if w.present is None else world.missions[w.present].pod for name, w in world.stations.items()}


def test_two_pods_stand_at_two_stations_until_they_are_needed_no_more() -> None:
    bench = Bench(small_site())
    one, two = list(bench.world.stations)
    pods = list(bench.world.pods)
    assert need(bench, pods[0], pods[1]) == (True, "")
    bench.wait(600)
    assert sorted(p for p in shown(bench.world).values() if p) == sorted(pods[:2])
    stands = {f.pod for f in bench.told(PodMoved) if isinstance(f, PodMoved)}
    assert stands == set(pods[:2])  # central knows where they are
    bench.wait(3_600)
    assert sorted(p for p in shown(bench.world).values() if p) == sorted(pods[:2])  # nothing else is to be done
    need(bench, pods[1])
    bench.wait(300)
    assert sorted(p for p in shown(bench.world).values() if p) == [pods[1]]
    need(bench)
    bench.wait(300)
    assert shown(bench.world) == {one: None, two: None}
    assert all(node is not None for node in bench.world.pods.values())
    assert not bench.world.missions


@pytest.mark.parametrize("rule", STATION_RULES)
def test_picks_come_first(rule: str) -> None:
    """What is ordered meanwhile is packed: from the pods that people have, and at the stations where these stand."""
    bench = Bench(small_site(robots=3), Params(station_rule=rule))
    pods = list(bench.world.pods)
    need(bench, pods[0], pods[1])
    bench.wait(600)
    assert all(shown(bench.world).values())
    bench.work(*tote_work("A", [0, 2]), *tote_work("B", [3]))
    bench.wait(60)
    assert all(w.slots == [None, None] for w in bench.world.stations.values())  # a person may have his hands in a pod
    bench.wait(MOST_MS / 1000 + 1_800)
    packed = [str(f.task) for f in bench.told(TotePacked) if isinstance(f, TotePacked)]
    assert sorted(packed) == ["K-T-A-1", "K-T-B-1"]
    bench.wait(900)
    assert sorted(p for p in shown(bench.world).values() if p) == sorted(pods[:2])  # and then again for people


def test_a_pod_is_not_fetched_where_picks_are_under_way() -> None:
    bench = Bench(small_site(), Params(station_rule="first_come"))
    bench.people = False
    bench.work(*tote_work("A", [0]), *tote_work("B", [1]))
    assert all(any(w.slots) for w in bench.world.stations.values())
    pods = list(bench.world.pods)
    need(bench, pods[2], pods[0])
    bench.wait(600)
    assert pods[2] not in shown(bench.world).values()
    assert need(bench, "P99") == (False, "The site has no pod P99.")
    assert list(bench.world.for_hands) == [pods[2], pods[0]]
