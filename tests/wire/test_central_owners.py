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


async def furnish(floor: Floor, acme: httpx.AsyncClient) -> dict[str, str]:
    """Let one owner have one of everything: by path parameter, the name of its own."""
    got: dict[str, str] = {"item_id": "acme-part", "order_id": "acme-2", "rule": "acme-part", "kit": "acme-kit"}
    n = 0

    async def call(who: httpx.AsyncClient, method: str, path: str, body: Any = None) -> Any:
        nonlocal n
        n += 1
        headers = {"Idempotency-Key": f"furnish-{n}", **({"If-Match": "*"} if method == "PATCH" else {})}
        answer = await who.request(method, f"/v1/{path}", json=body, headers=headers)
        assert answer.status_code in {200, 201, 202, 204}, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else answer.headers

    boss, keeper = floor.supervisor, floor.erp
    for place, kind in (("door-7", "dock"), ("shelf-7", "shelf"), ("returns", "staging")):
        there = await keeper.get(f"/v1/places/{place}")
        if there.status_code == 404:
            await call(keeper, "PUT", f"places/{place}", {"kind": kind})
    await call(acme, "PUT", "items/acme-lotted", {"weight_g": 1, "volume_ml": 1, "lots": True, "barcode": "acme-l"})
    await call(acme, "PUT", "items/acme-kit", {"weight_g": 1, "volume_ml": 1, "barcode": "acme-k"})
    await call(acme, "PUT", "items/acme-lotted/lots/acme-lot", {"expires": "2014-12-01"})
    await call(acme, "PUT", "kits/acme-kit", {"mode": "build", "parts": [{"item": "acme-part", "qty": 2}]})
    await call(acme, "PUT", "replenishment/rules/acme-part", {"min_qty": 1, "max_qty": 5})
    await call(acme, "PUT", "customers/acme-shop", {"name": "acme shop", "min_days": 3})
    got |= {"lot": "acme-lot", "customer": "acme-shop", "dock": "door-7", "code": "shelf-7"}
    asn = {
        "ref": "acme-asn",
        "supplier": "acme-farm",
        "due": DUE,
        "lines": [{"line": 1, "item": "acme-part", "qty": 9}],
    }
    got["asn"] = (await call(acme, "POST", "asns", asn))["id"]
    times = {"from": "2013-12-02T09:00:00Z", "to": "2013-12-02T09:45:00Z", "asn": got["asn"], "carrier": "acme-line"}
    got["appointment"] = (await call(acme, "POST", "docks/door-7/appointments", times))["id"]
    await call(boss, "POST", f"asns/{got['asn']}/arrive", {})
    await call(boss, "POST", f"asns/{got['asn']}/receive", {"line": 1, "qty": 3})
    back = {"ref": "acme-back", "order": "acme-1", "lines": [{"line": 1, "item": "acme-part", "qty": 1}]}
    got["return_id"] = (await call(acme, "POST", "returns", back))["id"]
    lines = [{"line": 1, "item": "acme-part", "qty": 1}]
    away = {"ref": "acme-away", "way": "out", "other_site": "north", "lines": lines}
    got["transfer_id"] = (await call(acme, "POST", "transfers", away))["id"]
    status = {"place": "P0-B0", "item": "acme-part", "qty": 2, "was": "ok", "becomes": "hold", "reason": "acme says so"}
    await call(acme, "POST", "stock/status", status)
    scrap = {"place": "P0-B0", "item": "acme-part", "qty": 1, "reason": "broken", "note": "acme"}
    got["scrap_id"] = (await call(boss, "POST", "scrap", scrap))["id"]
    build = {"kit": "acme-kit", "way": "build", "qty": 1, "place": "shelf-7"}
    got["build_id"] = (await call(boss, "POST", "kit-builds", build))["id"]
    got["unit_id"] = (await call(boss, "POST", "units", {"kind": "pallet", "place": "shelf-7", "owner": "acme"}))[
        "sscc"
    ]
    hook = {"url": "https://93.184.216.34/acme", "types": ["floorplane.order.*"], "subject": "acme"}
    got["webhook_id"] = (await call(acme, "POST", "webhooks", hook))["id"]
    event = {
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"], "type": "ObjectEvent",
        "eventID": "urn:uuid:00000000-0000-4000-8000-000000000001", "eventTime": "2013-12-02T08:00:00Z",
        "eventTimeZoneOffset": "+00:00", "action": "OBSERVE", "epcList": ["urn:acme:thing:1"],
    }  # fmt: skip
    await call(acme, "POST", "epcis/events", event)
    got["event_id"] = event["eventID"]
    document = {
        "@context": event["@context"], "type": "EPCISDocument", "schemaVersion": "2.0",
        "creationDate": "2013-12-02T08:00:00Z",
        "epcisBody": {"eventList": [{k: v for k, v in event.items() if k not in {"@context", "eventID"}}]},
    }  # fmt: skip
    job = await call(acme, "POST", "epcis/capture", document)
    got["capture_id"] = job["Location"].rsplit("/", 1)[1]
    shipment = (await floor.rows("SELECT id FROM shipment WHERE order_id = 'acme-1'"))[0]["id"]
    tasks = await floor.rows("SELECT id FROM hand_task WHERE item LIKE 'acme-%' LIMIT 1")
    return got | {"shipment_id": shipment, "task_id": tasks[0]["id"]}


