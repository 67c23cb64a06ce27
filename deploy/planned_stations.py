"""A day on which stations are planned anew every so many minutes, as a planner would: asked for, made, accepted.

Through REST and the log, as on a live floor; but the worker is here, and plans while the floor's clock stands, so that
the same day gives the same plans.
"""

import msgspec

from contracts import topics
from contracts.codec import decode, encode
from contracts.errors import Broken
from contracts.messages.plans import PlanAnswer, PlanFound, PlanWanted
from deploy.one_loop import OneLoop
from dispatcher.planning.kinds import solve

_WORKER = "day"
_EFFORT = 20_000


async def plan_stations(floor: OneLoop, every_min: float, seed: int) -> None:
    """Plan and accept, again and again, until cancelled.

    Raises
    ------
    Broken
        Central or the dispatcher refuses a plan.
    """
    log, subject = floor.store.connect(_WORKER), topics.plans(floor.plan.site.id)
    for turn in range(1, 1 << 30):
        await floor.clock.sleep(every_min * 60)
        asked = {"problem": {"books": True}, "effort": _EFFORT, "seed": seed}
        answer = await floor.http.post("/v1/plans/stations", json=asked, headers={"Idempotency-Key": f"day-{turn}"})
        if answer.status_code != 202:
            raise Broken(f"plan {turn}: {answer.text}")
        job = decode(await log.request(subject, encode(PlanWanted(_WORKER, ("stations",)))), PlanAnswer).job
        if job is None:
            raise Broken(f"plan {turn}: central has none for its worker")
        found = solve(job.kind, bytes(job.problem), job.effort, job.seed, lambda *_: False)
        result = msgspec.Raw(msgspec.json.encode({"plan": found.plan, "picture": found.picture}))
        await log.request(subject, encode(PlanFound(job.plan, job.attempt, found.cost, found.effort, result)))
        taken = await floor.http.post(
            f"/v1/plans/{job.plan}/accept", json={"reason": "as every time"},
            headers={"Idempotency-Key": f"day-{turn}-accept"},
        )  # fmt: skip
        if taken.status_code != 200:
            raise Broken(f"plan {turn}: {taken.text}")
