"""Who may do what: tokens, sessions, login links, roles; the document; health."""

import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from central.identity.bootstrap import bootstrap_identity, login_link
from central.migrate import migrate
from contracts.errors import Rejected
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, running


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres) as made:
        yield made


def browser(floor: Floor) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(floor.central.app), base_url="http://central")


async def test_a_person_logs_in_and_out(floor: Floor) -> None:
    """A wrong password is 401; the cookie is out of reach of scripts and other sites, and dead after the logout."""
    async with browser(floor) as person:
        wrong = await person.post("/v1/session", json={"name": "supervisor", "password": "guess"})
        nobody = await person.post("/v1/session", json={"name": "nobody", "password": "guess"})
        assert (wrong.status_code, nobody.status_code) == (401, 401)
        assert wrong.json()["detail"] == nobody.json()["detail"]
        good = await person.post("/v1/session", json={"name": "supervisor", "password": floor.secrets.password})
        assert good.json() == {"name": "supervisor", "role": "supervisor"}
        cookie = good.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert (await person.get("/v1/me")).json()["role"] == "supervisor"
        forged = await person.post("/v1/fleet/pause", json={"reason": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
        assert forged.status_code == 401
        secret = person.cookies["floorplane_session"]
        assert (await person.delete("/v1/session")).status_code == 204
        again = await person.get("/v1/me", headers={"Cookie": f"floorplane_session={secret}"})
        assert again.status_code == 401
    stored = await floor.rows("SELECT password FROM app_user")
    assert stored[0]["password"].startswith("$argon2id$")
    assert floor.secrets.password not in stored[0]["password"]


async def test_a_login_link_works_once(floor: Floor) -> None:
    """It logs in and leads to the console; the second time it is refused."""
    token = await login_link(floor.url)
    async with browser(floor) as person:
        first = await person.get("/v1/session/link", params={"token": token})
        assert (first.status_code, first.headers["location"]) == (303, "/")
        assert (await person.get("/v1/me")).json()["name"] == "supervisor"
        assert (await person.get("/v1/session/link", params={"token": token})).status_code == 401


async def test_secrets_are_written_once_for_their_owner_alone(postgres: ScratchPostgres, tmp_path: Path) -> None:
    """The file has mode 0600, is not made anew, and works on a database that was emptied; a broken one is named."""
    path = tmp_path / "state" / "secrets.json"
    made = []
    for _ in range(2):
        url = postgres.url_of(postgres.create())
        await migrate(url)
        made.append(await bootstrap_identity(url, path))
    assert made[0] == made[1]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(json.loads(path.read_text())["tokens"]) == {"operator", "supervisor", "erp", "device"}
    path.write_text("{")
    with pytest.raises(Rejected, match=r"secrets\.json"):
        await bootstrap_identity(url, path)


async def test_roles_may_do_what_they_need_and_no_more(floor: Floor) -> None:
    """A device sees nothing but itself and lists; the ERP moves no robot; an operator brings no orders."""
    robots = "/v1/robots/R1/pause"
    assert (await floor.erp.post(robots, json={"reason": "x"})).status_code == 403
    assert (await floor.device.post(robots, json={"reason": "x"})).status_code == 403
    assert (await floor.operator.put("/v1/items/x", json={})).status_code == 403
    assert (await floor.operator.get("/v1/audit")).status_code == 403
    assert (await floor.supervisor.get("/v1/audit")).status_code == 200
    assert (await floor.device.get("/v1/invariants")).status_code == 403
    for path in ("/v1/orders", "/v1/items", "/v1/tasks", "/v1/me", "/v1/sites/test"):
        assert (await floor.nobody.get(path)).status_code == 401


async def test_a_revoked_token_is_worth_nothing(floor: Floor) -> None:
    """A token that was never seen by this process is refused once it is revoked."""
    await floor.rows("UPDATE token SET revoked_at = now() WHERE client = 'device'")
    assert (await floor.device.get("/v1/me")).status_code == 401


async def test_the_document_is_whole(floor: Floor) -> None:
    """OpenAPI 3.1; every reference resolves; every route under /v1 says what its errors look like."""
    answer = await floor.nobody.get("/v1/openapi.json")
    document = answer.json()
    assert document["openapi"].startswith("3.1")
    assert "HTTPValidationError" not in answer.text

    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [r for v in node.values() for r in references(v)]
        return [r for v in node for r in references(v)] if isinstance(node, list) else []

    kept = document["components"]
    missing = {r for r in references(document) if r.split("/")[-1] not in kept[r.split("/")[-2]]}
    assert missing == set()
    operations = [(p, m, o) for p, path in document["paths"].items() for m, o in path.items()]
    assert len(operations) > 25
    for path, method, operation in operations:
        assert operation.get("description") or operation.get("summary"), (path, method)
        if path.startswith("/v1/"):
            assert "application/problem+json" in operation["responses"]["422"]["content"], (path, method)
            assert "application/problem+json" in operation["responses"]["401"]["content"], (path, method)
    assert kept["schemas"]["OrderIn"]["examples"]


async def test_health_needs_no_token_and_tells_the_truth(floor: Floor) -> None:
    """Alive, ready with log and database, not ready without the log; counters for Prometheus."""
    assert (await floor.nobody.get("/healthz")).json()["status"] == "ok"
    assert (await floor.nobody.get("/readyz")).status_code == 200
    floor.store.stop()
    away = await floor.nobody.get("/readyz")
    assert (away.status_code, away.json()["parts"]) == (503, {"database": "ok", "log": "not connected"})
    floor.store.start()
    await floor.order("A-1", ("serv1", 1))
    text = (await floor.nobody.get("/metrics")).text
    assert 'floorplane_orders_total{state="shipped"} 1.0' in text
    assert "floorplane_request_seconds_bucket" in text


async def test_an_answer_carries_the_correlation_of_its_request(floor: Floor) -> None:
    """The caller's id comes back and stands in the order's events."""
    body = {"ref": "A-1", "due": "2013-12-02T16:00:00Z", "lines": [{"line": 1, "item": "serv1", "qty": 1}]}
    answer = await floor.erp.post(
        "/v1/orders", json=body, headers={"Idempotency-Key": "k1", "X-Correlation-Id": "erp-4711"}
    )
    assert answer.headers["x-correlation-id"] == "erp-4711"
    await floor.until(lambda: len(floor.events) == 2)
    assert {e["correlationid"] for e in floor.events} == {"erp-4711"}


async def test_a_site_is_shown_as_it_was_read(floor: Floor) -> None:
    """The console draws what the dispatcher drives on."""
    shown = (await floor.operator.get("/v1/sites/test")).json()
    assert [n["id"] for n in shown["layout"]["nodes"]] == ["N0", "N1", "N2", "N3", "N4"]
    assert (await floor.operator.get("/v1/sites/other")).status_code == 404
    assert (await floor.operator.get("/v1/sites")).json() == ["test"]
    assert (await floor.operator.get("/v1/robots")).json()["robots"] == []
