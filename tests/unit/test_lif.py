"""LIF: our layouts survive the trip, foreign ones are read as far as they go, contradictions are refused by name."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Rejected
from contracts.ids import DoorId, EdgeId, NodeId, StationId
from contracts.layout import Edge, Layout, Node, NodeKind
from contracts.layout_difference import difference
from contracts.lif import LifStation, read_lif, write_lif

DATA = Path(__file__).parents[3] / "shared" / "data" / "lif"
NOW_MS = 1_764_000_000_000
ids = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)
text = st.text(min_size=1, max_size=12)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    names = draw(st.lists(ids, min_size=1, max_size=6, unique=True))
    nodes = []
    for name in names:
        kind = draw(st.sampled_from([k for k in NodeKind if k is not NodeKind.LIFT]))
        door = DoorId(draw(ids)) if kind is NodeKind.DOOR else None
        x, y = draw(st.floats(-1e4, 1e4)), draw(st.floats(-1e4, 1e4))
        nodes.append(Node(NodeId(name), x, y, kind, door, draw(st.none() | text)))
    pairs = [(a, b) for a in names for b in names if a != b]
    ways = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=8)) if pairs else []
    edges = [
        Edge(EdgeId(f"{a}_{b}_{k}"), NodeId(a), NodeId(b), draw(st.floats(0.01, 5)), draw(st.booleans()))
        for k, (a, b) in enumerate(ways)
    ]
    return Layout(draw(text), draw(text), draw(text), tuple(nodes), tuple(edges))


@given(layouts(), st.data())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_layout_of_ours_survives_the_trip(layout: Layout, data: st.DataObject) -> None:
    """Kind, door, conflict group, load restriction, speeds and stations come back exactly."""
    nodes = data.draw(st.lists(st.sampled_from([n.id for n in layout.nodes]), max_size=3))
    stations = (LifStation(StationId("S1"), tuple(nodes), "first"),)
    (back,) = read_lif(write_lif([(layout, stations)], project="test", now_ms=NOW_MS))
    assert back.layout == layout
    assert back.stations == stations
    assert back.notes == ()
    assert difference(layout, back.layout) == []


@given(layouts())
@settings(max_examples=50, deadline=None, derandomize=True)
def test_what_we_write_is_valid(layout: Layout) -> None:
    """Against the official schema."""
    path = DATA / "schema" / "lif-schema.json"
    if not path.exists():
        pytest.skip(f"no LIF schema in {DATA}")
    validator = jsonschema_rs.Draft7Validator(json.loads(path.read_text()))
    validator.validate(json.loads(write_lif([(layout, ())], project="test", now_ms=NOW_MS)))


def test_the_official_example_is_read() -> None:
    """Two layouts, two vehicle types; what cannot be kept is noted, the other type's edges are left out on request."""
    path = DATA / "examples" / "example.lif.json"
    if not path.exists():
        pytest.skip(f"no LIF example in {DATA}")
    first, second = read_lif(path.read_bytes())
    assert first.vehicle_types == ("vehicle-001", "vehicle-002")
    assert [n.kind for n in first.layout.nodes] == [NodeKind.STATION, NodeKind.STATION]
    assert first.layout.edge[NodeId("node-001"), NodeId("node-002")].loaded is False
    assert any("trajectory" in n for n in first.notes)
    assert [n.id for n in second.layout.nodes] == ["node-003"]
    with pytest.raises(Rejected, match="vehicle-001"):
        read_lif(path.read_bytes(), vehicle_type="forklift")


def foreign(**changes: object) -> bytes:
    def node(name: str, *actions: str) -> dict:
        properties = [{"vehicleTypeId": "v", "actions": [{"actionType": a, "blockingType": "HARD"} for a in actions]}]
        return {
            "nodeId": name,
            "nodePosition": {"x": len(name), "y": 0},
            "nodeDescription": "by hand",
            "vehicleTypeNodeProperties": properties,
        }

    def edge(name: str, a: str, b: str, kind: str = "v", **properties: object) -> dict:
        return {
            "edgeId": name,
            "startNodeId": a,
            "endNodeId": b,
            "vehicleTypeEdgeProperties": [{"vehicleTypeId": kind, **properties}],
        }

    layout = {
        "layoutId": "L1",
        "layoutVersion": "7",
        "nodes": [node("a"), node("rack 12.3", "pick", "drop"), node("desk", "drop"), node("power", "startCharging")],
        "edges": [
            edge("e1", "a", "rack 12.3", maxSpeed=0.7),
            edge("e2", "rack 12.3", "desk", kind="w"),
            edge("e3", "desk", "power"),
        ],
        "stations": [{"stationId": "pick 1", "interactionNodeIds": ["desk"], "stationName": "Packing"}],
    } | changes
    meta = {
        "projectIdentification": "p",
        "creator": "c",
        "exportTimestamp": "2026-01-01T00:00:00Z",
        "lifVersion": "1.0.0",
    }
    return json.dumps({"metaInformation": meta, "layouts": [layout]}).encode()


