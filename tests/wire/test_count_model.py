"""Counts against a model while picks go on: what is posted is exactly what is missing, in whatever order it happens."""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from contracts.ids import RobotId, StationId, TaskId
from contracts.messages.facts import TaskStarted
from contracts.messages.work import Pick
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.care_floor import confirm, key, lay, next_task
from tests.wire.central_floor import Floor, picked, running

pytestmark = pytest.mark.slow

T = TypeVar("T")
BIN, ITEM, FULL = "P0-B0", "part1", 40
PEOPLE = ("anna", "bert", "cleo")


class Bin(RuleBasedStateMachine):
    """The model is the bin itself: what lies in it, what pickers have in their hands, and what was stolen from it."""

    postgres: ClassVar[ScratchPostgres]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.context: AbstractAsyncContextManager[Floor] | None = None
        self.there = FULL
        self.hands: dict[TaskId, int] = {}
        """Begun picks: what was taken out for each, and is not told yet."""
        self.stolen = 0
        """What the books do not know yet."""
        self.counting: dict[str, dict[str, Any]] = {}
        self.seen: dict[str, int] = {}
        self.orders = 0

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @property
    def floor(self) -> Floor:
        if self.context is None:

            async def begin() -> Floor:
                self.context = running(self.postgres)
                floor = await self.context.__aenter__()
                await lay(floor, (BIN, ITEM, FULL))
                return floor

            self._floor = self.do(begin())
        return self._floor

    def teardown(self) -> None:
        if self.context is not None:
            context = self.context

            async def end() -> None:
                await context.__aexit__(None, None, None)

            self.do(end())
        self.runner.close()

    def open_picks(self) -> list[Pick]:
        """Return picks that nobody has begun."""
        if self.context is None:
            return []
        keys = [w for w in self._floor.keys.values() if isinstance(w, Pick) and w.task not in self.hands]
        return sorted(keys, key=lambda w: w.task)

    # ------------------------------------------------------------------------------------------------------- the floor

    @precondition(lambda self: self.context is None or not self.do(self.counts_open()))
    @rule(n=st.integers(1, 4))
    def steal(self, n: int) -> None:
        """Somebody takes pieces, and nobody knows; not while others count."""
        assert self.floor is not None
        taken = min(n, self.there)
        self.there -= taken
        self.stolen += taken

    @rule(qty=st.integers(1, 6))
    def order(self, qty: int) -> None:
        """Somebody orders."""
        self.orders += 1
        taken = self.do(self.floor.order(f"A{self.orders}", (ITEM, qty)))
        if taken["totes"]:
            self.do(self.floor.until(lambda: any(t.startswith(f"P-T-A{self.orders}-") for t in self.floor.keys)))

    @precondition(lambda self: self.open_picks())
    @rule(data=st.data())
    def begin_pick(self, data: st.DataObject) -> None:
        """A picker begins."""
        self.begin(data.draw(st.sampled_from(self.open_picks())))

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def end_pick(self, data: st.DataObject) -> None:
        """They say how many they have."""
        self.end(data.draw(st.sampled_from(sorted(self.hands))))

    def begin(self, work: Pick) -> None:
        """Central is told, then the pieces leave the bin."""
        self.do(self.floor.say(TaskStarted(work.task, work.attempt, StationId("S1"), RobotId("R1"))))
        taken = min(work.qty, self.there)
        self.there -= taken
        self.hands[work.task] = taken

    def end(self, task: TaskId) -> None:
        """What is missing of a pick is written off by it."""
        work = self.floor.keys[task]
        assert isinstance(work, Pick)
        got = self.hands.pop(task)
        self.stolen -= work.qty - got
        self.do(self.floor.say(picked(work, got, "" if got == work.qty else "bin empty")))
        self.do(self.floor.until(lambda: task not in self.floor.keys))

    # ---------------------------------------------------------------------------------------------------------- counts

    async def counts_open(self) -> bool:
        rows = await self._floor.rows("SELECT FROM stock_count WHERE closed_at IS NULL")
        return bool(rows)

    @rule(
        people=st.permutations(PEOPLE),
        before=st.lists(st.sampled_from(("", "begin", "end")), min_size=3, max_size=3),
        after=st.lists(st.sampled_from(("", "", "begin", "end")), min_size=3, max_size=3),
    )
    def count(self, people: list[str], before: list[str], after: list[str]) -> None:
        """It is counted by one after the other, with picks before and after each looks."""
        body = {"place": BIN, "item": ITEM}
        answer = self.do(self.floor.operator.post("/v1/counts", json=body, headers=key()))
        assert answer.status_code in {201, 409}, answer.text
        for person, early, late in zip(people, before, after, strict=True):
            self.take(person)
            if person in self.counting:
                self.meanwhile(early)
                self.seen[person] = self.there
                self.meanwhile(late)
                self.say_it(person)

    def meanwhile(self, what: str) -> None:
        """A pick begins or ends, where there is one."""
        if what == "begin" and (work := self.open_picks()):
            self.begin(work[0])
        elif what == "end" and self.hands:
            self.end(min(self.hands))

    @rule(person=st.sampled_from(PEOPLE))
    def take_one(self, person: str) -> None:
        """Somebody takes a count, and lets others wait for it."""
        self.take(person)

    def take(self, person: str) -> None:
        """Take the count that is open, unless they have counted it before."""
        if person not in self.counting and (task := self.do(next_task(self.floor, person, "count"))) is not None:
            self.counting[person] = task
            self.seen.pop(person, None)

    @precondition(lambda self: self.counting)
    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        """They count what lies there now."""
        self.seen[data.draw(st.sampled_from(sorted(self.counting)))] = self.there

    @precondition(lambda self: self.seen.keys() & self.counting.keys())
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        """They say it; whatever has moved since they took the task is for central to know."""
        self.say_it(data.draw(st.sampled_from(sorted(self.seen.keys() & self.counting.keys()))))

    def say_it(self, person: str) -> None:
        """What central makes of it is right."""
        task = self.counting.pop(person)
        self.do(confirm(self.floor, task, qty=self.seen.pop(person)))
        (count,) = self.do(self.floor.rows("SELECT * FROM stock_count WHERE id = $1", task["ref"]))
        if count["state"] == "agreed":
            assert self.stolen == 0
        elif count["state"] == "posted":
            assert count["difference"] == -self.stolen
            self.stolen += count["posted"]
        assert self.do(self.floor.violations()) == []

    @invariant()
    def the_books_are_the_bin(self) -> None:
        """What the books say is what lies there, what is in hands, and what nobody knows to be missing."""
        if self.context is None:
            return
        rows = self.do(self.floor.rows("SELECT qty FROM stock WHERE place = $1 AND item = $2", BIN, ITEM))
        assert sum(r["qty"] for r in rows) == self.there + sum(self.hands.values()) + self.stolen


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_what_is_posted_is_what_is_missing(postgres: ScratchPostgres) -> None:
    """Six random shifts of up to thirty steps, always the same six."""
    machine = type("BinHere", (Bin,), {"postgres": postgres})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=6, stateful_step_count=30, deadline=None, derandomize=True)
    )
