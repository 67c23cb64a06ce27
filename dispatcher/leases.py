"""What robots of VDA 5050 3.0 ask for: zones and corridors, answered from the same table as their ways.

A zone is granted to a robot whose released way leads through it, while nobody else is there, may come there, or holds a
lease of it; an edge is granted once it is released. What is not free is queued, and granted as soon as it is. A grant
is a lease: it is renewed while it holds, and revoked when the zone or the edge is closed before the robot is on it.
"""

from dataclasses import dataclass

from contracts.ids import EdgeId, NodeId, RobotId
from contracts.layout import Zone, ZoneKind
from contracts.messages.ops import VehicleState
from contracts.vda5050 import v3
from contracts.vda5050.header import timestamp
from dispatcher import orders
from dispatcher.commands import SendResponses, SendZoneSet
from dispatcher.facts import Request, RobotState
from dispatcher.fleet.member import Lease, Pin, Vehicle
from dispatcher.fleet.zones import leads_through, zone_set
from dispatcher.world import World

LEASE_MS = 30_000
RENEW_MS = 10_000
"""A lease is renewed so long before it ends."""
AGAIN_MS = 3_000
"""A robot that shows no effect of an answer, or of a zone set, is told again after this time."""
_ENDED = frozenset({"REVOKED", "EXPIRED", "REJECTED"})
_GRANTED, _QUEUED, _REVOKED, _REJECTED = (str(g) for g in ("GRANTED", "QUEUED", "REVOKED", "REJECTED"))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request is about: a zone, or an edge of the robot's way by the index of its end."""

    zone: Zone | None = None
    edge: EdgeId | None = None
    end: int = 0


def heard(world: World, v: Vehicle, report: RobotState) -> None:
    """Take what a state says of zone sets and requests."""
    if report.zone_sets is not None and world.site.layout.zones:
        _offer(world, v, report.zone_sets)
    if not report.requests and not v.leases:
        return
    kept: dict[str, Lease] = {}
    for request in report.requests:
        lease = v.leases.get(request.id)
        if lease is None or lease.request.what != request.what:
            lease = Lease(request)
        lease.request = request
        if request.status in _ENDED:
            lease.grant = request.status
        kept[request.id] = lease
    v.leases = kept
    if kept:
        world.asking[v.id] = None
    else:
        world.asking.pop(v.id, None)


def serve(world: World) -> None:
    """Answer all requests whose answer has changed, those that asked first before the others."""
    zones = world.site.layout.zones
    if zones:
        shut = _shut(world)
        if shut != world.shut_zones:
            world.shut_zones = shut
            for v in world.vehicles.values():
                if v.report is not None and v.report.zone_sets is not None and v.state is not VehicleState.OFFLINE:
                    _offer(world, v, v.report.zone_sets)
    for name in tuple(world.asking):
        robot = world.vehicles[name]
        if robot.state is not VehicleState.OFFLINE:
            _answer(world, robot)


def lease_due(world: World, _: str) -> None:
    """Renew leases: the phase looks at them by itself once it is woken."""


def _answer(world: World, v: Vehicle) -> None:
    now = world.now_ms
    answers: list[v3.Response] = []
    for lease in v.leases.values():
        if lease.grant in _ENDED:
            unseen = lease.request.status not in _ENDED and now - lease.said_ms >= AGAIN_MS
            if unseen and lease.grant != "EXPIRED":
                answers.append(_say(world, lease))
            continue
        grant = _decide(world, v, lease)
        unseen = grant == _GRANTED and lease.request.status != _GRANTED and now - lease.said_ms >= AGAIN_MS
        if grant != lease.grant or unseen or (grant == _GRANTED and now >= lease.until_ms - RENEW_MS):
            lease.grant = grant
            answers.append(_say(world, lease))
    if answers:
        v.answers += 1
        world.out.append(
            SendResponses(
                v3.Responses(
                    header_id=v.answers,
                    timestamp=timestamp(now),
                    manufacturer=v.manufacturer,
                    serial_number=v.serial,
                    responses=tuple(answers),
                )
            )
        )


def _say(world: World, lease: Lease) -> v3.Response:
    lease.said_ms = world.now_ms
    if lease.grant != _GRANTED:
        return v3.Response(request_id=lease.request.id, grant_type=lease.grant)
    lease.until_ms = world.now_ms + LEASE_MS
    world.timers.earlier(lease.until_ms - RENEW_MS, "lease")
    world.timers.earlier(world.now_ms + AGAIN_MS, "lease")
    return v3.Response(
        request_id=lease.request.id, grant_type=_GRANTED, lease_expiry=timestamp(lease.until_ms)
    )  # fmt: skip


