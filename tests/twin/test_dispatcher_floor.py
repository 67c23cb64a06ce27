"""The dispatcher against the whole simulated floor: robots, people, edges; on virtual time, over the memory ports."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from contracts import poses, topics
from contracts.codec import decode, encode
from contracts.ids import CellId, RobotId
from contracts.messages.floor import StopState
from contracts.messages.ops import (
    ChargeRobot,
    FleetView,
    OpsAnswer,
    OpsBody,
    OpsCommand,
    PauseRobot,
    ResumeRobot,
    RetireRobot,
    VehicleState,
)
from dispatcher import journal
from dispatcher.facts import RobotState
from dispatcher.journal import running_hash, segments
from dispatcher.params import Params
from dispatcher.replay import export_mcap, replay
from simulators import site as reference
from simulators.robot_build import RobotFaults, RobotParams
from tests.twin.dispatcher_floor import WHOLE, Site, on_site, orders

HOUR_S = 3600.0


async def ship(site: Site, count: int, lines: int, *, hours: float = 1.0, seed: int = 1) -> None:
    """Publish some orders and wait until the books are empty."""
    for work in orders(count, lines, seed):
        await site.books.publish(work)
    await shipped(site, hours)


async def shipped(site: Site, hours: float = 1.0) -> None:
    try:
        async with asyncio.timeout(hours * HOUR_S):
            await site.books.empty.wait()
    except TimeoutError:
        pytest.fail(f"still open after {hours} h: {sorted(site.books.open)}; alarms: {site.books.alarms()}")


def exactly_once(site: Site, tasks: int) -> None:
    assert len(site.books.done) == tasks
    assert set(site.books.done.values()) == {1}


def the_floor_agrees(site: Site) -> None:
    """Where the dispatcher believes pods to be is where they are."""
    world = site.dispatcher.core.world
    for pod, node in world.pods.items():
        if node is not None:
            assert site.floor.world.pod_at.get(node) == pod


def test_twenty_picks_with_four_robots_are_told_once_each_and_the_pods_are_where_we_think(tmp_path: Path) -> None:
    async def script(site: Site) -> None:
        await ship(site, 5, 4)
        exactly_once(site, 5 * 6)
        the_floor_agrees(site)
        assert site.books.alarms() == []

    on_site(script, lambda: Site(4, tmp_path))
    report = replay(tmp_path)
    assert report.matches
    assert report.facts > 1000


def test_two_runs_of_one_seed_record_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    async def script(site: Site) -> None:
        await ship(site, 2, 3)

    hashes = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        on_site(script, lambda name=name, seed=seed: Site(4, tmp_path / name, seed=seed))
        hashes.append(replay(tmp_path / name).hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_flipped_fact_a_dropped_step_and_a_changed_command_each_fail_the_replay(tmp_path: Path) -> None:
    async def script(site: Site) -> None:
        await ship(site, 1, 2)

    on_site(script, lambda: Site(2, tmp_path / "true"))
    segment = segments(tmp_path / "true")[0]
    header, recorded = journal.read(segment)
    steps = list(recorded)
    victim = next(i for i, s in enumerate(steps) if i > 50 and _one_state(s))

    def rewritten(name: str, changed: list[journal.Step], *, rechain: bool) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        chain, frames = header.hash, [journal._encoder.encode(header)]
        for s in changed:
            chain = running_hash(chain, s.now_ms, s.facts, s.commands) if rechain else s.hash
            frames.append(journal._STEP.pack(s.now_ms, len(s.facts)) + s.facts + s.commands + chain)
        out = b"".join(journal._FRAME.pack(len(f), journal.zlib.crc32(f)) + f for f in frames)
        (folder / segment.name).write_bytes(out)
        return folder

    assert replay(rewritten("same", steps, rechain=True)).matches

    fact = journal.decode_facts(steps[victim].facts)[0]
    assert isinstance(fact, RobotState)
    fields = {f: getattr(fact, f) for f in fact.__struct_fields__} | {"battery": 0.123}
    flipped = list(steps)
    flipped[victim] = steps[victim]._replace(facts=journal._encoder.encode([RobotState(**fields)]))
    report = replay(rewritten("flipped", flipped, rechain=False))
    assert not report.matches
    assert report.difference is not None
    assert "hash" in report.difference.what

    ordered = next(i for i, s in enumerate(steps) if len(journal.decode_commands(s.commands)) > 1)
    silent = list(steps)
    silent[ordered] = steps[ordered]._replace(commands=journal.encode_commands([]))
    assert not replay(rewritten("command", silent, rechain=True)).matches

    assert not replay(rewritten("dropped", steps[:ordered] + steps[ordered + 1 :], rechain=True)).matches


def _one_state(step: journal.Step) -> bool:
    facts = journal.decode_facts(step.facts)
    return len(facts) == 1 and isinstance(facts[0], RobotState)


def test_a_recording_is_exported_as_mcap(tmp_path: Path) -> None:
    from mcap.reader import make_reader

    async def script(site: Site) -> None:
        await ship(site, 1, 1)

    on_site(script, lambda: Site(2, tmp_path))
    out = tmp_path / "day.mcap"
    count = export_mcap(tmp_path, out)
    with out.open("rb") as stream:
        found = [(c.topic, m.log_time) for _, c, m in make_reader(stream).iter_messages()]
    assert len(found) == count
    assert {"/facts/robot_state", "/commands/order", "/commands/tell_central"} <= {t for t, _ in found}


@pytest.mark.parametrize("at_s", [5.0, 47.0, 75.0, 160.0, 400.0])
def test_a_killed_dispatcher_goes_on_from_its_journal(tmp_path: Path, at_s: float) -> None:
    async def script(site: Site) -> None:
        for work in orders(4, 4, 2):
            await site.books.publish(work)
        await asyncio.sleep(at_s)
        await killed(site)
        await asyncio.sleep(20)
        site.dispatcher = site.new_dispatcher()
        running = asyncio.create_task(site.dispatcher.run())
        try:
            await shipped(site)
        finally:
            await stopped(running)
        exactly_once(site, 4 * 6)
        the_floor_agrees(site)

    on_site(script, lambda: Site(4, tmp_path))
    assert replay(tmp_path).matches


async def killed(site: Site) -> None:
    """Cancel the dispatcher's task; its broker client is cut off without a goodbye."""
    task = next(t for t in asyncio.all_tasks() if t.get_name() == "dispatcher")
    site.may_end.add(task)
    await stopped(task)


