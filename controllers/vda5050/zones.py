"""The vehicle side of VDA 5050 3.0 zones: the sets that it holds, and what it must ask for before it drives on.

One who is not in a RELEASE zone enters it only with a grant that holds; a BLOCKED zone not at all. It asks for the next
zones of its base, and lets a request go once it has left the zone, or its way no longer leads there.
"""

from collections.abc import Iterable
from itertools import islice

from contracts.geometry import Point, within
from contracts.vda5050 import v3
from contracts.vda5050.header import timestamp_ms
from controllers.vda5050.orders import Step

AHEAD = 4
"""So many nodes ahead zones are asked for."""


class Zones:
    """Zone sets and requests of one vehicle. `here` is where it was last on a node."""

    def __init__(self, here: Point) -> None:
        self.here = here
        self._sets: dict[str, v3.ZoneSetBody] = {}
        self._corners: dict[str, tuple[Point, ...]] = {}
        self._used = ""
        self._requests: dict[str, v3.ZoneRequest] = {}
        """By zone."""
        self._until_ms: dict[str, int] = {}
        self._refused: dict[str, None] = {}
        self._n = 0

    # --- what fleet control says

    def take(self, message: v3.ZoneSet) -> bool:
        """Keep a zone set; False: there is one of its name already, which stays as it is."""
        body = message.zone_set
        if body.zone_set_id in self._sets:
            return False
        self._sets[body.zone_set_id] = body
        return True

    def enable(self, name: str) -> bool:
        """Use a zone set from now on; False: it is not known."""
        body = self._sets.get(name)
        if body is None:
            return False
        self._used = name
        self._corners = {z.zone_id: tuple(Point(v.x, v.y) for v in z.vertices) for z in body.zones}
        self._requests.clear()
        self._until_ms.clear()
        self._refused.clear()
        return True

    def drop(self, name: str) -> bool:
        """Forget a zone set that is not in use; False: it is, or it is not known."""
        return name != self._used and self._sets.pop(name, None) is not None

    def answer(self, message: v3.Responses) -> None:
        """Take answers; those to requests that are no longer open say nothing."""
        asked = {q.request_id: zone for zone, q in self._requests.items()}
        for response in message.responses:
            zone = asked.get(response.request_id)
            if zone is None:
                continue
            match response.grant_type:
                case v3.GrantType.GRANTED:
                    until_ms = timestamp_ms(response.lease_expiry) if response.lease_expiry else None
                    if until_ms is None:
                        self._until_ms.pop(zone, None)
                    else:
                        self._until_ms[zone] = until_ms
                    self._note(zone, "GRANTED")
                case v3.GrantType.REVOKED:
                    self._note(zone, "REVOKED")
                case v3.GrantType.REJECTED:
                    self._refused[zone] = None
                    del self._requests[zone]
                case _:
                    pass  # queued: it goes on waiting

    # --- what the body asks

    def bars(self, step: Step) -> bool:
        """Whether the vehicle may not enter a step now."""
        for zone in self._at(step.at):
            if within(self._corners[zone.zone_id], self.here):
                continue
            request = self._requests.get(zone.zone_id)
            if zone.zone_type == "BLOCKED" or request is None or request.request_status != "GRANTED":
                return True
        return False

    def limit_mps(self, at: Point) -> float:
        """Return the speed limit at a place."""
        body = self._sets.get(self._used)
        limits = [
            z.maximum_speed
            for z in (body.zones if body is not None else ())
            if z.zone_type == "SPEED_LIMIT" and z.maximum_speed is not None and within(self._corners[z.zone_id], at)
        ]
        return min(limits, default=float("inf"))

    def look(self, base: Iterable[Step], now_ms: int) -> bool:
        """Ask for what lies ahead, and let go what is behind; says whether anything changed."""
        if not self._used:
            return False
        before = dict(self._requests)
        wanted = {z.zone_id: z for z in self._at(self.here) if z.zone_type == "RELEASE"}
        for step in islice(base, AHEAD):
            wanted |= {z.zone_id: z for z in self._at(step.at) if z.zone_type == "RELEASE"}
        for zone, request in list(self._requests.items()):
            inside = within(self._corners[zone], self.here)
            if zone not in wanted:
                del self._requests[zone]
                self._until_ms.pop(zone, None)
            elif request.request_status == "GRANTED" and self._until_ms.get(zone, now_ms + 1) <= now_ms:
                self._note(zone, "EXPIRED")
            elif request.request_status in {"REVOKED", "EXPIRED"} and not inside:
                del self._requests[zone]
        for zone in list(self._refused):
            if zone not in wanted:
                del self._refused[zone]
        for zone in wanted:
            if zone not in self._requests and zone not in self._refused:
                self._n += 1
                self._requests[zone] = v3.ZoneRequest(
                    request_id=f"z{self._n}", request_type="ACCESS", zone_id=zone, zone_set_id=self._used,
                    request_status="REQUESTED",
                )  # fmt: skip
        return before != self._requests

    @property
    def expires_ms(self) -> int | None:
        """When the next lease ends."""
        return min(self._until_ms.values(), default=None)

    def requests(self) -> tuple[v3.ZoneRequest, ...]:
        """Return what is asked for, as a state says it."""
        return tuple(self._requests.values())

    def sets(self) -> tuple[v3.ZoneSetState, ...]:
        """Return the zone sets that the vehicle holds, as a state says it."""
        return tuple(
            v3.ZoneSetState(
                zone_set_id=name, map_id=body.map_id, zone_set_status="ENABLED" if name == self._used else "DISABLED"
            )
            for name, body in self._sets.items()
        )

    # --- inside

    def _at(self, place: Point) -> list[v3.Zone]:
        body = self._sets.get(self._used)
        return [
            z
            for z in (body.zones if body is not None else ())
            if z.zone_type in {"RELEASE", "BLOCKED"} and within(self._corners[z.zone_id], place)
        ]

    def _note(self, zone: str, status: str) -> None:
        q = self._requests[zone]
        self._requests[zone] = v3.ZoneRequest(
            request_id=q.request_id, request_type=q.request_type, zone_id=q.zone_id, zone_set_id=q.zone_set_id,
            request_status=status,
        )  # fmt: skip
