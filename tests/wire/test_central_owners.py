"""Two owners under one roof: every read and every change of one, replayed with the other's token. Nothing leaks."""

from typing import Any

import httpx

from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import DUE, Floor, ndjson, results, running

ENDLESS = ("/v1/events/stream", "/v1/events:stream")
OPEN = ("/v1/openapi.json", "/healthz", "/readyz", "/metrics", "/v1/session")
"""What everybody may see, or where nobody is known yet."""


async def owner(floor: Floor, name: str) -> httpx.AsyncClient:
    """Let an owner's ERP in, with an item, stock, an order, an adjustment and a webhook; all carry its name."""
    made = await floor.supervisor.post("/v1/clients", json={"name": f"{name}-erp", "role": "erp", "owner": name})
    assert made.status_code == 201, made.text
    erp = httpx.AsyncClient(
        transport=httpx.ASGITransport(floor.central.app),
        base_url="http://central",
        headers={"Authorization": f"Bearer {made.json()['token']}"},
    )
    item = {"id": f"{name}-part", "barcode": f"{name}-code", "weight_g": 10, "volume_ml": 10}
    assert results(await erp.post("/v1/items:bulk", content=ndjson([item])))[0]["outcome"] == "created"
    for qty, outcome in ((50, "posted"), (5_000, "pending")):
        line = {"place": "P0-B0", "item": item["id"], "qty": qty, "reason": "found"}
        key = {"Idempotency-Key": f"{name}-{qty}"}
        assert results(await erp.post("/v1/stock:bulk", content=ndjson([line]), headers=key))[0]["outcome"] == outcome
    body = {
        "ref": f"{name}-1", "due": DUE, "ship_to": f"{name} street",
        "lines": [{"line": 1, "item": item["id"], "qty": 3}],
    }  # fmt: skip
    assert (await erp.post("/v1/orders", json=body, headers={"Idempotency-Key": "o1"})).status_code == 201
    await floor.pick(f"P-T-{name}-1-1-1")
    await floor.finish_tote(f"T-{name}-1-1")
    body |= {"ref": f"{name}-2", "reserve_until": "2013-12-30T00:00:00Z"}
    assert (await erp.post("/v1/orders", json=body, headers={"Idempotency-Key": "o2"})).status_code == 201
    return erp


async def kept(floor: Floor, name: str) -> list[Any]:
    """All that the database holds of an owner."""
    found = []
    for sql in (
        "SELECT * FROM item WHERE owner = $1",
        "SELECT * FROM stock WHERE owner = $1 ORDER BY id",
        "SELECT * FROM orders WHERE owner = $1 ORDER BY id",
        "SELECT l.* FROM order_line l JOIN orders o ON o.id = l.order_id WHERE o.owner = $1 ORDER BY order_id, line",
        "SELECT t.* FROM task t JOIN orders o ON o.id = t.order_id WHERE o.owner = $1 ORDER BY t.id",
        "SELECT * FROM ledger WHERE owner = $1 ORDER BY seq",
        "SELECT a.* FROM adjustment a JOIN item i ON i.id = a.item WHERE i.owner = $1 ORDER BY a.id",
        "SELECT t.* FROM token t JOIN client c ON c.name = t.client WHERE c.owner = $1",
    ):
        found += [tuple(r) for r in await floor.rows(sql, name)]
    return found


def stands_for(name: str, number: int, move: int) -> dict[str, Any]:
    """Path parameters that name what is an owner's."""
    return {
        "order_id": f"{name}-2", "item_id": f"{name}-part", "number": number, "move_id": move, "name": f"{name}-erp",
        "robot_id": "R1", "site_id": "test", "node_id": "N1", "command": "pause", "alarm_id": 1,
    }  # fmt: skip


BODIES: dict[str, Any] = {
    "/v1/orders/{order_id}": {"priority": 9},
    "/v1/items/{item_id}": {"weight_g": 1, "owner": "bolt"},
    "/v1/ledger/{move_id}/reverse": {"reason": "mine now", "error": "incorrect_data"},
}
LINES = {
    "/v1/items:bulk": {"id": "acme-part", "weight_g": 1},
    "/v1/stock:bulk": {"place": "P0-B0", "item": "acme-part", "qty": -1, "reason": "scrap"},
    "/v1/orders:bulk": {"ref": "x", "due": DUE, "lines": [{"line": 1, "item": "acme-part", "qty": 1}]},
}


async def test_nothing_of_one_owner_is_seen_or_changed_with_the_others_token(postgres: ScratchPostgres) -> None:
    """All operations of the document: a read shows nothing of the other, a change is refused and changes nothing."""
    async with running(postgres) as floor:
        acme, bolt = await owner(floor, "acme"), await owner(floor, "bolt")
        before = await kept(floor, "acme")
        number = (await floor.rows("SELECT a.id FROM adjustment a WHERE item = 'acme-part'"))[0]["id"]
        move = (await floor.rows("SELECT seq FROM ledger WHERE owner = 'acme' ORDER BY seq LIMIT 1"))[0]["seq"]
        names = stands_for("acme", number, move)
        document = (await floor.erp.get("/v1/openapi.json")).json()
        seen = changed = 0
        for path, operations in document["paths"].items():
            if path in ENDLESS or path.startswith(OPEN):
                continue
            url = path.format_map(_Any(names))
            for method in operations:
                headers = {"Idempotency-Key": f"{method}-{path}".replace(" ", ""), "If-Match": "*"}
                if method == "get":
                    answer = await bolt.get(url, params={"item": "acme-part"} if path == "/v1/stock" else {})
                    assert answer.status_code < 500, (url, answer.text)
                    assert answer.status_code != 200 or "acme" not in answer.text, (url, answer.text)
                    seen += 1
                elif path in LINES:
                    answer = await bolt.request(method, url, content=ndjson([LINES[path]]), headers=headers)
                    assert results(answer)[0]["outcome"] == "refused", url
                    changed += 1
                else:
                    body = BODIES.get(path, {"reason": "not mine"})
                    answer = await bolt.request(method, url, json=body, headers=headers)
                    assert 400 <= answer.status_code < 500, (method, url, answer.status_code, answer.text)
                    if "{order_id}" in path or "{item_id}" in path:
                        assert answer.status_code in {403, 404, 409}, (method, url, answer.text)
                    changed += 1
        assert await kept(floor, "acme") == before
        assert seen > 15
        assert changed > 15
        for list_of in ("orders", "items", "shipments", "tasks", "stock", "adjustments"):
            own = await acme.get(f"/v1/{list_of}")
            assert own.json()["items"], list_of
            assert "bolt" not in own.text
            assert "part1" not in own.text
        foreign = {"ref": "b", "due": DUE, "lines": [{"line": 1, "item": "part1", "qty": 1}]}
        answer = await bolt.post("/v1/orders", json=foreign, headers={"Idempotency-Key": "house"})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "lines/0/item")
        answer = await bolt.post("/v1/orders", json=foreign | {"owner": "acme"}, headers={"Idempotency-Key": "as"})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "owner")
        assert (await bolt.get("/v1/orders", params={"owner": "acme"})).status_code == 403
        assert await floor.violations() == []
        assert (await floor.supervisor.delete("/v1/clients/bolt-erp")).status_code == 204
        assert (await bolt.get("/v1/orders")).status_code == 401
        for client in (acme, bolt):
            await client.aclose()


class _Any(dict[str, Any]):
    """Other parameters are names that nobody has."""

    def __missing__(self, key: str) -> str:
        return "acme-x"
