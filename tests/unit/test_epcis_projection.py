"""Identifiers and projection, pure: one thing has one key, and any move becomes an event that the standard knows."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central.epcis.document import CONTEXT, errors_of
from central.epcis.identifiers import check_digit, gtin_link, is_gtin, is_sscc, key, sscc_link
from central.epcis.index import terms
from central.epcis.projection import Happening, Move, Names, of_happenings, of_moves
from central.epcis.store import event_id_of

SCHEMA = Path(__file__).parents[2].parent / "shared/data/epcis/gs1/EPCIS-JSON-Schema.json"
SERIAL = st.text(alphabet="ABCdef0189-_.'()*!/%&<>?\"+:;=,", min_size=1, max_size=20)


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text(alphabet="0123456789", min_size=count, max_size=count)


@given(digits(12), st.integers(6, 12), SERIAL.filter(lambda s: s != "*"))
def test_an_sgtin_is_its_digital_link_wherever_its_prefix_ends(twelve: str, prefix: int, serial: str) -> None:
    """Any company prefix of 6 to 12 digits; the check digit is made; the serial may hold anything."""
    urn = f"urn:epc:id:sgtin:{twelve[:prefix]}.1{twelve[prefix:]}.{quote(serial, safe='')}"
    gtin = "1" + twelve + check_digit("1" + twelve)
    assert is_gtin(gtin)
    assert (
        key(urn)
        == key(gtin_link(gtin, serial=serial))
        == key(f"http://a.example/x/01/{gtin}/21/{quote(serial, safe='')}")
    )


@given(digits(16), st.integers(6, 12))
def test_an_sscc_is_its_digital_link(sixteen: str, prefix: int) -> None:
    """The extension digit stands in the serial reference."""
    urn = f"urn:epc:id:sscc:{sixteen[:prefix]}.3{sixteen[prefix:]}"
    sscc = "3" + sixteen + check_digit("3" + sixteen)
    assert is_sscc(sscc)
    assert key(urn) == key(sscc_link(sscc))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("urn:epc:id:sgln:9521141.12345.0", "https://id.gs1.org/414/9521141123454"),
        ("urn:epc:id:sgln:9521141.12345.0", "https://id.gs1.org/414/9521141123454/254/0"),
        ("urn:epc:id:sgln:9521141.12345.A1", "https://example.org/414/9521141123454/254/A1?x=y"),
        ("urn:epc:id:pgln:9521141.12345", "https://id.gs1.org/417/9521141123454"),
        ("urn:epc:class:lgtin:9521141.001234.L%2F1", "https://id.gs1.org/01/09521141012345/10/L%2F1"),
        ("urn:epc:idpat:sgtin:9521141.001234.*", "https://id.gs1.org/01/09521141012345"),
        ("urn:epc:id:grai:9521141.12345.7", "https://id.gs1.org/8003/095211411234547"),
        ("urn:epc:id:giai:9521141.A.7", "https://id.gs1.org/8004/9521141A.7"),
        ("urn:epc:id:gdti:9521141.12345.7", "https://id.gs1.org/253/95211411234547"),
        ("urn:epc:id:gsrn:9521141.1234567890", f"https://id.gs1.org/8018/95211411234567890{check_digit('95211411234567890')}"),
    ],
)  # fmt: skip
def test_two_spellings_are_one_thing(one: str, other: str) -> None:
    """Examples of each scheme."""
    assert key(one) == key(other)
    assert key(key(one)) == key(one)


@given(st.text(max_size=40))
def test_what_is_no_gs1_name_keeps_its_spelling(text: str) -> None:
    """No text breaks it, and two foreign names never become one."""
    found = key(text)
    assert found == text or found.startswith("gs1:/")


NAMES = st.sampled_from([Names("hall-1"), Names("hall-1", "9521141123454")])
PLACES = st.sampled_from(
    [("P1-B1", "bin"), ("T-A-1", "tote"), ("supplier", "virtual"), ("C1", "chute"), ("gone", None),
     ("195211410000000016", "tote"), ("195211410000000028", "unit"), ("ein Ort/ä", "bin")]
)  # fmt: skip


@st.composite
def moves(draw: st.DrawFn) -> Move:
    a, b = draw(st.lists(PLACES, min_size=2, max_size=2, unique=True))
    order = draw(st.sampled_from([None, "A-1", "A-2"]))
    reason = draw(
        st.sampled_from(["opening", "pick", "short_pick", "ship", "count", "scrap", "receive", "whatever_comes"])
    )
    return Move(
        tx=str(draw(st.integers(1, 3))), seq=draw(st.integers(1, 10**9)),
        at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=draw(st.integers(0, 10**9))),
        a=a[0], a_kind=a[1], b=b[0], b_kind=b[1], item=draw(st.sampled_from(["part1", "über/teil", "x"])),
        barcode=draw(st.sampled_from([None, "", "9521141012345", "12345", "9521141012346"])),
        lot=draw(st.sampled_from(["", "L/1"])),
        qty=draw(st.integers(1, 10**6)), reason="move" if reason == "ship" and order is None else reason,
        order_id=order, ref=order and f"ref of {order}", source=order and "erp",
        key=draw(st.uuids().map(str)), reverses=None, owner="",
        status=draw(st.sampled_from(["ok", "quality", "damaged"])),
        asn=draw(st.sampled_from([None, "N-1"])), supplier=draw(st.sampled_from(["", "a & b", "9521141123454"])),
    )  # fmt: skip


def validator() -> Any:
    return jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()), validate_formats=True)


@pytest.mark.skipif(not SCHEMA.exists(), reason=f"needs {SCHEMA}")
@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(moves(), min_size=1, max_size=8), NAMES, st.booleans())
def test_any_moves_become_events_that_the_schema_knows(told: list[Move], names: Names, undone: bool) -> None:
    """Valid by the official schema and by ours, findable, the same again, and undone with a declaration."""
    schema = SCHEMA_VALIDATOR
    originals: dict[int, Move] = {}
    if undone and told[0].reason != "ship":
        first = told[0]
        originals = {first.seq: first}
        back = Move(
            tx="9", seq=first.seq + 1, at=first.at, a=first.b, a_kind=first.b_kind, b=first.a, b_kind=first.a_kind,
            item=first.item, barcode=first.barcode, lot=first.lot, qty=first.qty, reason="correct",
            order_id=first.order_id, ref=first.ref, source=first.source,
            key=f"reverse/{first.seq}", reverses=first.seq, owner="",
        )  # fmt: skip
        told = [*told, back]
    events = [t.event for t in of_moves(told, originals, names)]
    assert events == [t.event for t in of_moves(told, originals, names)]
    for event in events:
        alone = {"@context": [CONTEXT], **event}
        assert errors_of(alone) == []
        assert schema.is_valid(alone), list(schema.iter_errors(alone))
        assert f"eventID {event['eventID']}" in terms(event, event_id_of(event))
    declared = [e for e in events if "errorDeclaration" in e]
    assert len(declared) == len(originals)
    for event in declared:
        plain = {k: v for k, v in event.items() if k != "errorDeclaration"}
        assert plain in events
        (corrective,) = event["errorDeclaration"]["correctiveEventIDs"]
        assert corrective in {e["eventID"] for e in events}


SCHEMA_VALIDATOR = validator() if SCHEMA.exists() else None


@pytest.mark.skipif(not SCHEMA.exists(), reason=f"needs {SCHEMA}")
def test_orders_become_transactions_that_the_schema_knows() -> None:
    """Received, changed to something and to nothing, cancelled."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    lines = [{"line": 1, "item": "part1", "qty": 3, "barcode": "9521141012345"}]
    data = {"ref": "a b", "source": "erp", "lines": lines}
    told = of_happenings(
        [Happening("1", 1, at, "floorplane.order.received", "A-1", "", data),
         Happening("2", 2, at, "floorplane.order.changed", "A-1", "", data),
         Happening("3", 3, at + timedelta(seconds=1), "floorplane.order.changed", "A-1", "", data | {"lines": []}),
         Happening("4", 4, at, "floorplane.order.cancelled", "A-1", "", data)],
        Names("hall-1"),
    )  # fmt: skip
    assert [t.event["action"] for t in told] == ["ADD", "OBSERVE", "OBSERVE", "DELETE"]
    assert told[0].event["quantityList"] == [{"epcClass": "https://id.gs1.org/01/09521141012345", "quantity": 3}]
    for one in told:
        assert validator().is_valid({"@context": [CONTEXT], **one.event})


