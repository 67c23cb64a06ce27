"""Leases against a model: never two persons with one lease, never a posting with an old attempt, never two postings."""

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, running

pytestmark = pytest.mark.slow

T = TypeVar("T")
PEOPLE = (("anna", "operator"), ("ben", "operator"), ("anna", "device"), ("cara", "device"))
"""A person at a handheld: the same name at two of them is somebody else to a lease."""
WHO = st.sampled_from(PEOPLE)


class Task:
    """What the model knows of a task."""

    def __init__(self, priority: int, n: int) -> None:
        self.state, self.priority, self.n = "open", priority, n
        self.attempt = 0
        self.holder: tuple[str, str] | None = None
        """Who has it, or had it last and did not give it back."""


class Leases(RuleBasedStateMachine):
    """Any commands in any order, by several people at once."""

    runner: ClassVar[asyncio.Runner]
    floor: ClassVar[Floor]
    numbers: ClassVar[list[int]] = [0]

    def __init__(self) -> None:
        super().__init__()
        self.tasks: dict[str, Task] = {}
        self.answered: dict[str, tuple[str, str, dict[str, Any], httpx.Response]] = {}

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def number(self) -> int:
        self.numbers[0] += 1
        return self.numbers[0]

    async def say(self, client: str, path: str, body: dict[str, Any], key: str = "") -> httpx.Response:
        key = key or f"k{self.number()}"
        who: httpx.AsyncClient = getattr(self.floor, client)
        answer = await who.post(f"/v1/hands{path}", json=body, headers={"Idempotency-Key": key})
        self.answered[key] = (client, path, body, answer)
        return answer

    def some(self, data: st.DataObject) -> tuple[str, Task]:
        name = data.draw(st.sampled_from(sorted(self.tasks)))
        return name, self.tasks[name]

    def lease(self, task: Task, who: tuple[str, str], attempt: int) -> None:
        assert attempt == task.attempt + 1
        task.state, task.attempt, task.holder = "leased", attempt, who

    @rule(priority=st.integers(0, 2))
    def open(self, priority: int) -> None:
        body = {"from": "R1", "to": "R2", "item": "part1", "qty": 1, "later": True, "priority": priority}
        made = self.do(self.say("supervisor", "/moves", body))
        assert made.status_code == 201, made.text
        self.tasks[made.json()["id"]] = Task(priority, self.number())

    @rule(people=st.lists(WHO, min_size=1, max_size=4))
    def next(self, people: list[tuple[str, str]]) -> None:
        """Several ask at once: each open task goes to one of them, the most urgent ones go first."""

        async def ask() -> list[httpx.Response]:
            return await asyncio.gather(
                *(self.say(client, "/next", {"kinds": ["move"], "person": person}) for person, client in people)
            )

        urgent = sorted((t.priority for t in self.tasks.values() if t.state == "open"), reverse=True)[: len(people)]
        got = []
        for who, answer in zip(people, self.do(ask()), strict=True):
            assert answer.status_code in {200, 204}, answer.text
            if answer.status_code == 200:
                task = self.tasks[answer.json()["id"]]
                assert task.state == "open"
                self.lease(task, who, answer.json()["attempt"])
                got.append(task.priority)
        assert sorted(got, reverse=True) == urgent

    @precondition(lambda self: self.tasks)
    @rule(data=st.data(), who=WHO)
    def take(self, data: st.DataObject, who: tuple[str, str]) -> None:
        name, task = self.some(data)
        answer = self.do(self.say(who[1], f"/{name}/lease", {"person": who[0]}))
        if task.state == "leased" and task.holder == who:
            assert (answer.status_code, answer.json()["attempt"]) == (200, task.attempt)
        elif task.state == "open":
            self.lease(task, who, answer.json()["attempt"])
        else:
            assert answer.status_code == 409

    @precondition(lambda self: any(t.state == "leased" for t in self.tasks.values()))
    @rule(data=st.data())
    def time_passes(self, data: st.DataObject) -> None:
        """A lease runs out; who had it may still confirm, until somebody else has it."""
        name = data.draw(st.sampled_from(sorted(n for n, t in self.tasks.items() if t.state == "leased")))
        self.do(self.floor.rows("UPDATE hand_task SET lease_until = '2000-01-01' WHERE id = $1", name))
        self.tasks[name].state = "open"

    @precondition(lambda self: self.tasks)
    @rule(data=st.data(), older=st.integers(-1, 2), people=st.lists(WHO, min_size=1, max_size=3))
    def confirm(self, data: st.DataObject, older: int, people: list[tuple[str, str]]) -> None:
        """Several confirm at once, with the attempt that counts or another; one at most is taken."""
        name, task = self.some(data)
        attempt = max(1, task.attempt - older)

        async def say() -> list[httpx.Response]:
            path = f"/{name}/confirm"
            return await asyncio.gather(
                *(self.say(c, path, {"attempt": attempt, "person": p, "qty": 1}) for p, c in people)
            )

        counts = task.state in {"open", "leased"} and attempt == task.attempt
        taken = 0
        for who, answer in zip(people, self.do(say()), strict=True):
            if counts and task.holder == who and not taken:
                taken += answer.status_code == 200
            else:
                ours = counts and task.holder == who
                assert answer.status_code == 409 or (ours and answer.status_code == 200), answer.text
                taken += answer.status_code == 200
        assert taken == (1 if counts and task.holder in people else 0)
        if taken:
            task.state = "done"

    @precondition(lambda self: self.answered)
    @rule(data=st.data())
    def say_again(self, data: st.DataObject) -> None:
        """The same request once more: what was answered is answered so again, and nothing happens."""
        key = data.draw(st.sampled_from(sorted(self.answered)))
        client, path, body, before = self.answered[key]
        if before.status_code >= 400 or before.status_code == 204:
            return
        again = self.do(self.say(client, path, body, key))
        assert (again.status_code, again.content) == (before.status_code, before.content)
        assert again.headers["Idempotency-Replayed"] == "true"

    @precondition(lambda self: self.tasks)
    @rule(data=st.data(), who=WHO)
    def release(self, data: st.DataObject, who: tuple[str, str]) -> None:
        name, task = self.some(data)
        answer = self.do(self.say(who[1], f"/{name}/release", {"attempt": max(1, task.attempt)}))
        mine = task.holder is not None and task.holder[1] == who[1] and task.state in {"open", "leased"}
        assert answer.status_code == (200 if mine else 409), answer.text
        if mine:
            task.state, task.holder = "open", None

    @precondition(lambda self: self.tasks)
    @rule(data=st.data(), who=WHO)
    def cancel(self, data: st.DataObject, who: tuple[str, str]) -> None:
        name, task = self.some(data)
        answer = self.do(self.say(who[1], f"/{name}/cancel", {"reason": "no need"}))
        assert answer.status_code == (200 if task.state in {"open", "leased"} else 409)
        if answer.status_code == 200:
            task.state = "cancelled"

    @precondition(lambda self: self.tasks)
    @rule(data=st.data(), who=WHO)
    def undo(self, data: st.DataObject, who: tuple[str, str]) -> None:
        name, task = self.some(data)
        answer = self.do(self.say(who[1], f"/{name}/undo", {"reason": "wrong"}))
        mine = task.state == "done" and task.holder is not None and task.holder[1] == who[1]
        assert answer.status_code == (200 if mine else 409), answer.text
        if mine:
            task.state = "undone"

    @invariant()
    def the_books_say_the_same(self) -> None:
        """Each task as in the model; one move for a done one, it and its mirror for an undone one, else none."""
        if not self.tasks:
            return
        rows = self.do(
            self.floor.rows(
                "SELECT h.id, h.attempt, h.person, h.client, CASE WHEN h.state = 'leased' AND h.lease_until"
                " < '2001-01-01' THEN 'open' ELSE h.state END AS state,"
                " (SELECT count(*) FROM ledger l WHERE l.task = h.id) AS moves FROM hand_task h WHERE h.id = ANY ($1)",
                sorted(self.tasks),
            )
        )
        for row in rows:
            task = self.tasks[row["id"]]
            assert (row["state"], row["attempt"]) == (task.state, task.attempt)
            assert row["moves"] == {"done": 1, "undone": 2}.get(task.state, 0)
            if task.state == "leased":
                assert (row["person"], row["client"]) == task.holder

    def teardown(self) -> None:
        for name, task in self.tasks.items():
            if task.state in {"open", "leased"}:
                self.do(self.floor.rows("SELECT cancel_hand_task($1, '2013-12-02', 'the end')", name))
        self.do(self.floor.rows("UPDATE hand_task SET created_at = '2013-12-01'"))
        assert self.do(self.floor.violations()) == []


def test_leases_hold_whatever_people_do_and_in_which_order(postgres: ScratchPostgres) -> None:
    """One floor for all examples; each has tasks of its own."""
    with asyncio.Runner() as runner:
        context = running(postgres)
        Leases.runner, Leases.floor = runner, runner.run(context.__aenter__())
        floor = Leases.floor
        runner.run(floor.rows("INSERT INTO place (code, kind) VALUES ('R1', 'shelf'), ('R2', 'shelf')"))
        runner.run(floor.stock(("R1", "part1", 1_000)))
        try:
            run_state_machine_as_test(
                Leases, settings=settings(max_examples=12, stateful_step_count=30, deadline=None, derandomize=True)
            )
        finally:
            runner.run(context.__aexit__(None, None, None))
