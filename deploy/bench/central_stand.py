"""A real central to measure: its own process behind HTTP, the embedded PostgreSQL with fsync on, a real log.

Beside it one client that costs little (a keep-alive HTTP/1.1 connection), so that it is central that is measured.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from central.migrate import migrate
from contracts.errors import Unavailable
from contracts.site import write_site
from deploy import launch, notify
from deploy.bench.ports import free_ports
from deploy.embedded.nats import EmbeddedNats
from deploy.embedded.postgres import EmbeddedPostgres
from simulators.catalogue import Catalogue
from simulators.site import build

ITEMS, BINS_EACH, PIECES = 2_000, 3, 200_000
"""Items of the stand, in how many bins each lies, and how many pieces lie in each bin."""
_START_S = 60.0


class Stand(msgspec.Struct, frozen=True):
    """Where central listens, who may come in, and what it knows."""

    host: str
    port: int
    database_url: str
    tokens: dict[str, str]
    items: tuple[str, ...]


class Answer(msgspec.Struct, frozen=True):
    """What came back, and how long it took."""

    status: int
    body: bytes
    took_s: float


class Connection:
    """One keep-alive connection; requests go one after the other."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._address = host, port
        self._head = f"Host: {host}:{port}\r\nAuthorization: Bearer {token}\r\n".encode()

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(*self._address)

    async def send(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Send one request and read its whole answer.

        Raises
        ------
        Unavailable
            The answer has no Content-Length, or the connection ended.
        """
        more = "".join(f"{k}: {v}\r\n" for k, v in (headers or {}).items()).encode()
        began = time.perf_counter()
        self._writer.write(
            b"%s %s HTTP/1.1\r\n%sContent-Length: %d\r\n%s\r\n"
            % (method.encode(), path.encode(), self._head, len(body), more)
        )
        self._writer.write(body)
        await self._writer.drain()
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            found = head.lower().find(b"content-length: ")
            if found < 0:
                raise Unavailable(f"{method} {path}: an answer without a length: {head!r}")
            size = int(head[found + 16 : head.index(b"\r", found)])
            answer = await self._reader.readexactly(size)
        except asyncio.IncompleteReadError as e:
            raise Unavailable(f"{method} {path}: the connection ended") from e
        return Answer(int(head[9:12]), answer, time.perf_counter() - began)

    async def close(self) -> None:
        """Disconnect."""
        self._writer.close()
        await self._writer.wait_closed()


@contextmanager
def standing(
    settings: Mapping[str, object] | None = None, prepare: Callable[[str], Awaitable[None]] | None = None
) -> Iterator[Stand]:
    """Run database, log and central until the block ends. Call it from the main thread.

    Parameters
    ----------
    settings
        Of central (``{"database_connections": 8}``).
    prepare
        Fills the migrated database, whose URL it gets, before central starts; None: items and stock come over REST.

    Raises
    ------
    Unavailable
        A server did not come up.
    """
    folder = Path(tempfile.mkdtemp(prefix="floorplane-stand-"))
    try:
        with EmbeddedPostgres(folder / "postgres") as postgres:
            nats = EmbeddedNats(folder / "nats", *free_ports(2)).start()
            try:
                if prepare is not None:
                    asyncio.run(_prepared(postgres.url(), prepare))
                site = folder / "site.json"
                write_site(build(1, Catalogue.seeded(1)), site)
                (port,) = free_ports(1)
                given = {
                    "site": site,
                    "database_url": postgres.url(),
                    "nats_url": nats.url,
                    "secrets": folder / "secrets.json",
                    "port": port,
                    "log_level": "warning",
                    **(settings or {}),
                }
                flags = [f"--{k.replace('_', '-')}={v}" for k, v in given.items()]
                with process([sys.executable, "-m", "deploy.cli", "central", *flags]):
                    secrets = msgspec.json.decode((folder / "secrets.json").read_bytes())
                    stand = Stand("127.0.0.1", port, postgres.url(), secrets["tokens"], _item_names())
                    if prepare is None:
                        asyncio.run(_fill(stand, _bins(site)))
                    yield stand
            finally:
                nats.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def process(command: Sequence[str]) -> Iterator[int]:
    """Run a program that says when it is ready (`deploy.notify`) until the block ends; it dies with us.

    Raises
    ------
    Unavailable
        It ended, or did not answer in time.
    """
    ear = notify.Ear()
    environment = {**os.environ, "NOTIFY_SOCKET": ear.address}
    child = subprocess.Popen(launch.argv(list(command), death_signal=signal.SIGTERM), env=environment)
    try:
        deadline = time.monotonic() + _START_S
        while not ear.heard():
            if child.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"{' '.join(command[:4])}: it does not come up")
            time.sleep(0.05)
        yield child.pid
    finally:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


async def _prepared(url: str, prepare: Callable[[str], Awaitable[None]]) -> None:
    await migrate(url)
    await prepare(url)


def _item_names() -> tuple[str, ...]:
    return tuple(f"item{n:05d}" for n in range(ITEMS))


def _bins(site: Path) -> list[str]:
    return [b["id"] for p in msgspec.json.decode(site.read_bytes())["pods"] for b in p["bins"]]


async def _fill(stand: Stand, bins: list[str]) -> None:
    erp = Connection(stand.host, stand.port, stand.tokens["erp"])
    await erp.open()
    items = [
        {"id": i, "barcode": f"99{n:011d}", "weight_g": 200 + n % 300, "volume_ml": 300 + n % 500, "category": "Spare"}
        for n, i in enumerate(stand.items)
    ]
    stock = [
        {"place": bins[n + k * ITEMS], "item": i, "qty": PIECES, "reason": "opening", "key": f"opening/{n}/{k}"}
        for n, i in enumerate(stand.items)
        for k in range(BINS_EACH)
    ]
    for path, rows in (("/v1/items:bulk", items), ("/v1/stock:bulk", stock)):
        body = b"\n".join(map(msgspec.json.encode, rows))
        answer = await erp.send("POST", path, body, {"Idempotency-Key": path})
        if answer.status != 200 or b'"refused"' in answer.body:
            raise Unavailable(f"{path}: {answer.status} {answer.body[:300]!r}")
    await erp.close()