def test_an_event_without_an_id_gets_one_of_what_it_says() -> None:
    """The record time does not count, everything else does."""
    event: dict[str, Any] = {"type": "ObjectEvent", "action": "ADD"}
    assert event_id_of(event) == event_id_of(event | {"recordTime": "2026-01-01T00:00:00Z"})
    assert event_id_of(event) != event_id_of(event | {"action": "OBSERVE"})
    assert event_id_of(event | {"eventID": "urn:x:y"}) == "urn:x:y"


def test_what_was_received_says_from_whom_by_which_notice_on_which_unit_and_whether_it_is_held() -> None:
    """A lot of a trade item is its LGTIN's Digital Link; the pallet is told by its SSCC."""
    move = Move(
        tx="1", seq=1, at=datetime(2026, 1, 1, tzinfo=UTC), a="supplier", a_kind="virtual", b="195211410000000028",
        b_kind="unit", item="milk", barcode="9521141012345", lot="L1", qty=5, reason="receive", order_id=None,
        ref="PO-1", source="erp", key="receive/x/ok", reverses=None, owner="", status="quality", asn="PO-1",
        supplier="9521141123454",
    )  # fmt: skip
    (told,) = of_moves([move], {}, Names("hall-1"))
    event = told.event
    assert (event["type"], event["bizStep"], event["disposition"]) == ("ObjectEvent", "receiving", "non_sellable_other")
    assert event["quantityList"] == [{"epcClass": "https://id.gs1.org/01/09521141012345/10/L1", "quantity": 5}]
    assert event["epcList"] == ["https://id.gs1.org/00/195211410000000028"]
    assert event["bizTransactionList"] == [{"type": "desadv", "bizTransaction": "urn:floorplane:hall-1:bt:erp%3APO-1"}]
    assert event["sourceList"] == [{"type": "possessing_party", "source": "https://id.gs1.org/417/9521141123454"}]
