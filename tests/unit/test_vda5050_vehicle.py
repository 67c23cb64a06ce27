"""The vehicle side of VDA 5050 2.1: which orders it takes, how they are worked off, what it reports."""

import json

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from contracts.codec import encode
from contracts.errors import Rejected
from contracts.geometry import Point, Pose
from contracts.ids import NodeId
from contracts.vda5050.v2 import (
    Action,
    ActionParameter,
    AgvPosition,
    BatteryState,
    ControlPoint,
    ErrorEntry,
    InstantActions,
    NodePosition,
    OperatingMode,
    State,
    Trajectory,
)
from controllers.vda5050 import Abilities, Begin, Locate, Reading, SayFactsheet, Stop, Vehicle
from tests.unit.vda5050_messages import instant, order_along, schema

PLACES = {NodeId(n): Point(float(k), 0.0) for k, n in enumerate("abcdefgh")}
ABILITIES = Abilities(frozenset({"pick", "drop", "beep"}), frozenset({"blink"}), frozenset({"honk"}), PLACES)


def at(node: str) -> Pose:
    return Pose(PLACES[NodeId(node)].x_m, 0.0, 0.0)


def vehicle(node: str = "a") -> Vehicle:
    return Vehicle(ABILITIES, node)


def state(v: Vehicle) -> State:
    return v.state(Reading(AgvPosition(0, 0, 0, "m"), BatteryState()), 0, "2026-01-01T00:00:00.000Z", "M", "S")


def errors(v: Vehicle) -> list[str]:
    return [e.error_type for e in state(v).errors]


def statuses(v: Vehicle) -> dict[str, str]:
    return {a.action_id: str(a.action_status) for a in state(v).action_states}


def drive(v: Vehicle, nodes: int) -> None:
    for _ in range(nodes):
        v.moving(driving=True)
        stop = v.stops_at(0)
        v.reached()
        if stop:
            v.moving(driving=False)


def driven() -> Vehicle:
    """A vehicle at b, with c and d in its base and e in its horizon."""
    v = vehicle()
    v.order(order_along("O", list("abcde"), released=4), at("a"))
    drive(v, 1)
    return v


# --- taking orders (figure 8)


def test_a_new_order_is_taken_where_the_vehicle_stands() -> None:
    """Its first node counts as reached at once; base and horizon are reported, with ids and sequence."""
    v = vehicle()
    v.order(order_along("O", list("abcd"), released=3), at("a"))
    s = state(v)
    assert (s.order_id, s.order_update_id, s.last_node_id, s.last_node_sequence_id) == ("O", 0, "a", 0)
    assert [(n.node_id, n.sequence_id, n.released) for n in s.node_states] == [
        ("b", 2, True),
        ("c", 4, True),
        ("d", 6, False),
    ]
    assert [(e.edge_id, e.sequence_id, e.released) for e in s.edge_states] == [
        ("a_b", 1, True),
        ("b_c", 3, True),
        ("c_d", 5, False),
    ]


def test_an_order_that_begins_elsewhere_is_refused() -> None:
    """noRouteError, and nothing of the order is taken over; a deviation range that reaches the vehicle is enough."""
    v = vehicle()
    v.order(order_along("O", ["c", "d"]), at("a"))
    assert errors(v) == ["noRouteError"]
    assert (state(v).order_id, v.base) == ("", (state(vehicle()).order_id and None) or v.base)
    near = {"c": NodePosition(2.0, 0.0, allowed_deviation_xy=2.5)}
    v.order(order_along("O", ["c", "d"], positions=near), at("a"))
    assert (state(v).order_id, state(v).last_node_id, errors(v)) == ("O", "c", [])


def test_a_temporary_node_where_the_vehicle_stands_is_reachable() -> None:
    """Standing between two nodes, an order may begin on a node made for the place (6.6.3.1)."""
    v = vehicle()
    here = {"tmp": NodePosition(0.4, 0.0)}
    v.order(order_along("O", ["tmp", "b"], positions=here), Pose(0.4, 0, 0))
    assert state(v).last_node_id == "tmp"


