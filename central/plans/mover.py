"""Lets people do what accepted slotting plans want, when there is nothing else to do.

It looks a minute after something was published, as long as moves are left; the stock as it is then decides
(`go_on_moving`). Where a move begins or ends in a pod, the dispatcher is told to bring it to a station, if there are
two of them: both pods of a move stand there at a time.
"""

import asyncio

from central.database import Database
from central.moment import moment
from contracts import topics
from contracts.codec import decode, encode
from contracts.errors import Unavailable
from contracts.ids import PodId
from contracts.messages.ops import OpsAnswer, OpsCommand, ShowPods
from contracts.runtime.clock import Clock
from contracts.runtime.log import Log
from contracts.runtime.logging import get_log
from contracts.site import Site

logger = get_log(__name__)
MOST_MOVES = 4
"""So many are in people's hands at a time."""
IDLE_PICKS = 8
"""With no more picks than these left to robots the floor has time for moves."""
_LATER_S = 60.0
_AGAIN_S = 5.0
_PATIENCE_S = 5.0
_LEFT = (
    "SELECT EXISTS (SELECT FROM plan_move WHERE state IN ('waiting', 'open')) AS some,"
    " EXISTS (SELECT FROM plan_move) AS ever"
)
_PODS = """
SELECT x.parent AS pod
FROM (SELECT b.parent, min(h.created_at) AS at, min(h.id) AS id, bool_or(h.state = 'leased') AS begun
      FROM hand_task h JOIN plan_move m ON m.plan = h.ref AND m.n = (h.detail->>'step')::integer AND m.state = 'open'
      JOIN place b ON b.code IN (h.source, h.target) AND b.kind = 'bin'
      JOIN place p ON p.code = b.parent AND p.kind = 'pod'
      WHERE h.kind = 'move' AND h.state IN ('open', 'leased') GROUP BY b.parent) x
ORDER BY x.begun DESC, x.at, x.id, x.parent LIMIT $1
"""


class Mover:
    """Opens the moves of accepted slotting plans."""

    name = "central.mover"

    def __init__(self, database: Database, log: Log, site: Site, clock: Clock) -> None:
        self._database = database
        self._log = log
        self._site = site.id
        self._clock = clock
        stations = sum(s.kind == "pick" for s in site.stations)
        self._most_pods = max(2, stations // 2) if stations > 1 else 0
        """So many pods are shown at a time: the other stations are there for picks."""
        self._shown: list[str] | None = None
        """What the dispatcher was told; None: not known."""
        self._wake = asyncio.Event()
        self._left = False
        """Whether moves are left."""

    def published(self) -> None:
        """Something was published: look soon, where moves are left."""
        if self._left:
            self._wake.set()

    def changed(self) -> None:
        """A plan was accepted or stopped: look at once."""
        self._left = True
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled."""
        self._wake.set()
        while True:
            timer = self._clock.call_later(_LATER_S, self._wake.set) if self._left else None
            try:
                await self._wake.wait()
            finally:
                if timer is not None:
                    timer.cancel()
            self._wake.clear()
            try:
                if not self._left:
                    row = (await self._database.read(_LEFT))[0]
                    self._left = row["some"]
                    if not row["ever"]:
                        self._shown = []
                if self._left:
                    rows = await self._database.write(
                        "SELECT go_on_moving($1, $2, $3) AS n", moment(self._clock.now_ms()), MOST_MOVES, IDLE_PICKS
                    )
                    self._left = rows[0]["n"] > 0
                if self._most_pods:
                    await self._show_pods()
                if self._left:
                    await self._clock.sleep(_AGAIN_S)
            except Unavailable as e:
                logger.warning("moves wait for the database", error=str(e))
                await self._clock.sleep(_AGAIN_S)
                self._wake.set()

    async def _show_pods(self) -> None:
        """Tell the dispatcher which pods people need, while they do, and once when they do no more."""
        pods = [r["pod"] for r in await self._database.read(_PODS, self._most_pods)] if self._left else []
        if pods == self._shown == []:
            return
        command = OpsCommand(
            f"pods-{self._clock.now_ms()}", self.name, "people move stock", ShowPods(tuple(map(PodId, pods)))
        )  # fmt: skip
        try:
            payload = await self._log.request(
                topics.ops_subject(self._site), encode(command), timeout_s=_PATIENCE_S
            )  # fmt: skip
        except Unavailable:
            logger.warning("the dispatcher does not hear which pods people need")
            if not self._left:
                self._clock.call_later(_LATER_S, self._wake.set)
            return
        answer = decode(payload, OpsAnswer)
        if not answer.done:
            logger.warning("the dispatcher does not bring pods", reason=answer.reason)
        self._shown = pods
