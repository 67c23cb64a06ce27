"""A floor that goes wrong: the dispatcher and its traffic with robot twins that stall and die, on virtual time.

Transports keep all robots busy: a pod from bay to bay. Of each robot's moves `--stalls` are stopped half-way for 5 to
20 s, and `--dead` robots stop for good, by turns with a fatal error, without power (the broker says so), and without a
word: it goes on telling states, and does not move. A referee that shares nothing with traffic looks at every robot's
body ten times a second. The same run without faults is the baseline, in the same command.
"""

import argparse
import asyncio
import logging
import random
import time

import msgspec
import structlog

from contracts.errors import Rejected
from contracts.runtime.clock import LoopClock
from contracts.runtime.floor.memory import MemoryBroker
from contracts.runtime.log.memory import MemoryStore
from deploy.bench.bounds import number, positive, seed, whole
from deploy.bench.footprints import Referee
from deploy.bench.haulage import Haulage
from deploy.bench.streets import streets
from dispatcher.service import Dispatcher
from dispatcher.settings import DispatcherSettings
from simulators import virtual_time
from simulators.battery import BatteryParams
from simulators.catalogue import Catalogue
from simulators.robot import RobotFaults, RobotParams, RobotTwin
from simulators.world import World

_WARM_S = 120.0
_LOOK_S = 0.1
_PODS_A_ROBOT = 1.25
"""One transport each: more than robots, as one whose place is cut off by a dead robot waits for a person."""
_DEATHS = (0.1, 0.5)
"""Robots die within this part of the run."""
_START_MS = 1_767_600_000_000
_WAYS = ("error", "power", "silence")
"""How robots die, by turns."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    robots: int
    minutes: float
    stalls: float
    dead: int
    seed: int
    trapped_s: float


class Outcome(msgspec.Struct, kw_only=True):
    """What one run showed. `trapped`: share of living robots that once stood for `Plan.trapped_s`."""

    collisions: int
    violations: int
    first_collisions: list[str]
    longest_standstill_s: float
    longest_wait_s: float
    """Of one living robot in one place, while more transports waited than there were robots."""
    trapped: float
    throughput_per_h: float
    stalled: int
    deaths: list[str]
    steps: int
    states: int
    wall_s: float
    cpu_s: float
    alarms: int


def run(args: list[str]) -> dict[str, object]:
    """Run it; see `--help`."""
    parser = argparse.ArgumentParser(prog="floorplane bench floor", description=__doc__)
    parser.add_argument("--robots", type=whole(1, 10_000), default=400)
    parser.add_argument("--minutes", type=positive, default=30.0, help="of the floor's time")
    parser.add_argument("--stalls", type=number(0, 1), default=0.01, help="chance of each move to stop for 5 to 20 s")
    parser.add_argument("--dead", type=whole(0), default=5, help="robots that stop for good")
    parser.add_argument(
        "--trapped-after", type=positive, default=300.0, metavar="S", help="standing so long is trapped"
    )
    parser.add_argument("--seed", type=seed, default=1)
    o = parser.parse_args(args)
    if not 1 <= o.robots <= 2_000:
        raise Rejected("--robots", o.robots, "from 1 to 2000")
    if not 0 <= o.dead <= o.robots:
        raise Rejected("--dead", o.dead, f"from 0 to {o.robots}")
    if not o.minutes * 60 > 2 * _WARM_S:
        raise Rejected("--minutes", o.minutes, f"above {2 * _WARM_S / 60:g}")
    plan = Plan(
        robots=o.robots, minutes=o.minutes, stalls=o.stalls, dead=o.dead, seed=o.seed, trapped_s=o.trapped_after
    )
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    calm = virtual_time.run(_run(msgspec.structs.replace(plan, stalls=0.0, dead=0)))
    found = virtual_time.run(_run(plan))
    return {
        **msgspec.to_builtins(plan),
        **msgspec.to_builtins(found),
        "throughput_ratio": round(found.throughput_per_h / calm.throughput_per_h, 4) if calm.throughput_per_h else 0.0,
        "baseline": {"what": "the same floor and transports without stalls and deaths", **msgspec.to_builtins(calm)},
    }


async def _run(plan: Plan) -> Outcome:
    wall, cpu = time.perf_counter(), time.process_time()
    clock, broker, store = LoopClock(_START_MS), MemoryBroker(), MemoryStore()
    site = streets(plan.robots, plan.seed, round(_PODS_A_ROBOT * plan.robots))
    world = World(site, Catalogue((), ()), (), clock)
    faults = RobotFaults(stall_chance=plan.stalls)
    params = RobotParams(faults=faults, level=(0.9, 1.0), battery=BatteryParams(capacity_wh=1e6))
    twins = [RobotTwin(r, site, broker, clock, world, plan.seed, params) for r in site.robots]
    settings = DispatcherSettings(journal=None, fsync=False, publish_views=False)
    dispatcher = Dispatcher(settings, site, broker, store.connect("dispatcher"), clock)
    books = Haulage(site, store.connect("books"), plan.seed)
    referee = Referee(len(twins))
    deaths: list[str] = []
    tasks = [asyncio.create_task(dispatcher.run(), name="dispatcher"), asyncio.create_task(books.run(), name="books")]
    await dispatcher.ready.wait()
    tasks += [asyncio.create_task(t.run(), name=t.name) for t in twins]
    rng = random.Random(f"{plan.seed}/deaths")
    seconds = plan.minutes * 60
    doomed = rng.sample(range(len(twins)), plan.dead)
    when = sorted((rng.uniform(*_DEATHS) * seconds, n, k) for n, k in enumerate(doomed))
    gone: set[int] = set()
    warm = 0
    try:
        for _ in site.pods:
            await books.order()
        for step in range(1, round(seconds / _LOOK_S) + 1):
            await asyncio.sleep(_LOOK_S)
            now_s = step * _LOOK_S
            poses = [t.pose for t in twins]
            referee.look(now_s, [(p.x_m, p.y_m, p.heading_rad) for p in poses])
            while when and when[0][0] <= now_s:
                _, n, k = when.pop(0)
                gone.add(k)
                deaths.append(_die(twins[k], _WAYS[n % len(_WAYS)], now_s))
            for k in gone:
                referee.forget(k, now_s)
            if now_s <= _WARM_S:
                warm = books.done
                for k in range(len(twins)):
                    referee.forget(k, now_s)
            for task in tasks:
                if task.done():
                    task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    living = [k for k in range(len(twins)) if k not in gone]
    collisions = [f"{s} s: {site.robots[a].id} and {site.robots[b].id}" for s, a, b in referee.first]
    return Outcome(
        collisions=referee.collisions,
        violations=len(world.violations),
        first_collisions=collisions + [f"{v.kind}: {v.text}" for v in world.violations[:10]],
        longest_standstill_s=round(referee.standstill_s, 1),
        longest_wait_s=round(max(float(referee.stood_s[k]) for k in living), 1),
        trapped=round(sum(bool(referee.stood_s[k] >= plan.trapped_s) for k in living) / len(living), 4),
        throughput_per_h=round((books.done - warm) / (seconds - _WARM_S) * 3600, 1),
        stalled=sum(t.stalls for t in twins),
        deaths=deaths,
        steps=referee.steps,
        states=dispatcher.counts["facts"],
        wall_s=round(time.perf_counter() - wall, 1),
        cpu_s=round(time.process_time() - cpu, 1),
        alarms=books.alarms,
    )


def _die(twin: RobotTwin, how: str, now_s: float) -> str:
    if how == "error":
        twin.fail("driveFault", "the drive does not answer")
    elif how == "power":
        twin.lose_power()
    else:
        twin.seize()
    return f"{now_s:.0f} s: {twin.name}, {how}"
