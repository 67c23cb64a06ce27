"""Sixteen clients at the same time against a model: whatever order the database takes them in, the books add up."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from contracts.messages.work import Pick
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import DUE, Floor, ndjson, picked, results, running

pytestmark = pytest.mark.slow

T = TypeVar("T")
CLIENTS = 16
BINS = ("P0-B0", "P0-B1", "P1-B0", "P1-B1")
LIMITS = {"P1-B0": ({"volume_ml": 12_000}, 12), "P1-B1": ({"weight_g": 4_000}, 8)}
"""What places take, and how many pieces that is: one litre and one pound each."""
ITEMS = ("part1", "part2", "part3")
SCALE = 600
EXPIRES_MS = 15 * 60_000
WHY = {"reason": "model"}
KINDS = (
    "in", "in", "out", "move", "move", "order", "order", "wait", "reserve", "expire", "cancel", "patch", "release",
    "pick", "pick", "pick", "short", "undo",
)  # fmt: skip
COMMAND = st.tuples(st.sampled_from(KINDS), st.integers(0, 11), st.integers(0, 11), st.integers(1, 9), st.booleans())
"""What, of which two things, how much, and whether the request is sent twice at the same time."""


class Rush(RuleBasedStateMachine):
    """The model knows what lies in each bin by the answers that were given; REST must say the same after each rush."""

    postgres: ClassVar[ScratchPostgres]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.context: AbstractAsyncContextManager[Floor] | None = None
        self.held: Counter[tuple[str, str]] = Counter()
        self.orders: dict[str, str] = {}
        """Orders and their kinds, in the order in which they were answered."""
        self.n = 0
        self.undone: set[int] = set()
        self.back: Counter[str] = Counter()
        """Pieces that undoing has put back to where they came from: they are there, whatever the place takes."""

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @property
    def floor(self) -> Floor:
        if self.context is None:

            async def begin() -> Floor:
                self.context = running(self.postgres, scale=SCALE, connections=CLIENTS)
                floor = await self.context.__aenter__()
                for place, (limits, _) in LIMITS.items():
                    told = await floor.supervisor.put(f"/v1/places/{place}", json=limits, headers={"If-Match": "*"})
                    assert told.status_code == 200, told.text
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

    # ---------------------------------------------------------------------------------------------------------- rules

    @rule(commands=st.lists(COMMAND, min_size=CLIENTS // 2, max_size=CLIENTS))
    def at_the_same_time(self, commands: list[tuple[str, int, int, int, bool]]) -> None:
        """Each client has its command under way before the first one is answered."""
        floor = self.floor

        async def rush() -> None:
            works = sorted((w for w in floor.keys.values() if isinstance(w, Pick)), key=lambda w: w.task)
            moves = await floor.rows(
                "SELECT seq, a, b, item, qty, reason FROM ledger WHERE reason IN ('found', 'pick', 'move')"
                " AND reverses IS NULL ORDER BY seq"
            )
            facts: list[tuple[Pick, int]] = []
            async with asyncio.TaskGroup() as group:
                for kind, a, b, qty, twice in commands:
                    self.n += 1
                    if kind in {"pick", "short"}:
                        if works:
                            work = works[a % len(works)]
                            facts.append((work, work.qty if kind == "pick" else min(qty, work.qty) - 1))
                    elif kind == "undo":
                        if moves:
                            group.create_task(self._undo(self.n, moves[(a + b) % len(moves)], twice))
                    else:
                        group.create_task(self._ask(self.n, kind, a, b, qty, twice))
                group.create_task(self._pick(facts))

        self.do(rush())

    @rule()  # without a precondition: which orders are left is a matter of who came first
    def time_passes(self) -> None:
        """What was only reserved, and until a time that is over, is given up."""
        waiting = [o for o, kind in self.orders.items() if kind == "expire"]

        async def wait() -> None:
            async with asyncio.timeout(30):
                for order in waiting:
                    while (await self.floor.shown(order))["state"] == "allocated":  # noqa: ASYNC110 - as an ERP asks
                        await asyncio.sleep(0.05)
                    self.orders[order] = "expired"

        self.do(wait())

    # -------------------------------------------------------------------------------------------------------- commands

    async def _ask(self, n: int, kind: str, a: int, b: int, qty: int, twice: bool) -> None:
        if kind in {"in", "out"}:
            await self._book(n, BINS[a % len(BINS)], ITEMS[b % len(ITEMS)], qty if kind == "in" else -qty, twice)
        elif kind == "move":
            await self._carry(
                n, BINS[a % len(BINS)], BINS[(a + 1 + b % 3) % len(BINS)], ITEMS[b % len(ITEMS)], qty, twice
            )
        elif kind in {"order", "wait", "reserve", "expire"}:
            await self._order(n, kind, (ITEMS[a % 3], ITEMS[(a + 1 + b % 2) % 3]), qty, twice)
        elif self.orders:
            name = list(self.orders)[a % len(self.orders)]
            if kind == "patch":
                change = {"lines": [{"line": 1 + b % 2, "qty": qty}]}
                answer = await self.floor.erp.patch(f"/v1/orders/{name}", json=change, headers={"If-Match": "*"})
                assert answer.status_code in {200, 409}, answer.text
            else:
                answers = await self._post(f"/v1/orders/{name}/{kind}", WHY, f"{kind}{n}", twice)
                assert all(x.status_code in {200, 409} for x in answers), [x.text for x in answers]
                if kind == "release" and any(x.status_code == 200 for x in answers):
                    self.orders[name] = "order"

    async def _post(self, path: str, body: Any, key: str, twice: bool, who: str = "erp") -> list[httpx.Response]:
        client: httpx.AsyncClient = getattr(self.floor, who)
        content = body if isinstance(body, bytes) else None
        told = None if isinstance(body, bytes) else body
        headers = {"Idempotency-Key": key}
        requests = (client.post(path, json=told, content=content, headers=headers) for _ in range(2 if twice else 1))
        return list(await asyncio.gather(*requests))

    async def _book(self, n: int, place: str, item: str, qty: int, twice: bool) -> None:
        line = {"place": place, "item": item, "qty": qty, "reason": "found"}
        answers = await self._post("/v1/stock:bulk", ndjson([line]), f"b{n}", twice)
        outcomes = sorted(results(x)[0]["outcome"] for x in answers)
        assert outcomes in (["posted"], ["refused"], ["duplicate", "posted"], ["refused", "refused"]) or (
            twice and outcomes == ["posted", "refused"]  # what the first attempt lacked, another client brought
        ), outcomes
        if "posted" in outcomes:
            self.held[place, item] += qty
        else:
            assert qty < 0 or place in LIMITS, "goods that came in were refused"

    async def _carry(self, n: int, origin: str, goal: str, item: str, qty: int, twice: bool) -> None:
        body = {"from": origin, "to": goal, "item": item, "qty": qty}
        answers = await self._post("/v1/hands/moves", body, f"m{n}", twice, "operator")
        assert all(x.status_code in {201, 409} for x in answers), [x.text for x in answers]
        if any(x.status_code == 201 for x in answers):
            self.held[origin, item] -= qty
            self.held[goal, item] += qty

    async def _order(self, n: int, kind: str, items: tuple[str, str], qty: int, twice: bool) -> None:
        body: dict[str, Any] = {
            "ref": f"A{n}", "due": DUE, "lines": [{"line": k, "item": i, "qty": qty} for k, i in enumerate(items, 1)]
        }  # fmt: skip
        if kind == "wait":
            body["backorder"] = True
        elif kind != "order":
            until_ms = self.floor.clock.now_ms() + (EXPIRES_MS if kind == "expire" else 10**12)
            body["reserve_until"] = datetime.fromtimestamp(until_ms / 1000, UTC).isoformat()
        answers = await self._post("/v1/orders", body, f"a{n}", twice)
        taken = [x.json() for x in answers if x.status_code == 201]
        assert taken, [x.text for x in answers]
        assert all(x.status_code in {201, 409} for x in answers)
        assert all(t == taken[0] for t in taken), "the same request has two answers"
        self.orders[taken[0]["id"]] = kind

    async def _undo(self, n: int, move: Mapping[str, Any], twice: bool) -> None:
        answers = await self._post(
            f"/v1/ledger/{move['seq']}/reverse", {"reason": "model"}, f"u{n}-{move['seq']}", twice, "supervisor"
        )
        assert all(x.status_code in {201, 409} for x in answers), [x.text for x in answers]
        if any(x.status_code == 201 for x in answers):
            assert move["seq"] not in self.undone, "undone twice"
            self.undone.add(move["seq"])
            for place, sign in ((move["a"], 1), (move["b"], -1)):
                if place in BINS:
                    self.held[place, move["item"]] += sign * move["qty"]
                    self.back[place] += move["qty"] if sign > 0 else 0

    async def _pick(self, facts: list[tuple[Pick, int]]) -> None:
        """Say picks, each twice under two numbers; what became of them the order's own ledger tells."""
        if not facts:
            return
        before = {w.order: await self._moves(w.order) for w, _ in facts}
        await self.floor.say(*(picked(w, got, "" if got == w.qty else "bin empty") for w, got in (*facts, *facts)))
        for order, known in before.items():
            for key, move in (await self._moves(order)).items():
                if key not in known and move["reason"] in {"pick", "late_pick", "short_pick"}:
                    self.held[move["from"], move["item"]] -= move["qty"]

    async def _moves(self, order: str) -> dict[str, Any]:
        return {m["key"]: m for m in (await self.floor.shown(order))["ledger"]}

    # -------------------------------------------------------------------------------------------------------- the books

    @invariant()
    def rest_says_what_the_model_holds(self) -> None:
        """Pieces in each bin, promised pieces of each item, every line's sum; and no invariant is violated."""
        if self.context is None:
            return
        stock, lines = self.do(self._stable())
        found = Counter({(r["place"], item): 0 for item, rows in stock.items() for r in rows if r["kind"] == "bin"})
        for item, rows in stock.items():
            for row in rows:
                if row["kind"] == "bin":
                    assert 0 <= row["reserved"] <= row["qty"]
                    found[row["place"], item] += row["qty"]
        assert +found == +self.held
        assert all(n >= 0 for n in self.held.values())
        promised = Counter(dict.fromkeys(ITEMS, 0))
        for line in (x for of_order in lines.values() for x in of_order):
            assert line["allocated"] + line["done"] + line["short"] + line["cancelled"] == line["qty"], line
            promised[line["item"]] += line["allocated"]
        assert promised == {
            item: sum(r["reserved"] for r in rows if r["kind"] == "bin") for item, rows in stock.items()
        }
        assert self.do(self.floor.violations()) == []
        for place, (_, most) in LIMITS.items():
            lies = sum(n for (p, _), n in self.held.items() if p == place)
            assert lies <= most + self.back[place], f"{lies} pieces lie in {place}, which takes {most}"

    @invariant()
    def nobody_waits_for_what_is_free(self) -> None:
        """After a look (two who neither saw the other may have left a line), no line waits while its item is free."""
        if self.context is None:
            return

        async def look() -> None:
            await self.floor.rows("SELECT fill_waiting('2013-12-02T12:00:00Z', x) FROM unnest($1::text[]) AS x", ITEMS)
            idle = await self.floor.rows(
                "SELECT o.id, l.item FROM orders o JOIN order_line l ON l.order_id = o.id AND l.short > 0"
                " WHERE o.backorder AND o.state IN ('allocated', 'released', 'picking') AND EXISTS ("
                "SELECT FROM stock s JOIN place p ON p.code = s.place AND p.kind = 'bin'"
                " WHERE s.item = l.item AND s.qty > s.reserved AND s.status = 'ok' AND NOT s.doubt)"
            )
            assert [tuple(r) for r in idle] == []

        self.do(look())

    async def _stable(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Read stock and lines at a moment at which no reservation expires in between."""
        while True:
            before = await self._lines()
            stock = {i: (await self.floor.erp.get(f"/v1/items/{i}/stock")).json()["rows"] for i in ITEMS}
            if await self._lines() == before:
                return stock, before

    async def _lines(self) -> dict[str, Any]:
        return {o: (await self.floor.erp.get(f"/v1/orders/{o}/lines")).json() for o in self.orders}


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
@pytest.mark.parametrize(("lives", "steps"), [(3, 6), pytest.param(25, 14, marks=pytest.mark.slow)])
def test_sixteen_clients_and_a_model_agree(postgres: ScratchPostgres, lives: int, steps: int) -> None:
    """Random rushes of orders, bookings, picks, changes, cancellations, undoing and expiry; always the same ones."""
    machine = type("RushHere", (Rush,), {"postgres": postgres})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=lives, stateful_step_count=steps, deadline=None, derandomize=True)
    )