def test_the_last_node_begins_an_order_but_must_be_driven_to() -> None:
    """Standing too far from it, the vehicle keeps it as the first node to be reached."""
    v = vehicle()
    v.order(order_along("O", ["a", "b"]), Pose(0.6, 0, 0))
    assert [n.node_id for n in state(v).node_states] == ["a", "b"]


def test_a_new_order_is_refused_while_one_runs_or_waits_for_its_horizon() -> None:
    """orderError; the running order goes on untouched."""
    v = driven()
    before = state(v).node_states
    v.order(order_along("X", ["b", "c"]), at("b"))
    assert errors(v) == ["orderError"]
    assert (state(v).order_id, state(v).node_states) == ("O", before)
    drive(v, 2)
    assert not v.base
    v.order(order_along("X", ["d", "e"]), at("d"))
    assert state(v).order_id == "O"


def test_an_update_replaces_the_horizon_and_never_the_base() -> None:
    """It stitches on the last base node, whatever was driven meanwhile."""
    v = driven()
    v.order(order_along("O", ["d", "c", "b"], update=1, first=6, released=2), at("b"))
    s = state(v)
    assert [(n.node_id, n.sequence_id, n.released) for n in s.node_states] == [
        ("c", 4, True),
        ("d", 6, True),
        ("c", 8, True),
        ("b", 10, False),
    ]
    assert s.order_update_id == 1
    assert errors(v) == []


def test_a_finished_order_is_continued_from_its_last_node() -> None:
    """Stitching on lastNodeId and lastNodeSequenceId (8 of figure 8); another sequence is refused."""
    v = vehicle()
    v.order(order_along("O", ["a", "b"]), at("a"))
    drive(v, 1)
    v.order(order_along("O", ["b", "c"], update=1, first=4), at("b"))
    assert errors(v) == ["orderUpdateError"]
    v.order(order_along("O", ["b", "c"], update=1, first=2), at("b"))
    assert (errors(v), [n.node_id for n in state(v).node_states]) == ([], ["c"])


@pytest.mark.parametrize(
    ("way", "first", "update"), [(["c", "d", "e"], 4, 1), (["e", "f"], 8, 1), (["d", "e"], 8, 1), (["d", "e"], 6, 0)]
)
def test_updates_that_do_not_fit_change_nothing(way: list[str], first: int, update: int) -> None:
    """Stitched into the base, behind the horizon, with a wrong sequence: orderUpdateError; a known update: silence."""
    v = driven()
    before = state(v).node_states
    v.order(order_along("O", way, update=update, first=first), at("b"))
    assert errors(v) == ([] if update == 0 else ["orderUpdateError"])
    assert state(v).node_states == before


def test_an_older_update_is_refused() -> None:
    """orderUpdateError with orderId and orderUpdateId as references; the warning lasts until an order is taken."""
    v = driven()
    v.order(order_along("O", ["d", "e"], update=2, first=6), at("b"))
    v.order(order_along("O", ["e", "f"], update=1, first=8), at("b"))
    (warning,) = state(v).errors
    assert (warning.error_type, warning.error_level) == ("orderUpdateError", "WARNING")
    references = {r.reference_key: r.reference_value for r in warning.error_references}
    assert references == {"orderId": "O", "orderUpdateId": "1"}
    v.order(order_along("O", ["e", "f"], update=3, first=8), at("b"))
    assert errors(v) == []


def test_malformed_orders_are_refused_whole() -> None:
    """validationError for each rule of 6.6.1 that is broken; an unreadable payload names its field."""
    good = order_along("O", ["a", "b", "c"], released=2)
    n, e = list(good.nodes), list(good.edges)

    def but(**changes: object):
        return msgspec.structs.replace(good, **changes)

    def part(x, **changes: object):
        return msgspec.structs.replace(x, **changes)

    pick = Action("1", "pick", "HARD")
    broken = [
        but(nodes=(), edges=()),
        but(edges=tuple(e[:1])),
        but(order_id=""),
        but(nodes=(part(n[0], released=False), *n[1:])),
        but(nodes=(n[0], part(n[1], sequence_id=0), n[2])),
        but(edges=(part(e[0], end_node_id="c"), e[1])),
        but(nodes=(n[0], part(n[1], released=False), part(n[2], released=True))),
        but(edges=(e[0], part(e[1], released=True))),
        but(nodes=(part(n[0], actions=(pick,)), part(n[1], actions=(pick,)), n[2])),
    ]
    for order in broken:
        v = vehicle()
        v.order(order, at("a"))
        assert errors(v) == ["validationError"], order
        assert not v.active
    v = vehicle()
    v.unreadable("order", Rejected("nodes/0/nodeId", None, "a name"))
    assert [r.reference_key for r in state(v).errors[0].error_references] == ["topic", "nodes/0/nodeId"]


