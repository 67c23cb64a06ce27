"""One scenario three ways: twins in memory on virtual time, twins over the real protocols, and replay of both.

The same orders ship with the same quantities in the first two; every command of both recordings is recomputed from its
facts; and a fact that was changed afterwards, its frame made whole again, is found.
"""

import json
import select
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from contracts.errors import Broken
from contracts.ids import OrderId
from contracts.messages.floor import PickConfirmed
from contracts.runtime.settings import bare_environment
from deploy import replay as command
from deploy.embedded.scratch import ScratchPostgres
from deploy.one_loop import one_loop
from dispatcher import journal
from dispatcher.facts import EventHeard, Fact, RobotState, WorkOpened
from dispatcher.replay import replay
from simulators import virtual_time
from tests.e2e.small_day import ROBOTS, asked, floor_plan, write_orders
from tests.free_ports import take

ORDERS = 9
Lines = dict[str, list[tuple[int, str, int]]]


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_orders(tmp_path_factory.mktemp("orders") / "orders.csv", orders=ORDERS, seed=3)


@pytest.fixture(scope="module")
def in_memory(orders: Path, tmp_path_factory: pytest.TempPathFactory, postgres: ScratchPostgres) -> tuple[Path, Lines]:
    """Run the scenario on virtual time: its recording, and what shipped."""
    folder = tmp_path_factory.mktemp("memory")
    plan = floor_plan(orders, postgres.url_of(postgres.create()), folder / "recording")
    shipped: Lines = {}

    async def main() -> None:
        async with one_loop(plan) as floor:

            async def detail(order: str) -> Any:
                return (await floor.http.get(f"/v1/orders/{order}")).json()

            for _ in range(120):
                await floor.clock.sleep(60)
                if floor.erp.done.is_set() and not (await floor.http.get("/v1/orders?open=true")).json()["items"]:
                    break
            for order in asked(orders):
                shipped[order] = lines_shipped(await detail(order))
            assert (await floor.http.get("/v1/invariants")).json() == []

    virtual_time.run(main())
    return plan.journal, shipped


def lines_shipped(detail: dict[str, Any]) -> list[tuple[int, str, int]]:
    """Line, item and pieces of an order, all of which must have left."""
    assert detail["state"] == "shipped", detail
    return [(x["line"], x["item"], x["done"]) for x in detail["order_lines"]]


def assert_replays(recording: Path) -> None:
    """A fresh core that hears the recorded facts gives every recorded command."""
    report = replay(recording)
    assert report.difference is None
    assert report.commands > 500
    assert report.facts > 1000
    assert command.main([str(recording)]) == 0


def test_in_memory_all_ships_and_replay_recomputes_every_command(in_memory: tuple[Path, Lines], orders: Path) -> None:
    """On virtual time."""
    recording, shipped = in_memory
    assert shipped == asked(orders)
    assert_replays(recording)


# ----------------------------------------------------------------------------------------------------- one flipped fact


def change(recording: Path, into: Path, other: Callable[[Fact], Fact | None], *, forge: bool) -> int:
    """Copy a recording with the first fact changed for which `other` has another; return how many facts precede it.

    The frames have their checksums; `forge` also makes the running hash fit from there on, as somebody would who knows
    how a recording is written.
    """
    into.mkdir()
    encoder = msgspec.msgpack.Encoder(order="deterministic")
    chain, before, changed_at = b"", 0, -1
    for segment in journal.segments(recording):
        header, steps = journal.read(segment)
        if not chain:
            chain, before = header.hash, header.facts
        payloads = [encoder.encode(msgspec.structs.replace(header, hash=chain) if forge else header)]
        for step in steps:
            heard, raw = journal.decode_facts(step.facts), step.facts
            for k, fact in enumerate(heard):
                if changed_at < 0 and (another := other(fact)) is not None:
                    assert another != fact
                    changed_at = before
                    raw = encoder.encode([*heard[:k], another, *heard[k + 1 :]])
            before += len(heard)
            chain = journal.running_hash(chain, step.now_ms, raw, step.commands)
            begin = step.now_ms.to_bytes(8, "little", signed=True) + len(raw).to_bytes(4, "little")
            payloads.append(begin + raw + step.commands + (chain if forge else step.hash))
        frames = [len(p).to_bytes(4, "little") + zlib.crc32(p).to_bytes(4, "little") + p for p in payloads]
        (into / segment.name).write_bytes(b"".join(frames))
    assert changed_at >= 0, "no such fact in the recording"
    return changed_at


def one_piece_less(fact: Fact) -> Fact | None:
    if isinstance(fact, EventHeard) and isinstance(fact.event.body, PickConfirmed) and fact.event.body.qty > 1:
        body = msgspec.structs.replace(fact.event.body, qty=fact.event.body.qty - 1)
        return EventHeard(msgspec.structs.replace(fact.event, body=body))
    return None


