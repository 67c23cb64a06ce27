"""A central over a real PostgreSQL and a log in memory, with a dispatcher that says what a test wants it to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx

from central.fleet.halt import Halt
from central.identity.bootstrap import Secrets, bootstrap_identity
from central.invariants import Violation, violations
from central.migrate import migrate
from central.service import Central
from central.settings import CentralSettings
from contracts import topics
from contracts.codec import decode, encode
from contracts.ids import BinId, CellId, ChuteId, EdgeId, NodeId, PodId, RobotId, SiteId, StationId
from contracts.layout import Edge, Layout, Node, NodeKind
from contracts.messages.facts import Evidence, Fact, FactBody, FactsAck, PickDone, ToteArrived, TotePacked
from contracts.messages.work import Convey, Pack, Pick, Work
from contracts.runtime.clock import LoopClock
from contracts.runtime.log.memory import MemoryStore
from contracts.site import Bin, Cell, Chute, Pod, Robot, Site, Station
from deploy.embedded.scratch import ScratchPostgres

START_MS = 1_385_971_200_000  # 2013-12-02T08:00:00Z
DUE = "2013-12-02T16:00:00Z"
TEMPLATE = "central_template"
_secrets: dict[int, Secrets] = {}


def small_site() -> Site:
    """Two pods of three bins, one station, two chutes, one robot."""
    nodes = [Node(NodeId(f"N{n}"), float(n), 0.0, NodeKind.STORAGE if n < 2 else NodeKind.AISLE) for n in range(5)]
    ends = [(a, b) for a in range(5) for b in range(5) if a != b]
    edges = tuple(Edge(EdgeId(f"E{a}-{b}"), NodeId(f"N{a}"), NodeId(f"N{b}")) for a, b in ends)
    cells = (Cell(CellId("cell-S1"), "station", ()), Cell(CellId("cell-line"), "line", ()))
    pods = tuple(
        Pod(PodId(f"P{p}"), NodeId(f"N{p}"), tuple(Bin(BinId(f"P{p}-B{b}"), 0, 0, b) for b in range(3)))
        for p in range(2)
    )
    return Site(
        id=SiteId("test"),
        layout=Layout("test", "map", "1", tuple(nodes), edges),
        pods=pods,
        stations=(Station(StationId("S1"), "pick", CellId("cell-S1"), (NodeId("N2"), NodeId("N3")), NodeId("N4"), 4),),
        chutes=tuple(Chute(ChuteId(f"C{n}"), CellId("cell-line"), 1.0 * n, 3) for n in (1, 2)),
        doors=(),
        cells=cells,
        robots=(Robot(RobotId("R1"), "Floorplane", NodeId("N4")),),
        line_length_m=30.0,
        infeed_m={StationId("S1"): 5.0},
    )


async def migrated_copy(postgres: ScratchPostgres) -> tuple[str, Secrets]:
    """URL of a migrated database of the caller's own, and its tokens."""
    known = _secrets.get(id(postgres))
    if known is None:
        postgres.create(TEMPLATE)
        await migrate(postgres.url_of(TEMPLATE))
        known = _secrets[id(postgres)] = await bootstrap_identity(postgres.url_of(TEMPLATE))
    return postgres.url_of(postgres.create(template=TEMPLATE)), known