def test_orders_that_it_cannot_carry_out_are_refused() -> None:
    """orderError for unknown actions and for trajectories; noRouteError for a node without a place."""
    v = vehicle()
    v.order(order_along("O", ["a", "b"], actions={"b": (Action("1", "dance", "NONE"),)}), at("a"))
    assert errors(v) == ["orderError"]
    order = order_along("O", ["a", "b"])
    curve = Trajectory(1, (0.0, 1.0), (ControlPoint(0, 0), ControlPoint(1, 0)))
    v.order(msgspec.structs.replace(order, edges=(msgspec.structs.replace(order.edges[0], trajectory=curve),)), at("a"))
    assert errors(v) == ["orderError"] * 2
    v.order(order_along("O", ["a", "nowhere"]), at("a"))
    assert errors(v)[-1] == "noRouteError"


def test_no_orders_by_hand() -> None:
    """In MANUAL an order is refused and nothing is driven."""
    v = vehicle()
    v.operating_mode = OperatingMode.MANUAL
    v.order(order_along("O", ["a", "b"]), at("a"))
    assert errors(v) == ["orderError"]
    assert not v.may_drive


# --- working them off


def test_states_go_when_nodes_are_passed() -> None:
    """The node, and the edge that led to it; a new base is asked for when only one step is left before a horizon."""
    v = driven()
    assert state(v).new_base_request is False
    drive(v, 1)
    s = state(v)
    assert ([n.node_id for n in s.node_states], [e.edge_id for e in s.edge_states]) == (["d", "e"], ["c_d", "d_e"])
    assert s.new_base_request is True


def decide(name: str, kind: str, about: str) -> InstantActions:
    return InstantActions(actions=(Action(name, kind, "NONE", None, (ActionParameter("actionId", about),)),))


def begun(effects: list) -> list[str]:
    return [e.action.action_id for e in effects if isinstance(e, Begin)]


def test_blocking_types_order_actions_and_driving() -> None:
    """NONE and SOFT run together, HARD alone and in its turn; only NONE lets it drive."""
    actions = (
        Action("n", "beep", "NONE"),
        Action("s", "pick", "SOFT"),
        Action("h", "drop", "HARD"),
        Action("m", "beep", "NONE"),
    )
    v = vehicle()
    v.order(order_along("O", ["a", "b", "c"], actions={"b": actions}), at("a"))
    assert v.stops_at(0)
    v.moving(driving=True)
    assert begun(v.reached()) == ["n"]
    assert not v.may_drive
    assert begun(v.moving(driving=False)) == ["s"]
    assert statuses(v) == {"n": "RUNNING", "s": "RUNNING", "h": "WAITING", "m": "WAITING"}
    assert begun(v.ended("s")) == []
    assert begun(v.ended("n")) == ["h"]
    assert not v.may_drive
    assert begun(v.ended("h")) == ["m"]
    assert v.may_drive
    assert v.active


def test_edge_actions_last_as_long_as_the_edge() -> None:
    """Begun when the edge is entered, finished when it is left; a blocking one keeps the vehicle on the node before."""
    order = order_along("O", ["a", "b", "c"])
    blink, wait = Action("1", "blink", "NONE"), Action("2", "blink", "SOFT")
    edges = (
        msgspec.structs.replace(order.edges[0], actions=(blink,)),
        msgspec.structs.replace(order.edges[1], actions=(wait,)),
    )
    v = vehicle()
    assert begun(v.order(msgspec.structs.replace(order, edges=edges), at("a"))) == ["1"]
    v.moving(driving=True)
    assert v.stops_at(0)
    effects = v.reached()
    assert [type(e) for e in effects] == [Stop]
    assert statuses(v) == {"1": "FINISHED", "2": "WAITING"}
    assert begun(v.moving(driving=False)) == ["2"]
    assert not v.may_drive


