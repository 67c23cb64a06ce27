"""Transports through REST on a real database: taken in, published, followed, cancelled, and refused with the name."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from contracts.ids import NodeId, RobotId, TaskId
from contracts.messages.facts import TransportChanged
from contracts.messages.work import Transport
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, running

WAY = {"from": "S1", "to": "N2", "load": "PAL-1", "priority": 2, "due": "2013-12-02T16:00:00Z"}


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres) as made:
        yield made


async def post(floor: Floor, body: dict[str, Any], key: str = "k1") -> httpx.Response:
    return await floor.erp.post("/v1/transports", json=body, headers={"Idempotency-Key": key})


async def changed(floor: Floor, name: str, state: str, reason: str = "") -> None:
    await floor.say(TransportChanged(TaskId(name), 1, state, RobotId("R1"), NodeId("N3"), reason))


async def test_a_transport_is_published_followed_to_its_end_and_shows_its_history(floor: Floor) -> None:
    """The dispatcher gets it as one work key, which is closed once it said that it is done."""
    taken = await post(floor, WAY)
    again = await post(floor, WAY)
    assert taken.status_code == 201, taken.text
    assert again.content == taken.content
    assert again.headers["idempotency-replayed"] == "true"
    assert (await post(floor, WAY | {"load": "other"})).status_code == 422
    name = taken.json()["id"]
    assert taken.json()["from_node"] == "N3"  # where pods are worked on at S1
    await floor.until(lambda: name in floor.keys)
    work = floor.keys[name]
    assert isinstance(work, Transport)
    assert (work.origin, work.goal, work.load, work.priority, work.handling) == ("N3", "N2", "PAL-1", 2, True)
    assert work.due_ms == 1_386_000_000_000
    for state in ("assigned", "loaded", "done"):
        await changed(floor, name, state)
    await floor.until(lambda: name not in floor.keys)
    shown = (await floor.operator.get(f"/v1/transports/{name}")).json()
    assert (shown["state"], shown["robot"]) == ("done", "R1")
    assert [(s["state"], s["who"]) for s in shown["history"]] == [
        ("open", "erp"),
        ("assigned", "dispatcher"),
        ("loaded", "dispatcher"),
        ("done", "dispatcher"),
    ]
    listed = (await floor.operator.get("/v1/transports", params={"state": "done", "robot": "R1"})).json()
    assert [t["id"] for t in listed["items"]] == [name]
    assert (await floor.operator.get("/v1/transports", params={"open": True})).json()["items"] == []
    kinds = [e["type"] for e in floor.events if e["subject"] == name]
    assert kinds == [f"floorplane.transport.{s}" for s in ("open", "assigned", "loaded", "done")]


@pytest.mark.parametrize(
    ("more", "field", "words"),
    [
        ({"from": "the moon"}, "from", "the moon"),
        ({"to": "N99"}, "to", "N99"),
        ({"to": "N0"}, "to", "N0"),  # pods stand there
        ({"to": "S1"}, "to", "S1"),
        ({"priority": 10}, "priority", "9"),
        ({"due": "0001-01-01T00:00:00Z"}, "due", "1970"),
    ],
)
async def test_what_cannot_be_carried_out_is_refused_with_its_name(
    floor: Floor, more: dict[str, Any], field: str, words: str
) -> None:
    """An unknown place, one where pods stand, twice the same place: 422 with the field, and nothing is stored."""
    answer = await post(floor, WAY | more)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert words in answer.text
    assert (await floor.rows("SELECT count(*) AS n FROM transport"))[0]["n"] == 0


async def test_it_is_cancelled_before_it_is_picked_up_and_not_after(floor: Floor) -> None:
    """DELETE closes the key, and again; on a robot it is too late, and one that crossed it is noted as late."""
    first = (await post(floor, WAY, "a")).json()["id"]
    second = (await post(floor, WAY, "b")).json()["id"]
    await changed(floor, first, "assigned")
    for _ in range(2):
        gone = await floor.operator.delete(f"/v1/transports/{first}", params={"reason": "not wanted"})
        assert (gone.status_code, gone.json()["state"], gone.json()["reason"]) == (200, "cancelled", "not wanted")
    await floor.until(lambda: first not in floor.keys and second in floor.keys)
    await changed(floor, first, "done")
    shown = (await floor.operator.get(f"/v1/transports/{first}")).json()
    assert shown["state"] == "cancelled"
    assert shown["history"][-1]["state"] == "late"
    await changed(floor, second, "assigned")
    await changed(floor, second, "loaded")
    late = await floor.operator.delete(f"/v1/transports/{second}")
    assert late.status_code == 409
    assert "R1" in late.json()["detail"]
    assert (await floor.operator.delete("/v1/transports/V-none")).status_code == 404
    assert (await floor.device.delete(f"/v1/transports/{second}")).status_code == 403
    actions = await floor.rows("SELECT action, subject FROM audit WHERE action LIKE 'transport%'")
    assert [tuple(a.values()) for a in actions] == [("transport.cancel", first)]
    lost = await floor.operator.delete(f"/v1/transports/{second}", params={"lost": True, "reason": "it fell off"})
    assert (lost.status_code, lost.json()["state"]) == (200, "cancelled")
    await floor.until(lambda: second not in floor.keys)


async def test_open_transports_are_said_again_after_the_log_was_lost(floor: Floor) -> None:
    """The relay publishes what is open, and closes what was closed."""
    name = (await post(floor, WAY)).json()["id"]
    await floor.until(lambda: name in floor.keys)
    before = len(floor.history)
    floor.store.lose()
    await floor.until(lambda: (name, True) in floor.history[before:])
