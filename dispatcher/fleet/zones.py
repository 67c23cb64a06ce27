"""A layout's zones as VDA 5050 3.0 zone sets, and which of them a way leads through.

A zone for one robot is a RELEASE zone: who wants to enter asks, and is answered from the table of rights of way. A zone
without a stop has no type of its own in 3.0; traffic keeps it by what it releases.
"""

import hashlib
from collections.abc import Collection, Sequence
from itertools import pairwise

from contracts.codec import encode
from contracts.geometry import Point
from contracts.ids import NodeId
from contracts.layout import Layout, Zone, ZoneKind
from contracts.vda5050 import v3

RELEASE, BLOCKED, SPEED_LIMIT = "RELEASE", "BLOCKED", "SPEED_LIMIT"
_TYPES = {ZoneKind.SPEED: SPEED_LIMIT, ZoneKind.ONE_ROBOT: RELEASE, ZoneKind.CLOSED: BLOCKED}


def zone_set(
    layout: Layout, shut: Collection[str], understood: Collection[str], level: str = ""
) -> v3.ZoneSetBody | None:
    """Return the zones of a level's map for robots that understand some types of them; None: there are none for them.

    Parameters
    ----------
    shut
        Zones that nobody may enter now, whatever else they are.
    understood
        Zone types (`supportedZones` of the factsheet).
    level
        As `Node.level`; empty: the layout's own.
    """
    zones = []
    for zone in layout.zones:
        if zone.level != level:
            continue
        kind = BLOCKED if zone.id in shut else "" if zone.kind is ZoneKind.CLOSED else _TYPES.get(zone.kind, "")
        if kind and kind in understood:
            zones.append(
                v3.Zone(
                    zone_id=zone.id,
                    zone_type=kind,
                    vertices=tuple(v3.Vertex(x=c.x_m, y=c.y_m) for c in zone.corners),
                    zone_descriptor=zone.kind,
                    maximum_speed=zone.max_speed_mps if kind == SPEED_LIMIT else None,
                    release_loss_behavior="CONTINUE" if kind == RELEASE else None,
                )
            )
    if not zones:
        return None
    # what a set's name stands for must never change: the name is made of the content
    name = hashlib.blake2b(encode(zones), digest_size=6).hexdigest()
    return v3.ZoneSetBody(map_id=level or layout.map_id, zone_set_id=f"{layout.id}-{name}", zones=tuple(zones))


def leads_through(layout: Layout, zone: Zone, way: Sequence[NodeId]) -> bool:
    """Whether a way along nodes touches a zone, on a node or between two."""
    within = layout.within[zone.id]
    if any(n in within for n in way):
        return True
    sides = [*pairwise(zone.corners), (zone.corners[-1], zone.corners[0])]
    for a, b in pairwise(layout.node[n] for n in way):
        if a.level == b.level == zone.level and any(_cross(a.point, b.point, *side) for side in sides):
            return True
    return False


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    return _side(a, b, c) * _side(a, b, d) <= 0 and _side(c, d, a) * _side(c, d, b) <= 0 and _near(a, b, c, d)


def _side(a: Point, b: Point, p: Point) -> float:
    return (b.x_m - a.x_m) * (p.y_m - a.y_m) - (b.y_m - a.y_m) * (p.x_m - a.x_m)


def _near(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the boxes around two stretches overlap: lines that run into each other cross only there."""
    return (
        max(min(a.x_m, b.x_m), min(c.x_m, d.x_m)) <= min(max(a.x_m, b.x_m), max(c.x_m, d.x_m))
        and max(min(a.y_m, b.y_m), min(c.y_m, d.y_m)) <= min(max(a.y_m, b.y_m), max(c.y_m, d.y_m))
    )  # fmt: skip