def test_a_failed_action_is_a_warning_that_names_it() -> None:
    """The order is not stuck: master control decides."""
    v = vehicle()
    v.order(order_along("O", ["a"], actions={"a": (Action("p", "pick", "HARD"),)}), at("a"))
    v.ended("p", failure="nothing there")
    assert statuses(v) == {"p": "FAILED"}
    assert errors(v) == ["orderActionError"]
    assert not v.active


def test_what_may_be_tried_again_waits_for_a_decision() -> None:
    """RETRIABLE (3.0): `retry` begins it again, `skipRetry` and a cancellation leave it failed."""
    v = vehicle()
    v.order(order_along("O", ["a"], actions={"a": (Action("p", "pick", "HARD"), Action("q", "pick", "HARD"))}), at("a"))
    assert v.ended("p", failure="jammed", retriable=True) == []
    assert statuses(v) == {"p": "RETRIABLE", "q": "WAITING"}
    assert v.active
    assert not v.may_drive
    assert begun(v.instant(decide("i1", "retry", "p"))) == ["p"]
    assert statuses(v)["p"] == "RUNNING"
    v.instant(decide("i2", "retry", "p"))
    assert statuses(v)["i2"] == "FAILED"
    v.ended("p", failure="jammed", retriable=True)
    assert begun(v.instant(decide("i3", "skipRetry", "p"))) == ["q"]
    assert (statuses(v)["p"], statuses(v)["q"]) == ("FAILED", "RUNNING")
    v.ended("q", failure="jammed", retriable=True)
    v.instant(instant("c", "cancelOrder"))
    assert (statuses(v)["q"], statuses(v)["c"]) == ("FAILED", "FINISHED")
    assert not v.active


def test_the_next_order_forgets_the_actions_of_the_last() -> None:
    """Action states are kept until then."""
    v = vehicle()
    v.order(order_along("O", ["a"], actions={"a": (Action("p", "pick", "HARD"),)}), at("a"))
    v.ended("p", result="P1")
    assert statuses(v) == {"p": "FINISHED"}
    v.order(order_along("O2", ["a", "b"]), at("a"))
    assert statuses(v) == {}


# --- instant actions


def test_pause_and_resume() -> None:
    """Standing it pauses at once; driving it is RUNNING until standstill; the order is kept."""
    v = driven()
    v.moving(driving=True)
    v.instant(instant("p", "startPause"))
    assert (statuses(v)["p"], v.may_drive, state(v).paused) == ("RUNNING", False, False)
    v.moving(driving=False)
    assert (statuses(v)["p"], state(v).paused) == ("FINISHED", True)
    v.instant(instant("p", "startPause"))
    v.instant(instant("r", "stopPause"))
    assert (statuses(v)["r"], v.may_drive, state(v).paused) == ("FINISHED", True, False)
    v.instant(instant("p2", "startPause"))
    assert (statuses(v)["p2"], state(v).paused) == ("FINISHED", True)


def test_no_action_begins_while_paused() -> None:
    """It begins on stopPause."""
    v = vehicle()
    v.instant(instant("p", "startPause"))
    assert begun(v.order(order_along("O", ["a"], actions={"a": (Action("1", "pick", "HARD"),)}), at("a"))) == []
    assert begun(v.instant(instant("r", "stopPause"))) == ["1"]


