"""Handling units over REST and a real database: numbers, nesting, content, labels, events, and two who nest at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import cv2
import numpy as np
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st

from central.epcis.identifiers import is_sscc
from central.labels import gs1
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, running


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres) as floor:
        await floor.rows("INSERT INTO place (code, kind) VALUES ('LANE-1', 'staging'), ('LANE-2', 'staging')")
        yield floor


WAITS = (
    "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()"
    " WHERE NOT l.granted AND l.locktype = 'advisory')"
)


class Units:
    """Asks for units, each time with a key of its own."""

    def __init__(self, floor: Floor) -> None:
        self.floor, self.calls = floor, 0

    async def post(self, path: str, body: dict[str, Any], **headers: str) -> Any:
        self.calls += 1
        key = {"Idempotency-Key": f"u{self.calls}"} | headers
        return await self.floor.operator.post(f"/v1/units{path}", json=body, headers=key)

    async def make(self, kind: str = "pallet", **more: Any) -> str:
        answer = await self.post("", {"kind": kind} | more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["sscc"])

    async def move(self, unit: str, into: str) -> Any:
        return await self.post(f"/{unit}/move", {"into": into})

    async def get(self, unit: str) -> Any:
        return (await self.floor.operator.get(f"/v1/units/{unit}")).json()


@pytest.fixture
def units(floor: Floor) -> Units:
    return Units(floor)


async def test_numbers_are_right_and_never_given_twice(floor: Floor, units: Units) -> None:
    """Each begins with the site's prefix and ends with its check digit; what is rolled back is not given again."""
    made = [await units.make("carton") for _ in range(12)]
    assert all(is_sscc(n) and n[1:8] == "9520000" for n in made)

    async def many() -> list[str]:
        connection = await asyncpg.connect(floor.url)
        taken = []
        for n in range(25):
            transaction = connection.transaction()
            await transaction.start()
            taken.append(await connection.fetchval("SELECT issue_sscc()"))
            await (transaction.commit() if n % 2 else transaction.rollback())
        await connection.close()
        return taken

    made += [n for some in await asyncio.gather(*(many() for _ in range(4))) for n in some]
    assert len(set(made)) == len(made) == 112
    assert await floor.violations() == []


async def test_check_digits_of_the_database_are_those_of_the_standard(floor: Floor) -> None:
    """Any seventeen digits."""
    connection = await asyncpg.connect(floor.url)
    loop = asyncio.get_running_loop()

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.text("0123456789", min_size=17, max_size=17), min_size=1, max_size=20))
    def check(numbers: list[str]) -> None:
        rows = asyncio.run_coroutine_threadsafe(
            connection.fetch("SELECT n || gs1_check_digit(n) AS s FROM unnest($1::text[]) AS x(n)", numbers), loop
        ).result(20)
        assert all(is_sscc(r["s"]) for r in rows)

    await asyncio.to_thread(check)
    await connection.close()


async def test_a_prefix_that_is_used_up_says_so(floor: Floor) -> None:
    """Twelve digits leave four for the serial and one for the extension: 100,000 numbers, then none."""
    connection = await asyncpg.connect(floor.url)
    await connection.execute("SELECT keep_outbound_setting('952000012345', false), setval('sscc_serial', 99998)")
    assert is_sscc(await connection.fetchval("SELECT issue_sscc()"))
    with pytest.raises(asyncpg.ProgramLimitExceededError, match="has no SSCC left"):
        await connection.fetchval("SELECT issue_sscc()")
    await connection.close()