def _decide(world: World, v: Vehicle, lease: Lease) -> str:
    asked = _about(world, v, lease.request)
    if asked is None:
        return _REJECTED
    was, way = lease.grant == _GRANTED, _way(world, v)
    layout = world.site.layout
    if asked.zone is not None:
        inside = v.node in layout.within[asked.zone.id]
        closed = asked.zone.id in world.shut_zones or any(
            n in world.closed_nodes for n in way if n in layout.within[asked.zone.id]
        )
        free = not _taken(world, v, asked.zone)
        ours = bool(way) and leads_through(layout, asked.zone, way)
    else:
        order = v.order
        inside = order is not None and asked.end <= order.at + 1
        closed = asked.edge in world.closed_edges
        free = True
        ours = order is not None and asked.end < len(order.path)
    if was and (inside or not closed):
        return _GRANTED  # what was granted is not taken back but when it is closed before the robot is there
    if was:
        return _REVOKED
    held = bool(v.pins & (Pin.AWAY | Pin.PAUSE)) or world.stopped or not v.placed
    return _GRANTED if ours and free and (inside or not (closed or held)) else _QUEUED


def _about(world: World, v: Vehicle, request: Request) -> _Asked | None:
    if request.kind == "ACCESS":
        zone = next((z for z in world.site.layout.zones if z.id == request.what), None)
        if zone is None or request.zone_set != v.zone_set or zone.kind is not ZoneKind.ONE_ROBOT:
            return None
        return _Asked(zone=zone)
    if request.kind == "CORRIDOR" and v.order is not None and v.order.sent is not None:
        end = (request.seq + 1) // 2
        chain = [*v.order.path, *v.order.horizon]
        if request.seq % 2 and 0 < end < len(chain):
            edge = world.site.layout.edge.get((chain[end - 1], chain[end]))
            if edge is not None and edge.id == request.what:
                return _Asked(edge=edge.id, end=end)
    return None


def _way(world: World, v: Vehicle) -> tuple[NodeId, ...]:
    return (v.node, *world.traffic.route(v.id)[0]) if v.placed else ()


def _taken(world: World, v: Vehicle, zone: Zone) -> bool:
    """Whether another robot is in a zone, may come there, or has a lease of it that has not ended."""
    for other in world.vehicles.values():
        if other is v:
            continue
        # of two whose ways both lead there who asked first has it, unless the other one is there
        there = other.node in world.site.layout.within[zone.id]
        if leads_through(world.site.layout, zone, _way(world, other)) and (
            there or not _asks_later(world, v, other, zone)
        ):
            return True
        for lease in other.leases.values():
            if lease.request.what == zone.id and lease.grant == _GRANTED and lease.until_ms > world.now_ms:
                return True
    return False


def _asks_later(world: World, v: Vehicle, other: Vehicle, zone: Zone) -> bool:
    """Whether both ask for a zone, and this one asked first: the other one will not enter without an answer."""
    if v.id not in world.asking or not any(le.request.what == zone.id for le in other.leases.values()):
        return False
    order: list[RobotId] = list(world.asking)
    return order.index(v.id) < order.index(other.id)


def _shut(world: World) -> frozenset[str]:
    """Return the zones that nobody may enter now: closed by the layout, or all their nodes by an operator."""
    layout = world.site.layout
    return frozenset(
        z.id
        for z in layout.zones
        if z.kind is ZoneKind.CLOSED
        or (layout.within[z.id] and all(n in world.closed_nodes for n in layout.within[z.id]))
    )


def _drop_stale(world: World, v: Vehicle, known: tuple[tuple[str, bool], ...]) -> None:
    """Let a robot delete sets of ours that no level has any more: each change is a new one, its memory has an end."""
    layout, sheet = world.site.layout, v.factsheet
    ours = [name for name, enabled in known if not enabled and name.startswith(f"{layout.id}-")]
    if len(ours) < len(layout.levels) or sheet is None or world.now_ms - v.zones_ms < AGAIN_MS:
        return
    levels = ("" if level == layout.map_id else level for level in layout.levels)
    bodies = [zone_set(layout, world.shut_zones, sheet.zones, level) for level in levels]
    current = {body.zone_set_id for body in bodies if body is not None}
    stale = next((name for name in ours if name not in current), None)
    if stale is not None:
        v.zones_ms = world.now_ms
        orders.instant(world, v, "deleteZoneSet", zoneSetId=stale)


def _offer(world: World, v: Vehicle, known: tuple[tuple[str, bool], ...]) -> None:
    """Give a robot the zones that it understands, and let it use them; a change is a new set under a new name."""
    if v.factsheet is None:
        if world.now_ms - v.zones_ms >= AGAIN_MS:
            v.zones_ms = world.now_ms
            orders.instant(world, v, "factsheetRequest")
        return
    node = world.site.layout.node.get(v.node)
    body = zone_set(world.site.layout, world.shut_zones, v.factsheet.zones, "" if node is None else node.level)
    if body is None:
        return
    name = body.zone_set_id
    enabled = dict(known).get(name)
    if enabled:
        _drop_stale(world, v, known)
    if enabled or (name == v.zone_set and enabled is v.zones_listed and world.now_ms - v.zones_ms < AGAIN_MS):
        v.zone_set = name
        return
    v.zone_set, v.zones_ms, v.zones_listed = name, world.now_ms, enabled
    if enabled is None:
        v.answers += 1
        world.out.append(
            SendZoneSet(
                v3.ZoneSet(
                    header_id=v.answers,
                    timestamp=timestamp(world.now_ms),
                    manufacturer=v.manufacturer,
                    serial_number=v.serial,
                    zone_set=body,
                )
            )
        )
    else:
        orders.instant(world, v, "enableZoneSet", zoneSetId=name)
