"""Layout files as the command reads them: either kind, several levels, zones and widths; what is wrong is named."""

from pathlib import Path

import msgspec
import pytest

from contracts.errors import Rejected
from contracts.geometry import Point
from contracts.ids import CellId, DoorId, EdgeId, LiftId, NodeId, RobotId, StationId, TaskId
from contracts.layout import Edge, Layout, Node, NodeKind, Zone, ZoneKind
from contracts.lif import LifStation, read_lif, write_lif
from contracts.messages.facts import TransportChanged
from contracts.messages.work import Transport
from contracts.site import Lift, Robot, Site, read_site, write_site
from deploy.layout_file import check, compare
from deploy.lif_site import lif_site, stations_of
from tests.twin.lift_floor import two_levels
from tests.unit.dispatcher_bench import MAKER, Bench

NOW_MS = 1_764_000_000_000
SQUARE = (Point(0, 0), Point(3, 0), Point(3, 3), Point(0, 3))


def written(layout: Layout, to: Path, *stations: LifStation) -> Path:
    to.write_bytes(write_lif([(layout, stations)], project="test", now_ms=NOW_MS))
    return to


def levels(**changes: object) -> Layout:
    """Two levels of one place each that a lift joins, with a zone on each."""
    nodes = [
        Node(NodeId("a"), 0, 0),
        Node(NodeId("la"), 1, 0, NodeKind.LIFT, lift=LiftId("L1")),
        Node(NodeId("b"), 0, 0, level="up"),
        Node(NodeId("lb"), 1, 0, NodeKind.LIFT, level="up", lift=LiftId("L1")),
    ]
    ways = [("a", "la"), ("la", "lb"), ("lb", "b")]
    parts: dict[str, object] = {
        "nodes": tuple(nodes),
        "edges": tuple(
            Edge(EdgeId(f"{u}-{v}"), NodeId(u), NodeId(v), width_m=1.5) for a, b in ways for u, v in ((a, b), (b, a))
        ),
        "zones": (
            Zone("Z1", ZoneKind.SPEED, SQUARE, 0.5),
            Zone("Z2", ZoneKind.NO_STOP, SQUARE, level="up"),
        ),
    }
    return Layout("L", "ground", "1", **{**parts, **changes})  # type: ignore[arg-type]  # only what a test changes


def test_levels_lifts_zones_and_widths_survive_the_trip(tmp_path: Path) -> None:
    """One LIF layout a level; edges that join levels make one of them again, with the lift by its name."""
    layout = levels()
    stations = (LifStation(StationId("S1"), (NodeId("a"),)), LifStation(StationId("S2"), (NodeId("b"),)))
    path = written(layout, tmp_path / "x.lif", *stations)
    (back,) = read_lif(path.read_bytes())
    assert sorted(back.layout.nodes, key=lambda n: n.id) == sorted(layout.nodes, key=lambda n: n.id)
    assert sorted(back.layout.edges, key=lambda e: e.id) == sorted(layout.edges, key=lambda e: e.id)
    assert (back.layout.zones, back.stations, back.layout.levels) == (layout.zones, stations, ("ground", "up"))
    assert back.layout.within == {"Z1": ("a", "la"), "Z2": ("b", "lb")}
    said, _ = check(path)
    assert "2 levels (ground, up), 1 lifts, 2 zones" in said


def test_a_foreign_file_whose_levels_are_joined_has_a_lift_there(tmp_path: Path) -> None:
    """An edge that ends on another level is in a lift, named after its first node."""
    path = written(levels(), tmp_path / "x.lif")
    foreign = path.read_bytes().replace(b"floorplane:", b"foreign:")
    (back,) = read_lif(foreign)
    assert {n.id: n.lift for n in back.layout.nodes} == {"a": None, "b": None, "la": "lift-la", "lb": "lift-la"}