def test_cancel_waits_for_standstill_and_for_what_runs() -> None:
    """Waiting actions fail, the running one ends by itself, then cancelOrder is FINISHED and states are empty."""
    actions = {"b": (Action("1", "beep", "NONE"),), "d": (Action("2", "drop", "HARD"),)}
    v = vehicle()
    v.order(order_along("O", list("abcde"), released=4, actions=actions), at("a"))
    v.moving(driving=True)
    v.reached()
    effects = v.instant(instant("c", "cancelOrder"))
    assert [(e.action.action_id, e.cancelled) for e in effects if isinstance(e, Stop)] == [("1", True)]
    assert statuses(v) == {"1": "RUNNING", "2": "FAILED", "c": "RUNNING"}
    assert v.must_cut
    v.order(order_along("N", ["b", "c"]), at("b"))
    assert errors(v) == ["orderError"]
    v.cut(1)
    assert [n.node_id for n in state(v).node_states] == ["c"]
    v.reached()
    v.moving(driving=False)
    assert statuses(v)["c"] == "RUNNING"
    v.ended("1")
    s = state(v)
    assert statuses(v)["c"] == "FINISHED"
    assert (s.order_id, s.last_node_id, s.node_states, s.edge_states) == ("O", "c", (), ())
    v.order(order_along("O", ["c", "d"], update=1, first=4), at("c"))
    assert errors(v)[-1] == "orderUpdateError"
    v.order(order_along("N", ["c", "d"]), at("c"))
    assert (state(v).order_id, errors(v)) == ("N", [])


def test_nothing_to_cancel() -> None:
    """FAILED, and noOrderToCancel with the action's id."""
    v = vehicle()
    v.instant(instant("c", "cancelOrder"))
    assert statuses(v) == {"c": "FAILED"}
    assert [(e.error_type, e.error_references[0].reference_value) for e in state(v).errors] == [
        ("noOrderToCancel", "c")
    ]


def test_requests_are_answered_at_once() -> None:
    """stateRequest makes a state due, factsheetRequest wants the factsheet; both FINISHED; a known id does nothing."""
    v = vehicle()
    v.changed = False
    assert v.instant(instant("1", "stateRequest")) == []
    assert v.changed
    assert v.instant(instant("2", "factsheetRequest")) == [SayFactsheet()]
    assert v.instant(instant("2", "factsheetRequest")) == []
    assert set(statuses(v).values()) == {"FINISHED"}


def test_init_position_only_without_an_order() -> None:
    """The pose goes to the body; with an order or without numbers it is FAILED with a warning."""
    v = vehicle()
    where = {"x": 3, "y": 0.5, "theta": "1.5", "mapId": "m", "lastNodeId": "d"}
    assert v.instant(instant("1", "initPosition", **where)) == [Locate(Pose(3.0, 0.5, 1.5), "m")]
    assert state(v).last_node_id == "d"
    v.instant(instant("2", "initPosition", x="here"))
    v.order(order_along("O", ["d", "e"]), at("d"))
    v.instant(instant("3", "initPosition", **where))
    assert (statuses(v)["3"], errors(v)) == ("FAILED", ["instantActionError"])


def test_its_own_instant_actions_go_before_the_order() -> None:
    """Supported ones are begun as blocking types allow; others are FAILED."""
    v = driven()
    v.moving(driving=True)
    hard = InstantActions(actions=(Action("h", "honk", "HARD"),))
    assert begun(v.instant(hard)) == []
    assert not v.may_drive
    assert begun(v.moving(driving=False)) == ["h"]
    v.ended("h")
    assert v.may_drive
    v.instant(instant("x", "fly"))
    assert (statuses(v)["x"], errors(v)) == ("FAILED", ["instantActionError"])


def test_finished_instant_actions_do_not_pile_up() -> None:
    """The state stays small over a long order."""
    v = driven()
    for k in range(100):
        v.instant(instant(f"s{k}", "stateRequest"))
    assert 10 <= len(state(v).action_states) <= 20
    assert "s99" in statuses(v)


def test_instant_actions_that_have_ended_are_forgotten_when_it_is_told_so() -> None:
    v = driven()
    v.instant(instant("p", "startPause"))
    v.instant(instant("s", "stateRequest"))
    assert statuses(v)["p"] == "RUNNING"
    v.instant(instant("c", "clearInstantActions"))
    assert {k: s for k, s in statuses(v).items() if k in {"p", "s", "c"}} == {"p": "RUNNING", "c": "FINISHED"}


def test_a_fatal_error_stops_it_until_it_is_mended() -> None:
    """A warning of the body does not."""
    v = driven()
    v.fault(ErrorEntry("dust", "WARNING"))
    assert v.may_drive
    v.fault(ErrorEntry("drive", "FATAL"))
    assert not v.may_drive
    v.mended("drive")
    assert v.may_drive


# --- whatever happens