def one_percent_less(fact: Fact) -> Fact | None:
    """A fact that no command depends on."""
    if isinstance(fact, RobotState) and fact.driving:
        return msgspec.structs.replace(fact, battery=fact.battery - 0.01)
    return None


def another_order(fact: Fact) -> Fact | None:
    if isinstance(fact, WorkOpened):
        return WorkOpened(msgspec.structs.replace(fact.work, order=OrderId(f"{fact.work.order}x")))
    return None


def test_to_change_a_recording_and_to_change_it_back_leaves_every_byte(
    in_memory: tuple[Path, Lines], tmp_path: Path
) -> None:
    """So what the tests below find is the fact, and not how they write."""
    recording = in_memory[0]
    facts = [f for segment in journal.segments(recording) for s in journal.read(segment)[1] for f in facts_of(s)]
    original = next(f for f in facts if one_piece_less(f) is not None)
    changed = one_piece_less(original)
    at = change(recording, tmp_path / "changed", one_piece_less, forge=True)
    assert at == change(
        tmp_path / "changed", tmp_path / "back", lambda fact: original if fact == changed else None, forge=True
    )
    for segment in journal.segments(recording):
        assert (tmp_path / "back" / segment.name).read_bytes() == segment.read_bytes()
        assert (tmp_path / "changed" / segment.name).read_bytes() != segment.read_bytes()


def facts_of(step: journal.Step) -> list[Fact]:
    return journal.decode_facts(step.facts)


@pytest.mark.parametrize("other", [one_piece_less, one_percent_less, another_order])
def test_a_changed_fact_is_named(
    in_memory: tuple[Path, Lines], tmp_path: Path, other: Callable[[Fact], Fact | None]
) -> None:
    """Whether a command follows from it or none: the replay fails at its step, and the command line says so."""
    at = change(in_memory[0], tmp_path / "changed", other, forge=False)
    found = replay(tmp_path / "changed").difference
    assert found is not None
    assert found.fact == at
    with pytest.raises(Broken, match=f"^fact {at} at "):
        command.main([str(tmp_path / "changed")])


def test_a_hash_that_was_made_to_fit_does_not_hide_what_would_have_been_commanded(
    in_memory: tuple[Path, Lines], tmp_path: Path
) -> None:
    """The commands are recomputed and not only compared with a checksum: central is told of one piece less."""
    at = change(in_memory[0], tmp_path / "forged", one_piece_less, forge=True)
    found = replay(tmp_path / "forged").difference
    assert found is not None
    assert found.fact == at
    assert found.what.startswith("command ")
    assert "PickDone" in found.expected
    assert "PickDone" in found.got
    with pytest.raises(Broken, match="PickDone"):
        command.main([str(tmp_path / "forged")])


# ------------------------------------------------------------------------------------------------- over the protocols


class RealFloor:
    """`floorplane up` for the scenario, on ports of its own, twenty times as fast as the wall."""

    def __init__(self, folder: Path, orders: Path) -> None:
        self.folder = folder
        self.port, nats, mqtt = take(), take(), take()
        self.err = (folder / "err.txt").open("w+")
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "deploy.cli", "up", "--orders", str(orders), "--robots", str(ROBOTS),
                "--scale", "20",
                "--port", str(self.port), "--nats-port", str(nats), "--mqtt-port", str(mqtt),
                "--device-port", str(take(250)),
            ],
            cwd=folder, env=bare_environment(NO_COLOR="1", FLOORPLANE_ORDERS_WITHIN_H="0.2"),
            stdout=subprocess.PIPE, stderr=self.err, text=True, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 120)
        assert ready, self.said()
        assert "http://" in self.process.stdout.readline(), self.said()
        token = json.loads((folder / ".floorplane" / "secrets.json").read_text())["tokens"]["supervisor"]
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", headers={"Authorization": f"Bearer {token}"}, timeout=20
        )

    def said(self) -> str:
        self.err.seek(0)
        return self.err.read()

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def close(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.communicate(timeout=20)
        finally:
            self.process.kill()
            self.err.close()


@pytest.mark.slow
def test_over_the_real_protocols_the_same_ships_and_replays(
    in_memory: tuple[Path, Lines], orders: Path, tmp_path: Path
) -> None:
    """MQTT, JetStream, Modbus, OPC UA, TCP and HTTP between processes: the same orders, quantities and proof."""
    floor = RealFloor(tmp_path, orders)
    try:
        wanted = sorted(asked(orders))
        deadline = time.monotonic() + 300
        while sorted(o["ref"] for o in floor.get("/v1/orders?state=shipped")["items"]) != wanted:
            assert time.monotonic() < deadline, (floor.get("/v1/orders"), floor.said())
            time.sleep(0.5)
        shipped = {o: lines_shipped(floor.get(f"/v1/orders/{o}")) for o in wanted}
        assert floor.get("/v1/invariants") == []
    finally:
        floor.close()
    assert shipped == in_memory[1]
    assert_replays(tmp_path / ".floorplane" / "dispatcher")
