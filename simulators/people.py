"""People with handhelds: they take work over REST, walk, and do with their own hands and eyes what it says.

A handheld is an ordinary HTTP client: what was not answered is sent again under the same key. What lies somewhere is
the world's truth; central hears of it only what a person confirms, mistakes included.
"""

import asyncio
import random
from collections import defaultdict
from typing import Any

import httpx
import msgspec

from contracts.ids import BinId, ItemId
from contracts.runtime.clock import Clock
from contracts.runtime.logging import get_log
from simulators.person import Attention, Person
from simulators.world import World

_log = get_log("simulators.people")
_LOOK_S = 300.0
"""A handheld that heard of no work asks after so long all the same."""
_RETRY_S = 2.0
_POD_S = 20.0
_POD_TRIES = 20
_REFUSED_S = 300.0
"""Whoever is refused does something else first: it will be the same a moment later."""
_KINDS = ("count", "replenish", "grade", "receive", "putaway")
_BROKEN = 0.15
"""Share of the lines of a delivery in which one piece is broken."""
_GRADES = (("A", 0.6), ("B", 0.15), ("damaged", 0.15), ("scrap", 0.1))


class Crew(msgspec.Struct, frozen=True):
    """How good people are.

    Parameters
    ----------
    miscount
        Share of counts that are one off, 0..0.5.
    pace
        Times are divided by it, 0.1..10.
    """

    miscount: float = 0.04
    pace: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.miscount <= 0.5:
            raise ValueError(f"miscount: {self.miscount} is not in 0..0.5")
        if not 0.1 <= self.pace <= 10:
            raise ValueError(f"pace: {self.pace} is not in 0.1..10")