def test_two_files_of_either_kind_are_compared_in_words(tmp_path: Path) -> None:
    site = two_levels(2)
    write_site(site, tmp_path / "site.json")
    same = written(site.layout, tmp_path / "same.lif")
    assert compare(tmp_path / "site.json", same) == []
    slower = tuple(Edge(e.id, e.start, e.end, 0.5) if e.id == "g01_g11" else e for e in site.layout.edges)
    zone = Zone("Z1", ZoneKind.CLOSED, SQUARE, level="upper")
    other = Layout("levels", "ground", "2", site.layout.nodes, slower, (zone,))
    assert compare(same, written(other, tmp_path / "other.lif")) == [
        "layout: version '1' → '2'",
        "edge g01_g11: max_speed_mps 1.5 → 0.5",
        "zone Z1: new (closed, 4 corners)",
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"nodes": levels().nodes[:3], "edges": ()}, "lifts/L1"),
        ({"edges": (Edge(EdgeId("up"), NodeId("a"), NodeId("b")),)}, "edges/up"),
        ({"edges": (Edge(EdgeId("e"), NodeId("a"), NodeId("x")),)}, "edges/e"),
        ({"edges": (Edge(EdgeId("e"), NodeId("a"), NodeId("la"), width_m=0.0),)}, "edges/e/width_m"),
        ({"nodes": (*levels().nodes, Node(NodeId("c"), 0, 0, NodeKind.LIFT))}, "nodes/c/lift"),
        ({"nodes": (*levels().nodes, Node(NodeId("c"), 0, 0, lift=LiftId("L1")))}, "nodes/c/lift"),
        ({"nodes": (*levels().nodes, Node(NodeId("c"), 0, 0, NodeKind.LIFT, lift=LiftId("L1")))}, "nodes/c/level"),
        ({"zones": (Zone("Z", ZoneKind.CLOSED, SQUARE, level="attic"),)}, "zones/Z/level"),
        ({"zones": (Zone("Z", ZoneKind.CLOSED, SQUARE[:2]),)}, "zones/Z/corners"),
    ],
)
def test_levels_that_contradict_themselves_are_refused_by_name(changes: dict[str, object], field: str) -> None:
    with pytest.raises(Rejected) as e:
        levels(**changes)
    assert e.value.field == field


def test_a_door_or_lift_that_nobody_moves_is_refused_and_the_check_says_what_to_write(tmp_path: Path) -> None:
    """Robots would wait before it for ever. LIF cannot say who moves it: a file beside it does."""
    path = written(levels(), tmp_path / "hall.lif.json")
    with pytest.raises(Rejected, match=r"lift L1 \(la on ground, lb on up\).*\[lifts.L1\] moved_by") as e:
        lif_site(path)
    assert e.value.field == str(tmp_path / "hall.gates.toml")
    (_, said) = check(path)
    assert said.startswith("for a fleet: nobody moves lift L1")
    (tmp_path / "hall.gates.toml").write_text('[lifts.L1]\nmoved_by = "robots"\n')
    assert len(check(path)) == 1
    nodes = (Node(NodeId("a"), 0, 0), Node(NodeId("d"), 1, 0, NodeKind.DOOR, DoorId("D1")))
    ways = tuple(Edge(EdgeId(f"{u}{v}"), NodeId(u), NodeId(v)) for u, v in (("a", "d"), ("d", "a")))
    door = written(Layout("L", "m", "1", nodes, ways), tmp_path / "y.lif")
    with pytest.raises(Rejected, match="nobody moves door D1"):
        lif_site(door)
    (tmp_path / "y.gates.toml").write_text('doors.D1 = {moved_by = "robots"}\n')
    assert [(d.id, d.cell) for d in lif_site(door).doors] == [("D1", "")]


def test_robots_that_call_the_lift_themselves_carry_between_levels(tmp_path: Path) -> None:
    """From the LIF file and what stands beside it to the transport that is done; one robot rides at a time."""
    path = written(levels(), tmp_path / "hall.lif.json")
    (tmp_path / "hall.gates.toml").write_text('[lifts.L1]\nmoved_by = "robots"\n')
    site = lif_site(path)
    assert site.cells == ()
    write_site(site, tmp_path / "site.json")
    site = msgspec.structs.replace(
        read_site(tmp_path / "site.json"), robots=(Robot(RobotId("R1"), MAKER, NodeId("a")),)
    )
    bench = Bench(site)
    bench.work(Transport(TaskId("V1"), 1, NodeId("a"), NodeId("b"), "", "", True, 0, 0))
    bench.wait(60)
    told = dict.fromkeys(f.state for f in bench.told(TransportChanged) if isinstance(f, TransportChanged))
    assert list(told) == ["assigned", "loaded", "done"]
    assert bench.world.alarms == {}


