"""A central whose database lies on a small file system that fills up, as a program: what happened, as JSON.

Run it in a mount namespace of its own (`unshare --user --map-root-user --mount`): it mounts a tmpfs of a few megabytes
over the folder that it is given, lets PostgreSQL put everything there (tables and write-ahead log), and a file of
ballast takes what is left. No error is made up: the kernel says ENOSPC.
"""

import asyncio
import json
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from central.identity.bootstrap import bootstrap_identity
from central.migrate import migrate
from contracts.errors import Unavailable
from contracts.messages.facts import FactsAck
from deploy.embedded.postgres import EmbeddedPostgres
from tests.wire.central_floor import Floor, picked

SIZE_MB, LEFT_KB = 200, 700
ORDERS_MOST = 600


async def play(folder: Path, server: EmbeddedPostgres) -> dict[str, Any]:
    """Fill the disk under orders; make room again."""
    await migrate(server.url())
    floor = Floor(server.url(), await bootstrap_identity(server.url()), 1.0, 4)
    hearing = asyncio.create_task(floor.hear())
    serving = asyncio.create_task(floor.central.run())
    await asyncio.wait_for(floor.central.ready.wait(), 30)
    await floor.items({"id": "part1", "weight_g": 1, "volume_ml": 1})
    await floor.stock(("P0-B0", "part1", 100_000))
    await floor.order("first", ("part1", 2))
    await floor.until(lambda: "P-T-first-1-1" in floor.keys)
    await floor.rows("CHECKPOINT")
    ballast = folder / "ballast"
    _fill(ballast, shutil.disk_usage(folder).free - LEFT_KB * 1024)

    taken: list[str] = []
    full: dict[str, Any] = {}
    refused: list[int] = []
    for n in range(ORDERS_MOST):
        answer = await floor.post_order(f"A{n}", ("part1", 1), ship_to="x" * 500)
        if answer.status_code == 201:
            taken.append(f"A{n}")
            continue
        refused.append(answer.status_code)
        if not full:
            full = {"status": answer.status_code, "type": answer.headers["content-type"], "body": answer.json(), "n": n}
            _fill(folder / "more", shutil.disk_usage(folder).free)  # not a byte is left
        if len(refused) >= 5:
            break
    reads = (await floor.erp.get("/v1/orders/first")).status_code
    fact = floor.fact(picked(floor.keys["P-T-first-1-1"]))
    await floor.send(fact)
    unacknowledged = await _stays_unsaid(floor)
    died = server.pid is None

    ballast.unlink()
    (folder / "more").unlink(missing_ok=True)
    if server.pid is None:  # the write-ahead log was full too: whoever supervises starts it again
        server.start()
    async with asyncio.timeout(60):
        while (await floor.nobody.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - as a load balancer does
            await asyncio.sleep(0.05)
        await floor.until(lambda: FactsAck(floor.site.id, floor.epoch, floor.seq) in floor.acks)
    left = {r["id"] for r in await floor.rows("SELECT id FROM orders")}
    again = (await floor.post_order(f"A{full['n']}", ("part1", 1), ship_to="x" * 500)).status_code
    found = {
        "full": full, "refused": refused, "reads": reads, "unacknowledged": unacknowledged, "died": died,
        "lost": sorted(set(taken) - left), "left_of_refused": sorted(left - set(taken) - {"first"}), "again": again,
        "picked": (await floor.rows("SELECT count(*) AS n FROM ledger WHERE reason = 'pick'"))[0]["n"],
        "violations": len(await floor.violations()), "taken": len(taken),
    }  # fmt: skip
    for task in (hearing, serving):
        task.cancel()
    await asyncio.gather(hearing, serving, return_exceptions=True)
    for client in (floor.nobody, floor.erp, floor.operator, floor.supervisor, floor.device):
        await client.aclose()
    return found


async def _stays_unsaid(floor: Floor) -> bool:
    """Whether a fact that cannot be stored is not acknowledged either (heard for a while: central tries again)."""
    with suppress(TimeoutError):
        async with asyncio.timeout(1.5):
            await floor.until(lambda: FactsAck(floor.site.id, floor.epoch, floor.seq) in floor.acks)
            return False
    return True


def _fill(path: Path, size: int) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as file:
        for _ in range(0, max(0, size), 4096):
            file.write(b"\0" * 4096)


def main() -> None:
    """Mount, play, and print what was found."""
    folder = Path(sys.argv[1])
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=0755", "tmpfs", str(folder)], check=True)
    server = EmbeddedPostgres(folder / "postgres")
    server.start()
    try:
        sys.stdout.write(json.dumps(asyncio.run(play(folder, server))) + "\n")
    except Unavailable as e:
        raise SystemExit(f"{e}\n{server.log.read_text()[-3000:]}") from e
    finally:
        server.stop()


if __name__ == "__main__":
    main()
