"""The numbers of the traffic engine, validated when they are built."""

import msgspec

from contracts.errors import Rejected


class TrafficParams(msgspec.Struct, frozen=True, kw_only=True):
    """How far ahead robots are planned, and when the engine helps itself.

    Raises
    ------
    Rejected
        A value is out of its bounds; names the field.
    """

    most_moves: int = 6
    """Moves that a robot is committed to ahead of where it stands (more let faster robots wait for slower ones)."""
    few_moves: int = 2
    """A robot's way is extended, and more of it released, when so many moves or fewer are left."""
    turn_ms_per_deg: int = 15
    """Cost of a turn when two ways lead nearer to the goal."""
    priority_ms: int = 60_000
    """One step of explicit priority counts as much as so much waiting."""
    grace_ms: int = 5_000
    """A robot that arrived is not pushed off its goal for so long, so that it can be pinned."""
    detour_after_ms: int = 3_000
    """A robot that waits this long for one that is pinned or lost looks for a way around."""
    detour_cost_ms: int = 20_000
    """What a pinned robot on the way counts then."""
    rescue_after_ms: int = 8_000
    """A robot that stands so long behind others that stand too has the way cleared."""
    astray_after_ms: int = 90_000
    """The same for one that moves, but comes no nearer to its goal."""
    escape_ms: int = 25_000
    """How long a robot that clears the way keeps clear."""
    look_ms: int = 1_000
    """How often standstill is looked for."""
    table_mb: int = 128
    """Memory for distance tables."""
    congestion: bool = False
    """Ways are chosen, and travel times told, with the waits that robots have met; else as if the road were empty.
    Off: on a random map one robot starved with it (docs/adr/0003-traffic.md)."""
    wait_least_ms: int = 4_000
    """A wait before an edge that is shorter counts as none, and what counts changes by no less."""
    wait_most_ms: int = 30_000
    """The most that an edge's wait counts."""
    wait_fades_ms: int = 15_000
    """A wait fades to 37 % in this time when nobody waits there any more."""
    reroute_ms: int = 4_000
    """What counts changes no sooner than this after its last change."""
    renew_nodes: int = 25_000
    """After such a change tables are computed anew a few at each planning: so many nodes in all, and at least one."""

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            value = getattr(self, field)
            if value < (0 if field in {"few_moves", "turn_ms_per_deg", "priority_ms", "grace_ms", "congestion"} else 1):
                raise Rejected(field, value, "at least 1 (some may be 0)")
        if not self.few_moves < self.most_moves <= 16:
            raise Rejected("most_moves", self.most_moves, "above few_moves, at most 16")
