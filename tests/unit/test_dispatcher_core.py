"""The core from a work key to a packed tote, on the bench, whose robots see to it that orders obey VDA 5050."""

import pickle
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ids import CellId, NodeId, RobotId, StationId, TaskId
from contracts.layout import NodeKind
from contracts.messages.facts import FactsAck, PickDone, PodMoved, TaskStarted, ToteArrived, TotePacked
from contracts.messages.floor import EdgeAnswer, OpenTote, Outcome, PickConfirmed, PresentPod, PushTote, RouteTote
from contracts.messages.ops import VehicleState
from dispatcher.commands import AckEvents, SendEdgeCommand, TellCentral
from dispatcher.facts import (
    AckHeard,
    AnswerHeard,
    EventHeard,
    Fact,
    Restarted,
    Timer,
    TransportUp,
    WorkClosed,
    WorkOpened,
)
from dispatcher.params import Params
from dispatcher.world import Stage
from tests.unit.dispatcher_bench import SITE_ID, Bench, pick, small_site, tote_work


def test_a_tote_goes_from_its_work_keys_to_packed_and_every_task_is_told_once() -> None:
    bench = Bench()
    bench.work(*tote_work("A", [0, 3, 5]))
    bench.wait(300)
    assert len(bench.told(PickDone)) == 3
    assert len(bench.told(ToteArrived)) == len(bench.told(TotePacked)) == 1
    assert bench.world.totes == {}
    assert bench.world.missions == {}
    assert len(bench.world.outbox) == 0


def test_a_pod_is_fetched_carried_shown_and_stored_again_in_one_order_a_leg() -> None:
    bench = Bench(small_site(1))
    bench.work(*tote_work("A", [0]))
    bench.wait(120)
    ids = list(dict.fromkeys(o.order_id for o in bench.orders("R1")))
    assert [i.split("-")[:3] for i in ids if "-M1-" in i] == [["1", "M1", "1"], ["1", "M1", "2"], ["1", "M1", "3"]]
    kinds = [a.action_type for o in bench.orders("R1") if "-M1-" in o.order_id for n in o.nodes for a in n.actions]
    assert kinds == ["pick", "drop"]
    moved = bench.told(PodMoved)
    assert moved[0].node in {"w1", "w2"}
    assert bench.world.pods[moved[1].pod] == moved[1].node
    (started,) = [b for b in bench.told(TaskStarted) if b.task.startswith("P-")]
    assert started.robot == "R1"
    assert started.station in {"S1", "S2"}


def test_a_pod_wanted_at_both_stations_goes_from_one_to_the_other_without_being_stored() -> None:
    bench = Bench(small_site(1, slots=1))
    bench.work(*tote_work("A", [3]), *tote_work("B", [3]))
    bench.wait(120)
    assert bench.world.missions_n == 1
    shown = [
        c.command.cell for c in bench.sent if isinstance(c, SendEdgeCommand) and isinstance(c.command.body, PresentPod)
    ]
    assert sorted(shown) == ["station-S1", "station-S2"]


def test_a_pod_on_its_way_to_storage_turns_back_when_a_station_wants_it() -> None:
    bench = Bench(small_site(1))
    for n in bench.site.layout.nodes:
        if n.kind is NodeKind.STORAGE and n.id != "t6":
            bench.world.stored.setdefault(n.id, None)  # only a far place is free
    robot = bench.robot("R1")
    robot.manual = True
    bench.work(*tote_work("A", [0]))
    for _ in range(60):
        bench.wait(1)
        if any(m.stage is Stage.STORE for m in bench.world.missions.values()):
            break
        robot.drive()
        bench.hear(robot.state())
        bench.world.stored.setdefault(NodeId("s1"), None)
    assert [m.stage for m in bench.world.missions.values()] == [Stage.STORE]
    bench.work(*tote_work("B", [0]))
    assert [m.stage for m in bench.world.missions.values()] == [Stage.CARRY]
    robot.manual = False
    robot.drive()
    bench.hear(robot.state())
    bench.wait(120)
    assert bench.world.missions_n == 1
    assert len(bench.told(PickDone)) == 2


