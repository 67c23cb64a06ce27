"""Moves of an accepted slotting plan between pods: the dispatcher is told which to bring, and when they are done."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from contracts import topics
from contracts.codec import decode, encode
from contracts.messages.ops import OpsAnswer, OpsCommand, ShowPods
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, running
from tests.wire.outbound_hands import Hands


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres) as made:
        yield made


async def test_pods_of_open_moves_are_brought_until_the_moves_are_done(floor: Floor) -> None:
    mover = floor.central._mover
    mover._most_pods = 2  # as on a site with two pick stations
    heard: list[ShowPods] = []

    async def dispatcher(payload: bytes) -> bytes:
        command = decode(payload, OpsCommand)
        assert isinstance(command.body, ShowPods)
        heard.append(command.body)
        return encode(OpsAnswer(command.id, done=True, reason=""))

    await floor.dispatcher.serve(topics.ops_subject(floor.site.id), dispatcher)
    await floor.stock(("P0-B0", "part1", 9))
    told = [{"item": "part1", "from": "P0", "to": "P1", "gain_m": 9.0, "cost_m": 1.0}]
    await floor.rows(
        "INSERT INTO plan (id, kind, state, problem, effort, seed, result, asked_by, asked_at)"
        " VALUES ('L-1', 'slotting', 'done', '{}', 0, 1, $1, 'x', now())",
        msgspec.json.encode({"plan": {"moves": told}, "picture": None}).decode(),
    )
    body = {"reason": "we want it so"}
    await floor.operator.post("/v1/plans/L-1/accept", json=body, headers={"Idempotency-Key": "d1"})
    hands = Hands(floor)
    async with asyncio.timeout(60):
        while not heard or not heard[-1].pods:  # noqa: ASYNC110 - as the dispatcher hears it
            await asyncio.sleep(0.05)
        assert sorted(heard[-1].pods) == ["P0", "P1"]
        (task,) = await hands.open("move")
        one = await hands.get(f"/hands/{task}")
        await hands.do(task, qty=one["qty"], target=one["target"])
        while heard[-1].pods:
            mover.changed()
            await asyncio.sleep(0.05)
    assert heard[-1] == ShowPods(())
