"""Flags, variables and file of a process: read in that order, and refused with the name of what is wrong."""

from pathlib import Path

import pytest

from contracts.errors import Rejected
from deploy.process import KINDS, begin, read_flags
from deploy.processes.settings import EdgeProcess, UpSettings


@pytest.mark.parametrize("kind", [*KINDS.values(), UpSettings])
def test_every_setting_says_what_it_means(kind: type) -> None:
    """`--help` has a sentence for each setting of each process."""
    assert [n for n, f in kind.model_fields.items() if not f.description] == []


def test_flags_come_before_variables_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearer word wins."""
    file = tmp_path / "floor.toml"
    file.write_text("pictures = 3\nresend_s = 4.0\nbuffer_limit = 500\n")
    monkeypatch.setenv("FLOORPLANE_PICTURES", "30")
    monkeypatch.setenv("FLOORPLANE_RESEND_S", "40")
    begun = begin("edge", EdgeProcess, ["--pictures", "300", "--no-cameras", f"--config={file}"])
    assert begun is not None
    settings, config = begun
    assert (settings.pictures, settings.resend_s, settings.buffer_limit) == (300, 40.0, 500)
    assert not settings.cameras
    assert config == file


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["--pictures", "0"], "pictures"),
        (["--picturs", "3"], "did you mean pictures"),
        (["--pictures"], "--pictures"),
        (["pictures"], "pictures"),
    ],
)
def test_a_bad_flag_is_named(args: list[str], named: str) -> None:
    """Out of bounds, misspelled, without its value, or no flag at all."""
    with pytest.raises(Rejected, match=named):
        begin("edge", EdgeProcess, args)


def test_scale_is_short_for_time_scale() -> None:
    """The flag that people type most has a short name."""
    assert read_flags(["--scale", "10"], UpSettings) == ({"time_scale": "10"}, None)