def test_a_lift_that_a_controller_moves_is_called_by_an_edge(tmp_path: Path) -> None:
    path = written(levels(), tmp_path / "hall.lif.json")
    (tmp_path / "hall.gates.toml").write_text(
        '[lifts.L1]\nmoved_by = "device"\ndriver = "modbus"\naddress = "modbus://10.0.0.7:502/1"\n'
        'floors = ["lb", "la"]\n'
    )
    site = lif_site(path)
    assert site.lifts == (Lift(LiftId("L1"), CellId("lifts"), (NodeId("lb"), NodeId("la"))),)
    (cell,) = site.cells
    assert [(d.role, d.driver, d.address, d.serves) for d in cell.devices] == [
        ("lift", "modbus", "modbus://10.0.0.7:502/1", "L1")
    ]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('[lifts.L1]\nmoved_by = "ghosts"', "lifts/L1/moved_by"),
        ('[lifts.L1]\nmoved_by = "robots"\ndriver = "modbus"', "lifts/L1/driver"),
        ('[lifts.L1]\nmoved_by = "device"\ndriver = "telepathy"', "lifts/L1/driver"),
        ('[lifts.L1]\nmoved_by = "device"\ndriver = "modbus"\naddress = "there"', "lifts/L1/address"),
        (
            '[lifts.L1]\nmoved_by = "device"\ndriver = "modbus"\naddress = "modbus://h:502/1"\nfloors = ["la"]',
            "lifts/L1/floors",
        ),
        ('lifts.L1.moved_by = "robots"\nlifts.L9.moved_by = "robots"', "lifts/L9"),
        ('lifts.L1.moved_by = "robots"\nlifts.L1.colour = "red"', "gates"),
        ("lifts = 1", "gates"),
        ("moved by robots", "gates"),
    ],
)
def test_what_is_wrong_beside_a_lif_file_is_named(tmp_path: Path, text: str, field: str) -> None:
    path = written(levels(), tmp_path / "hall.lif.json")
    (tmp_path / "hall.gates.toml").write_text(text)
    with pytest.raises(Rejected) as e:
        lif_site(path)
    assert e.value.field == field


def test_stations_are_found_by_id_and_by_a_name_that_means_one_thing(tmp_path: Path) -> None:
    """Ids stay as the file has them; a name of two stations means none; an id of another one's node is refused."""
    nodes = (Node(NodeId("Straße 1"), 0, 0), Node(NodeId("b"), 1, 0))
    edges = (Edge(EdgeId("ab"), nodes[0].id, nodes[1].id), Edge(EdgeId("ba"), nodes[1].id, nodes[0].id))
    road = Layout("Höhle", "m", "1", nodes, edges)

    def site(*stations: LifStation) -> Site:
        return lif_site(written(road, tmp_path / "x.lif", *stations))

    named = site(
        LifStation(StationId("Rampe 1"), (NodeId("Straße 1"),), "Dock"),
        LifStation(StationId("B"), (NodeId("b"),), "Lager"),
    )
    assert [named.place(p) for p in ("Rampe 1", "Dock", "Straße 1", "Lager")] == ["Straße 1"] * 3 + ["b"]
    doubled = site(
        LifStation(StationId("A"), (NodeId("Straße 1"),), "Dock"), LifStation(StationId("B"), (NodeId("b"),), "Dock")
    )
    assert [doubled.place(p) for p in ("A", "B", "Dock")] == ["Straße 1", "b", None]
    with pytest.raises(Rejected, match="stations/b"):
        site(LifStation(StationId("b"), (NodeId("Straße 1"),)))


def test_a_site_made_of_a_file_gives_it_back_with_its_stations(tmp_path: Path) -> None:
    """Import, export and compare: nothing is lost, and a station that moved is said."""
    nodes = tuple(Node(NodeId(n), x, 0) for x, n in enumerate("abc"))
    ways = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b")]
    edges = tuple(Edge(EdgeId(u + v), NodeId(u), NodeId(v)) for u, v in ways)
    road = Layout("L", "m", "1", nodes, edges)
    first = written(road, tmp_path / "a.lif", LifStation(StationId("Rampe 1"), (NodeId("a"),)))
    made, back, moved = tmp_path / "site.json", tmp_path / "b.lif", tmp_path / "c.lif"
    write_site(lif_site(first), made)
    site = read_site(made)
    back.write_bytes(write_lif([(site.layout, stations_of(site))], project="test", now_ms=NOW_MS))
    assert compare(first, back) == compare(made, back) == compare(first, made) == []
    written(road, moved, LifStation(StationId("Rampe 1"), (NodeId("b"),)), LifStation(StationId("Tor"), (NodeId("c"),)))
    assert compare(first, moved)[-2:] == ["station Rampe 1: at a → b", "station Tor: new (at c)"]
    assert compare(moved, first)[-1] == "station Tor: gone (at c)"
