"""Adopted robots are kept by central: said to the dispatcher by a work key, listed, and forgotten with a reason."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from contracts import topics
from contracts.codec import decode, encode
from contracts.ids import NodeId, RobotId
from contracts.messages.ops import AdoptRobot, FleetView, ForgetRobot, OpsAnswer, OpsCommand, RobotView, VehicleState
from contracts.messages.work import Member
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, running

WHY = {"reason": "it is ours"}


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres) as made:
        yield made


async def show(floor: Floor, *, adopted: bool, name: str = "X1") -> None:
    """The dispatcher shows a robot that the site does not name."""
    robot = RobotView(
        RobotId(name), VehicleState.NEW, 0.0, 0.0, 0.0, 1.0, NodeId("N2"), 1, manufacturer="ACME GmbH", serial="x 1",
        adopted=adopted,
    )  # fmt: skip
    view = FleetView(floor.site.id, 1, floor.clock.now_ms(), stopped=False, robots=(robot,), stations=(), open_tasks=0)
    floor.dispatcher.say(topics.fleet(floor.site.id), encode(view))
    async with asyncio.timeout(20):
        board = floor.central.app.state.context.fleet
        while (found := board.robot(name)) is None or found.adopted is not adopted:  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.02)


async def test_an_adoption_is_kept_said_again_and_ended_with_a_reason(floor: Floor) -> None:
    """A row, a work key, an event; said again when the log is lost; not forgotten while it works; adopted once more."""
    asked: list[OpsCommand] = []
    refuse = ["it has a load"]

    async def dispatcher(payload: bytes) -> bytes:
        command = decode(payload, OpsCommand)
        asked.append(command)
        no = isinstance(command.body, ForgetRobot) and bool(refuse)
        return encode(OpsAnswer(command.id, not no, refuse[0] if no else ""))

    await floor.dispatcher.serve(topics.ops_subject(floor.site.id), dispatcher)
    assert (await floor.supervisor.post("/v1/robots/X1/adopt", json=WHY)).status_code == 404
    await show(floor, adopted=False)
    assert (await floor.operator.post("/v1/robots/X1/adopt", json=WHY)).status_code == 403
    for _ in range(2):
        assert (await floor.supervisor.post("/v1/robots/X1/adopt", json=WHY)).status_code == 200
    assert asked[0].body == AdoptRobot(RobotId("X1"))
    await floor.until(lambda: any(isinstance(w, Member) for w in floor.keys.values()))
    ((key, member),) = [(k, w) for k, w in floor.keys.items() if isinstance(w, Member)]
    assert (member.robot, member.manufacturer, member.serial, member.attempt) == ("X1", "ACME GmbH", "x 1", 1)
    (row,) = (await floor.operator.get("/v1/adoptions")).json()["items"]
    assert (row["robot"], row["adopted_by"], row["reason"]) == ("X1", "supervisor", "it is ours")

    before = len(floor.history)
    floor.store.lose()
    await floor.until(lambda: (key, True) in floor.history[before:])

    await show(floor, adopted=True)
    assert (await floor.supervisor.post("/v1/robots/X9/forget", json=WHY)).status_code == 404
    assert (await floor.operator.post("/v1/robots/X1/forget", json=WHY)).status_code == 403
    refused = await floor.supervisor.post("/v1/robots/X1/forget", json=WHY)
    assert (refused.status_code, refused.json()["detail"]) == (409, "it has a load")
    assert key in floor.keys
    refuse.clear()
    headers = {"Idempotency-Key": "f1"}
    first = await floor.supervisor.post("/v1/robots/X1/forget", json={"reason": "sold"}, headers=headers)
    again = await floor.supervisor.post("/v1/robots/X1/forget", json={"reason": "sold"}, headers=headers)
    assert (first.status_code, again.content) == (200, first.content)
    await floor.until(lambda: key not in floor.keys)
    assert (await floor.operator.get("/v1/adoptions")).json()["items"] == []
    (row,) = (await floor.operator.get("/v1/adoptions", params={"forgotten": True})).json()["items"]
    assert (row["forgotten_by"], row["forgotten_why"]) == ("supervisor", "sold")

    await show(floor, adopted=False)
    assert (await floor.supervisor.post("/v1/robots/X1/adopt", json=WHY)).status_code == 200
    await floor.until(lambda: key in floor.keys)
    assert floor.keys[key].attempt == 2
    kinds = [e["type"] for e in floor.events if e["subject"] == "X1"]
    assert kinds == [f"floorplane.robot.{s}" for s in ("adopted", "forgotten", "adopted")]
