"""What a factsheet says is used: corridors, load types, the longest order, charge levels; width in test_widths."""

import json

import msgspec
import pytest

from contracts.ids import RobotId
from contracts.messages.facts import TransportChanged
from contracts.vda5050 import factsheet3, v3
from contracts.vda5050.factsheet import OptionalParameter
from contracts.vda5050.translation import order_to_3
from dispatcher import charging
from dispatcher.facts import RobotFactsheet
from dispatcher.fleet.dialect import read_factsheet3
from dispatcher.params import Params
from tests.unit.dispatcher_bench import MAKER, Bench, small_site
from tests.unit.test_dispatcher_transports import changes, transport
from tests.unit.vda5050_messages import schema

PLAIN = RobotFactsheet(RobotId("R1"), MAKER, "S", 1.5, 0)


def says(b: Bench, **what: object) -> None:
    b.hear(msgspec.structs.replace(PLAIN, **what))


def test_what_a_factsheet_of_version_3_says_is_read() -> None:
    """Bad levels and absent parts say nothing."""
    sheet = factsheet3.Factsheet(
        type_specification=factsheet3.TypeSpecification("S"),
        physical_parameters=factsheet3.PhysicalParameters(1.5, 0.7, 1.0),
        protocol_limits=factsheet3.ProtocolLimits(maximum_array_lengths={"order.nodes": 2}),
        protocol_features=factsheet3.ProtocolFeatures((OptionalParameter("order.edges.corridor", "SUPPORTED"),)),
        load_specification=factsheet3.LoadSpecification(
            load_sets=(factsheet3.LoadSet("a", "EPAL"), factsheet3.LoadSet("b", "EPAL"), factsheet3.LoadSet("c", ""))
        ),
        mobile_robot_configuration=factsheet3.Configuration(
            battery_charging=factsheet3.BatteryCharging(
                critical_low_charging_level=15.0,
                minimum_desired_charging_level=40.0,
                maximum_desired_charging_level=900.0,
            )
        ),
    )
    read = read_factsheet3(sheet)
    assert (read.corridors, read.load_types, read.nodes_max) == (True, ("EPAL",), 3)
    assert (read.charge_critical, read.charge_from, read.charge_to) == (0.15, 0.4, 0.0)
    assert read_factsheet3(msgspec.structs.replace(sheet, mobile_robot_configuration=None)).charge_critical == 0.0


def test_a_corridor_is_told_to_who_can_use_it_and_must_be_asked_for() -> None:
    site = small_site(1, door=False)
    edges = tuple(msgspec.structs.replace(e, width_m=1.6 if e.start == "a4" else None) for e in site.layout.edges)
    for version, corridors, told in (("3.0.0", True, True), ("3.0.0", False, False), ("2.1.0", True, False)):
        b = Bench(msgspec.structs.replace(site, layout=msgspec.structs.replace(site.layout, edges=edges)), start=False)
        b.hear(msgspec.structs.replace(b.robot("R1").state(), version=version))
        says(b, corridors=corridors)
        b.vehicle("R1").speaks = version
        b.work(transport("V1", "a6", "b6"))
        b.wait(20)
        found = [e.corridor for o in b.orders("R1") for e in o.edges if e.start_node_id == "a4"]
        assert found
        assert all((c is not None) == told for c in found)
        if told:
            order = order_to_3(next(o for o in b.orders("R1") if any(e.corridor for e in o.edges)))
            schema("order", "3.0").validate(json.loads(msgspec.json.encode(order)))
            (corridor,) = {e.corridor for e in order.edges if e.corridor is not None}
            assert corridor == v3.Corridor(
                left_width=0.8, right_width=0.8, corridor_reference_point="CONTOUR", release_required=True,
                release_loss_behavior="RETURN",
            )  # fmt: skip


def test_no_order_is_longer_than_a_robot_can_take() -> None:
    """Base and horizon together; what does not fit follows."""
    b = Bench(small_site(1, door=False), Params())
    says(b, nodes_max=3)
    b.work(transport("V1", "a7", "b0"))
    b.wait(60)
    assert changes(b, "V1")[-1] == "done"
    assert max(len(o.nodes) for o in b.orders("R1")) == 3


