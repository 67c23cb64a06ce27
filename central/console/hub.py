"""The live feed of the console: poses and the fleet as they are heard, rows of tasks, orders and alarms as they change.

Each client has one slot a kind where the latest wins, so that a slow one misses frames but never delays another; alarms
go through a bounded queue of their own, and a client whose queue is full is sent away (it comes back and reads anew).

Binary messages are pose frames (`contracts.poses`). Text messages are JSON: ``{"kind": "fleet", "view": FleetView}``,
``{"kind": "rows", "tasks": […], "orders": […]}`` and ``{"kind": "alarm", "alarm": {…}}``, rows as REST writes them.
"""

import asyncio
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from central.database import Database
from central.fleet.board import FleetBoard
from central.metrics import Metrics
from contracts import topics
from contracts.errors import Unavailable
from contracts.runtime.clock import Clock
from contracts.runtime.log import Log
from contracts.runtime.logging import get_log
from contracts.site import Site

logger = get_log(__name__)
router = APIRouter()
_PERIOD_S = 0.25
_MOST_ROWS = 500
_MOST_ALARMS = 100
_TOO_SLOW = 1013
_NOBODY = 1008


class _Client:
    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.poses: bytes | None = None
        self.fleet: str | None = None
        self.tasks: set[str] = set()
        self.orders: set[str] = set()
        self.alarms: asyncio.Queue[str] = asyncio.Queue(_MOST_ALARMS)
        self.overrun = False


