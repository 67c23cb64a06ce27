"""`floorplane whatif`: a recorded day runs again up to a second, then otherwise; what cannot be forked is refused."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from contracts.errors import Broken, Rejected
from contracts.ids import EdgeId
from deploy.day import main as day
from deploy.fork import Change
from deploy.one_day import OPTIONS
from deploy.whatif import main as whatif
from simulators.catalogue import Catalogue
from simulators.demand import day_plan, midnight_ms
from simulators.orders import read_orders
from simulators.site import build
from tests.e2e.small_day import DATE, write_orders

pytestmark = pytest.mark.slow

AT_S = 12_000
"""Of a day whose first order comes after 6 o'clock of the floor."""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whatif")
    orders = folder / "orders.csv"
    write_orders(orders, orders=12, seed=3)
    args = [
        "--orders",
        str(orders),
        "--date",
        DATE,
        "--robots",
        "3",
        "--release",
        "fcfs",
        "--record",
        str(folder / "R"),
    ]
    assert day(args) == 0
    return folder / "R"


def run(recording: Path, out: Path, *args: str) -> dict[str, dict[str, Any]]:
    picture, told = out / "whatif.svg", out / "whatif.json"
    assert whatif([str(recording), "--picture", str(picture), "--json", str(told), *args]) == 0
    root = ET.parse(picture).getroot()
    assert root.tag.endswith("svg")
    assert sum(e.tag.endswith("polyline") for e in root.iter()) == 4
    found: dict[str, dict[str, Any]] = json.loads(told.read_text())
    return found


def test_a_day_without_the_orders_to_come_is_over_sooner(recording: Path, tmp_path: Path) -> None:
    """Up to the change every command is the recorded one; after it other things happen."""
    found = run(recording, tmp_path, "--at", str(AT_S), "--orders", "0")
    was, would = found["was"], found["would"]
    assert 0 < would["totes_packed"] < was["totes_packed"]
    assert would["finish_h"] < was["finish_h"]
    assert would["distance_m"] < was["distance_m"]


def test_other_robots_stations_and_people_ship_the_same_totes(recording: Path, tmp_path: Path) -> None:
    """More robots join as strangers and are adopted; stations are closed; people work at another pace."""
    args = ("--at", str(AT_S), "--robots", "5", "--stations", "1", "--pace", "0.5")
    found = run(recording, tmp_path, *args)
    assert found["would"]["totes_packed"] == found["was"]["totes_packed"]
    assert found["would"] != found["was"]


def test_other_roads_staff_and_orders_are_compared_by_what_was_waited_for(recording: Path, tmp_path: Path) -> None:
    """An edge is shut and a new one is there, one person packs for all, an order stays away and three come besides."""
    options = json.loads((recording / OPTIONS).read_text())
    catalogue = Catalogue.from_orders(Path(options["orders"]), options["seed"])
    site = build(options["seed"], catalogue, options["robots"])
    ends = {(e.start, e.end) for e in site.layout.edges}
    gone = next(e for e in site.layout.edges if (e.end, e.start) not in ends and e.loaded)
    new = msgspec.structs.replace(gone, id=EdgeId("new-way"), start=gone.end, end=gone.start)
    edges = (*(e for e in site.layout.edges if e != gone), new)
    layout = msgspec.structs.replace(site, layout=msgspec.structs.replace(site.layout, edges=edges))
    (tmp_path / "site.json").write_bytes(msgspec.json.encode(layout))
    other = tmp_path / "also.csv"
    lines = Path(options["orders"]).read_text().splitlines()
    other.write_text("\n".join([lines[0], *(f"also-{x}" for x in lines[1:4])]) + "\n")
    planned = day_plan(read_orders(Path(options["orders"]), DATE), midnight_ms(DATE), options["seed"])
    last = planned[-1].order.ref
    args = ("--at", str(AT_S), "--layout", str(tmp_path / "site.json"), "--packers", "1", "--pickers", "1")
    found = run(recording, tmp_path, *args, "--also", str(other), "--without", last)
    was, would = found["was"], found["would"]
    assert would["totes_packed"] != was["totes_packed"]
    assert {"totes for their pods", "totes for the line and the sorter"} <= set(was["waiting_h"])
    assert would["waits_most_for"] in would["waiting_h"]
    assert found["change"]["packers"] == 1
    assert new.id not in {e.id for e in site.layout.edges}
    fewer = msgspec.structs.replace(site, chutes=site.chutes[:1])
    (tmp_path / "site.json").write_bytes(msgspec.json.encode(fewer))
    with pytest.raises(Rejected, match="roads only, not in its chutes"):
        whatif([str(recording), *args])


def test_a_recording_that_does_not_run_again_is_told(recording: Path, tmp_path: Path) -> None:
    """Its options were changed, so that it is the recording of another day."""
    other = tmp_path / "R"
    other.mkdir()
    for file in recording.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    options = json.loads((other / OPTIONS).read_text())
    (other / OPTIONS).write_text(json.dumps(options | {"seed": options["seed"] + 1}))
    with pytest.raises(Broken, match="does not run again"):
        whatif([str(other), "--at", str(AT_S), "--pace", "2"])


@pytest.mark.parametrize(
    ("field", "args"),
    [
        ("--at", ["--at", "-1", "--robots", "3"]),
        ("--at", ["--at", "90000", "--robots", "3"]),
        ("--robots", ["--at", "5", "--robots", "0"]),
        ("--orders", ["--at", "5", "--orders", "11"]),
        ("--picture", ["--at", "5", "--orders", "1", "--picture", "a.png"]),
        ("--close", ["--at", "5", "--close", "nowhere"]),
        ("--without", ["--at", "5", "--without", "nothing"]),
        ("--pickers", ["--at", "5", "--pickers", "0"]),
        (
            "--robots, --stations, --pickers, --packers, --pace, --orders, --without, --also, --close, --layout",
            ["--at", "5"],
        ),
    ],
)
def test_bad_changes_are_refused_by_name(recording: Path, field: str, args: list[str]) -> None:
    with pytest.raises(Rejected) as refused:
        whatif([str(recording), *args])
    assert refused.value.field == field


def test_a_folder_that_is_no_recording_of_a_day_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="day --record"):
        whatif([str(tmp_path), "--at", "1", "--robots", "2"])
    with pytest.raises(Rejected, match="pace"):
        Change(at_s=0, pace=0)
