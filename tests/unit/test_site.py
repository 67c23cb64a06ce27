"""The reference site is the same for a seed, can be driven everywhere, and holds the whole catalogue."""

import gzip
import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from contracts.errors import Rejected
from contracts.ids import PATTERN, identifier
from contracts.layout import Layout, NodeKind
from contracts.layout_difference import difference
from contracts.lif import read_lif
from contracts.site import Site, read_site, write_site
from simulators import site as reference
from simulators.catalogue import BIN_VOLUME_ML, Catalogue, check_digit, read_catalogue, write_catalogue
from simulators.commission import commission
from simulators.orders import read_orders

ORDERS = Path(__file__).parents[3] / "shared/data/orders/warehouse_shipments.csv.gz"
needs_orders = pytest.mark.skipif(not ORDERS.exists(), reason="the order file is not beside the repository")
SMALL = Catalogue.seeded(7, 500)


def _reach(layout: Layout, start: str, *, loaded: bool, backward: bool = False) -> set[str]:
    """Nodes that a robot reaches; a loaded one does not drive through storage."""
    seen, todo = {start}, [start]
    edges = [(e.end, e.start) if backward else (e.start, e.end) for e in layout.edges if e.loaded or not loaded]
    out: dict[str, list[str]] = {}
    for a, b in edges:
        out.setdefault(a, []).append(b)
    while todo:
        at = todo.pop()
        if loaded and layout.node[at].kind is NodeKind.STORAGE and at != start:
            continue
        for nxt in out.get(at, ()):
            if nxt not in seen:
                seen.add(nxt)
                todo.append(nxt)
    return seen


def _without(layout: Layout, doors: set[str]) -> Layout:
    gone = {n.id for n in layout.nodes if n.door in doors}
    edges = tuple(e for e in layout.edges if e.start not in gone and e.end not in gone)
    return Layout("x", "x", "1", tuple(n for n in layout.nodes if n.id not in gone), edges)


def test_the_same_arguments_give_the_same_site() -> None:
    """Equal seeds give equal sites, another seed another one."""
    assert reference.build(1, SMALL) == reference.build(1, SMALL)
    assert reference.build(1, SMALL) != reference.build(2, SMALL)


def test_it_has_what_the_design_asks_for() -> None:
    """Forty robots, eight pick and two receiving stations, six chutes, two doors, 5 to 8 % free storage cells."""
    site = reference.build(1, SMALL)
    kinds = Counter(n.kind for n in site.layout.nodes)
    assert Counter(s.kind for s in site.stations) == {"pick": 8, "receive": 2}
    assert (len(site.robots), len(site.chutes), len(site.doors)) == (40, 6, 2)
    assert 0.05 <= 1 - len(site.pods) / kinds[NodeKind.STORAGE] <= 0.08
    assert kinds[NodeKind.CHARGER] == 12
    assert len({r.start for r in site.robots}) == 40
    assert len({p.home for p in site.pods}) == len(site.pods)


@pytest.mark.parametrize("loaded", [True, False])
def test_every_place_can_be_driven_to_and_left(loaded: bool) -> None:
    """The road map is strongly connected, for empty robots and, but for the spurs, for loaded ones."""
    layout = reference.build(1, SMALL).layout
    spurs = {n.id for n in layout.nodes if n.kind in {NodeKind.CHARGER, NodeKind.PARK}}
    everything = {n.id for n in layout.nodes} - (spurs if loaded else set())
    start = next(n.id for n in layout.nodes if n.kind is NodeKind.STATION)
    assert _reach(layout, start, loaded=loaded) == everything
    assert _reach(layout, start, loaded=loaded, backward=True) == everything


def test_each_door_is_the_only_way_in_its_direction() -> None:
    """With one door shut, a robot cannot come back from the other half."""
    site = reference.build(1, SMALL)
    west, east = site.station["S1"].lane[-1], site.station["S8"].lane[-1]  # type: ignore[index]
    for door, start, end in (("D1", west, east), ("D2", east, west)):
        assert end not in _reach(_without(site.layout, {door}), start, loaded=False)
        assert start in _reach(_without(site.layout, {door}), end, loaded=False)


def test_every_storage_cell_has_an_aisle_beside_it() -> None:
    """A pod can be fetched whatever stands around it."""
    layout = reference.build(1, SMALL).layout
    for node in layout.nodes:
        if node.kind is NodeKind.STORAGE:
            beside = [layout.node[e.end].kind for e in layout.out[node.id] if e.loaded]
            assert NodeKind.AISLE in beside, node.id


def test_device_addresses_are_all_different() -> None:
    """No two devices share a port."""
    site = reference.build(1, SMALL, base_port=20_000)
    addresses = [d.address for c in site.cells for d in c.devices]
    assert len(addresses) == len(set(addresses)) == len({d.id for c in site.cells for d in c.devices})
    assert sum(len(c.devices) for c in site.cells) == 66


