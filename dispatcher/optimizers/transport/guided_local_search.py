"""OR-Tools' routing with guided local search: the baseline, and beside PyVRP where drivers rest, which it knows.

It knows no reloads, release times or overtime; problems with these are refused.
"""

import itertools
from collections.abc import Mapping
from typing import Any

from contracts.errors import Rejected
from dispatcher.optimizers.transport.problem import NO_WAY, UNBOUNDED, Problem, Vehicle
from dispatcher.optimizers.transport.routes import DELIVERY, PICKUP, STOP, Plan, Route, Step, Unplanned
from dispatcher.optimizers.transport.schedule import alone, schedule

_FAR = 2**31


def guided_local_search(problem: Problem, seconds: float, solutions: int | None = None) -> Plan | None:
    """Plan for so many seconds (or so many solutions found); None if no plan was found."""
    _refuse(problem)
    impossible = {s.id: why for s in problem.demands if (why := alone(problem, s.id)) is not None}
    build = _Build(problem, impossible)
    found = build.solve(seconds, solutions)
    if found is None:
        return None
    routes, used = [], dict.fromkeys(problem.vehicle_of, 0)
    for vehicle, steps in build.steps(found):
        if steps:
            route = schedule(problem, vehicle, used[vehicle.id], steps)
            if isinstance(route, str):
                return None
            used[vehicle.id] += 1
            routes.append(route)
    return _plan(problem, routes, impossible)


