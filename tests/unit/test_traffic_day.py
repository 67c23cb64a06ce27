"""Forty robots on the reference site carry pods to stations and back; nobody stands for long, nothing is forgotten."""

import time

import pytest

from contracts.ids import DoorId, NodeId, RobotId
from contracts.layout import NodeKind
from contracts.site import Site, Station
from simulators.catalogue import Catalogue
from simulators.site import build
from tests.unit.traffic_floor import Floor, check


class Pods(Floor):
    """Each robot fetches a random pod, carries it to a station, waits while people pick, and stores it elsewhere.

    A station takes as many pods as its lane has places, and two on their way. The doors follow the wish with a delay.
    """

    def __init__(self, site: Site, seed: int) -> None:
        super().__init__(site.layout, seed)
        self.stations = site.stations
        storage = [n.id for n in site.layout.nodes if n.kind is NodeKind.STORAGE]
        self.pods = [p.home for p in site.pods]
        self.empty = [n for n in storage if n not in set(self.pods)]
        self.coming = {s.id: 0 for s in site.stations}
        self.leg: dict[RobotId, tuple[str, Station]] = {}
        self.trips = 0
        self.settled_ms: dict[RobotId, int] = {}
        self.open: frozenset[DoorId] = frozenset()
        self.on_settled = self.work
        for r in site.robots:
            self.settled_ms[self.place(r.id, r.start)] = 0
        for robot in self.settled_ms:
            self.begin(robot)
        self.after(0, self.move_doors)

    def move_doors(self) -> None:
        wanted = self.traffic.wanted_doors()
        self.after(self.rng.uniform(2_000, 6_000), lambda: self.open_doors(wanted))
        self.after(1_000, self.move_doors)

    def open_doors(self, wanted: frozenset[DoorId]) -> None:
        self.open = wanted | (self.open & self.traffic.wanted_doors())

    def begin(self, robot: RobotId) -> None:
        free = [s for s in self.stations if self.coming[s.id] < len(s.lane) + 2]
        if not free or not self.pods:
            self.after(3_000, lambda: self.begin(robot))
            return
        station = min(free, key=lambda s: (self.coming[s.id], self.rng.random()))
        self.coming[station.id] += 1
        pod = self.pods.pop(self.rng.randrange(len(self.pods)))
        self.leg[robot] = "fetch", station
        self.target(robot, pod)
        if self.traffic.settled(robot):
            self.work(robot)

    def work(self, robot: RobotId) -> None:
        self.settled_ms[robot] = self.now
        self.traffic.pin(robot)
        leg, _ = self.leg[robot]
        self.after(
            {"fetch": 5_000, "carry": self.rng.uniform(20_000, 60_000), "store": 4_000}[leg], lambda: self.go(robot)
        )

    def go(self, robot: RobotId) -> None:
        self.traffic.unpin(robot)
        leg, station = self.leg[robot]
        here = self.at[robot]
        if leg == "fetch":
            self.empty.append(here)
            self.leg[robot] = "carry", station
            self.target(robot, station.lane[-1], loaded=True)
        elif leg == "carry":
            self.coming[station.id] -= 1
            self.leg[robot] = "store", station
            self.target(robot, self.empty.pop(self.rng.randrange(len(self.empty))), loaded=True)
        else:
            self.pods.append(here)
            self.trips += 1
            self.begin(robot)


def run(hours: float, seed: int) -> Pods:
    floor = Pods(build(seed, Catalogue((), ()), 40), seed)
    for minute in range(1, round(60 * hours) + 1):
        floor.run(60_000 * minute)
        check(floor.traffic)
    return floor


def test_an_hour_of_pod_trips_flows() -> None:
    floor = run(1, 1)
    assert floor.standstill < 15_000
    assert min(floor.settled_ms.values()) > floor.now - 600_000
    assert floor.trips > 550


@pytest.mark.slow
def test_eight_hours_of_pod_trips_flow_and_cost_little() -> None:
    begin = time.process_time()
    floor = run(8, 2)
    assert floor.standstill < 15_000
    assert min(floor.settled_ms.values()) > floor.now - 600_000
    assert floor.trips > 8 * 550
    assert time.process_time() - begin < 60


def test_travel_time_is_that_of_the_shortest_way() -> None:
    site = build(1, Catalogue((), ()), 1)
    floor = Floor(site.layout, 1)
    edge = site.layout.edges[0]
    expected = site.layout.length_m(edge) / edge.max_speed_mps
    assert floor.traffic.travel_s(edge.start, edge.end, loaded=False) == pytest.approx(expected, abs=0.001)
    pod, station = site.pods[0].home, site.stations[0].lane[-1]
    assert 5 < floor.traffic.travel_s(pod, NodeId(station), loaded=True) < 120