CHANGES: dict[str, Any] = {
    "patch /v1/orders/{order_id}": {"priority": 9},
    "post /v1/orders/{order_id}/cancel": {"reason": "mine"},
    "post /v1/orders/{order_id}/release": {"reason": "mine"},
    "put /v1/items/{item_id}": {"weight_g": 1},
    "put /v1/items/{item_id}/lots/{lot}": {"expires": "2015-12-01"},
    "put /v1/kits/{kit}": {"mode": "build", "parts": [{"item": "bolt-part", "qty": 1}]},
    "put /v1/replenishment/rules/{rule}": {"min_qty": 2, "max_qty": 9},
    "put /v1/customers/{customer}": {"name": "mine", "min_days": 1},
    "patch /v1/asns/{asn}": {"note": "mine"},
    "post /v1/asns/{asn}/cancel": {"reason": "mine"},
    "post /v1/asns/{asn}/close": {"reason": "mine"},
    "patch /v1/appointments/{name}": {"carrier": "mine"},
    "post /v1/appointments/{name}/cancel": {"reason": "mine"},
    "post /v1/returns/{return_id}/close": {"reason": "mine"},
    "post /v1/transfers/{transfer_id}/close": {"reason": "mine"},
    "post /v1/transfers/{transfer_id}/cancel": {"reason": "mine"},
    "delete /v1/webhooks/{webhook_id}": None,
    "post /v1/webhooks/{webhook_id}/dead-letters:replay": {},
    "post /v1/orders/{order_id}/ship": {"reason": "mine"},
}
"""What an owner's ERP may do with things that have a name, with a body that would be taken from their owner."""
POSTS: dict[str, Any] = {
    "/v1/docks/door-7/appointments": {
        "from": "2013-12-02T10:00:00Z", "to": "2013-12-02T10:45:00Z", "asn": "acme-asn",
    },
    "/v1/asns": {"ref": "b", "supplier": "s", "due": DUE, "lines": [{"line": 1, "item": "acme-part", "qty": 9}]},
    "/v1/returns": {"ref": "b", "order": "acme-1", "lines": [{"line": 1, "item": "acme-part", "qty": 1}]},
    "/v1/transfers": {
        "ref": "b", "way": "out", "other_site": "north", "lines": [{"line": 1, "item": "acme-part", "qty": 1}],
    },
    "/v1/stock/status": {
        "place": "P0-B0", "item": "acme-part", "qty": 1, "was": "ok", "becomes": "hold", "reason": "mine",
    },
    "/v1/scrap": {"place": "P0-B0", "item": "acme-part", "qty": 1, "reason": "broken"},
    "/v1/kit-builds": {"kit": "acme-kit", "way": "build", "qty": 1, "place": "shelf-7"},
}  # fmt: skip
"""New things that name something of another owner."""


async def everything(floor: Floor) -> dict[str, list[Any]]:
    """Each table as it is, but for what every request leaves behind."""
    names = await floor.rows(
        "SELECT c.relname AS name FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace"
        " WHERE s.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
    )
    skipped = {"audit", "idempotency", "cursor", "outbox", "event", "epcis_event"}
    return {
        r["name"]: sorted(str(tuple(x)) for x in await floor.rows(f"SELECT * FROM {r['name']}"))
        for r in names
        if r["name"] not in skipped
    }


async def test_one_of_everything_is_hidden_from_the_other_owner_and_kept_from_its_changes(
    postgres: ScratchPostgres,
) -> None:
    """Deliveries, doors, lots, kits, returns, transfers, scrap, units, webhooks, EPCIS: real names, real bodies."""
    async with running(postgres) as floor:
        acme, bolt = await owner(floor, "acme"), await owner(floor, "bolt")
        names = await furnish(floor, acme)
        document = (await floor.erp.get("/v1/openapi.json")).json()
        before = await everything(floor)
        mine: set[str] = set()
        for path in document["paths"]:
            if path in ENDLESS or path.startswith(OPEN) or "get" not in document["paths"][path]:
                continue
            url = url_of(path, names)
            answer = await bolt.get(url)
            assert answer.status_code < 500, (url, answer.text)
            assert answer.status_code != 200 or "acme" not in answer.text, (url, answer.text)
            if answer.status_code == 404:
                assert set(answer.json()) >= {"detail"}
            own = await acme.get(url)
            if own.status_code == 200 and ("acme" in own.text or names["event_id"] in own.text):
                mine.add(path)
        assert len(mine) >= 40, sorted(mine)
        for what, body in CHANGES.items():
            method, path = what.split()
            assert method in document["paths"][path], what
            headers = {"Idempotency-Key": f"c-{path}"} | ({} if method == "put" else {"If-Match": "*"})
            answer = await bolt.request(method, url_of(path, names), json=body, headers=headers)
            assert answer.status_code in {403, 404, 409}, (what, answer.status_code, answer.text)
            said = answer.text
            for name in sorted(names.values(), key=len, reverse=True):
                said = said.replace(name, "") if name in url_of(path, names) else said
            assert "acme" not in said, (what, answer.text)
        for path, body in POSTS.items():
            answer = await bolt.post(path, json=body, headers={"Idempotency-Key": f"p-{path}"})
            assert answer.status_code in {403, 404, 409, 422}, (path, answer.status_code, answer.text)
        after = await everything(floor)
        assert {t: set(after[t]) ^ set(rows) for t, rows in before.items() if after[t] != rows} == {}
        for path, body in POSTS.items():
            answer = await acme.post(path, json=body, headers={"Idempotency-Key": f"own-{path}"})
            assert answer.status_code != 422, (path, answer.text)
        for client in (acme, bolt):
            await client.aclose()


def url_of(path: str, names: dict[str, str]) -> str:
    """A path with the names of what is there."""
    if path.startswith("/v1/appointments"):
        names = names | {"name": names["appointment"]}
    if path.startswith("/v1/items/{item_id}/lots"):
        names = names | {"item_id": "acme-lotted"}
    return path.format_map(_Any(names))
