"""People with handhelds: they take work over REST, walk, and do with their own hands and eyes what it says.

A handheld is an ordinary HTTP client: what was not answered is sent again under the same key. What lies somewhere is
the world's truth; central hears of it only what a person confirms, mistakes included.
"""

import asyncio
import random
from typing import Any

import msgspec

from contracts.runtime.clock import Clock
from contracts.runtime.logging import get_log
from simulators.handheld import Handheld
from simulators.person import Attention, Person
from simulators.piles import Piles

_log = get_log("simulators.people")
_LOOK_S = 300.0
"""A handheld that heard of no work asks after so long all the same."""
_POD_S = 20.0
_POD_TRIES = 20
_REFUSED_S = 300.0
"""Whoever is refused does something else first: it will be the same a moment later."""
KINDS = ("count", "replenish", "grade", "receive", "putaway", "pick", "pack", "putback", "load", "kit")
"""All work that there is for people on a floor whose bins robots pick from."""
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
        kinds: tuple[str, ...] = KINDS,
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
            await self._do(task)
            self.done[task["kind"]] += 1

    async def _do(self, task: dict[str, Any]) -> None:
        match task["kind"]:
            case "count":
                await self._count(task)
            case "replenish" | "putaway":
                await self._carry(task)
            case "pick" | "putback":
                await self._into_or_out_of_tote(task)
            case "grade":
                await self._grade(task)
            case "receive":
                await self._receive(task)
            case "kit":
                await self._build(task)
            case "pack" | "load":
                await self._person.spend(25)
                await self._confirm(task, **({"target": task["target"]} if task["target"] else {}))

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
        """Unload what there really is of a line; it stands in the truck, which has the ASN's name."""
        there, broken = self._piles.count(task["ref"], task["item"]), self._piles.broken(task["ref"], task["item"])
        if not there:
            await self._give_back(task, "nothing more of it is there")
            return
        await self._person.spend(10 + 0.4 * min(there, 100))
        if await self._confirm(task, qty=there - broken, damaged=broken, target=task["target"]):
            self._piles.put(task["target"], task["item"], self._piles.take(task["ref"], task["item"], there))

    async def _into_or_out_of_tote(self, task: dict[str, Any]) -> None:
        got = self._piles.take(task["source"], task["item"], task["qty"])
        await self._person.spend(5 + 0.8 * min(got, 60))
        said = {"qty": got, "target": task["target"]} | ({} if got == task["qty"] else {"reason": "missing"})
        done = await self._reach(task["target"]) and await self._confirm(task, **said)
        self._piles.put(task["target"] if done else task["source"], task["item"], got)

    async def _build(self, task: dict[str, Any]) -> None:
        """Fetch the parts from shelves where the handheld shows them, and make kits of them."""
        taken: list[tuple[str, str, int]] = []
        for part in task["detail"]["parts"]:
            rows = (await self._handheld.get(f"/v1/items/{part['item']}/stock"))["rows"]
            wanted = part["qty"] * task["qty"]
            for row in rows:
                if wanted and row["kind"] == "shelf" and row["status"] == "ok" and not row["doubt"]:
                    got = self._piles.take(row["place"], part["item"], min(wanted, row["qty"] - row["reserved"]))
                    wanted -= got
                    taken += [(part["item"], row["place"], got)] if got else []
        await self._person.spend(60 * task["qty"])
        if await self._confirm(task, qty=task["qty"], taken=[f"{i},{p},{n}" for i, p, n in taken]):
            self._piles.put(task["target"], task["item"], task["qty"])
        else:
            for item, place, got in taken:
                self._piles.put(place, item, got)

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
