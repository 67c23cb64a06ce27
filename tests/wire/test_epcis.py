"""EPCIS over REST: what others capture comes back as it was, and what we did is told as the standard wants it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, ndjson, running

DATA = Path(__file__).parents[2].parent / "shared/data/epcis"
GS1, OPEN = DATA / "gs1", DATA / "openepcis/core/src/main/resources/2.0/EPCIS/JSON"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs {DATA}")
CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres) as made:
        yield made
        assert await made.violations() == []


def document(*events: dict[str, Any], context: Any = CONTEXT) -> dict[str, Any]:
    return {
        "@context": context, "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": "2023-01-01T00:00:00Z",
        "epcisBody": {"eventList": list(events)},
    }  # fmt: skip


def an_event(n: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "type": "ObjectEvent", "eventTime": f"2023-01-0{n}T10:00:00.000+01:00", "eventTimeZoneOffset": "+01:00",
        "action": "OBSERVE", "bizStep": "shipping", "epcList": [f"urn:epc:id:sgtin:9521141.001234.{n}"],
    } | fields  # fmt: skip


async def capture(floor: Floor, value: Any, **headers: str) -> httpx.Response:
    return await floor.erp.post("/v1/epcis/capture", json=value, headers=headers)


async def found(floor: Floor, **parameters: Any) -> list[dict[str, Any]]:
    answer = await floor.operator.get("/v1/epcis/events", params=parameters)
    assert answer.status_code == 200, answer.text
    events: list[dict[str, Any]] = answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    return events


def fields(answer: httpx.Response) -> set[str]:
    return {e["field"] for e in answer.json()["errors"]}


def validator() -> Any:
    return jsonschema_rs.validator_for(json.loads((GS1 / "EPCIS-JSON-Schema.json").read_text()), validate_formats=True)


NEWER = {"AggregationEvent_with_persistentDisposition.json", "SensorData_with_combined_events.json",
         "TransactionEvent_with_userExtensions.json"}  # fmt: skip


def valid_files() -> list[Path]:
    gs1 = (GS1 / "JSON").rglob("*.jsonld")
    return sorted([*gs1, *(p for p in OPEN.rglob("*.json") if not {"Invalid", "Queries"} & set(p.parts))])


@needs_data
async def test_every_valid_example_is_captured_and_comes_back_as_it_was(floor: Floor) -> None:
    """Documents and bare events; what comes back validates against the official schema."""
    schema = validator()
    for path in valid_files():
        await floor.rows("TRUNCATE epcis_event, epcis_capture")  # the examples say different things under one id
        value = json.loads(path.read_text())
        if value["type"] in {"EPCISDocument", "EPCISQueryDocument"}:
            body = value["epcisBody"]
            sent = body["eventList"] if "eventList" in body else body["queryResults"]["resultsBody"]["eventList"]
            answer = await capture(floor, value)
            assert answer.status_code == 202, (path.name, answer.text)
            job = (await floor.erp.get(answer.headers["location"])).json()
            assert (job["success"], job["errors"]) == (True, []), path.name
        else:
            sent = [value]
            answer = await floor.erp.post("/v1/epcis/events", json=value)
            assert answer.status_code == 201, (path.name, answer.text)
        whole = (await floor.erp.get("/v1/epcis/events", params={"perPage": 1000})).json()
        back = whole["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
        assert [e for e in sent if not any(same(e, b) for b in back)] == [], path.name
        assert len(back) == len({json.dumps(e, sort_keys=True) for e in sent}), path.name
        assert schema.is_valid(whole) == (path.name not in NEWER), path.name
        prefixes = {p for one in parts(value["@context"]) if isinstance(one, dict) for p in one}
        assert prefixes <= {p for one in whole["@context"] if isinstance(one, dict) for p in one}, path.name


def parts(context: Any) -> list[Any]:
    return context if isinstance(context, list) else [context]


def same(sent: dict[str, Any], back: dict[str, Any]) -> bool:
    """Equal but for what a repository adds: the record time, and contexts of the document."""
    skip = {"recordTime", "@context"}
    return {k: v for k, v in sent.items() if k not in skip} == {k: v for k, v in back.items() if k not in skip}


@needs_data
async def test_every_invalid_example_is_refused_and_changes_nothing(floor: Floor) -> None:
    """400, and the field is named."""
    for path in sorted(p for p in OPEN.rglob("*.json") if "Invalid" in p.parts and "Queries" not in p.parts):
        answer = await capture(floor, json.loads(path.read_text()))
        assert answer.status_code == 400, path.name
        assert fields(answer), path.name
    assert await found(floor) == []


async def test_proceed_keeps_the_good_and_lists_the_bad(floor: Floor) -> None:
    """With rollback the same document leaves nothing."""
    bad = document(an_event(1), an_event(2, bizStep="transforming"))
    assert fields(await capture(floor, bad)) == {"epcisBody/eventList/1/bizStep"}
    assert await found(floor) == []
    answer = await capture(floor, bad, **{"GS1-Capture-Error-Behaviour": "proceed"})
    assert answer.status_code == 202
    job = (await floor.erp.get(answer.headers["location"])).json()
    assert (job["success"], job["running"], job["captured"]) == (False, False, 1)
    assert [e["field"] for e in job["errors"]] == ["epcisBody/eventList/1/bizStep"]
    assert [e["eventTime"] for e in await found(floor)] == ["2023-01-01T10:00:00.000+01:00"]


async def test_an_event_is_kept_once_and_never_changed(floor: Floor) -> None:
    """The same document again does nothing; the same id with other content is refused as a whole."""
    first = document(an_event(1, eventID="urn:uuid:404d95fc-9457-4a51-bd6a-0bba133845a8"))
    one, two = await capture(floor, first), await capture(floor, first)
    assert one.headers["location"] == two.headers["location"]
    other = document(an_event(3), an_event(2, eventID="urn:uuid:404d95fc-9457-4a51-bd6a-0bba133845a8"))
    assert fields(await capture(floor, other)) == {"epcisBody/eventList/1/eventID"}
    assert len(await found(floor)) == 1
    shown = await floor.erp.get("/v1/epcis/events/urn:uuid:404d95fc-9457-4a51-bd6a-0bba133845a8")
    assert shown.json()["eventTime"] == "2023-01-01T10:00:00.000+01:00"
    assert (await floor.erp.get("/v1/epcis/events/urn:uuid:nobody")).status_code == 404


async def test_epc_uris_and_digital_links_find_each_other(floor: Floor) -> None:
    """By either spelling, at any depth of the query, and the words of the vocabulary in any spelling."""
    digital = "https://example.com/some/path/01/09521141012345/21/7"
    await capture(
        floor,
        document(
            an_event(1, epcList=["urn:epc:id:sgtin:9521141.001234.7"]),
            an_event(2, epcList=[digital], bizStep="https://ref.gs1.org/voc/own-step"),
            an_event(
                3, epcList=[], quantityList=[{"epcClass": "urn:epc:class:lgtin:9521141.001234.L1", "quantity": 20}],
                readPoint={"id": "urn:epc:id:sgln:9521141.12345.0"},
                bizTransactionList=[{"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:9521141123452:9"}],
            ),
        ),
    )  # fmt: skip

    async def days(**query: Any) -> list[str]:
        return [e["eventTime"][9] for e in await found(floor, **query)]

    assert await days(MATCH_epc="urn:epc:id:sgtin:9521141.001234.7") == ["1", "2"]
    assert await days(MATCH_anyEPC="https://id.gs1.org/01/09521141012345/21/7") == ["1", "2"]
    assert await days(MATCH_anyEPC="urn:epc:idpat:sgtin:9521141.001234.*") == ["1", "2"]
    assert await days(MATCH_epcClass="https://id.gs1.org/01/09521141012345/10/L1") == ["3"]
    assert await days(EQ_readPoint="https://id.gs1.org/414/9521141123454") == ["3"]
    assert await days(EQ_bizStep="https://ref.gs1.org/cbv/BizStep-shipping") == ["1", "3"]
    assert await days(EQ_bizStep="urn:epcglobal:cbv:bizstep:shipping|https://ref.gs1.org/voc/own-step") == [
        "1",
        "2",
        "3",
    ]
    assert await days(EQ_bizTransaction_po="urn:epcglobal:cbv:bt:9521141123452:9") == ["3"]
    assert await days(EQ_bizTransaction_desadv="urn:epcglobal:cbv:bt:9521141123452:9") == []
    assert await days(GE_quantity="20", LT_quantity="20.5") == ["3"]
    assert await days(GT_quantity="20") == []
    assert await days(GE_eventTime="2023-01-02T09:00:00Z", LT_eventTime="2023-01-03T09:00:00Z") == ["2"]
    assert await days(eventType="AggregationEvent,ObjectEvent", EQ_action="ADD,OBSERVE") == ["1", "2", "3"]
    assert await days(eventType="AggregationEvent") == []
    assert await days(orderBy="eventTime", orderDirection="DESC", eventCountLimit="2") == ["3", "2"]
    assert (await floor.erp.get("/v1/epcis/events", params={"maxEventCount": 2})).status_code == 413
    at_length = {"EQ_bizStep": ["shipping"], "MATCH_epc": ["urn:epc:id:sgtin:9521141.001234.7"]}
    answer = await floor.erp.post("/v1/epcis/events:query", json=at_length)
    assert len(answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]) == 1


async def test_what_cannot_be_asked_is_named(floor: Floor) -> None:
    """Unknown parameters and bad values, each by its name."""
    query = {"GE_eventTime": "not-a-date", "EQ_action": "SHIPPED", "orderDirection": "SIDEWAYS", "GE_eventDate": "x",
             "perPage": "0", "nextPageToken": "!", "EQ_quantity": "many"}  # fmt: skip
    answer = await floor.erp.get("/v1/epcis/events", params=query)
    assert answer.status_code == 400
    assert fields(answer) == set(query)


async def test_pages_lead_through_all_and_no_event_twice(floor: Floor) -> None:
    """Each page names the next in its Link header, in both orders."""
    await capture(floor, document(*(an_event(n) for n in range(1, 8))))
    for order in ({}, {"orderBy": "eventTime", "orderDirection": "DESC"}):
        seen: list[str] = []
        url: str | None = str(httpx.URL("/v1/epcis/events", params={"perPage": 3} | order))
        pages = 0
        while url is not None:
            answer = await floor.erp.get(url)
            seen += [e["eventTime"] for e in answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]]
            link = answer.headers.get("link")
            url = None if link is None else link[1 : link.index(">")]
            pages += 1
        assert pages == 3
        assert sorted(seen, reverse=bool(order)) == seen
        assert len(set(seen)) == 7


@needs_data
async def test_what_we_did_is_told_as_the_standard_wants_it(floor: Floor) -> None:
    """Opening stock, an order, a pick, a short pick, packing and shipping; all of it valid, and told once."""
    await floor.erp.post(
        "/v1/items:bulk",
        content=ndjson([{"id": "good", "barcode": "9521141012345", "weight_g": 5, "volume_ml": 9, "category": "x"}]),
    )
    await floor.stock(("P0-B0", "good", 10), ("P1-B0", "part1", 2))
    await floor.order("A/1", ("good", 3), ("part1", 2))
    await floor.until(lambda: len(floor.keys) == 4)
    order = next(iter(floor.keys.values())).order  # type: ignore[union-attr]
    tote = f"T-{order}-1"
    await floor.pick(f"P-{tote}-1")
    await floor.pick(f"P-{tote}-2", 1, "bin empty")
    await floor.finish_tote(tote)
    await floor.until(lambda: any(e["type"] == "floorplane.order.shipped" for e in floor.events))
    schema = validator()
    answer = await floor.erp.get("/v1/epcis/events", params={"perPage": 100})
    assert list(schema.iter_errors(answer.json())) == []
    events = answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    told = [(e["type"], e.get("action"), e.get("bizStep")) for e in events]
    assert sorted(told) == sorted([
        ("ObjectEvent", "OBSERVE", "stock_taking"), ("ObjectEvent", "OBSERVE", "stock_taking"),
        ("TransactionEvent", "ADD", None),
        ("ObjectEvent", "OBSERVE", "picking"), ("ObjectEvent", "OBSERVE", "picking"),
        ("ObjectEvent", "OBSERVE", "cycle_counting"),
        ("AggregationEvent", "ADD", "packing"), ("AggregationEvent", "ADD", "staging_outbound"),
        ("ObjectEvent", "OBSERVE", "shipping"),
    ])  # fmt: skip
    picks = await found(floor, EQ_bizStep="picking", MATCH_epcClass="urn:epc:idpat:sgtin:9521141.001234.*")
    assert [p["quantityList"] for p in picks] == [[{"epcClass": "https://id.gs1.org/01/09521141012345", "quantity": 3}]]
    assert picks[0]["readPoint"] == {"id": "urn:floorplane:test:loc:P0-B0"}
    sscc = (await floor.erp.get(f"/v1/units/{tote}")).json()["sscc"]
    inside = await found(floor, MATCH_parentID=f"urn:epc:id:sscc:9520000.0{sscc[8:-1]}")
    assert [q["quantity"] for q in inside[0]["childQuantityList"]] == [3, 1]
    gone = await found(floor, EQ_bizStep="shipping")
    assert f"https://id.gs1.org/00/{sscc}" in gone[0]["epcList"]
    assert {b["type"] for b in gone[0]["bizTransactionList"]} == {"po", "desadv"}
    po = gone[0]["bizTransactionList"][0]["bizTransaction"]
    assert len(await found(floor, EQ_bizTransaction_po=po)) == 7
    again = await floor.erp.get("/v1/epcis/events", params={"perPage": 100})
    assert again.json()["epcisBody"] == answer.json()["epcisBody"]
    alone = await floor.erp.get(f"/v1/epcis/events/{gone[0]['eventID']}")
    assert list(schema.iter_errors(alone.json())) == []


async def test_hostile_input_gets_a_clear_answer(floor: Floor) -> None:
    """Characters that no database keeps, times and numbers beyond all bounds, no end of nesting; never a 500."""
    hostile: list[bytes] = [
        json.dumps(document(an_event(1, **{"ex:x": "\0"}))).encode(),
        json.dumps(document(an_event(1, epcList=["urn:x:\0"]))).encode(),
        json.dumps(document(an_event(1, eventTime="0001-01-01T00:00:00+14:00"))).encode(),
        json.dumps(document(an_event(1, eventTime="9999-12-31T23:59:59-14:00"))).encode(),
        json.dumps(document(an_event(1, quantityList=[{"epcClass": "urn:x:y", "quantity": 0}])))
        .replace('"quantity": 0', f'"quantity": {"9" * 400}').encode(),
        json.dumps(document(an_event(1, quantityList=[{"epcClass": "urn:x:y", "quantity": 0}])))
        .replace('"quantity": 0', '"quantity": 1e999').encode(),
        b"[" * 50_000, b"", b"null", b"[]", b'{"type": []}', b'{"type": "EPCISDocument"}', b"\xff", b'"\\ud800"',
    ]  # fmt: skip
    for body in hostile:
        answer = await floor.erp.post("/v1/epcis/capture", content=body)
        assert answer.status_code == 400, (body[:60], answer.text)
        answer = await floor.erp.post("/v1/epcis/events", content=body)
        assert answer.status_code == 400, (body[:60], answer.text)
    for url in ("events?MATCH_epc=%00", "events?%00=1", "events/%00", "capture/%00", "events?EQ_source_%00=a",
                "events?perPage=9999999999", "events?GE_quantity=nan", "events?eventCountLimit=-1",
                "events?nextPageToken=MDAwMS0wMS0wMVQwMDowMDowMCswMDowMCA5OTk5OTk5OTk5OTk5OTk5OTk5IDA="):  # fmt: skip
        answer = await floor.erp.get(f"/v1/epcis/{url}")
        assert answer.status_code < 500, url
        assert answer.status_code >= 400 or "nan" in url, url
    assert await found(floor) == []


async def test_owners_see_their_own_events_alone(floor: Floor) -> None:
    """What one owner's client captured, another neither finds nor reads; the house sees both."""
    await capture(floor, document(an_event(1, eventID="urn:uuid:404d95fc-9457-4a51-bd6a-0bba133845a8")))
    await floor.rows("INSERT INTO client (name, role, owner) VALUES ('other', 'erp', 'acme')")
    await floor.rows(
        "INSERT INTO token (hash, client, created_at) VALUES (sha256('acme-token'::bytea), 'other', '2013-01-01Z')"
    )
    acme = {"Authorization": "Bearer acme-token"}
    shown = await floor.nobody.get("/v1/epcis/events", headers=acme)
    assert shown.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"] == []
    one = "/v1/epcis/events/urn:uuid:404d95fc-9457-4a51-bd6a-0bba133845a8"
    assert (await floor.nobody.get(one, headers=acme)).status_code == 404
    answer = await floor.nobody.post("/v1/epcis/capture", json=document(an_event(2)), headers=acme)
    assert answer.status_code == 202
    job = answer.headers["location"]
    assert (await floor.nobody.get(job, headers=acme)).status_code == 200
    shown = await floor.nobody.get("/v1/epcis/events", headers=acme)
    assert len(shown.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]) == 1
    assert len(await found(floor)) == 2