def test_a_foreign_file_gets_sensible_kinds_and_keeps_its_names() -> None:
    """Robots know nodes as the file names them; handling is storage, at a station a station; charging is a charger."""
    (read,) = read_lif(foreign())
    kinds = [n.kind for n in read.layout.nodes]
    assert kinds == [NodeKind.AISLE, NodeKind.STORAGE, NodeKind.STATION, NodeKind.CHARGER]
    rack = read.layout.nodes[1].id
    assert rack == "rack 12.3"
    assert read.layout.edge[NodeId("a"), rack].max_speed_mps == 0.7
    assert read.layout.edge[rack, NodeId("desk")].max_speed_mps == 1.5
    assert (read.stations[0].id, read.stations[0].nodes) == ("pick 1", ("desk",))
    (mine,) = read_lif(foreign(), vehicle_type="v")
    assert [e.id for e in mine.layout.edges] == ["e1", "e3"]


def test_contradictions_are_refused_by_name() -> None:
    """A dangling edge, a station nowhere, a doubled node, two maps, an edge of no speed, a wrong version, no JSON."""
    whole = json.loads(foreign())["layouts"][0]
    edge = whole["edges"][0]
    cases = [
        ({"edges": [edge | {"endNodeId": "nowhere"}]}, "layouts/L1/edges/e1/endNodeId"),
        ({"stations": [{"stationId": "s", "interactionNodeIds": ["x"]}]}, "layouts/L1/stations/s/interactionNodeIds"),
        ({"nodes": whole["nodes"] + whole["nodes"][:1]}, "layouts/L1/nodes"),
        ({"nodes": [n | {"mapId": str(k)} for k, n in enumerate(whole["nodes"])]}, "layouts/L1/nodes/rack 12.3/mapId"),
        (
            {"edges": [edge | {"vehicleTypeEdgeProperties": [{"vehicleTypeId": "v", "maxSpeed": 0}]}]},
            "layouts/L1/edges/e1/max_speed_mps",
        ),
        (
            {"nodes": [whole["nodes"][0] | {"nodeDescription": "floorplane:kind=cave"}, *whole["nodes"][1:]]},
            "layouts/L1/nodes/a/kind",
        ),
        (
            {"nodes": [whole["nodes"][0] | {"nodeDescription": "floorplane:kind=door"}, *whole["nodes"][1:]]},
            "layouts/L1/nodes/a/door",
        ),
    ]
    node, station = whole["nodes"][0], whole["stations"][0]
    cases += [
        ({"stations": [station, station | {"interactionNodeIds": ["a"]}]}, "layouts/L1/stations"),
        ({"nodes": [*whole["nodes"], node | {"nodeId": ""}]}, "layouts/L1/nodes"),
        ({"nodes": [*whole["nodes"], node | {"nodeId": "a\x00b"}]}, "layouts/L1/nodes"),
        ({"nodes": [*whole["nodes"], node | {"nodeId": "z", "nodePosition": {"x": 1e300, "y": 0}}]},
         "layouts/L1/nodes/z/x_m"),
        ({"nodes": [*whole["nodes"], node | {"nodeId": "z", "nodePosition": {"x": "1", "y": 0}}]},
         "layouts/L1/nodes/z/nodePosition/x"),
        ({"edges": [edge | {"endNodeId": None}]}, "layouts/L1/edges/e1/endNodeId"),
        ({"stations": None}, "layouts/L1/stations"),
    ]  # fmt: skip
    for changes, field in cases:
        with pytest.raises(Rejected) as e:
            read_lif(foreign(**changes))
        assert e.value.field == field
    with pytest.raises(Rejected, match="at least one layout"):
        read_lif(json.dumps(json.loads(foreign()) | {"layouts": []}).encode())
    with pytest.raises(Rejected, match="JSON"):
        read_lif(foreign()[:-1])
    assert read_lif(b"\xef\xbb\xbf" + foreign()) == read_lif(foreign())
    with pytest.raises(Rejected) as e:
        read_lif(foreign().replace(b'"1.0.0"', b'"2.0.0"'))
    assert e.value.field == "metaInformation/lifVersion"
    with pytest.raises(Rejected, match="layouts"):
        read_lif(b'{"layouts": 1}')


def test_a_station_of_ours_must_exist_when_written() -> None:
    """Nothing is exported that the importer would refuse."""
    layout = Layout("L", "m", "1", (Node(NodeId("a"), 0, 0),), ())
    with pytest.raises(Rejected, match="S1"):
        write_lif([(layout, (LifStation(StationId("S1"), (NodeId("b"),)),))], project="p", now_ms=NOW_MS)


def test_a_difference_reads_like_a_change_list() -> None:
    """One line a change, with old and new; nothing for what is equal."""
    a = Layout(
        "L",
        "m",
        "1",
        (Node(NodeId("a"), 0, 0), Node(NodeId("b"), 1, 0), Node(NodeId("c"), 2, 0)),
        (Edge(EdgeId("ab"), NodeId("a"), NodeId("b")), Edge(EdgeId("bc"), NodeId("b"), NodeId("c"))),
    )
    b = Layout(
        "L",
        "m",
        "2",
        (Node(NodeId("a"), 0, 0), Node(NodeId("b"), 1.5, 0, NodeKind.PARK), Node(NodeId("d"), 2, 0)),
        (Edge(EdgeId("ab"), NodeId("a"), NodeId("b"), 0.5, loaded=False),),
    )
    assert difference(a, b) == [
        "layout: version '1' → '2'",
        "node b: x_m 1 → 1.5",
        "node b: kind aisle → park",
        "node c: gone (aisle at 2, 0)",
        "edge ab: max_speed_mps 1.5 → 0.5",
        "edge ab: loaded True → False",
        "edge bc: gone (b → c, 1.5 m/s)",
        "node d: new (aisle at 2, 0)",
    ]
