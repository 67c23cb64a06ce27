"""Gives problems to planner workers over the log, and keeps what they bring."""

import asyncio

import msgspec

from central.database import Database
from central.moment import moment
from contracts import topics
from contracts.codec import decode, encode
from contracts.errors import Unavailable
from contracts.messages.plans import (
    PlanAnswer,
    PlanFound,
    PlanJob,
    PlanProgress,
    PlanTold,
    PlanWanted,
)
from contracts.runtime.clock import Clock
from contracts.runtime.log import Log
from contracts.site import Site

SILENT_S = 30.0
"""A worker that is not heard for so long, by the clock on the wall, loses its plan to the next one."""
_AGAIN_S = 1.0


class PlanDesk:
    """Answers planner workers: one question at a time, each in one transaction."""

    name = "central.plans"

    def __init__(self, database: Database, log: Log, site: Site, clock: Clock) -> None:
        self._database = database
        self._log = log
        self._site = site
        self._clock = clock
        self._heard: dict[str, float] = {}
        """When the worker of each running plan was heard last, by the loop's time."""

    async def run(self) -> None:
        """Serve until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                rows = await self._database.read("SELECT id FROM plan WHERE state = 'running' ORDER BY id")
            except Unavailable:
                await asyncio.sleep(_AGAIN_S)
                continue
            break
        self._heard = {r["id"]: loop.time() for r in rows}
        await self._log.serve(topics.plans(self._site.id), self._hear)
        await loop.create_future()

    async def _hear(self, payload: bytes) -> bytes:
        told: PlanTold = decode(payload, PlanTold)  # type: ignore[arg-type]  # a union
        if isinstance(told, PlanWanted):
            return encode(await self._lease(told))
        at = moment(self._clock.now_ms())
        if isinstance(told, PlanProgress):
            rows = await self._database.write(
                "SELECT plan_goes_on($1, $2, $3, $4, $5, $6) AS said",
                told.plan, told.attempt, told.share, told.cost, told.done, told.eta_s,
            )  # fmt: skip
            said = rows[0]["said"]
            if said:
                self._heard[told.plan] = asyncio.get_running_loop().time()
            return encode(PlanAnswer(bool(said), stop=said == "stop"))
        rows = await self._database.write(
            "SELECT plan_ended($1, $2, $3, $4, $5, $6, $7) AS ours",
            told.plan, told.attempt, at,
            *((told.cost, told.effort, bytes(told.result).decode(), "") if isinstance(told, PlanFound)
              else (None, None, None, told.reason.replace("\x00", ""))),
        )  # fmt: skip
        self._heard.pop(told.plan, None)
        return encode(PlanAnswer(rows[0]["ours"]))

    async def _lease(self, wanted: PlanWanted) -> PlanAnswer:
        now = asyncio.get_running_loop().time()
        silent = [plan for plan, at in self._heard.items() if now - at > SILENT_S]
        rows = await self._database.write(
            "SELECT * FROM lease_plan($1, $2, $3, $4)",
            wanted.worker, list(wanted.kinds), moment(self._clock.now_ms()), silent,
        )  # fmt: skip
        if not rows:
            return PlanAnswer(go_on=True)
        r = rows[0]
        self._heard[r["id"]] = now
        problem = msgspec.Raw(r["problem"].encode())
        return PlanAnswer(go_on=True, job=PlanJob(
            r["id"], r["attempt"], r["kind"], problem, r["effort"], r["seed"], r["until"]
        ))  # fmt: skip
