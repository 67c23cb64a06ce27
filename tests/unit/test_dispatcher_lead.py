"""Leadership: at no time do two dispatchers decide, and when one is silent the other one leads within three seconds."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from contracts.errors import Broken
from contracts.ids import SiteId
from contracts.runtime.log.memory import MemoryStore
from dispatcher.lead import LEASE_S, SILENT_S, Lead
from simulators import virtual_time

SITE = SiteId("s")


class Rival:
    """One dispatcher's leadership, with the times at which it held it; `stop` lets it hang."""

    def __init__(self, store: MemoryStore, name: str) -> None:
        self.log = store.connect(name)
        self.lead = Lead(self.log, SITE, name)
        self.epoch = 0
        self.won_s = -1.0

    async def win(self) -> int:
        async def nothing() -> None:
            pass

        self.epoch, _ = await self.lead.win(lambda before: before + 1, nothing)
        self.won_s = asyncio.get_running_loop().time()
        return self.epoch


def on_virtual_time(script: Callable[[MemoryStore], Awaitable[None]]) -> None:
    async def main() -> None:
        await script(MemoryStore())

    virtual_time.run(main())


def test_the_second_waits_while_the_first_renews() -> None:
    """A leader that lives keeps the key for as long as it likes."""

    async def script(store: MemoryStore) -> None:
        a, b = Rival(store, "a"), Rival(store, "b")
        assert await a.win() == 1
        holding, waiting = asyncio.create_task(a.lead.hold()), asyncio.create_task(b.win())
        await asyncio.sleep(60)
        assert a.lead.holds
        assert not waiting.done()
        holding.cancel()
        waiting.cancel()

    on_virtual_time(script)


def test_a_silent_leader_stops_before_the_next_begins_and_ends_when_it_wakes() -> None:
    """Between the one and the other nobody decides, for less than three seconds."""

    async def script(store: MemoryStore) -> None:
        loop = asyncio.get_running_loop()
        a, b = Rival(store, "a"), Rival(store, "b")
        await a.win()
        holding, waiting = asyncio.create_task(a.lead.hold()), asyncio.create_task(b.win())
        await asyncio.sleep(10)
        holding.cancel()  # it hangs
        silent_s, last_s = loop.time(), loop.time()
        while not waiting.done():
            if a.lead.holds:
                last_s = loop.time()
            await asyncio.sleep(0.01)
        assert last_s < b.won_s
        assert b.won_s - silent_s < 3
        assert b.epoch == a.epoch + 1
        with pytest.raises(Broken, match="leads in epoch 2"):
            await a.lead.hold()
        assert not a.lead.holds
        assert b.lead.holds

    on_virtual_time(script)


def test_one_that_was_only_slow_goes_on_when_nobody_took_the_key() -> None:
    """It decides nothing while its lease has run out, and is told when it may again."""

    async def script(store: MemoryStore) -> None:
        a = Rival(store, "a")
        await a.win()
        told: list[float] = []
        a.lead.renewed = lambda: told.append(asyncio.get_running_loop().time())
        await asyncio.sleep(LEASE_S + 0.1)
        assert not a.lead.holds
        holding = asyncio.create_task(a.lead.hold())
        await asyncio.sleep(1)
        assert a.lead.holds
        assert len(told) == 1
        holding.cancel()

    on_virtual_time(script)


def test_who_resigns_is_followed_at_once() -> None:
    """A stop in good order costs no silence."""

    async def script(store: MemoryStore) -> None:
        a, b = Rival(store, "a"), Rival(store, "b")
        await a.win()
        waiting = asyncio.create_task(b.win())
        await asyncio.sleep(0.5)
        await a.lead.resign()
        began = asyncio.get_running_loop().time()
        await waiting
        assert b.won_s - began < 0.5
        assert b.epoch == 2

    on_virtual_time(script)


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(n, marks=pytest.mark.slow) for n in range(4, 20))])
def test_outages_and_lost_stores_never_make_two_leaders(seed: int) -> None:
    """The log goes away and comes back, with and without what it held, while leaders hang and wake at random."""

    async def script(store: MemoryStore) -> None:
        rng = random.Random(seed)
        loop = asyncio.get_running_loop()
        rivals = [Rival(store, f"r{k}") for k in range(3)]
        tasks: dict[int, asyncio.Task[object]] = {}
        begun = 0

        async def live(rival: Rival) -> None:
            nonlocal begun
            await rival.win()
            begun += 1
            await rival.lead.hold()

        for k, rival in enumerate(rivals):
            tasks[k] = asyncio.create_task(live(rival))
        for _ in range(3_000):
            await asyncio.sleep(rng.uniform(0.01, 0.1))
            assert sum(r.lead.holds for r in rivals) <= 1
            k = rng.randrange(3)
            if rng.random() < 0.02:
                tasks[k].cancel()  # it hangs
            if tasks[k].done() and rng.random() < 0.05:
                if not tasks[k].cancelled():
                    assert isinstance(tasks[k].exception(), Broken)
                    rivals[k] = Rival(store, f"r{k}-{loop.time()}")
                    tasks[k] = asyncio.create_task(live(rivals[k]))
                else:
                    woken = rivals[k]
                    tasks[k] = asyncio.create_task(woken.lead.hold() if woken.won_s >= 0 else live(woken))
            if rng.random() < 0.01:
                store.stop()
                await asyncio.sleep(rng.uniform(0, 2 * SILENT_S))
                if rng.random() < 0.5:
                    store.lose()
                store.start()
        assert begun >= 3
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)

    on_virtual_time(script)
