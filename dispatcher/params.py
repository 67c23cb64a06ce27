"""Every threshold and period of the dispatcher's core, validated when it is built; part of each recording."""

import msgspec

from contracts.errors import Rejected
from dispatcher.traffic.params import TrafficParams

STATION_RULES = ("optimized", "affinity", "first_come")
RELEASE_RULES = ("due", "fcfs")
BATCHING_RULES = ("shared", "single")


class Params(msgspec.Struct, frozen=True, kw_only=True):
    """How the core decides. Times in milliseconds of floor time, battery levels as shares in [0, 1].

    Raises
    ------
    Rejected
        A value is out of its bounds; names the field.
    """

    station_rule: str = "affinity"
    """``optimized``: totes wait in a pool, go where their pods come anyway, and are finished smallest first.
    ``affinity``: the tote whose pods cost the least robot time a pick. ``first_come``: the baseline, by priority, due
    time and arrival alone."""
    release_rule: str = "fcfs"
    """``due``: a tote may wait `hold_ms` for others that need the same pods, but not beyond `due_lead_ms` before it is
    due. ``fcfs``: it may start at once. It matters to ``optimized`` only."""
    batching: str = "shared"
    """Under ``optimized``: ``shared``, totes stand together that need the same pods; ``single``, each in its order,
    once it is released, where it shares most."""
    hold_ms: int = 60 * 60_000
    """The least that saves 30 % whatever else changes: of the real day's pod visits 5, 10, 20, 60 and 180 min save 24,
    26, 28 to 31, 34 and 42 %; the median order takes 8, 13, 20, 38 and 102 min (docs/planning.md; 2026-11-24)."""
    due_lead_ms: int = 2 * 3_600_000
    affinity_window: int = 80
    """How many totes, by priority, due time and arrival, compete for a slot under ``affinity``."""
    pods_ahead: int = 2
    """Pods under way to a station beyond the places of its lane."""
    adopt: str = "ask"
    """Robots that the site does not name: ``ask`` lists them as new until somebody adopts them, ``auto`` takes them."""
    plan_period_ms: int = 250
    """Traffic is planned at most this often."""
    traffic: TrafficParams = TrafficParams(most_moves=4, few_moves=1)
    """Few, as who stalls or stops for good holds all that is released to it: of 400 robots' throughput on streets 82 %
    is left with 1 % of moves stalled and 5 dead, 79 % with 6 and 2 (`bench floor`, 15 min, seed 1, 2026-11-24)."""
    replan_ms: int = 5_000
    """Traffic is planned again after this time while a robot is not at its goal, whatever is heard."""
    order_resend_ms: tuple[int, ...] = (1_000, 2_000, 4_000, 8_000, 16_000)
    """Waits before an order that no state echoes is sent again; after the last one an alarm is raised."""
    order_escalated_ms: int = 60_000
    """Wait between further attempts."""
    instant_resend_ms: int = 2_000
    instant_tries: int = 5
    command_deadline_ms: int = 60_000
    command_resend_ms: int = 5_000
    command_retry_ms: int = 10_000
    """Wait before a command that a cell rejected is given again under a new name."""
    facts_resend_ms: int = 5_000
    sweep_ms: int = 30_000
    """How often silence and standstill are looked for."""
    silent_ms: int = 90_000
    """A robot that says nothing for so long is offline; it should speak every 30 s."""
    late_look_ms: int = 2_000
    """How often missed arrivals are looked for while somebody drives."""
    stalled_ms: int = 20_000
    """Others drive around a robot that does not move on for so much longer than its edge takes, though it may."""
    stopped_ms: int = 40_000
    """Such a robot counts as stopped: its nodes are shut, its work is given to others, a person is called."""
    lost_after_ms: int = 10_000
    """An offline robot's unreleased way is given to others after this time."""
    blocked_robots: int = 2
    """An edge on which so many robots were late within `blocked_memory_ms` is closed for `blocked_ms`."""
    blocked_memory_ms: int = 600_000
    blocked_ms: int = 600_000
    muster_ms: int = 30_000
    """After a first start nobody moves until all robots of the site have said where they stand, or this time passed."""
    absent_ms: int = 600_000
    """The last place of a robot that has not spoken by then is kept free for so much longer."""
    adopt_grace_ms: int = 60_000
    """After a start, edge events about unknown totes wait so long for their work before they are let go."""
    cut_off_ms: int = 60_000
    """A load whose goal cannot be reached for so long is brought back to where it was picked up, if that is free."""
    leg_tries: int = 3
    """Attempts at one leg after a rejection or a failed action, before a person is asked."""
    action_retries: int = 2
    """So often a robot of 3.0 is asked to try an action again that failed, before the action is skipped."""
    retry_wait_ms: int = 5_000
    """Wait before that."""
    acting_ms: int = 180_000
    """A robot that acts at the end of its order for so long without another word has an alarm raised for it."""
    held_ms: int = 300_000
    """What could not be picked up, or a place where nothing could be done, is left alone for so long."""
    charge_below: float = 0.30
    """A robot goes to charge before it takes a new mission."""
    charge_idle_below: float = 0.80
    """A robot without work goes to charge."""
    charge_enough: float = 0.50
    """A charging robot may be taken for a mission."""
    charge_full: float = 0.95
    """A charging robot leaves the charger."""
    charge_critical: float = 0.08
    """Raises an alarm."""
    park_after_ms: int = 20_000
    """A robot without work leaves the road after this time."""
    door_close_ms: int = 8_000
    """A door is closed this long after nobody needs it any more."""
    door_patience_ms: int = 20_000
    """A door that neither opens nor closes in this time is asked again, and raises an alarm."""

    lift_patience_ms: int = 60_000
    """A lift that does not come in this time is called again, and raises an alarm."""

    def __post_init__(self) -> None:
        if self.station_rule not in STATION_RULES:
            raise Rejected("station_rule", self.station_rule, f"one of {', '.join(STATION_RULES)}")
        if self.release_rule not in RELEASE_RULES:
            raise Rejected("release_rule", self.release_rule, f"one of {', '.join(RELEASE_RULES)}")
        if self.batching not in BATCHING_RULES:
            raise Rejected("batching", self.batching, f"one of {', '.join(BATCHING_RULES)}")
        if self.release_rule == "due" and self.station_rule != "optimized":
            raise Rejected(
                "release_rule", "due", "with the station rule optimized; the others start every tote at once"
            )
        if self.adopt not in {"ask", "auto"}:
            raise Rejected("adopt", self.adopt, "ask or auto")
        least_of = {"affinity_window": 1, "pods_ahead": 0, "leg_tries": 1, "action_retries": 0, "instant_tries": 1}
        for field, least in least_of.items():
            if getattr(self, field) < least:
                raise Rejected(field, getattr(self, field), f"at least {least}")
        for field in self.__struct_fields__:
            if field.endswith("_ms") and field != "order_resend_ms" and getattr(self, field) <= 0:
                raise Rejected(field, getattr(self, field), "above 0 ms")
        if not self.order_resend_ms or min(self.order_resend_ms) <= 0:
            raise Rejected("order_resend_ms", self.order_resend_ms, "at least one wait, each above 0 ms")
        levels = (self.charge_critical, self.charge_below, self.charge_enough, self.charge_full)
        if not (levels[0] >= 0 and list(levels) == sorted(set(levels)) and levels[-1] <= 1):
            raise Rejected("charge_*", levels, "0 <= critical < below < enough < full <= 1")
        if not self.charge_below <= self.charge_idle_below < self.charge_full:
            raise Rejected("charge_idle_below", self.charge_idle_below, "in [charge_below, charge_full)")
