"""A floor with a reserve, for the tests of the care of the stock: people who do hand tasks through REST."""

import itertools
from typing import Any

import httpx

from tests.wire.central_floor import Floor, ndjson, results

_keys = itertools.count()


def key() -> dict[str, str]:
    """A fresh Idempotency-Key."""
    return {"Idempotency-Key": f"care-{next(_keys)}"}


async def say(client: httpx.AsyncClient, path: str, body: Any = None, status: int = 201, **headers: str) -> Any:
    """POST something under a fresh key, and expect this answer."""
    answer = await client.post(path, json=body, headers=key() | headers)
    assert answer.status_code == status, (path, answer.status_code, answer.text)
    return answer.json() if answer.content else None


async def put(client: httpx.AsyncClient, path: str, body: Any, status: int = 200, **headers: str) -> Any:
    """PUT something, and expect this answer."""
    answer = await client.put(path, json=body, headers=headers)
    assert answer.status_code == status, (path, answer.status_code, answer.text)
    return answer.json()


async def see(client: httpx.AsyncClient, path: str, **parameters: Any) -> Any:
    """GET something that is there."""
    answer = await client.get(path, params=parameters)
    assert answer.status_code == 200, (path, answer.text)
    return answer.json()


async def shelves(floor: Floor, *codes: str) -> None:
    """Put up shelves."""
    await floor.rows("INSERT INTO place (code, kind) SELECT unnest($1::text[]), 'shelf'", list(codes))


async def lay(floor: Floor, *rows: tuple[str, str, int], reason: str = "found", **fields: Any) -> None:
    """Book pieces in or out."""
    body = [{"place": p, "item": i, "qty": q, "reason": reason} | fields for p, i, q in rows]
    answer = await floor.erp.post("/v1/stock:bulk", content=ndjson(body), headers=key())
    assert [r["outcome"] for r in results(answer)] == ["posted"] * len(rows), answer.text


async def next_task(floor: Floor, person: str, *kinds: str) -> dict[str, Any] | None:
    """Lease the best open task of these kinds."""
    body = {"person": person, "kinds": list(kinds)}
    answer = await floor.operator.post("/v1/hands/next", json=body, headers=key())
    assert answer.status_code in {200, 204}, answer.text
    task: dict[str, Any] | None = answer.json() if answer.status_code == 200 else None
    return task


async def confirm(floor: Floor, task: dict[str, Any], status: int = 200, **said: Any) -> dict[str, Any]:
    """Confirm a leased task."""
    path = f"/v1/hands/{task['id']}/confirm"
    answer = await floor.operator.post(path, json={"attempt": task["attempt"]} | said, headers=key())
    assert answer.status_code == status, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def do(floor: Floor, person: str, kind: str, **said: Any) -> dict[str, Any]:
    """Lease the best open task of a kind and confirm it."""
    task = await next_task(floor, person, kind)
    assert task is not None, f"no task of the kind {kind}"
    return await confirm(floor, task, **said)


async def held(floor: Floor, item: str) -> dict[tuple[str, str], int]:
    """How many pieces of an item are where, by place and status."""
    rows = await floor.rows("SELECT place, status, qty FROM stock WHERE item = $1 AND qty > 0", item)
    return {(r["place"], r["status"]): r["qty"] for r in rows}


async def shipped(floor: Floor, ref: str, *lines: tuple[str, int]) -> str:
    """Order, pick, pack and ship."""
    order = await floor.order(ref, *lines)
    for task in (await floor.shown(order["id"]))["tasks"]:
        if task["kind"] == "pick":
            await floor.pick(task["id"])
    await floor.finish_tote(f"T-{order['id']}-1")
    assert (await floor.shown(order["id"]))["state"] == "shipped"
    name: str = order["id"]
    return name