class Piles:
    """What really lies where: in the world's bins, and on whatever else people reach."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pod = {b.id: p.id for p in world.site.pods for b in p.bins}
        self._elsewhere: dict[str, dict[str, int]] = defaultdict(dict)

    def put(self, place: str, item: str, qty: int) -> None:
        """Lay pieces down."""
        if place in self._world.bins:
            self._world.give_back(BinId(place), ItemId(item), qty)
        elif qty:
            self._elsewhere[place][item] = self._elsewhere[place].get(item, 0) + qty

    def take(self, place: str, item: str, qty: int) -> int:
        """Take up to so many pieces; return how many there were."""
        pile = self._pile(place)
        taken = min(qty, pile.get(ItemId(item), 0))
        if taken:
            pile[ItemId(item)] -= taken
            if not pile[ItemId(item)]:
                del pile[ItemId(item)]
        return taken

    def count(self, place: str, item: str) -> int:
        """Return how many pieces lie there."""
        return self._pile(place).get(ItemId(item), 0)

    def within_reach(self, place: str) -> bool:
        """Tell whether somebody can get at it: a bin only while its pod stands on the floor and nobody carries it."""
        pod = self._pod.get(BinId(place))
        return pod is None or pod in self._world.pod_at.values()

    def _pile(self, place: str) -> dict[Any, int]:
        return self._world.bins[BinId(place)] if place in self._world.bins else self._elsewhere[place]


class Handheld:
    """A client of central with keys of its own, which sends again what was not answered."""

    def __init__(self, client: httpx.AsyncClient, token: str, clock: Clock, name: str) -> None:
        self._client, self._clock, self._name = client, clock, name
        self._headers = {"Authorization": f"Bearer {token}"}
        self._sent = 0

    async def post(self, path: str, body: Any) -> httpx.Response:
        """Send something once."""
        self._sent += 1
        headers = self._headers | {"Idempotency-Key": f"{self._name}/{self._sent}"}
        while True:
            try:
                answer = await self._client.post(path, json=body, headers=headers)
            except httpx.TransportError:
                pass
            else:
                if answer.status_code < 500 and answer.status_code != 429:
                    return answer
            await self._clock.sleep(_RETRY_S)

    async def get(self, path: str, **parameters: str) -> Any:
        """Ask for something that is there."""
        while True:
            try:
                answer = await self._client.get(path, params=parameters, headers=self._headers)
            except httpx.TransportError:
                pass
            else:
                if answer.status_code < 500 and answer.status_code != 429:
                    answer.raise_for_status()
                    return answer.json()
            await self._clock.sleep(_RETRY_S)


class HandWorker:
    """One person; a service.

    Parameters
    ----------
    name
        How they are logged in; their generator is seeded with it.
    handheld
        With a token of the role operator or device.
    kinds
        The work that they take.
    """

    def __init__(
        self, name: str, handheld: Handheld, piles: Piles, clock: Clock, seed: int, crew: Crew | None = None,
        kinds: tuple[str, ...] = _KINDS,
    ) -> None:  # fmt: skip
        self.name, self.ready = name, asyncio.Event()
        self._handheld, self._piles, self._clock, self._kinds = handheld, piles, clock, kinds
        self._crew = crew or Crew()
        self._rng = random.Random(f"{seed}/{name}")
        self._person = Person(clock, self._rng, self._crew.pace)
        self._look = Attention()
        self.done: dict[str, int] = dict.fromkeys(kinds, 0)

    def call(self) -> None:
        """There may be work."""
        self._look.call()

    async def run(self) -> None:
        """Work until cancelled."""
        self.ready.set()
        while True:
            task = await self._next()
            if task is None:
                timer = self._clock.call_later(_LOOK_S, self._look.call)
                try:
                    await self._look.wait()
                finally:
                    timer.cancel()
                continue
            await self._person.spend(self._rng.uniform(15, 60))  # the way there
            if not await self._reach(task["source"]) or not await self._reach(task["target"]):
                await self._give_back(task, "its pod is away")
                continue
            match task["kind"]:
                case "count":
                    await self._count(task)
                case "replenish":
                    await self._carry(task)
                case "grade":
                    await self._grade(task)
                case "receive":
                    await self._receive(task)
                case "putaway":
                    await self._carry(task)
            self.done[task["kind"]] += 1

    async def _next(self) -> dict[str, Any] | None:
        answer = await self._handheld.post("/v1/hands/next", {"person": self.name, "kinds": list(self._kinds)})
        if answer.status_code == 204:
            return None
        answer.raise_for_status()
        task: dict[str, Any] = answer.json()
        return task

    async def _reach(self, place: str | None) -> bool:
        """Wait for a pod that is under way, not for ever."""
        for _ in range(_POD_TRIES):
            if place is None or self._piles.within_reach(place):
                return True
            await self._clock.sleep(_POD_S)
        return False

    async def _give_back(self, task: dict[str, Any], reason: str) -> None:
        body = {"attempt": task["attempt"], "reason": reason}
        await self._handheld.post(f"/v1/hands/{task['id']}/release", body)
        await self._clock.sleep(_POD_S)

    async def _confirm(self, task: dict[str, Any], **said: Any) -> bool:
        body = {"attempt": task["attempt"], "person": self.name} | said
        if task["barcode"]:
            body["item"] = task["barcode"]
        answer = await self._handheld.post(f"/v1/hands/{task['id']}/confirm", body)
        if answer.is_success:
            return True
        _log.warning("not taken", person=self.name, task=task["id"], detail=answer.json().get("detail"))
        await self._give_back(task, "not taken")
        await self._clock.sleep(_REFUSED_S)
        return False

    async def _count(self, task: dict[str, Any]) -> None:
        there = self._piles.count(task["source"], task["item"])
        await self._person.spend(4 + 0.6 * min(there, 100))
        there = self._piles.count(task["source"], task["item"])
        if there and self._rng.random() < self._crew.miscount:
            there += self._rng.choice((-1, 1))
        await self._confirm(task, qty=there)

    async def _receive(self, task: dict[str, Any]) -> None:
        broken = int(task["qty"] > 1 and self._rng.random() < _BROKEN)
        await self._person.spend(10 + 0.4 * min(task["qty"], 100))
        if await self._confirm(task, qty=task["qty"] - broken, damaged=broken, target=task["target"]):
            self._piles.put(task["target"], task["item"], task["qty"])

    async def _carry(self, task: dict[str, Any]) -> None:
        got = self._piles.take(task["source"], task["item"], task["qty"])
        await self._person.spend(5 + 0.5 * min(got, 60) + self._rng.uniform(15, 60))
        if not await self._reach(task["target"]):
            self._piles.put(task["source"], task["item"], got)
            await self._give_back(task, "its pod is away")
            return
        if await self._confirm(task, qty=got, target=task["target"]):
            self._piles.put(task["target"], task["item"], got)
        else:
            self._piles.put(task["source"], task["item"], got)

    async def _grade(self, task: dict[str, Any]) -> None:
        qty = self._rng.randint(1, task["qty"])
        draw, grade = self._rng.random(), _GRADES[-1][0]
        for name, share in _GRADES:
            if draw < share:
                grade = name
                break
            draw -= share
        await self._person.spend(20 + 5 * qty)
        target = {"A": await self._home(task["item"]), "B": "returns-B", "damaged": "damaged", "scrap": ""}[grade]
        if grade == "A" and not await self._reach(target):
            target = "returns-A"
        said = {"qty": qty, "grade": grade} | ({"target": target} if target else {})
        if await self._confirm(task, **said):
            self._piles.take(task["source"], task["item"], qty)
            if target:
                self._piles.put(target, task["item"], qty)

    async def _home(self, item: str) -> str:
        """Where its good pieces are: a bin that has it, as the handheld shows it; else the shelf beside the desk."""
        rows = (await self._handheld.get(f"/v1/items/{item}/stock"))["rows"]
        bins = [r["place"] for r in rows if r["kind"] == "bin" and r["status"] == "ok" and not r["doubt"]]
        return bins[0] if bins else "returns-A"