class _Build:
    """The routing model of a problem; nodes are stops, then pickups and deliveries, then each vehicle's two ends."""

    def __init__(self, problem: Problem, impossible: Mapping[str, str]) -> None:
        from ortools.constraint_solver import pywrapcp

        self.problem = problem
        place = problem.place_of
        self.nodes: list[tuple[Step, int, int, int, int, tuple[int, ...]]] = []
        zero = (0,) * problem.dimensions
        prizes: list[int | None] = []
        pairs: list[tuple[int, int]] = []
        for s in problem.stops:
            if s.id not in impossible:
                if any(s.pickup) and any(s.delivery):
                    raise Rejected(f"stops/{s.id}", s.pickup, "either a delivery or a pickup, for OR-Tools")
                load = s.delivery or tuple(-a for a in s.pickup) or zero
                self.nodes.append(((STOP, s.id), place[s.place], s.service_s, s.open_s, s.close_s, load))
                prizes.append(s.prize)
        for p in problem.shipments:
            if p.id not in impossible:
                pairs.append((len(self.nodes), len(self.nodes) + 1))
                amount = p.amount or zero
                self.nodes += [
                    ((PICKUP, p.id), place[p.pickup_place], p.pickup_service_s, p.pickup_open_s, p.pickup_close_s,
                     tuple(-a for a in amount)),
                    ((DELIVERY, p.id), place[p.delivery_place], p.delivery_service_s, p.delivery_open_s,
                     p.delivery_close_s, amount),
                ]  # fmt: skip
                prizes += [p.prize, p.prize]
        self.vehicles = [v for v in problem.vehicles for _ in range(min(v.count, len(problem.demands)))]
        starts: list[int] = []
        ends: list[int] = []
        for v in self.vehicles:
            for depot, side in ((v.start_depot, starts), (v.end_depot, ends)):
                d = problem.depot_of[depot]
                side.append(len(self.nodes))
                service = d.service_s if side is starts else 0
                self.nodes.append((("depot", d.id), place[d.place], service, d.open_s, d.close_s, zero))
        self.starts, self.ends = frozenset(starts), frozenset(ends)
        self.manager = pywrapcp.RoutingIndexManager(len(self.nodes), len(self.vehicles), starts, ends)
        self.routing = pywrapcp.RoutingModel(self.manager)
        self._costs()
        self._times()
        self._loads()
        to = self.manager.NodeToIndex
        solver = self.routing.solver()
        time_of = self.routing.GetDimensionOrDie("time")
        for a, b in pairs:
            self.routing.AddPickupAndDelivery(to(a), to(b))
            solver.Add(self.routing.VehicleVar(to(a)) == self.routing.VehicleVar(to(b)))
            solver.Add(time_of.CumulVar(to(a)) <= time_of.CumulVar(to(b)))
        paired = {n for pair in pairs for n in pair}
        for n, prize in enumerate(prizes):
            if prize is not None and n not in paired:
                self.routing.AddDisjunction([to(n)], prize)
        for a, b in pairs:
            prize = prizes[a]
            if prize is not None:
                self.routing.AddDisjunction([to(a), to(b)], prize, 2)

    def _table(self, table: Any, *, service: bool) -> list[list[int]]:
        rows = [n[1] for n in self.nodes]
        matrix = table[rows][:, rows].copy()
        matrix[matrix == NO_WAY] = _FAR
        if service:
            matrix += [[n[2]] for n in self.nodes]
        return matrix.tolist()  # type: ignore[no-any-return]  # numpy

    def _costs(self) -> None:
        registered: dict[tuple[int, int], int] = {}
        for k, v in enumerate(self.vehicles):
            key = (v.matrix, v.cost_per_m)
            if key not in registered:
                table = self.problem.matrices[v.matrix].distance_m
                registered[key] = self.routing.RegisterTransitMatrix(
                    [[min(c * v.cost_per_m, _FAR) for c in row] for row in self._table(table, service=False)]
                )
            self.routing.SetArcCostEvaluatorOfVehicle(registered[key], k)
            self.routing.SetFixedCostOfVehicle(v.fixed_cost, k)
        limits = [min(v.max_distance_m, _FAR - 1) for v in self.vehicles]
        if any(v.max_distance_m < _FAR for v in self.vehicles):
            drives = [
                self.routing.RegisterTransitMatrix(
                    self._table(self.problem.matrices[v.matrix].distance_m, service=False)
                )
                for v in self.vehicles
            ]
            self.routing.AddDimensionWithVehicleTransitAndCapacity(drives, 0, limits, True, "distance")

    def _times(self) -> None:
        tables: dict[int, int] = {}
        for v in self.vehicles:
            if v.matrix not in tables:
                duration = self.problem.matrices[v.matrix].duration_s
                tables[v.matrix] = self.routing.RegisterTransitMatrix(self._table(duration, service=True))
        self.routing.AddDimensionWithVehicleTransits(
            [tables[v.matrix] for v in self.vehicles], _FAR, _FAR, False, "time"
        )
        times = self.routing.GetDimensionOrDie("time")
        for n, (step, _, _, open_s, close_s, _) in enumerate(self.nodes):
            if step[0] != "depot":
                times.CumulVar(self.manager.NodeToIndex(n)).SetRange(open_s, min(close_s, _FAR))
        for k, v in enumerate(self.vehicles):
            start, end = self.problem.depot_of[v.start_depot], self.problem.depot_of[v.end_depot]
            for index, d in ((self.routing.Start(k), start), (self.routing.End(k), end)):
                times.CumulVar(index).SetRange(max(d.open_s, v.open_s), min(d.close_s, v.close_s, _FAR))
            if v.shift_s < UNBOUNDED:
                times.SetSpanUpperBoundForVehicle(v.shift_s, k)
            if v.cost_per_s:
                times.SetSpanCostCoefficientForVehicle(v.cost_per_s, k)
            if v.breaks:
                self._breaks(times, k, v)
            self.routing.AddVariableMinimizedByFinalizer(times.CumulVar(self.routing.End(k)))

    def _breaks(self, times: Any, k: int, v: Vehicle) -> None:
        """Breaks lie between services, before the route or behind it."""
        services = [0] * self.manager.GetNumberOfIndices()
        for n, node in enumerate(self.nodes):
            index = self.routing.Start(k) if n in self.starts else self.manager.NodeToIndex(n)
            if n not in self.ends:
                services[index] = node[2]
        solver = self.routing.solver()
        rests = [
            solver.FixedDurationIntervalVar(b.open_s, min(b.close_s, _FAR), b.duration_s, False, f"break{m}")
            for m, b in enumerate(v.breaks)
        ]
        for a, b in itertools.pairwise(rests):
            solver.Add(b.StartExpr() >= a.EndExpr())
        times.SetBreakIntervalsOfVehicle(rests, k, services)

    def _loads(self) -> None:
        for d in range(self.problem.dimensions):
            # what is on board falls with each delivery: it begins with whatever is needed
            steps = [-n[5][d] for n in self.nodes]
            callback = self.routing.RegisterUnaryTransitVector(steps)
            limits = [v.capacity[d] for v in self.vehicles]
            self.routing.AddDimensionWithVehicleCapacity(callback, 0, limits, False, f"load{d}")

    def solve(self, seconds: float, solutions: int | None) -> Any:
        from ortools.constraint_solver import pywrapcp, routing_enums_pb2

        p = pywrapcp.DefaultRoutingSearchParameters()
        p.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PARALLEL_CHEAPEST_INSERTION
        p.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
        p.time_limit.FromMicroseconds(int(max(seconds, 0.05) * 1e6))
        if solutions is not None:
            p.solution_limit = solutions
        return self.routing.SolveWithParameters(p)

    def steps(self, found: Any) -> list[tuple[Vehicle, list[Step]]]:
        """Read the routes of a solution."""
        routes = []
        for k, v in enumerate(self.vehicles):
            index, steps = found.Value(self.routing.NextVar(self.routing.Start(k))), []
            while not self.routing.IsEnd(index):
                steps.append(self.nodes[self.manager.IndexToNode(index)][0])
                index = found.Value(self.routing.NextVar(index))
            routes.append((v, steps))
        return routes


def knows(problem: Problem) -> bool:
    """Whether it can plan this problem."""
    try:
        _refuse(problem)
    except Rejected:
        return False
    return not any(any(s.pickup) and any(s.delivery) for s in problem.stops)


def _refuse(problem: Problem) -> None:
    for v in problem.vehicles:
        if v.max_reloads or v.max_overtime_s:
            raise Rejected(f"vehicles/{v.id}", (v.max_reloads, v.max_overtime_s), "without reloads and overtime here")
    for s in problem.stops:
        if s.release_s:
            raise Rejected(f"stops/{s.id}/release_s", s.release_s, "0 here")


def _plan(problem: Problem, routes: list[Route], impossible: Mapping[str, str]) -> Plan:
    served = {v.id for r in routes for v in r.visits}
    unplanned = [
        Unplanned(s.id, impossible.get(s.id) or "leaving it out costs less")
        for s in problem.demands
        if s.id not in served
    ]
    cost, meters = sum(r.cost for r in routes), sum(r.distance_m for r in routes)
    return Plan(tuple(routes), tuple(unplanned), cost, meters, 0, 1)
