"""Sends events to webhooks: each delivery is a row with its due time, tried again with back-off, kept when dead.

Woken by the relay after a publication, by a change of the webhooks and by one timer for the next due delivery; where
there is no webhook it does nothing at all.
"""

import asyncio
from datetime import timedelta
from itertools import groupby
from typing import Any

import httpx

from central.database import Connection, Database
from central.events.cloudevents import cloud_event
from central.moment import milliseconds, moment
from central.webhooks import signature
from central.webhooks.address import resolve
from contracts.errors import Rejected, Unavailable
from contracts.runtime.clock import Clock, real
from contracts.runtime.logging import get_log
from contracts.site import Site

logger = get_log(__name__)
BACK_OFF_S = (5, 30, 120, 600, 3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600)
"""Waits after each failure; after the last one a delivery is dead. Almost a day in all."""
TIMEOUT_S = 10.0
_LOOKED_AT = 2_000
_A_WEBHOOK = 50
"""Deliveries of one webhook in a round."""
_AGAIN_S = 0.5
_MOST_ANSWER = 65_536
_DUE = """
SELECT w.id AS webhook, w.url, w.secret, d.id, d.attempts, e.tx::text AS tx, e.seq, e.type, e.subject, e.at,
       e.data::text AS data, e.correlation
FROM webhook w
CROSS JOIN LATERAL (SELECT * FROM webhook_delivery x WHERE x.webhook = w.id AND NOT x.dead AND x.due_at <= $1
                    ORDER BY x.due_at, x.id LIMIT $2) AS d
JOIN event e ON e.tx = d.tx AND e.seq = d.seq
WHERE w.active ORDER BY w.id, d.due_at, d.id
"""
_DELIVERED = (
    "WITH gone AS (DELETE FROM webhook_delivery WHERE id = $1 RETURNING webhook)"
    " UPDATE webhook SET delivered = delivered + 1, last_at = $2, last_outcome = $3"
    " WHERE id IN (SELECT webhook FROM gone)"
)
_FAILED = (
    "WITH tried AS (UPDATE webhook_delivery SET attempts = attempts + 1, due_at = $4, dead = $5, outcome = $3"
    " WHERE id = $1 RETURNING webhook)"
    " UPDATE webhook SET last_at = $2, last_outcome = $3 WHERE id IN (SELECT webhook FROM tried)"
)
GONE = 410


class WebhookPump:
    """Delivers, until cancelled.

    Parameters
    ----------
    internal
        Whether private addresses and plain HTTP are allowed.
    """

    name = "central.webhooks"

    def __init__(self, database: Database, site: Site, clock: Clock, *, internal: bool) -> None:
        self._database = database
        self._site = site.id
        self._clock = clock
        self._internal = internal
        self._wake = asyncio.Event()
        self._idle = True
        self._timer: asyncio.TimerHandle | None = None

    def published(self) -> None:
        """Something was published."""
        if not self._idle:
            self._wake.set()

    def changed(self) -> None:
        """A webhook came, went, or has something to send again."""
        self._idle = False
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled."""
        self.changed()
        async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as http:
            while True:
                await self._wake.wait()
                self._wake.clear()
                try:
                    await self._round(http)
                except* Unavailable as e:  # also from within the deliveries, which run side by side
                    logger.warning("webhooks wait for the database", error=str(e.exceptions[0]))
                    await self._clock.sleep(_AGAIN_S)
                    self._wake.set()

    async def _round(self, http: httpx.AsyncClient) -> None:
        known = await self._database.read("SELECT 1 FROM webhook LIMIT 1")
        self._idle = not known
        if not known:
            return
        now = moment(self._clock.now_ms())
        while (await self._database.read("SELECT fan_out($1, $2) AS more", now, _LOOKED_AT))[0]["more"]:
            pass
        while due := await self._database.read(_DUE, moment(self._clock.now_ms()), _A_WEBHOOK):
            async with asyncio.TaskGroup() as group:
                for webhook, rows in groupby(due, key=lambda r: r["webhook"]):
                    group.create_task(self._deliver(http, list(rows)), name=f"{self.name}.{webhook}")
        following = await self._database.read(
            "SELECT min(d.due_at) AS at FROM webhook_delivery d JOIN webhook w ON w.id = d.webhook"
            " WHERE NOT d.dead AND w.active"
        )
        if following[0]["at"] is not None:
            wait_ms = milliseconds(following[0]["at"]) - self._clock.now_ms()
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._clock.call_later(max(wait_ms, 1) / 1000, self._wake.set)

    async def _deliver(self, http: httpx.AsyncClient, rows: list[Any]) -> None:
        """Send to one webhook, in order, up to the first failure."""
        for row in rows:
            outcome = await self._send(http, row)
            at = moment(self._clock.now_ms())
            if outcome.startswith("2"):
                await self._database.read(_DELIVERED, row["id"], at, outcome)
                continue
            tried = row["attempts"]
            dead = tried >= len(BACK_OFF_S) or outcome == str(GONE)
            again = at + timedelta(seconds=BACK_OFF_S[min(tried, len(BACK_OFF_S) - 1)])
            await self._database.read(_FAILED, row["id"], at, outcome, again, dead)
            if outcome == str(GONE):
                await self._database.read("UPDATE webhook SET active = false WHERE id = $1", row["webhook"])
            logger.warning("a webhook did not take an event", webhook=row["webhook"], outcome=outcome, dead=dead)
            return

    async def _send(self, http: httpx.AsyncClient, row: Any) -> str:
        """Return the status it answered with, or what went wrong."""
        body = cloud_event(self._site, row)
        said = {
            "content-type": "application/cloudevents+json; charset=utf-8",
            "user-agent": "Floorplane",
            **signature.headers(
                signature.read(row["secret"]), f"{row['tx']}-{row['seq']}", self._clock.now_ms() // 1000, body
            ),
        }
        try:
            return await real(self._post(http, row["url"], said, body))
        except Rejected as e:
            return f"refused: {e}"[:300]
        except (httpx.HTTPError, OSError, httpx.InvalidURL) as e:
            return f"{type(e).__name__}: {e}"[:300]

    async def _post(self, http: httpx.AsyncClient, url: str, said: dict[str, str], body: bytes) -> str:
        async with asyncio.timeout(2 * TIMEOUT_S):
            target = await resolve(url, internal=self._internal)
            request = http.build_request(
                "POST", target.url, content=body, headers=said | {"host": target.host},
                extensions={"sni_hostname": target.name, "timeout": httpx.Timeout(TIMEOUT_S).as_dict()},
            )  # fmt: skip
            answer = await http.send(request, stream=True)
            try:
                taken = 0
                async for part in answer.aiter_raw():
                    taken += len(part)
                    if taken > _MOST_ANSWER:
                        break
            finally:
                await answer.aclose()
            return str(answer.status_code)


async def register(
    connection: Connection, url: str, secret: str, patterns: list[str], subject: str, client: str, owner: str, at: Any
) -> Any:
    """Add a webhook that hears what happens from now on; return its row."""
    await connection.execute(
        "UPDATE cursor SET tx = pg_snapshot_xmin(pg_current_snapshot()), seq = 0 WHERE name = 'webhooks'"
        " AND NOT EXISTS (SELECT FROM webhook)"
    )
    return await connection.fetchrow(
        "INSERT INTO webhook (url, secret, types, subject, client, owner, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *",
        url, secret, patterns, subject, client, owner, at,
    )  # fmt: skip