class Hub:
    """Hears the log and feeds the clients."""

    name = "central.hub"

    def __init__(
        self, database: Database, log: Log, site: Site, clock: Clock, fleet: FleetBoard, metrics: Metrics
    ) -> None:
        self._database = database
        self._log = log
        self._site = site.id
        self._clock = clock
        self._fleet = fleet
        self._metrics = metrics
        self._clients: list[_Client] = []
        self._hears = False
        self._alarm_ids: asyncio.Queue[int] = asyncio.Queue(10 * _MOST_ALARMS)

    async def run(self) -> None:
        """Run until cancelled."""
        if not self._hears:
            self._hears = True
            await self._log.hear(topics.fleet(self._site), self._on_fleet)
            await self._log.hear(topics.poses(self._site), self._on_poses)
        while True:
            alarm = await self._alarm_ids.get()
            try:
                rows = await self._database.read("SELECT to_json(a)::text AS row FROM alarm a WHERE id = $1", alarm)
            except Unavailable:
                continue  # a client that comes back reads the list
            for row in rows:
                self._to_all_alarms(f'{{"kind":"alarm","alarm":{row["row"]}}}')

    def task_changed(self, task: str) -> None:
        """A task has a new state."""
        for client in self._clients:
            if len(client.tasks) < _MOST_ROWS:
                client.tasks.add(task)
                client.wake.set()

    def happened(self, kind: str, subject: str) -> None:
        """An event was published."""
        if not self._clients:
            return
        if kind.startswith("floorplane.alarm."):
            if not self._alarm_ids.full():
                self._alarm_ids.put_nowait(int(subject))
        elif kind.startswith("floorplane.order."):
            for client in self._clients:
                if len(client.orders) < _MOST_ROWS:
                    client.orders.add(subject)
                    client.wake.set()

    def _on_fleet(self, _: str, payload: bytes) -> None:
        if self._fleet.heard_view(payload) and self._clients:
            text = f'{{"kind":"fleet","view":{payload.decode()}}}'
            for client in self._clients:
                client.fleet = text
                client.wake.set()

    def _on_poses(self, _: str, frame: bytes) -> None:
        self._fleet.heard_poses(frame)
        for client in self._clients:
            client.poses = frame
            client.wake.set()

    def _to_all_alarms(self, text: str) -> None:
        for client in self._clients:
            if client.alarms.full():
                client.overrun = True
            else:
                client.alarms.put_nowait(text)
            client.wake.set()

    async def attend(self, socket: WebSocket) -> None:
        """Feed one client until it goes."""
        await socket.accept()
        client = _Client()
        if self._fleet.view is not None:
            client.fleet = f'{{"kind":"fleet","view":{self._fleet.raw_view.decode()}}}'
            client.poses = self._fleet.poses or None
            client.wake.set()
        self._clients.append(client)
        self._metrics.clients.set(len(self._clients))
        feeder = asyncio.create_task(self._feed(socket, client), name=f"{self.name}.feed")
        listener = asyncio.create_task(_until_gone(socket), name=f"{self.name}.listen")
        try:
            await asyncio.wait({feeder, listener}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._clients.remove(client)
            self._metrics.clients.set(len(self._clients))
            feeder.cancel()
            listener.cancel()
            await asyncio.gather(feeder, listener, return_exceptions=True)

    async def _feed(self, socket: WebSocket, client: _Client) -> None:
        rows_at_ms = 0
        while socket.application_state is WebSocketState.CONNECTED:
            await client.wake.wait()
            client.wake.clear()
            if client.overrun:
                await socket.close(_TOO_SLOW, "too slow for the alarms")
                return
            while not client.alarms.empty():
                await socket.send_text(client.alarms.get_nowait())
            poses, client.poses = client.poses, None
            if poses is not None:
                await socket.send_bytes(poses)
            fleet, client.fleet = client.fleet, None
            if fleet is not None:
                await socket.send_text(fleet)
            if client.tasks or client.orders:
                wait_ms = rows_at_ms + _PERIOD_S * 1000 - self._clock.now_ms()
                if wait_ms > 0:
                    self._clock.call_later(wait_ms / 1000, client.wake.set)
                    continue
                rows_at_ms = self._clock.now_ms()
                tasks, client.tasks = sorted(client.tasks), set()
                orders, client.orders = sorted(client.orders), set()
                await socket.send_text(await self._rows(tasks, orders))

    async def _rows(self, tasks: list[str], orders: list[str]) -> str:
        try:
            rows = await self._database.read(_ROWS, tasks, orders)
        except Unavailable:
            return '{"kind":"rows","tasks":[],"orders":[]}'
        text: str = rows[0]["text"]
        return text


_ROWS = """
WITH t AS (SELECT id, kind, state, attempt, order_id, line, tote, item, bin, qty, done_qty, station, robot, reason,
                  created_at, released_at, started_at, closed_at FROM task WHERE id = ANY($1)),
o AS (SELECT o.*, l.lines, l.qty, l.done, l.short,
             (SELECT count(*) FROM tote x WHERE x.order_id = o.id AND x.state <> 'void') AS totes
      FROM orders o
      CROSS JOIN LATERAL (SELECT count(*) AS lines, sum(qty) AS qty, sum(done) AS done, sum(short) AS short
                          FROM order_line WHERE order_id = o.id) AS l
      WHERE o.id = ANY($2) OR o.id IN (SELECT order_id FROM t))
SELECT json_build_object('kind', 'rows', 'tasks', COALESCE((SELECT json_agg(t ORDER BY t.id) FROM t), '[]'),
                         'orders', COALESCE((SELECT json_agg(o ORDER BY o.id) FROM o), '[]'))::text AS text
"""


async def _until_gone(socket: WebSocket) -> None:
    try:
        while True:
            await socket.receive_bytes()
    except (WebSocketDisconnect, KeyError):
        return


@router.websocket("/v1/live")
async def live(socket: WebSocket) -> None:
    """Feed a console; the session cookie or a bearer token opens it."""
    hub: Any = socket.app.state.context.hub
    origin = urlsplit(socket.headers.get("origin", "")).netloc
    who: Any = socket.state.principal
    if who is None or who.owner or (origin and origin != socket.headers.get("host")):
        await socket.close(_NOBODY, "log in first, on this very address")
        return
    await hub.attend(socket)