async def stopped(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_a_dispatcher_that_lost_its_journal_finishes_the_orders_from_the_work_keys(tmp_path: Path) -> None:
    async def script(site: Site) -> None:
        for work in orders(3, 3, 5):
            await site.books.publish(work)
        await asyncio.sleep(30)  # pods are lifted, nothing is picked yet
        await killed(site)
        for segment in segments(tmp_path):
            segment.unlink()
        site.dispatcher = site.new_dispatcher()
        running = asyncio.create_task(site.dispatcher.run())
        try:
            await shipped(site, 2)
        finally:
            await stopped(running)
        exactly_once(site, 3 * 5)

    on_site(script, lambda: Site(4, tmp_path))


@pytest.mark.parametrize("voided_at", ["journal lost", "while it is down", "just before", "long before"])
def test_a_tote_that_was_voided_around_a_restart_does_not_block_its_slot(tmp_path: Path, voided_at: str) -> None:
    """Its keys may be gone before the new dispatcher hears of it: the cell says what stands there; it is sent away."""

    async def script(site: Site) -> None:
        slots = sum(s.slots for s in site.site.stations if s.kind == "pick")
        voided, later = orders(slots + 1, 2, 5)[:slots], orders(slots + 2, 2, 9)[slots:]
        for work in voided:
            await site.books.publish(work)
        await asyncio.sleep(15)  # empty totes stand, nothing is picked yet
        if voided_at in {"journal lost", "while it is down"}:
            await killed(site)
        for task in [t.task for work in voided for t in work]:
            site.books.open.pop(task, None)
            await site.books.void(task)
        if voided_at in {"just before", "long before"}:
            await asyncio.sleep(0.001 if voided_at == "just before" else 2)
            await killed(site)
        if voided_at == "journal lost":
            for segment in segments(tmp_path):
                segment.unlink()
        site.dispatcher = site.new_dispatcher()
        running = asyncio.create_task(site.dispatcher.run())
        try:
            for work in later:
                await site.books.publish(work)
            await shipped(site, 2)
            assert all(site.books.done[t.task] == 1 for work in later for t in work)
        finally:
            await stopped(running)

    on_site(script, lambda: Site(4, tmp_path))


def test_robots_that_break_go_offline_and_stall_delay_the_day_but_lose_nothing(tmp_path: Path) -> None:
    faults = RobotFaults(fatal_per_h=3, fatal_s=60, offline_per_h=6, offline_s=40, stall_chance=0.01, lift_fails=0.05)

    async def script(site: Site) -> None:
        await ship(site, 10, 4, hours=3)
        exactly_once(site, 10 * 6)
        the_floor_agrees(site)

    on_site(script, lambda: Site(8, tmp_path, build=RobotParams(faults=faults)))
    assert replay(tmp_path).matches


def test_a_broker_that_dies_and_a_log_that_loses_its_store_lose_no_task(tmp_path: Path) -> None:
    async def script(site: Site) -> None:
        work = orders(5, 4, 3)
        for tasks in work:
            await site.books.publish(tasks)
        await asyncio.sleep(100)
        site.broker.stop()
        await asyncio.sleep(15)
        site.broker.start(lose_store=True)
        await asyncio.sleep(60)
        site.store.stop()
        await asyncio.sleep(5)
        site.store.start()
        site.store.lose()
        await site.books.publish(list(site.books.open.values()))
        await shipped(site)
        exactly_once(site, 5 * 6)

    on_site(script, lambda: Site(4, tmp_path))
    assert replay(tmp_path).matches


def test_a_central_that_is_deaf_for_a_while_gets_every_fact_in_the_end() -> None:
    async def script(site: Site) -> None:
        for work in orders(3, 3, 4):
            await site.books.publish(work)
        await asyncio.sleep(60)
        site.books.deaf = True
        await asyncio.sleep(120)
        assert len(site.dispatcher.core.world.outbox) > 0
        site.books.deaf = False
        await shipped(site)
        exactly_once(site, 3 * 5)
        await asyncio.sleep(30)
        assert len(site.dispatcher.core.world.outbox) == 0

    on_site(script, lambda: Site(4))


def test_the_fleet_stands_within_a_second_of_a_stop_and_goes_on_when_it_is_lifted() -> None:
    async def script(site: Site) -> None:
        for work in orders(3, 3, 6):
            await site.books.publish(work)
        await asyncio.sleep(40)
        operator = await site.broker.connect("operator")
        await say_stop(site, operator, stopped=True)
        await asyncio.sleep(5)
        before = site.floor.driven_m
        assert site.dispatcher.core.world.stopped
        assert {v.state for v in site.dispatcher.core.world.vehicles.values()} == {VehicleState.PAUSED}
        await asyncio.sleep(120)
        assert site.floor.driven_m == before
        await say_stop(site, operator, stopped=False)
        await shipped(site)
        exactly_once(site, 3 * 5)

    on_site(script, lambda: Site(4))


async def say_stop(site: Site, operator: object, *, stopped: bool) -> None:
    state = StopState(stopped=stopped, who="test", reason="a box on the road", at_ms=site.clock.now_ms())
    operator.send(topics.stop(site.site.id), encode(state), qos=1, retain=True)  # type: ignore[attr-defined]


def test_operators_pause_resume_retire_and_charge_robots_and_are_answered_in_words() -> None:
    async def script(site: Site) -> None:
        asking = site.store.connect("operator")

        async def ask(name: str, body: OpsBody) -> OpsAnswer:
            command = OpsCommand(id=name, who="test", reason="", body=body)
            return decode(await asking.request(topics.ops_subject(site.site.id), encode(command)), OpsAnswer)

        await asyncio.sleep(1)
        vehicles = site.dispatcher.core.world.vehicles
        r1, r2 = RobotId("R001"), RobotId("R002")
        assert (await ask("a", PauseRobot(r1))).done
        await asyncio.sleep(1)
        assert vehicles[r1].state is VehicleState.PAUSED
        assert (await ask("b", RetireRobot(r2))).done
        assert not (await ask("c", PauseRobot(RobotId("R999")))).done
        assert (await ask("d", ChargeRobot(RobotId("R003")))).done
        await asyncio.sleep(120)
        assert vehicles[RobotId("R003")].state is VehicleState.CHARGING
        await ship(site, 2, 3)
        assert not vehicles[r1].job.startswith("M")  # it may have made way before it was paused
        assert not vehicles[r2].job.startswith("M")
        assert (await ask("e", ResumeRobot(r1))).done
        assert (await ask("a", PauseRobot(r1))).done  # the second time it changes nothing
        await asyncio.sleep(1)
        assert vehicles[r1].state is not VehicleState.PAUSED

    on_site(script, lambda: Site(4))


def test_idle_robots_charge_and_park_and_then_cost_one_state_each_thirty_seconds() -> None:
    async def script(site: Site) -> None:
        await asyncio.sleep(HOUR_S)
        world = site.dispatcher.core.world
        assert all(v.state in {VehicleState.CHARGING, VehicleState.IDLE} for v in world.vehicles.values())
        before = dict(site.dispatcher.counts)
        await asyncio.sleep(HOUR_S)
        assert site.dispatcher.counts["facts"] - before["facts"] < 8 * 120 + 140 + 60

    on_site(script, lambda: Site(8))


def test_consoles_get_the_fleet_once_a_second_and_poses_as_frames() -> None:
    async def script(site: Site) -> None:
        views: list[FleetView] = []
        frames: list[bytes] = []
        listening = site.store.connect("console")
        await listening.hear(topics.fleet(site.site.id), lambda _, p: views.append(decode(p, FleetView)))
        await listening.hear(topics.poses(site.site.id), lambda _, p: frames.append(p))
        await asyncio.sleep(10.5)
        assert len(views) == 10
        assert [r.id for r in views[-1].robots] == ["R001", "R002", "R003", "R004"]
        assert 50 <= len(frames) <= 53
        _, records = poses.unpack(frames[-1])
        at = site.floor.robots[RobotId("R001")].pose
        assert abs(records["x"][0] * poses.STEP_M - at.x_m) < 0.05
        await ship(site, 1, 2)

    def make() -> Site:
        site = Site(4, build=RobotParams(visualization_hz=2))
        site.settings = msgspec.structs.replace(site.settings, publish_views=True)
        site.dispatcher = site.new_dispatcher()
        return site

    on_site(script, make)


def test_a_message_that_cannot_be_read_is_kept_and_counted_and_stops_nothing() -> None:
    async def script(site: Site) -> None:
        vandal = await site.broker.connect("vandal")
        for name in ("state", "connection", "factsheet"):
            vandal.send(f"uagv/v2/Floorplane/R001/{name}", b"{not json")
        vandal.send(topics.cell_event(site.site.id, CellId("line")), b"[]")
        asking = site.store.connect("vandal")
        asking.say(topics.facts_ack(site.site.id), b"?")
        await asking.append(topics.work_key(site.site.id, "P-x-1"), b'{"type":"dance"}')
        answer = decode(await asking.request(topics.ops_subject(site.site.id), b"{}"), OpsAnswer)
        assert not answer.done
        await ship(site, 1, 2)
        assert site.dispatcher.counts["unreadable"] == len(site.dispatcher.unreadable) == 6
        assert {m.topic.rpartition("/")[2] for m in site.dispatcher.unreadable} >= {"state", "connection", "event"}

    on_site(script, lambda: Site(2))


async def test_the_recording_reaches_the_disk_by_itself_on_real_time(tmp_path: Path) -> None:
    """A real disk has no event to wait for: the flag that something is unsynced is looked at until it falls."""
    site = Site(1, tmp_path)
    site.settings = msgspec.structs.replace(site.settings, fsync=True)
    dispatcher = site.new_dispatcher()
    running = asyncio.create_task(dispatcher.run())
    try:
        async with asyncio.timeout(5):
            await dispatcher.ready.wait()
            while dispatcher.counts["steps"] == 0 or dispatcher.journal.unsynced:  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.01)
    finally:
        await stopped(running)
    assert replay(tmp_path).steps > 0


