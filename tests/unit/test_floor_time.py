"""Floor time is one for all processes, and never jumps back from one start to the next."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Rejected
from deploy.floor_time import FloorTime

SCALES = st.floats(0.01, 1000)
PAUSES_MS = st.integers(0, 10**10)


def test_at_the_first_start_it_is_the_walls_time(tmp_path: Path) -> None:
    """Without a file the floor begins at the wall's time."""
    assert FloorTime.begin(tmp_path / "t", 10.0, wall_ms=1_000_000).at(1_000_500) == 1_005_000


@given(st.lists(st.tuples(SCALES, PAUSES_MS), min_size=1, max_size=6))
def test_it_never_jumps_back(tmp_path_factory: pytest.TempPathFactory, starts: list[tuple[float, int]]) -> None:
    """Whatever speeds follow each other, a later start never shows an earlier time, nor one behind the wall's."""
    file, wall_ms, shown_ms = tmp_path_factory.mktemp("t") / "t", 1_000_000_000_000, 0
    for scale, pause_ms in starts:
        begun = FloorTime.begin(file, scale, wall_ms=wall_ms)
        assert begun.at(wall_ms) >= max(shown_ms, wall_ms)
        assert FloorTime.read(file) == begun
        wall_ms += pause_ms
        shown_ms = begun.at(wall_ms)


def test_a_bad_scale_or_file_is_named(tmp_path: Path) -> None:
    """A speed of nought and a damaged file are refused."""
    with pytest.raises(Rejected, match="scale: 0"):
        FloorTime.begin(tmp_path / "t", 0)
    (tmp_path / "t").write_text("{")
    with pytest.raises(Rejected, match="floor_time"):
        FloorTime.read(tmp_path / "t")
