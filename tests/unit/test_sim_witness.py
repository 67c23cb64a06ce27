"""The witness writes down what is true on the floor, and only there."""

from pathlib import Path

import pytest

from contracts.errors import Rejected
from contracts.ids import ItemId, RobotId, ToteId
from simulators.catalogue import Catalogue
from simulators.site import build
from simulators.witness import Witness, read_testimony
from simulators.world import Packed, Tote, Violation, World

CATALOGUE = Catalogue.seeded(3, 40)
SITE = build(3, CATALOGUE, robots=2)


class Noon:
    """A clock that stands."""

    def now_ms(self) -> int:
        return 43_200_000


def test_violations_and_packed_totes_are_written_as_they_happen(tmp_path: Path) -> None:
    """Each line is there at once, in order, and a second witness goes on behind the first."""
    file = tmp_path / "simulators" / "truth.jsonl"
    world = World(SITE, CATALOGUE, (), Noon())  # type: ignore[arg-type]  # it never sleeps
    witness = Witness(file).watch(world)
    node = SITE.layout.nodes[0].id
    world.place(RobotId("R001"), node)
    world.place(RobotId("R002"), node)
    tote = Tote(ToteId("T-1-1"), {ItemId("a"): 2})
    world.pack(tote)
    tote.put(ItemId("a"), 1)
    said = list(read_testimony(file))
    assert said[0] == Violation(43_200_000, "collision", f"robots R001 and R002 are both on {node}")
    assert said[1] == Packed(43_200_000, ToteId("T-1-1"), {ItemId("a"): 2})
    witness.close()
    world.pack(tote)
    Witness(file).watch(world)
    world.pack(tote)
    assert [w.contents for w in read_testimony(file) if isinstance(w, Packed)] == [{"a": 2}, {"a": 3}]


def test_a_line_cut_off_by_a_kill_is_left_out_and_another_is_named(tmp_path: Path) -> None:
    """A torn tail is no line; damage in the middle is said with its line."""
    file = tmp_path / "truth.jsonl"
    assert list(read_testimony(file)) == []
    file.write_bytes(b'{"type":"packed","at_ms":1,"tote":"T","contents":{}}\n{"type":"pa')
    assert len(list(read_testimony(file))) == 1
    file.write_bytes(b"nonsense\n")
    with pytest.raises(Rejected, match=r"truth\.jsonl:1"):
        list(read_testimony(file))