def test_a_load_goes_to_a_robot_that_carries_its_type_however_far_it_is() -> None:
    b = Bench(small_site(2, door=False))
    says(b, load_types=("BIN",))
    says(b, robot=RobotId("R2"), load_types=("EPAL", "CAGE"))
    b.work(transport("V1", "a4", "b4", load_type="CAGE"))
    b.wait(60)
    told = [f for f in b.told(TransportChanged) if isinstance(f, TransportChanged)]
    assert {f.robot for f in told} == {"R2"}
    assert told[-1].state == "done"


def test_a_type_that_nobody_carries_is_told_and_waits_for_who_does() -> None:
    """But not the usual one, which stands where nobody named any."""
    b = Bench(small_site(2, door=False))
    for name in ("R1", "R2"):
        says(b, robot=RobotId(name), load_types=("BIN",))
    b.work(transport("V1", load_type="CAGE"), transport("V2", "a1", "b1", load_type="EPAL"))
    b.wait(60)
    assert (changes(b, "V1"), changes(b, "V2")[-1]) == ([], "done")
    assert list(b.world.alarms) == ["carrier-V1"]
    says(b, robot=RobotId("R2"), load_types=("BIN", "CAGE"))
    b.wait(60)
    assert changes(b, "V1")[-1] == "done"
    assert b.world.alarms == {}


@pytest.mark.parametrize(
    ("says_so", "battery", "works"),
    [
        ({}, 0.35, True),
        ({"charge_from": 0.5}, 0.35, False),
        ({"charge_from": 0.1}, 0.2, True),
        ({"charge_critical": 0.4}, 0.35, False),
    ],
)
def test_below_what_a_robot_asks_for_it_charges_instead_of_working(
    says_so: dict[str, float], battery: float, works: bool
) -> None:
    b = Bench(small_site(1, door=False), start=False)
    b.robot("R1").battery = battery
    says(b, **says_so)
    b.work(transport("V1"))
    b.hear(b.robot("R1").state())
    b.wait(30)
    assert (changes(b, "V1")[:1] == ["assigned"]) is works
    assert works or b.robot("R1").charging


def test_who_asks_for_less_than_a_full_battery_leaves_the_charger_then() -> None:
    b = Bench(small_site(1, door=False), start=False)
    b.robot("R1").battery = 0.4
    b.hear(b.robot("R1").state())
    says(b, charge_to=0.7, charge_from=0.5)
    b.wait(30)
    assert b.robot("R1").charging
    b.robot("R1").battery = 0.75
    b.hear(b.robot("R1").state())
    b.wait(60)
    assert not b.robot("R1").charging


def test_who_cannot_work_without_charging_gets_the_charger_of_one_that_can_do_with_less() -> None:
    """Or it would stand until that one is full, perhaps stranded."""
    b = Bench(small_site(3, door=False), start=False)
    for name, battery in (("R1", 0.4), ("R2", 0.45), ("R3", 0.6)):
        b.robot(name).battery = battery
    b.hear(*(r.state() for r in b.robots.values()))
    b.wait(60)
    assert [b.robot(n).charging for n in ("R1", "R2", "R3")] == [True, True, False]
    b.robot("R1").battery, b.robot("R2").battery, b.robot("R3").battery = 0.55, 0.7, 0.28
    b.hear(*(r.state() for r in b.robots.values()))
    b.wait(60)
    assert [b.robot(n).charging for n in ("R1", "R2", "R3")] == [True, False, True]
    b.robot("R1").battery = 0.45
    b.robot("R3").battery = 0.4
    b.robot("R2").battery = 0.2
    b.hear(*(r.state() for r in b.robots.values()))
    b.wait(60)
    assert [b.robot(n).charging for n in ("R1", "R2", "R3")] == [True, False, True]  # neither has enough yet


@pytest.mark.parametrize("critical", [0.0, 0.2, 0.99])
@pytest.mark.parametrize("start", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("to", [0.0, 0.3, 0.8, 1.0])
def test_whatever_a_robot_says_its_levels_are_in_order(critical: float, start: float, to: float) -> None:
    b = Bench(small_site(1, door=False))
    says(b, charge_critical=critical, charge_from=start, charge_to=to)
    wants = charging.levels(b.world, b.vehicle("R1"))
    assert 0 < wants.below < wants.enough <= wants.full <= 1
    assert wants.below <= wants.idle_below < wants.full