def test_a_tote_is_pushed_only_when_central_has_closed_its_picks() -> None:
    bench = Bench()
    bench.central = False
    work = tote_work("A", [0, 1])
    bench.work(*work)
    bench.wait(120)
    assert len({b.task for b in bench.told(PickDone)}) == 2
    assert bench.commanded(PushTote) == []
    bench.hear(WorkClosed(work[0].task))
    assert bench.commanded(PushTote) == []
    bench.hear(WorkClosed(work[1].task))
    assert len(bench.commanded(PushTote)) == len(bench.commanded(RouteTote)) == 1


def test_a_short_pick_that_adds_a_pick_keeps_the_tote_at_its_station() -> None:
    bench = Bench()
    bench.central = False
    work = tote_work("A", [0])
    bench.work(*work)
    bench.wait(120)
    bench.work(pick("A", 7, 4))
    bench.hear(WorkClosed(work[0].task))
    assert bench.commanded(PushTote) == []
    bench.wait(120)
    assert {b.task for b in bench.told(PickDone)} == {work[0].task, "P-T-A-1-7"}
    bench.hear(WorkClosed(TaskId("P-T-A-1-7")))
    assert len(bench.commanded(PushTote)) == 1


def test_a_pick_that_nobody_presented_still_counts_by_task_and_attempt() -> None:
    bench = Bench()
    bench.central = False
    event = bench.event("station-S1", PickConfirmed(TaskId("P-T-Z-1-0"), 2, 1, "", "", None))
    bench.hear(event)
    (done,) = bench.told(PickDone)
    assert (done.task, done.attempt, done.station) == ("P-T-Z-1-0", 2, StationId("S1"))
    assert bench.acked() == []
    bench.hear(AckHeard(FactsAck(SITE_ID, 1, 1)))
    assert bench.acked() == [(1, event.event.seq)]
    bench.hear(event)
    assert bench.acked() == [(1, event.event.seq)] * 2
    assert len(bench.told(PickDone)) == 1


def test_a_new_attempt_is_shown_and_told_again() -> None:
    bench = Bench()
    bench.central = False
    bench.work(*tote_work("A", [0]))
    bench.wait(120)
    bench.work(pick("A", 0, 0, attempt=2))
    bench.wait(120)
    assert sorted({(b.task, b.attempt) for b in bench.told(PickDone)}) == [("P-T-A-1-0", 1), ("P-T-A-1-0", 2)]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_doubled_late_and_reordered_facts_leave_each_task_told_exactly_once(seed: int) -> None:
    """Everything that edges and central may repeat is repeated at random; nothing is told twice in one epoch."""
    rng = random.Random(seed)
    bench = Bench()
    old: list[Fact] = []
    work = [*tote_work("A", [0, 3]), *tote_work("B", [3, 5]), *tote_work("C", [1])]
    for task in work:
        bench.work(task)
    for _ in range(120):
        before = len(bench.heard)
        bench.wait(3)
        old.extend(f for f in bench.heard[before:] if isinstance(f, EventHeard | AnswerHeard))
        if rng.random() < 0.3:
            bench.hear(WorkOpened(rng.choice(work)))
        if old and rng.random() < 0.5:
            bench.hear(*rng.sample(old, min(len(old), 3)))
        if rng.random() < 0.1:
            bench.hear(TransportUp(rng.choice(["floor", "log"])))
    told = [
        (c.fact.body.task, c.fact.seq)
        for c in bench.sent
        if isinstance(c, TellCentral) and isinstance(c.fact.body, PickDone | ToteArrived | TotePacked)
    ]
    assert len({task for task, _ in told}) == 5 + 3 + 3
    assert len(set(told)) == len({task for task, _ in told})  # sent again perhaps, but under one number
    assert bench.world.totes == {}
    assert len(bench.world.outbox) == 0


def test_the_same_facts_give_the_same_commands_also_through_a_pickle() -> None:
    def run(pickle_at: int) -> list[object]:
        bench = Bench()
        bench.work(*tote_work("A", [0, 3, 5]), *tote_work("B", [2, 3]))
        for k in range(60):
            if k == pickle_at:
                bench.core = pickle.loads(pickle.dumps(bench.core))
            bench.wait(2)
        return list(bench.sent)

    assert run(-1) == run(7) == run(23)