class Floor:
    """What a test holds in its hands."""

    def __init__(
        self, url: str, secrets: Secrets, scale: float, connections: int, halt: Halt | None = None,
        site: Site | None = None, **settings: Any,
    ) -> None:  # fmt: skip
        self.url, self.secrets, self.site = url, secrets, site or small_site()
        self.clock = LoopClock(START_MS, scale=scale)
        self.store = MemoryStore()
        self.dispatcher = self.store.connect("dispatcher")
        told = CentralSettings(database_url=url, database_connections=connections, **settings)
        self.central = Central(told, self.site, self.store.connect("central"), self.clock, halt)
        transport = httpx.ASGITransport(self.central.app)
        self.nobody = httpx.AsyncClient(transport=transport, base_url="http://central")
        self.erp, self.operator, self.supervisor, self.device = (
            httpx.AsyncClient(
                transport=transport, base_url="http://central", headers={"Authorization": f"Bearer {secrets.tokens[r]}"}
            )
            for r in ("erp", "operator", "supervisor", "device")
        )
        self.keys: dict[str, Work] = {}
        self.history: list[tuple[str, bool]] = []
        """Work keys as they were published: task, and whether it was open."""
        self.events: list[dict[str, Any]] = []
        self.acks: list[FactsAck] = []
        self.epoch, self.seq = 1, 0
        self._changed = asyncio.Condition()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that was heard makes a condition true."""
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(condition)

    async def hear(self) -> None:
        """Listen to all that central says, until cancelled."""
        loop = asyncio.get_running_loop()

        def on_ack(_: str, payload: bytes) -> None:
            self.acks.append(decode(payload, FactsAck))
            loop.create_task(self._notify(), name="notify")  # noqa: RUF006 - the condition holds it

        await self.dispatcher.hear(topics.facts_ack(self.site.id), on_ack)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_work())
            group.create_task(self._follow_events())

    async def _follow_work(self) -> None:
        async for entry in self.dispatcher.follow(topics.work_key(self.site.id), latest=True):
            task = entry.subject.rsplit(".", 1)[1]
            self.history.append((task, bool(entry.payload)))
            if entry.payload:
                self.keys[task] = decode(entry.payload, Work)  # type: ignore[arg-type]  # a union
            else:
                self.keys.pop(task, None)
            await self._notify()

    async def _follow_events(self) -> None:
        async for entry in self.dispatcher.follow(topics.events(self.site.id)):
            self.events.append(json.loads(entry.payload))
            await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    # ---------------------------------------------------------------------------------------------- what tests do

    async def items(self, *rows: dict[str, Any]) -> None:
        answer = await self.erp.post("/v1/items:bulk", content=ndjson(rows))
        assert [r["outcome"] for r in results(answer)] == ["created"] * len(rows), answer.text

    async def stock(self, *rows: tuple[str, str, int]) -> None:
        body = [{"place": p, "item": i, "qty": q, "reason": "opening"} for p, i, q in rows]
        answer = await self.erp.post(
            "/v1/stock:bulk",
            content=ndjson(body),
            headers={"Idempotency-Key": f"stock-{len(rows)}-{rows[0]}".replace(" ", "")},
        )
        assert [r["outcome"] for r in results(answer)] == ["posted"] * len(rows), answer.text

    async def order(self, ref: str, /, *lines: tuple[str, int], **fields: Any) -> dict[str, Any]:
        answer = await self.post_order(ref, *lines, **fields)
        assert answer.status_code == 201, answer.text
        taken: dict[str, Any] = answer.json()
        return taken

    async def post_order(self, ref: str, /, *lines: tuple[str, int], key: str = "", **fields: Any) -> httpx.Response:
        body = {
            "ref": ref,
            "due": DUE,
            "lines": [{"line": n, "item": i, "qty": q} for n, (i, q) in enumerate(lines, 1)],
        }
        return await self.erp.post("/v1/orders", json=body | fields, headers={"Idempotency-Key": key or f"key-{ref}"})

    async def shown(self, order: str) -> dict[str, Any]:
        answer = await self.erp.get(f"/v1/orders/{order}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def fact(self, body: FactBody) -> Fact:
        self.seq += 1
        return Fact(self.site.id, self.epoch, self.seq, self.clock.now_ms(), body)

    async def send(self, *facts: Fact) -> None:
        for fact in facts:
            await self.dispatcher.append(topics.facts_subject(self.site.id), encode(fact))

    async def say(self, *bodies: FactBody) -> list[Fact]:
        """Say facts and wait until central has them."""
        facts = [self.fact(b) for b in bodies]
        await self.send(*facts)
        await self.until(lambda: FactsAck(self.site.id, self.epoch, self.seq) in self.acks)
        return facts

    async def pick(self, task: str, qty: int | None = None, reason: str = "") -> None:
        """Do a pick as it is on the log."""
        await self.until(lambda: task in self.keys)
        work = self.keys[task]
        assert isinstance(work, Pick)
        await self.say(picked(work, qty, reason))

    async def finish_tote(self, tote: str) -> None:
        """Convey and pack a tote whose picks are closed."""
        await self.until(lambda: f"C-{tote}" in self.keys and f"K-{tote}" in self.keys)
        convey, pack = self.keys[f"C-{tote}"], self.keys[f"K-{tote}"]
        assert isinstance(convey, Convey)
        assert isinstance(pack, Pack)
        await self.say(
            ToteArrived(convey.task, convey.attempt, ChuteId("C1"), Evidence()),
            TotePacked(pack.task, pack.attempt, 1_500, Evidence()),
        )

    async def rows(self, sql: str, *arguments: object) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            found: list[Any] = await connection.fetch(sql, *arguments)
            return found
        finally:
            await connection.close()

    async def violations(self) -> list[Violation]:
        return await violations(self.url)


def picked(work: Work, qty: int | None = None, reason: str = "") -> PickDone:
    """The fact that a pick was done."""
    assert isinstance(work, Pick)
    return PickDone(work.task, work.attempt, work.qty if qty is None else qty, StationId("S1"), reason, Evidence())


def ndjson(rows: Any) -> bytes:
    return b"".join(json.dumps(r).encode() + b"\n" for r in rows)


def results(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.content.splitlines()]


@asynccontextmanager
async def running(
    postgres: ScratchPostgres, *, scale: float = 1.0, connections: int = 4, **settings: Any
) -> AsyncIterator[Floor]:
    """Run a central on a database of its own; five parts of one litre and one pound, and a service, are known."""
    url, secrets = await migrated_copy(postgres)
    floor = Floor(url, secrets, scale, connections, **settings)
    hearing = asyncio.create_task(floor.hear(), name="test.hear")
    serving = asyncio.create_task(floor.central.run(), name="test.central")
    try:
        await asyncio.wait_for(floor.central.ready.wait(), 20)
        await floor.items(
            *(
                {
                    "id": f"part{n}",
                    "barcode": f"400000000000{n}",
                    "weight_g": 500,
                    "volume_ml": 1_000,
                    "category": "Spare",
                }
                for n in range(5)
            ),
            {"id": "serv1", "kind": "service"},
        )
        yield floor
    finally:
        serving.cancel()
        hearing.cancel()
        ended = await asyncio.gather(serving, hearing, return_exceptions=True)
        for client in (floor.nobody, floor.erp, floor.operator, floor.supervisor, floor.device):
            await client.aclose()
        postgres.drop(url.split("/")[3].split("?")[0])
    assert all(isinstance(e, asyncio.CancelledError) for e in ended), ended