async def test_units_nest_and_are_shown_with_all_that_is_in_them(floor: Floor, units: Units) -> None:
    """Cartons on a pallet, the pallet in a lane; content at any depth; each step an aggregation event of EPCIS."""
    await floor.stock(("P0-B0", "part1", 9))
    pallet, carton = await units.make(at="LANE-1"), await units.make("carton")
    filled = await units.post(f"/{carton}/fill", {"place": "P0-B0", "item": "part1", "qty": 4})
    assert filled.json()["content"] == [
        {"unit": carton, "item": "part1", "lot": "", "status": "ok", "expires": None, "qty": 4}
    ]
    assert (await units.move(carton, pallet)).status_code == 200
    shown = await units.get(pallet)
    assert shown["units"] == [{"sscc": carton, "in": pallet, "kind": "carton", "depth": 1}]
    assert [(c["unit"], c["qty"]) for c in shown["content"]] == [(carton, 4)]
    listed = (await floor.operator.get("/v1/units", params={"at": "LANE-1"})).json()["items"]
    assert [u["sscc"] for u in listed] == [pallet]
    assert (await units.post(f"/{carton}/fill", {"place": "P0-B1", "item": "part1", "qty": -1})).status_code == 200
    assert (await units.move(carton, "LANE-2")).status_code == 200
    assert (await units.get(pallet))["units"] == []

    events = (await floor.erp.get("/v1/epcis/events", params={"perPage": 100, "eventType": "AggregationEvent"})).json()
    pieces = "childQuantityList"
    told = [
        (e["action"], e["bizStep"], e["parentID"], e.get("childEPCs"), [q["quantity"] for q in e.get(pieces, ())])
        for e in events["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    ]  # fmt: skip
    link = "https://id.gs1.org/00/"
    assert sorted(told, key=str) == sorted([
        ("ADD", "packing", link + carton, None, [4]),
        ("ADD", "packing", link + pallet, [link + carton], []),
        ("DELETE", "unpacking", link + carton, None, [1]),
        ("DELETE", "unpacking", link + pallet, [link + carton], []),
    ], key=str)  # fmt: skip
    assert await floor.violations() == []


async def test_no_unit_stands_inside_itself(units: Units) -> None:
    """Neither at once nor through others; not too deep either; the answer names the unit."""
    chain = [await units.make() for _ in range(10)]
    for inner, outer in zip(chain[1:], chain[:-1], strict=True):
        answer = await units.move(inner, outer)
        if inner == chain[-1]:
            assert (answer.status_code, "8 units deep" in answer.text) == (409, True)
        else:
            assert answer.status_code == 200, answer.text
    for into in (chain[0], chain[4], chain[7]):
        answer = await units.move(chain[0], into)
        assert answer.status_code == 409, answer.text
        assert answer.json()["errors"][0] == {
            "field": "into", "value": into, "bound": "outside of the unit: nothing stands inside itself",
        }  # fmt: skip


async def test_two_who_nest_at_once_make_no_ring(floor: Floor, units: Units) -> None:
    """A into B while B goes into A: of each pair of requests exactly one is taken, fifteen times; so too for three."""
    for _ in range(15):
        a, b = await units.make(), await units.make()
        answers = await asyncio.gather(units.move(a, b), units.move(b, a))
        assert sorted(x.status_code for x in answers) == [200, 409], [x.text for x in answers]
    for _ in range(5):
        a, b, c = [await units.make() for _ in "abc"]
        answers = await asyncio.gather(units.move(a, b), units.move(b, c), units.move(c, a))
        assert sorted(x.status_code for x in answers) == [200, 200, 409], [x.text for x in answers]
    assert await floor.violations() == []


async def test_the_database_refuses_a_ring_whoever_writes_it(floor: Floor, units: Units) -> None:
    """Two transactions with bare SQL: the second waits for the first, looks anew, and is refused."""
    a, b = await units.make(), await units.make()
    first, second = await asyncpg.connect(floor.url), await asyncpg.connect(floor.url)
    began = first.transaction()
    await began.start()
    await first.execute("UPDATE place SET parent = $2 WHERE code = $1", a, b)
    waiting = asyncio.create_task(second.execute("UPDATE place SET parent = $2 WHERE code = $1", b, a))
    while not await first.fetchval(WAITS):  # noqa: ASYNC110 - the other session tells nobody
        await asyncio.sleep(0)
    await began.commit()
    with pytest.raises(asyncpg.CheckViolationError, match="inside itself"):
        await waiting
    await first.close()
    await second.close()
    assert await floor.violations() == []


async def test_the_view_of_what_must_hold_finds_a_ring(floor: Floor, units: Units) -> None:
    """With the trigger switched off a ring of three is made, and the invariants name its units."""
    ring = [await units.make() for _ in "abc"]
    await floor.rows("ALTER TABLE place DISABLE TRIGGER no_unit_in_itself")
    for inner, outer in zip(ring, [*ring[1:], ring[0]], strict=True):
        await floor.rows("UPDATE place SET parent = $2 WHERE code = $1", inner, outer)
    bad = await floor.violations()
    assert {(v.name, v.subject) for v in bad} == {("no place stands inside itself", u) for u in ring}
    await floor.rows("UPDATE place SET parent = NULL WHERE kind = 'unit'")


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), min_size=1, max_size=25))
def test_any_nesting_is_a_forest(postgres: ScratchPostgres, steps: list[tuple[int, int]]) -> None:
    """Random moves among five units and a lane against a model that knows who stands where."""

    async def live() -> None:
        async with running(postgres) as floor:
            await floor.rows("INSERT INTO place (code, kind) VALUES ('LANE-1', 'staging')")
            units = Units(floor)
            names = [*[await units.make() for _ in range(5)], "LANE-1"]
            inside: dict[str, str] = {}
            for what, where in steps:
                unit, into = names[what], names[where]
                above, up = [], into
                while up:
                    above.append(up)
                    up = inside.get(up, "")
                answer = await units.move(unit, into)
                if unit in above or inside.get(unit) == into:
                    assert answer.status_code == 409, answer.text
                else:
                    assert answer.status_code == 200, answer.text
                    inside[unit] = into
            rows = await floor.rows("SELECT code, parent FROM place WHERE kind = 'unit' AND parent IS NOT NULL")
            assert {r["code"]: r["parent"] for r in rows} == inside
            assert await floor.violations() == []

    asyncio.run(live())


