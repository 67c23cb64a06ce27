"""The ERP's client and `floorplane erp` against a central behind HTTP: CSV in, orders out, an order followed."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.errors import Rejected
from deploy.cli import app
from deploy.embedded.scratch import ScratchPostgres
from deploy.erp_client import ErpClient, read_items, read_orders
from tests.wire.central_served import served

ITEMS = "id,kind,weight_g,name\nscrew,stock,5,A screw\nadvice,service,,\npart1,stock,500,\n"
ORDERS = """ref,due,item,qty,ship_to
B1,2013-12-02T16:00:00Z,part1,2,Dock 3
B1,2013-12-02T16:00:00Z,advice,1,Dock 3
B2,2013-12-02T16:00:00Z,advice,1,
B3,2013-12-02T16:00:00Z,nothing,1,
"""


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_items_and_orders_come_from_csv_and_an_order_is_followed(postgres: ScratchPostgres, tmp_path: Path) -> None:
    """By the client and by the command; the same file again changes nothing; what is refused is named."""
    items, orders = written(tmp_path, "items.csv", ITEMS), written(tmp_path, "orders.csv", ORDERS)
    with served(postgres) as (url, tokens), ErpClient(url, tokens["erp"]) as client:
        assert [(a.id, a.outcome) for a in client.import_items(read_items(items))] == [
            ("screw", "created"), ("advice", "created"), ("part1", "updated"),
        ]  # fmt: skip
        for outcome in ("created", "duplicate"):
            answers = list(client.import_orders(read_orders(orders)))
            assert [a.outcome for a in answers] == [outcome, outcome, "refused"]
        assert answers[-1].why() == "lines/0/item: 'nothing' is not an item of the item master"
        slept: list[float] = []
        assert [o.state for o in client.follow("B2", sleep=slept.append)] == ["shipped"]
        assert slept == []
        states = client.follow("B1", sleep=lambda _: None)
        assert next(states).state == "released"
        with pytest.raises(Rejected, match="not known"):
            client.order("none")
        run = CliRunner()
        where = ["--url", url, "--token", tokens["erp"]]
        done = run.invoke(app, ["erp", "items", str(items), *where])
        assert (done.exit_code, done.output.strip()) == (0, "3 updated")
        done = run.invoke(app, ["erp", "orders", str(orders), *where])
        assert (done.exit_code, "2 duplicate, 1 refused" in done.output) == (1, True)
        done = run.invoke(app, ["erp", "follow", "B2", *where])
        assert done.exit_code == 0
        assert "B2  shipped" in done.output


def test_every_bad_line_of_a_file_is_named_before_anything_is_sent(tmp_path: Path) -> None:
    """A file of a spreadsheet is read; in one with bad lines each is named, also behind many good ones."""
    good = "id,weight_g,name\r\n" + "".join(f"i{n},5,Käse {n}\r\n" for n in range(700))
    file = tmp_path / "items.csv"
    file.write_bytes(good.encode("utf-8-sig"))
    assert len(read_items(file)) == 700
    file.write_text(good + "x,heavy,\r\ny,5,\r\nz,1.5,\r\n")
    with pytest.raises(Rejected) as e:
        read_items(file)
    assert "items.csv:702" in str(e.value)
    assert "items.csv:704" in str(e.value)
    assert "items.csv:703" not in str(e.value)
    orders = "ref,due,item,qty\nA,today,x,1\nB,2013-12-02T16:00:00Z,x,many\nC,2013-12-02T16:00:00Z,x,1\n"
    with pytest.raises(Rejected) as e:
        read_orders(written(tmp_path, "orders.csv", orders))
    assert "orders.csv:2" in str(e.value)
    assert "orders.csv:3" in str(e.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("ref,item,qty\nA,x,1\n", "due"),
        ("ref,due,item,qty\nA,2013-12-02T16:00:00Z,x,many\n", "orders.csv:2"),
        (
            "ref,due,item,qty\nA,2013-12-02T16:00:00Z,x,1\nB,2013-12-02T16:00:00Z,x,1\nA,2013-12-02T16:00:00Z,x,1\n",
            "csv:4/ref",
        ),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, text: str, named: str) -> None:
    """A missing column, a quantity in words, an order in two places."""
    with pytest.raises(Rejected, match=named):
        list(read_orders(written(tmp_path, "orders.csv", text)))
