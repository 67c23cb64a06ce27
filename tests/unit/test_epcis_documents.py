"""EPCIS documents: ours is as strict as the official schema, and names the field."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central.epcis.document import errors_of
from central.epcis.fields import is_uri

DATA = Path(__file__).parents[2].parent / "shared/data/epcis"
GS1, OPEN = DATA / "gs1", DATA / "openepcis/core/src/main/resources/2.0/EPCIS/JSON"
NEWER = {
    "AggregationEvent_with_persistentDisposition.json",
    "SensorData_with_combined_events.json",
    "TransactionEvent_with_userExtensions.json",
}
"""The three documents whose vocabulary is newer than the schema of 2.0.0."""
FIELD_OF = {
    "Combination_of_events_with_missing_mandatory_fields.json": "epcisBody/eventList/0/action",
    "Combination_of_multiple_invalid_fields.json": "epcisBody/eventList/0/bizStep",
    "Combination_of_non_standard_bizStep_and_disposition.json": "epcisBody/eventList/0/bizStep",
    "EPCISDocument_without_context.json": "@context",
    "ObjectEvent_with_ilmd_field_without_namespace.json": "epcisBody/eventList/0/ilmd/materialType",
    "ObjectEvent_with_invalid_action.json": "epcisBody/eventList/0/action",
    "ObjectEvent_with_invalid_certificationInfo.json": "epcisBody/eventList/0/certificationInfo",
    "ObjectEvent_with_invalid_eventTime_format.json": "epcisBody/eventList/0/eventTime",
    "ObjectEvent_with_non_standard_bizStep.json": "epcisBody/eventList/0/bizStep",
    "ObjectEvent_with_non_standard_bizStep_in_second_event.json": "epcisBody/eventList/1/bizStep",
    "ObjectEvent_with_non_standard_disposition.json": "epcisBody/eventList/0/disposition",
    "ObjectEvent_with_quantity_as_text.json": "epcisBody/eventList/0/quantityList/0/quantity",
    "ObjectEvent_with_unknown_field_in_quantityList.json": "epcisBody/eventList/0/quantityList/0/weight",
    "ObjectEvent_without_action_and_eventTime.json": "epcisBody/eventList/0/eventTime",
    "ObjectEvent_without_identifier_list.json": "epcisBody/eventList/0/epcList",
    "QueryDocument_with_invalid_action.json": "epcisBody/queryResults/resultsBody/eventList/0/action",
    "QueryDocument_with_invalid_eventType.json": "epcisBody/queryResults/resultsBody/eventList/0/type",
}

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs {DATA}")


def valid_files() -> list[Path]:
    found = list((GS1 / "JSON").rglob("*.jsonld")) if GS1.is_dir() else []
    found += [p for p in OPEN.rglob("*.json") if not {"Invalid", "Queries"} & set(p.parts)] if OPEN.is_dir() else []
    return sorted(found)


def invalid_files() -> list[Path]:
    found = [p for p in OPEN.rglob("*.json") if "Invalid" in p.parts and "Queries" not in p.parts]
    return sorted(found)


def schema() -> Any:
    text = json.loads((GS1 / "EPCIS-JSON-Schema.json").read_text())
    return jsonschema_rs.validator_for(text, validate_formats=True)


@pytest.mark.parametrize("path", valid_files(), ids=lambda p: p.name)
def test_every_valid_example_is_accepted(path: Path) -> None:
    """The schema takes it too, but for the three with newer vocabulary."""
    document = json.loads(path.read_text())
    assert errors_of(document) == []
    assert schema().is_valid(document) == (path.name not in NEWER)


@pytest.mark.parametrize("path", invalid_files(), ids=lambda p: p.name)
def test_every_invalid_example_is_refused_with_its_field(path: Path) -> None:
    """The first or another error names the field that the file's name promises."""
    document = json.loads(path.read_text())
    assert FIELD_OF[path.name] in {e.field for e in errors_of(document)}


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found += paths(one, (*at, key))
    return found


DOCUMENTS = [json.loads(p.read_text()) for p in valid_files() if p.name not in NEWER]
EVENTS = [e for d in DOCUMENTS for e in d.get("epcisBody", {}).get("eventList", [])]
CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"


@settings(max_examples=600, deadline=None, derandomize=True)
@given(
    st.sampled_from(EVENTS or [{}]),
    st.data(),
    st.sampled_from(
        [None, "", "x", "a:b", "http://a b", "OBSERVE", "ADD", "DELETE", 1, -2.5, True, [], {}, ["x"], {"x": 1},
         "2020-13-01T00:00:00Z", "2020-01-01T00:00:00Z", "receiving", "urn:epcglobal:cbv:bizstep:receiving"]
    ),
    st.booleans(),
)  # fmt: skip
def test_a_damaged_event_is_judged_as_the_schema_judges_it(
    event: dict[str, Any], data: st.DataObject, value: Any, remove: bool
) -> None:
    """Replace or remove anything anywhere: we refuse exactly what the schema refuses, but for what is newer."""
    event = copy.deepcopy(event) | {"@context": [CONTEXT]}
    where = data.draw(st.sampled_from(paths(event)))
    inside: Any = event
    for key in where[:-1]:
        inside = inside[key]
    if remove:
        del inside[where[-1]]
    else:
        inside[where[-1]] = value
    ours = not errors_of(event)
    newer = ours and (
        ("persistentDisposition" in event and event.get("type") != "ObjectEvent")
        or (remove and where[-1] == "type" and "sensorReport" in where)
    )
    assert ours == (VALIDATOR.is_valid(event) or newer), errors_of(event)


VALIDATOR = schema() if GS1.is_dir() else None


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.text(alphabet="aZ09:/?#[]@%.-_ ~é&", max_size=24))
def test_a_uri_is_what_the_schema_takes_for_one(text: str) -> None:
    """On random texts of the characters that matter."""
    plain = jsonschema_rs.validator_for({"type": "string", "format": "uri"}, validate_formats=True)
    assert is_uri(text) == plain.is_valid(text)
