"""Two levels and their lifts: robots ride only where a lift was reported open, and carry from level to level."""

import asyncio

from tests.twin.lift_floor import LIFTS, LiftFloor, play


def test_robots_carry_between_levels_by_lift_and_a_broken_lift_only_delays_them() -> None:
    """Nobody drives into or out of a lift that does not stand open there, not even when one fails for two minutes."""

    async def scene(floor: LiftFloor) -> None:
        await asyncio.sleep(600)
        before = floor.books.done
        floor.lifts[LIFTS[0]].fail(broken=True)
        await asyncio.sleep(120)
        floor.lifts[LIFTS[0]].fail(broken=False)
        await asyncio.sleep(600)
        assert floor.world.violations == []
        assert before > 20, before
        assert floor.books.done > before + 20
        assert all(lift.rides > 10 for lift in floor.lifts.values())
        assert not any(key.startswith("lift-") for key in floor.dispatcher.core.world.alarms)
        assert floor.books.alarms == 1

    play(6, 1, scene)