async def test_changes_ask_for_what_was_seen(floor: Floor, units: Units) -> None:
    """If-Match of a unit that changed meanwhile is 412; the same key gives the same answer and moves once."""
    pallet, carton = await units.make(at="LANE-1"), await units.make("carton")
    seen = (await floor.operator.get(f"/v1/units/{carton}")).headers["etag"]
    headers = {"Idempotency-Key": "again", "If-Match": seen}
    first = await floor.operator.post(f"/v1/units/{carton}/move", json={"into": pallet}, headers=headers)
    again = await floor.operator.post(f"/v1/units/{carton}/move", json={"into": pallet}, headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["idempotency-replayed"] == "true"
    assert first.json() == again.json()
    late = await units.post(f"/{carton}/move", {"into": "LANE-1"}, **{"If-Match": seen})
    assert late.status_code == 412


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"sscc": "095200000000000017"}, 422, "sscc"),
        ({"kind": "barrel"}, 422, "kind"),
        ({"at": "P0"}, 422, "at"),
        ({"at": "nowhere"}, 422, "at"),
        ({"sscc": "195211410000000011"}, 201, ""),
    ],
)
async def test_a_unit_that_cannot_be_is_refused_by_field(
    units: Units, body: dict[str, Any], status: int, field: str
) -> None:
    """A wrong check digit, an unknown kind or place; a foreign number is taken once."""
    answer = await units.post("", body)
    assert answer.status_code == status, answer.text
    if status == 201:
        assert (await units.post("", body)).status_code == 409
    else:
        assert answer.json()["errors"][0]["field"] == field


async def test_a_full_unit_is_not_given_up_and_a_closed_one_takes_nothing(floor: Floor, units: Units) -> None:
    """Close, open, empty, void; each refusal says what stands in the way."""
    await floor.stock(("P0-B0", "part1", 9))
    carton, pallet = await units.make("carton"), await units.make()
    await units.post(f"/{carton}/fill", {"place": "P0-B0", "item": "part1", "qty": 4})
    full = await units.post(f"/{carton}/void", {"reason": "broken"})
    assert (full.status_code, "4 of part1" in full.json()["detail"]) == (409, True)
    assert (await units.post(f"/{carton}/close", {"weight_g": 2_100})).json()["weight_g"] == 2_100
    closed = await units.post(f"/{carton}/fill", {"place": "P0-B0", "item": "part1", "qty": 1})
    assert (closed.status_code, "closed" in closed.json()["detail"]) == (409, True)
    assert (await units.move(pallet, carton)).status_code == 409
    assert (await units.post(f"/{carton}/open", {"reason": "one more"})).json()["state"] == "open"
    too_many = await units.post(f"/{carton}/fill", {"place": "P0-B0", "item": "part1", "qty": 6})
    assert (too_many.status_code, too_many.json()["errors"][0]["field"]) == (409, "qty")
    await units.post(f"/{carton}/fill", {"place": "P0-B0", "item": "part1", "qty": -4})
    assert (await units.post(f"/{carton}/void", {"reason": "broken"})).json()["state"] == "void"
    assert (await units.move(carton, pallet)).status_code == 409
    assert await floor.violations() == []


async def test_a_packed_tote_is_numbered_and_its_label_is_read_back(floor: Floor, units: Units) -> None:
    """Without anybody asking: SSCC, content, count and where it goes, on the printer's label and on its picture."""
    await floor.items(
        {"id": "screw", "barcode": "4000000000013", "weight_g": 500, "volume_ml": 100, "category": "Spare"}
    )
    await floor.stock(("P0-B0", "screw", 9))
    await floor.order("A1", ("screw", 3), ship_to="Dock 3, 10115 Berlin")
    await floor.pick("P-T-A1-1-1")
    await floor.finish_tote("T-A1-1")
    sscc = (await units.get("T-A1-1"))["sscc"]
    png = await floor.operator.get(f"/v1/units/{sscc}/label", params={"format": "png"})
    assert png.headers["content-type"] == "image/png"
    picture = cv2.imdecode(np.frombuffer(png.content, np.uint8), cv2.IMREAD_GRAYSCALE)
    found = zxingcpp.read_barcodes(picture, text_mode=zxingcpp.TextMode.Plain)
    told = {e.ai: e.value for b in found for e in gs1.read(b.text)}
    assert told == {"00": sscc, "02": "04000000000013", "37": "3", "3303": "001500"}
    zpl = await floor.operator.get(f"/v1/units/{sscc}/label")
    assert zpl.headers["content-type"].startswith("application/vnd.zebra.zpl")
    assert f"(00){sscc}" in zpl.text
    assert "10115 Berlin" in zpl.text
    svg = await floor.operator.get(f"/v1/units/{sscc}/label", params={"format": "svg"})
    assert svg.text.startswith("<svg")
    assert (await floor.operator.get("/v1/units/nobody/label")).status_code == 404