def test_a_restart_renumbers_what_central_has_not_and_sends_what_is_open() -> None:
    bench = Bench()
    bench.central = bench.people = bench.answering = False
    bench.work(*tote_work("A", [0]))
    bench.wait(60)
    bench.hear(bench.event("station-S1", PickConfirmed(TaskId("P-T-A-1-0"), 1, 1, "", "", None)))
    open_facts = len(bench.world.outbox)
    assert open_facts > 1
    said = bench.hear(Restarted(9, Params()))
    facts = [c.fact for c in said if isinstance(c, TellCentral)]
    assert [(f.epoch, f.seq) for f in facts] == [(9, n) for n in range(1, open_facts + 1)]
    assert any(isinstance(c, SendEdgeCommand) and isinstance(c.command.body, OpenTote) for c in said)
    said = bench.hear(AckHeard(FactsAck(SITE_ID, 9, open_facts)))
    assert any(isinstance(c, AckEvents) for c in said)


def test_a_dispatcher_whose_epoch_is_older_than_central_knows_takes_a_newer_one() -> None:
    bench = Bench()
    bench.central = False
    bench.work(*tote_work("A", [0]))
    bench.wait(60)
    bench.hear(AckHeard(FactsAck(SITE_ID, 50, 3)))
    assert bench.core.epoch == 51
    assert all(f.epoch == 51 for f, _ in bench.world.outbox._open)


def test_an_unanswered_command_is_repeated_an_expired_one_renamed_and_a_refused_one_told() -> None:
    bench = Bench()
    bench.answering = bench.people = False
    bench.work(*tote_work("A", [0]))
    (first,) = [
        c.command for c in bench.sent if isinstance(c, SendEdgeCommand) and isinstance(c.command.body, OpenTote)
    ]
    bench.wait(6)
    repeated = [
        c.command for c in bench.sent if isinstance(c, SendEdgeCommand) and isinstance(c.command.body, OpenTote)
    ]
    assert {c.id for c in repeated} == {first.id}
    assert len(repeated) == 2
    (renamed,) = [
        c.command
        for c in bench.hear(AnswerHeard(EdgeAnswer(first.id, first.cell, Outcome.EXPIRED, "")))
        if isinstance(c, SendEdgeCommand)
    ]
    assert renamed.id == first.id + "-r1"
    assert renamed.body == first.body
    name = renamed.id
    for _ in range(4):
        bench.hear(AnswerHeard(EdgeAnswer(name, first.cell, Outcome.REJECTED, "slot taken")))
        bench.wait(11)
        name = bench.world.cells[CellId(first.cell)].commands[f"open-{first.body.tote}"].command.id  # type: ignore[union-attr]
    assert f"command-open-{first.body.tote}" in bench.world.alarms  # type: ignore[union-attr]
    bench.hear(AnswerHeard(EdgeAnswer(name, first.cell, Outcome.ACCEPTED, "")))
    assert not any(a.startswith("command-") for a in bench.world.alarms)


def test_an_idle_core_asks_to_be_woken_only_for_its_sweep() -> None:
    bench = Bench()
    bench.wait(600)
    for _ in range(100):
        due = bench.core.next_due_ms
        assert due is not None
        bench.now_ms = due
        bench.hear(*(r.state() for r in bench.robots.values()), Timer())
    assert bench.now_ms > 1_600_000 + 90 * 30_000
    assert {v.state for v in bench.world.vehicles.values()} <= {VehicleState.IDLE, VehicleState.CHARGING}


def test_a_robot_of_nobody_is_named_and_left_alone() -> None:
    bench = Bench()
    state = bench.robot("R1").state()
    stranger = type(state)(
        **{f: getattr(state, f) for f in state.__struct_fields__} | {"robot": RobotId("X9"), "node": NodeId("b0")}
    )
    bench.hear(stranger)
    assert RobotId("X9") not in bench.world.vehicles
    assert any(a.startswith("stranger-") for a in bench.world.alarms)