class AnyLife(RuleBasedStateMachine):
    """A master of random manners and a body that obeys: the promises of the protocol hold in every state."""

    def __init__(self) -> None:
        super().__init__()
        self.v = vehicle()
        self.orders = self.count = 0
        self.running: list[str] = []
        self.validator = schema("state")

    def take(self, effects: list) -> None:
        self.running += begun(effects)

    def action(self, draw: st.DataObject) -> tuple[Action, ...]:
        if draw.draw(st.booleans()):
            return ()
        self.count += 1
        kind, blocking = (
            draw.draw(st.sampled_from(["pick", "beep"])),
            draw.draw(st.sampled_from(["NONE", "SOFT", "HARD"])),
        )
        return (Action(f"a{self.count}", kind, blocking),)

    @rule(
        draw=st.data(),
        more=st.integers(0, 4),
        released=st.integers(1, 5),
        update=st.booleans(),
        skew=st.integers(-2, 2),
    )
    def order(self, draw: st.DataObject, more: int, released: int, update: bool, skew: int) -> None:
        s = state(self.v)
        base = [n for n in s.node_states if n.released]
        node, sequence = (
            (base[-1].node_id, base[-1].sequence_id) if base and update else (s.last_node_id, s.last_node_sequence_id)
        )
        way = [node, *(draw.draw(st.sampled_from("abcdefgh")) for _ in range(more))]
        actions = {n: a for n in dict.fromkeys(way[1:]) if way.count(n) == 1 and (a := self.action(draw))}
        if not update:
            self.orders += 1
        order_id = (s.order_id or "O0") if update else f"O{self.orders}"
        number = max(0, s.order_update_id + 1 + skew) if update else 0
        first = sequence if update else 0
        before = (s.order_id, s.node_states)
        errors_before = len(s.errors)
        self.take(
            self.v.order(
                order_along(order_id, way, update=number, first=first, released=released, actions=actions),
                at(node) if node in "abcdefgh" else Pose(0, 0, 0),
            )
        )
        after = state(self.v)
        if after.order_update_id == s.order_update_id and after.order_id == s.order_id:
            assert (after.order_id, after.node_states) == before
            assert len(after.errors) >= errors_before
        elif update:
            kept = [n for n in after.node_states if n.released][: len(base)]
            assert kept == base  # a base is never shortened or changed

    @precondition(lambda self: self.v.base and self.v.may_drive)
    @rule()
    def drives(self) -> None:
        self.take(self.v.moving(driving=True))
        stop = self.v.stops_at(0)
        self.take(self.v.reached())
        if stop:
            self.take(self.v.moving(driving=False))

    @precondition(lambda self: self.v.driving and not self.v.may_drive)
    @rule()
    def halts(self) -> None:
        self.take(self.v.moving(driving=False))

    @precondition(lambda self: self.running)
    @rule(ok=st.booleans())
    def ends(self, ok: bool) -> None:
        self.take(self.v.ended(self.running.pop(0), failure="" if ok else "broken"))

    @rule(kind=st.sampled_from(["startPause", "stopPause", "cancelOrder", "stateRequest", "honk", "fly"]))
    def asks(self, kind: str) -> None:
        self.count += 1
        self.take(self.v.instant(instant(f"i{self.count}", kind)))

    @precondition(lambda self: self.v.must_cut)
    @rule(keep=st.integers(0, 2))
    def cuts(self, keep: int) -> None:
        if not self.v.driving or keep == 0:
            self.take(self.v.moving(driving=False))
            keep = 0
        self.take(self.v.cut(keep))

    @invariant()
    def state_is_valid_and_consistent(self) -> None:
        s = state(self.v)
        self.validator.validate(json.loads(encode(s)))
        sequence = [n.sequence_id for n in s.node_states]
        assert sequence == sorted(set(sequence))
        flags = [n.released for n in s.node_states]
        assert flags == sorted(flags, reverse=True)
        assert len(s.edge_states) <= len(s.node_states)
        running = {a.action_id for a in s.action_states if a.action_status == "RUNNING"}
        assert set(self.running) <= running
        if s.paused:
            assert not self.v.may_drive


def test_any_life() -> None:
    """Hypothesis plays master and body."""
    run_state_machine_as_test(
        AnyLife, settings=settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
    )