def test_a_core_that_breaks_stops_the_service_with_its_error() -> None:
    async def script(site: Site) -> None:
        await asyncio.sleep(1)
        task = next(t for t in asyncio.all_tasks() if t.get_name() == "dispatcher")
        site.may_end.add(task)
        site.dispatcher.core.world.touched[RobotId("nobody")] = None  # as if a phase had a fault
        await asyncio.sleep(60)
        error = task.exception()
        assert isinstance(error, ExceptionGroup)
        assert error.subgroup(KeyError) is not None

    on_site(script, lambda: Site(1))


def garbage() -> Iterator[tuple[str, bytes]]:
    """What a foreign robot may say: nothing, half of something, numbers that no journal keeps, another's name."""
    head = {"headerId": 1, "timestamp": "2013-12-02T08:00:00Z", "version": "2.1.0"}
    head |= {"manufacturer": "ACME", "serialNumber": "A1"}
    state = head | {
        "orderId": "", "orderUpdateId": 0, "lastNodeId": "", "lastNodeSequenceId": 0, "driving": False,
        "nodeStates": [], "edgeStates": [], "actionStates": [], "operatingMode": "AUTOMATIC", "errors": [],
        "batteryState": {"batteryCharge": 80.0, "charging": False},
        "safetyState": {"eStop": "NONE", "fieldViolation": False},
    }  # fmt: skip
    sheet = head | {
        "typeSpecification": {"seriesName": "x", "agvKinematic": "DIFF", "agvClass": "FORKLIFT", "maxLoadMass": 1e308,
                              "localizationTypes": [], "navigationTypes": []},
        "physicalParameters": {"speedMin": 0, "speedMax": 0, "accelerationMax": -1, "decelerationMax": 0,
                               "heightMin": 0, "heightMax": 0, "width": 1e308, "length": -1},
        "protocolLimits": {"maxStringLens": {}, "maxArrayLens": {}, "timing": {"minOrderInterval": 1e308}},
        "protocolFeatures": {"optionalParameters": [], "agvActions": []}, "agvGeometry": {}, "loadSpecification": {},
    }  # fmt: skip
    huge = 10**25
    changes: list[dict[str, object]] = [
        *({k: v} for k in ("headerId", "orderUpdateId", "lastNodeSequenceId") for v in (huge, -huge, -1, 2**63, None)),
        *({k: v} for k in ("orderId", "lastNodeId", "version", "timestamp") for v in ("", None, "a/b+#", "\0", 5, [])),
        *({"manufacturer": v, "serialNumber": v} for v in ("", None, "a/b+#", "x" * 70_000)),
        {"nodeStates": [{"nodeId": "x" * 900, "sequenceId": huge, "released": True}] * 300},
        {"actionStates": [{"actionId": "a" * 900, "actionStatus": "NOPE"}] * 300},
        {"agvPosition": {"x": 1e308, "y": -1e308, "theta": 1e308, "mapId": "m", "positionInitialized": True}},
        {"batteryState": {"batteryCharge": 1e308, "charging": True}},
        {"loads": [{"loadId": "P0001"}, {}]},
    ]
    for name in ("state", "connection", "factsheet", "visualization"):
        for major in ("v2", "v3"):
            topic = f"uagv/{major}/ACME/A1/{name}"
            for raw in (b"", b"\xff\xfe", b"[]", b"{}", b"null", b"[" * 50_000, json.dumps(sheet).encode()):
                yield topic, raw
            for change in changes:
                yield topic, json.dumps(state | {"connectionState": "ONLINE"} | change).encode()
    for topic in ("uagv/v2///state", "uagv/v2/ACME//state", "uagv/v9/ACME/A1/state"):
        yield topic, json.dumps(state).encode()
    ours = {"manufacturer": reference.MANUFACTURER, "serialNumber": str(WHOLE.robots[0].id), "headerId": 999_999}
    yield "uagv/v2/ACME/A1/state", json.dumps(state | ours | {"loads": [{"loadId": "P0001"}]}).encode()


def test_a_robot_that_says_garbage_stops_nobody_and_speaks_for_nobody_else(tmp_path: Path) -> None:
    """Orders ship meanwhile; what cannot be read is kept and counted; only the stranger has alarms; it replays."""

    async def script(site: Site) -> None:
        voice = await site.broker.connect("garbage")
        for retained in (False, True):
            for topic, payload in garbage():
                await voice.publish(topic, payload, retain=retained)
            if not retained:
                await ship(site, 2, 2)
        exactly_once(site, 2 * 4)
        the_floor_agrees(site)
        dispatcher = site.dispatcher
        assert dispatcher.counts["unreadable"] > 100
        assert "another manufacturer or serialNumber than its topic's" in dispatcher.deviations["ACME"]
        assert {a.subject for a in site.books.alarms()} == {"A1"}
        assert all(v.state is not VehicleState.ERROR for r, v in dispatcher.core.world.vehicles.items() if r != "A1")

    on_site(script, lambda: Site(3, tmp_path, params=Params(adopt="auto")))
    assert replay(tmp_path).matches