def test_a_site_and_its_catalogue_survive_their_files(tmp_path: Path) -> None:
    """Written and read again they are equal."""
    site = reference.build(3, SMALL)
    write_site(site, tmp_path / "site.json")
    write_catalogue(SMALL, tmp_path / "catalogue.json")
    assert read_site(tmp_path / "site.json") == site
    assert isinstance(site, Site)
    assert read_catalogue(tmp_path / "catalogue.json") == SMALL


@pytest.mark.parametrize(("field", "arguments"), [("robots", {"robots": 0}), ("base_port", {"base_port": 80})])
def test_an_argument_out_of_range_is_named(field: str, arguments: dict[str, int]) -> None:
    """The error says which argument, which value and what would do."""
    with pytest.raises(Rejected) as e:
        reference.build(1, SMALL, **arguments)
    assert e.value.field == field


def test_opening_stock_lies_in_bins_once() -> None:
    """Each bin holds one item, each item all its pieces; a miscounted one lacks exactly one piece."""
    catalogue = Catalogue.seeded(1)
    site = reference.build(1, catalogue)
    rows = reference.stock(site, catalogue, 1)
    assert rows == reference.stock(site, catalogue, 1)
    assert len({r.bin for r in rows}) == len(rows)
    assert {r.bin for r in rows} <= set(site.bin_pod)
    held = Counter[str]()
    for r in rows:
        held[r.item] += r.qty
    assert held == {o.item: o.qty for o in catalogue.openings}
    wrong = {r.item: r.qty - r.physical_qty for r in rows if r.qty != r.physical_qty}
    assert wrong == {o.item: 1 for o in catalogue.openings if o.miscounted}
    assert 10 <= len(wrong) <= 60
    item = {i.id: i for i in catalogue.items}
    assert max(r.qty * item[r.item].volume_ml for r in rows) <= BIN_VOLUME_ML


def test_barcodes_are_unique_gtins() -> None:
    """Thirteen digits, the last of which checks the others."""
    codes = [i.barcode for i in Catalogue.seeded(1).items]
    assert len(set(codes)) == len(codes)
    assert all(len(c) == 13 and check_digit(c[:-1]) == c[-1] for c in codes)
    assert check_digit("400638133393") == "1"  # the textbook example


@needs_orders
def test_the_real_file_becomes_a_catalogue_that_fits() -> None:
    """10,291 parts, 80 of them services; everything lies in the reference site's bins; a busy day is covered."""
    catalogue = Catalogue.from_orders(ORDERS)
    assert len(catalogue.items) == 10_291
    assert Counter(i.kind for i in catalogue.items)["service"] == 80
    site = reference.build(1, catalogue)
    assert len(reference.stock(site, catalogue, 1)) == sum(o.bins for o in catalogue.openings)
    wanted = Counter[str]()
    for order in read_orders(ORDERS, "2013-12-02"):
        for line in order.lines:
            wanted[line.item] += line.qty
    held = {o.item: o.qty for o in catalogue.openings}
    assert all(held[item] >= qty for item, qty in wanted.items() if item in held)


@needs_orders
def test_the_real_day_is_read_whole() -> None:
    """757 orders with 4,338 lines, repeated parts kept apart."""
    orders = read_orders(ORDERS, "2013-12-02")
    assert len(orders) == len({o.ref for o in orders}) == 757
    assert sum(len(o.lines) for o in orders) == 4_338
    assert all([ln.line for ln in o.lines] == list(range(1, len(o.lines) + 1)) for o in orders)


HEADER = "order_ref,planned_ship_date,actual_ship_date,sku,quantity,product_line,category\n"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (HEADER + "1,2013-12-02,,a,0,l,c\n", "f.csv:2/quantity"),
        (HEADER + "1,2013-12-02,,a,1,l,c\n2,2013-12-02,,b,-4,l,c\n", "f.csv:3/quantity"),
        (HEADER + "1,2013-12-02,,a,1e3,l,c\n", "f.csv:2/quantity"),
        (HEADER + "1,2013-13-02,,a,1,l,c\n", "f.csv:2/planned_ship_date"),
        (HEADER + "1,20131202,,a,1,l,c\n", "f.csv:2/planned_ship_date"),
        (HEADER + ",2013-12-02,,a,1,l,c\n", "f.csv:2/order_ref"),
        (HEADER + "1,2013-12-02\n", "f.csv:2/sku"),
        ("order_ref,sku\n1,2\n", "f.csv:1/planned_ship_date"),
        ("", "f.csv:1/order_ref"),
        (HEADER + '1,2013-12-02,,a,1,l,c\n2,2013-12-02,,"' + "b" * 200_000 + ",1,l,c\n", "f.csv:3"),
        (HEADER + f"1,2013-12-02,,{'b' * 500},1,l,c\n", "f.csv:2/sku"),
        (HEADER + f"1,2013-12-02,,b,{'9' * 5_000},l,c\n", "f.csv:2/quantity"),
        (HEADER + "1,2013-12-02,,b,٣,l,c\n", "f.csv:2/quantity"),
        (HEADER + "1,2013-12-02,,b\0c,1,l,c\n", "f.csv:2/sku"),
        (HEADER + '1,2013-12-02,,"b\n",1,l,c\n', "f.csv:3/sku"),
    ],
)
def test_a_bad_row_is_refused_with_file_line_and_field(tmp_path: Path, text: str, field: str) -> None:
    """The first bad value stops the reading and says where it stands."""
    path = tmp_path / "f.csv"
    path.write_text(text)
    with pytest.raises(Rejected) as e:
        read_orders(path)
    assert e.value.field == field


