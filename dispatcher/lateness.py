"""Missed arrivals: a robot that stands though its way is released to it, without an error and without a word.

First nobody is planned to wait behind it any more: others drive around. If it still stands some time later it counts as
stopped: its nodes are shut, its work goes to others where it has not begun it, and a person is called. Its order is
cancelled, so that it holds no more than where it stands, and it is sent to the very next node: as soon as it gets there
it is one of the fleet again.

Where one robot after another is late on the same edge, the edge is blocked: it is closed for a while.
"""

from enum import IntEnum

from contracts.ids import EdgeId
from contracts.layout import Edge
from dispatcher import recovery, stopped
from dispatcher.fleet.member import Pin, Vehicle
from dispatcher.fleet.vehicle import Signal, step
from dispatcher.world import World

_SLOW = 2
"""A robot may take so many times the time of an edge at its speed limit."""


class Late(IntEnum):
    """How late a robot is."""

    NOT = 0
    STALLED = 1
    """Others drive around it."""
    STOPPED = 2
    """Its nodes are shut, and a person is called."""


def late_due(world: World, _: str) -> None:
    """Look at every robot that has released way ahead."""
    if world.stopped:
        return
    p, some = world.params, False
    for v in world.vehicles.values():
        order = v.order
        if order is None or order.at >= len(order.path) - 1 or v.pins & (Pin.AWAY | Pin.PAUSE) or not v.placed:
            continue
        some = True
        stands_ms = world.now_ms - v.moved_ms
        if stands_ms <= p.stalled_ms or v.late == Late.STOPPED:
            continue
        stands_ms -= _edge_ms(world, v)
        if stands_ms > p.stopped_ms:
            _stop(world, v)
        elif stands_ms > p.stalled_ms and v.late == Late.NOT:
            v.late = Late.STALLED
            world.traffic.stalled(v.id)
            _note(world, v)
            world.plan_wanted = world.release_wanted = True
    if some:
        world.timers.set(world.now_ms + p.late_look_ms, "late")


def moves_again(world: World, v: Vehicle) -> None:
    """Let a late robot go on: it has reported another node."""
    v.late = Late.NOT
    world.traffic.found(v.id)
    world.clear_alarm(f"stuck-{v.id}")
    world.plan_wanted = world.release_wanted = world.fleet_changed = world.demand_changed = world.hauls_changed = True


def open_edge(world: World, edge: Edge) -> None:
    """Let an edge be driven again, and begin to count anew."""
    if world.closed_edges.pop(edge.id, None) is None:
        return
    world.got_stuck.pop(edge.id, None)
    world.traffic.reopen_edge(edge.start, edge.end)
    world.clear_alarm(f"edge-{edge.id}")
    world.plan_wanted = world.release_wanted = True


def edge_due(world: World, name: str) -> None:
    """Try an edge again that was closed as robots got stuck on it."""
    if world.closed_edges.get(EdgeId(name)):
        open_edge(world, next(e for e in world.site.layout.edges if e.id == name))


def _note(world: World, v: Vehicle) -> None:
    """Infer from who was late where that an edge is blocked."""
    edge, p = _edge(world, v), world.params
    if edge is None or edge.id in world.closed_edges:
        return
    seen = world.got_stuck.setdefault(edge.id, {})
    seen[v.id] = world.now_ms
    for name in [r for r, at_ms in seen.items() if world.now_ms - at_ms > p.blocked_memory_ms]:
        del seen[name]
    if len(seen) < p.blocked_robots:
        return
    world.closed_edges[edge.id] = world.now_ms + p.blocked_ms
    world.timers.set(world.now_ms + p.blocked_ms, "edge", edge.id)
    world.traffic.close_edge(edge.start, edge.end)
    world.raise_alarm(
        f"edge-{edge.id}", "warning", edge.id,
        f"Robots {', '.join(seen)} got stuck between {edge.start} and {edge.end}: others drive around for "
        f"{p.blocked_ms // 60_000} min.",
        "See what lies there; open the edge when it is gone.",
    )  # fmt: skip


def _stop(world: World, v: Vehicle) -> None:
    v.late = Late.STOPPED
    world.traffic.lost(v.id)
    recovery.hand_on(world, v)
    if len(world.traffic.route(v.id)[0]) > 1:
        v.state = step(v.state, Signal.CANCEL_SENT)
        stopped.ask_to_stay(world, v)
    world.plan_wanted = world.release_wanted = world.hauls_changed = True
    world.raise_alarm(
        f"stuck-{v.id}",
        "warning",
        v.id,
        f"Robot {v.id} has stood at {v.node} for {(world.now_ms - v.moved_ms) // 1000} s with its way free.",
        "See what stands before it; others drive around it.",
    )


def _edge_ms(world: World, v: Vehicle) -> int:
    """Return how long it may drive on the edge that it is on."""
    edge, layout = _edge(world, v), world.site.layout
    if edge is None:
        return 0
    speed_mps = layout.speed_mps(edge)
    if v.factsheet is not None and v.factsheet.speed_max_mps > 0:
        speed_mps = min(speed_mps, v.factsheet.speed_max_mps)
    return round(1000 * _SLOW * layout.length_m(edge) / speed_mps)


def _edge(world: World, v: Vehicle) -> Edge | None:
    """Return the edge that a robot is to drive next, or is on."""
    order = v.order
    if order is None or order.at + 1 >= len(order.path):
        return None
    return world.site.layout.edge[order.path[order.at], order.path[order.at + 1]]
