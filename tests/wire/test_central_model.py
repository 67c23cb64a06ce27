"""Central against a model: random bookings, orders, picks and cancellations; the books agree all the time."""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from contracts.messages.work import Pick
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, ndjson, picked, results, running

T = TypeVar("T")
BINS = ("P0-B0", "P0-B1", "P1-B0")
ITEMS = ("part1", "part2")


class Books(RuleBasedStateMachine):
    """The model knows for each bin what it holds and what is promised; central must never promise more."""

    postgres: ClassVar[ScratchPostgres]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.floor_context: AbstractAsyncContextManager[Floor] | None = None
        self.held: dict[tuple[str, str], int] = {}
        self.promised: dict[tuple[str, str], int] = {}
        self.doubt: set[tuple[str, str]] = set()
        self.orders = 0
        self.bookings = 0

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @property
    def floor(self) -> Floor:
        if self.floor_context is None:

            async def begin() -> Floor:
                self.floor_context = running(self.postgres)
                return await self.floor_context.__aenter__()

            self._floor = self.do(begin())
        return self._floor

    def teardown(self) -> None:
        if self.floor_context is not None:
            context = self.floor_context

            async def end() -> None:
                await context.__aexit__(None, None, None)

            self.do(end())
        self.runner.close()

    @rule(place=st.sampled_from(BINS), item=st.sampled_from(ITEMS), qty=st.integers(-8, 12).filter(bool))
    def book(self, place: str, item: str, qty: int) -> None:
        """In is always taken; out only what is there and not promised; the same line again does nothing."""
        self.bookings += 1
        body = ndjson([{"place": place, "item": item, "qty": qty, "reason": "found"}])
        headers = {"Idempotency-Key": f"b{self.bookings}"}
        floor = self.floor
        first, again = (
            results(self.do(floor.erp.post("/v1/stock:bulk", content=body, headers=headers)))[0]["outcome"]
            for _ in "ab"
        )
        key = place, item
        free = self.held.get(key, 0) - self.promised.get(key, 0)
        if qty > 0 or free >= -qty:
            assert (first, again) == ("posted", "duplicate")
            self.held[key] = self.held.get(key, 0) + qty
        else:
            assert (first, again) == ("refused", "refused")

    @rule(lines=st.lists(st.tuples(st.sampled_from((*ITEMS, "serv1")), st.integers(1, 15)), min_size=1, max_size=4))
    def order(self, lines: list[tuple[str, int]]) -> None:
        """All that is free is given, and no more."""
        self.orders += 1
        floor, name = self.floor, f"A{self.orders}"
        free = {
            i: sum(n - self.promised.get(k, 0) for k, n in self.held.items() if k[1] == i and k not in self.doubt)
            for i in ITEMS
        }
        taken = self.do(floor.order(name, *lines))
        for line, (item, qty) in zip(taken["lines"], lines, strict=True):
            if item in free:
                assert line["allocated"] == min(qty, free[item])
                assert line["short"] == qty - line["allocated"]
                free[item] -= line["allocated"]
        for task in self.do(floor.shown(name))["tasks"]:
            if task["kind"] == "pick":
                key = task["bin"], task["item"]
                self.promised[key] = self.promised.get(key, 0) + task["qty"]
                self.do(floor.until(lambda t=task["id"]: t in floor.keys))  # type: ignore[misc]

    @precondition(lambda self: any(isinstance(w, Pick) for w in self._keys()))
    @rule(data=st.data())
    def pick(self, data: st.DataObject) -> None:
        """What was found moves; what was not is written off, looked for elsewhere, and the bin is in doubt."""
        floor = self.floor
        work = data.draw(
            st.sampled_from(sorted((w for w in self._keys() if isinstance(w, Pick)), key=lambda w: w.task))
        )
        got = data.draw(st.sampled_from(sorted({0, work.qty // 2, work.qty})))
        key = str(work.bin), str(work.item)
        fact = picked(work, got, "" if got == work.qty else "bin empty")
        self.do(floor.say(fact))
        self.do(floor.say(fact))  # once more, under the next number
        self.held[key] -= work.qty
        self.promised[key] -= work.qty
        if got < work.qty and self.held[key] > 0:
            self.doubt.add(key)
        for task in self.do(floor.shown(work.order))["tasks"]:
            if task["kind"] == "pick" and task["state"] == "released" and task["id"] not in floor.keys:
                self.promised[task["bin"], task["item"]] = (
                    self.promised.get((task["bin"], task["item"]), 0) + task["qty"]
                )
                self.do(floor.until(lambda t=task["id"]: t in floor.keys))  # type: ignore[misc]
        self.do(floor.until(lambda: work.task not in floor.keys))

    @precondition(lambda self: self.orders > 0)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """What nobody began is free again."""
        floor = self.floor
        name = f"A{data.draw(st.integers(1, self.orders))}"
        before = {t["id"]: t for t in self.do(floor.shown(name))["tasks"]}
        answer = self.do(floor.erp.post(f"/v1/orders/{name}/cancel", json={"reason": "model"}))
        assert answer.status_code in {200, 409}
        for task in self.do(floor.shown(name))["tasks"]:
            if task["kind"] == "pick" and task["state"] == "cancelled" and before[task["id"]]["state"] == "released":
                self.promised[task["bin"], task["item"]] -= task["qty"]
                self.do(floor.until(lambda t=task["id"]: t not in floor.keys))  # type: ignore[misc]

    @invariant()
    def the_books_agree(self) -> None:
        """Every bin holds what the model holds, promises what it promises, and no invariant is violated."""
        floor = self.floor
        rows = self.do(
            floor.rows("SELECT s.* FROM stock s JOIN place p ON p.code = s.place AND p.kind = 'bin' WHERE s.qty > 0")
        )
        assert {(r["place"], r["item"]): (r["qty"], r["reserved"]) for r in rows} == {
            k: (n, self.promised.get(k, 0)) for k, n in self.held.items() if n
        }
        assert self.do(floor.violations()) == []

    def _keys(self) -> list[Any]:
        return [] if self.floor_context is None else list(self._floor.keys.values())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_random_life_keeps_the_books(postgres: ScratchPostgres) -> None:
    """Eight random lives of up to sixteen steps, always the same eight."""
    machine = type("BooksHere", (Books,), {"postgres": postgres})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=8, stateful_step_count=16, deadline=None, derandomize=True)
    )