def test_a_damaged_file_and_an_unknown_date_are_refused(tmp_path: Path) -> None:
    """A cut gzip file, a missing file and a day without orders say so."""
    (tmp_path / "cut.gz").write_bytes(b"\x1f\x8b\x08\x00abc")
    whole = bytearray(gzip.compress(HEADER.encode() * 50))
    whole[40] ^= 0xFF
    (tmp_path / "bent.gz").write_bytes(whole)
    (tmp_path / "f.csv").write_text(HEADER + "1,2013-12-02,,a,1,l,c\n")
    (tmp_path / "head.csv").write_text(HEADER)
    for name, date in (
        ("cut.gz", None), ("bent.gz", None), ("none.csv", None), ("", None), ("f.csv", "2013-12-03"),
        ("head.csv", "2013-12-02"),
    ):  # fmt: skip
        with pytest.raises(Rejected):
            read_orders(tmp_path / name, date)


def test_a_file_of_a_spreadsheet_is_read_like_any_other(tmp_path: Path) -> None:
    """A byte order mark, ends of line as Windows writes them, quotes, letters of other alphabets, more columns."""
    path = tmp_path / "f.csv"
    plain = HEADER + '1,2013-12-02,,"Käse, groß",1,l,c\n1,2013-12-02,,部品,2,l,c,more\n'
    path.write_bytes(plain.replace("\n", "\r\n").encode("utf-8-sig"))
    (order,) = read_orders(path, "2013-12-02")
    assert [(identifier(ln.item) == ln.item, ln.qty) for ln in order.lines] == [(True, 1), (True, 2)]


def test_an_identifier_has_no_end_of_line() -> None:
    """What stands in topics and URLs is what the pattern says, to the last character."""
    assert identifier("a") == "a"
    assert identifier("a\n") != "a"
    assert re.fullmatch(PATTERN, identifier("a\n")) is not None
    assert "\n" not in identifier("a\n")


def test_a_reference_used_on_two_days_makes_two_orders(tmp_path: Path) -> None:
    """The ERP's numbers start again; ours must not clash."""
    path = tmp_path / "f.csv"
    path.write_text(
        HEADER + "1,2013-12-02,,a,1,l,c\n1,2013-12-03,,a,2,l,c\n1,2013-12-02,,a,3,l,c\n2,2013-12-02,,b,1,,\n"
    )
    orders = read_orders(path)
    assert [(o.ref, [ln.qty for ln in o.lines]) for o in orders] == [
        ("1-2013-12-02", [1, 3]),
        ("1-2013-12-03", [2]),
        ("2", [1]),
    ]
    assert read_orders(path, "2013-12-02")[0].ref == "1-2013-12-02"


def test_the_site_is_commissioned_as_three_files(tmp_path: Path) -> None:
    """Site and catalogue read back equal; the LIF file holds the same roads and stations; a bad folder is refused."""
    done = commission(tmp_path / "new", 5)
    assert read_site(done.site_file) == done.site == reference.build(5, done.catalogue)
    assert read_catalogue(done.catalogue_file) == done.catalogue
    (layout,) = read_lif(done.lif_file.read_bytes())
    assert difference(layout.layout, done.site.layout) == []
    assert {s.id: s.nodes for s in layout.stations} == {s.id: (s.lane[-1],) for s in done.site.stations}
    (tmp_path / "file").write_text("")
    with pytest.raises(Rejected, match="folder"):
        commission(tmp_path / "file", 5)


def test_a_site_whose_names_cannot_stand_in_topics_or_stand_twice_is_refused(tmp_path: Path) -> None:
    """Whoever writes a site by hand hears which part it is; a folder or bytes instead of a site are refused too."""
    good = reference.build(7, SMALL, 2)
    one, two = good.robots
    for bad, field in (
        ({"id": "my site/+"}, "id"),
        ({"robots": (one, msgspec.structs.replace(two, id=one.id))}, f"robots/{one.id}"),
        ({"robots": (one, msgspec.structs.replace(two, id="#"))}, "robots/#"),
        ({"stations": (*good.stations, good.stations[0])}, f"stations/{good.stations[0].id}"),
        ({"pods": (*good.pods, msgspec.structs.replace(good.pods[0], id="new"))}, f"bins/{good.pods[0].bins[0].id}"),
    ):
        with pytest.raises(Rejected) as e:
            msgspec.structs.replace(good, **bad)
        assert e.value.field == field
    (tmp_path / "deep.json").write_bytes(b'{"id":' + b"[" * 100_000)
    (tmp_path / "bytes.json").write_bytes(bytes(range(256)))
    for name in ("deep.json", "bytes.json", "", "none.json"):
        for read in (read_site, read_catalogue):
            with pytest.raises(Rejected):
                read(tmp_path / name)
