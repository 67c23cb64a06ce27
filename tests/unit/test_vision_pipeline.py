"""From a frame to an observation with evidence, and how an edge keeps both."""

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zxingcpp

from contracts.errors import Rejected
from contracts.ids import DeviceId
from edge.perception import Darkroom
from vision.barcode import read
from vision.detector import Detection
from vision.frames import Picture, decode, encode
from vision.gate import MotionGate
from vision.pipeline import Observation, Pipeline, cut


def shelf(*codes: str, width: int = 900, height: int = 500) -> Picture:
    """Draw a grey shelf with labels side by side."""
    picture = np.full((height, width, 3), 120, np.uint8)
    for k, code in enumerate(codes):
        symbol = zxingcpp.create_barcode(code, zxingcpp.BarcodeFormat.QRCode)
        label = np.array(symbol.to_image(scale=4, add_quiet_zones=True), np.uint8)
        x = 40 + 220 * k
        picture[200 : 200 + label.shape[0], x : x + label.shape[1]] = label[:, :, None]
    return picture


class Boxes:
    """A detector that finds the brightest quarter; enough to show that the port is used."""

    name = "brightest-quarter/1"

    def __init__(self) -> None:
        self.looked = 0

    def detect(self, picture: Picture) -> tuple[Detection, ...]:
        self.looked += 1
        height, width = picture.shape[0] // 2, picture.shape[1] // 2
        quarters = [(x, y, x + width, y + height) for y in (0, height) for x in (0, width)]
        best = max(quarters, key=lambda q: float(picture[q[1] : q[3], q[0] : q[2]].mean()))
        return (Detection("bright", 1.0, best),)


def test_an_observation_says_what_is_there_and_proves_it() -> None:
    encoded = encode(shelf("P1-A11", "P1-A12"))
    seen = Pipeline("camera").look(encoded, 17)
    assert [b.text for b in seen.barcodes] == ["P1-A11", "P1-A12"]
    assert (seen.camera, seen.at_ms, seen.width, seen.height, seen.moved) == ("camera", 17, 900, 500, True)
    assert seen.sha256 == hashlib.sha256(encoded).hexdigest()
    part = cut(encoded, seen)
    assert part is not None
    assert [b.text for b in read(decode(part))] == ["P1-A11", "P1-A12"]
    assert decode(part).shape[1] < 900


def test_nothing_seen_has_no_crop() -> None:
    encoded = encode(shelf())
    seen = Pipeline("camera").look(encoded, 0)
    assert (seen.barcodes, seen.crop) == ((), None)
    assert cut(encoded, seen) is None


def test_a_still_scene_is_looked_at_once_and_a_changed_one_again() -> None:
    detector = Boxes()
    pipeline = Pipeline("camera", detector=detector)
    first = pipeline.look(encode(shelf("A")), 0)
    still = pipeline.look(encode(shelf("A"), quality=80), 1)
    changed = pipeline.look(encode(shelf("A", "B")), 2)
    assert (first.moved, still.moved, changed.moved) == (True, False, True)
    assert still.barcodes == first.barcodes
    assert [b.text for b in changed.barcodes] == ["A", "B"]
    assert detector.looked == 2
    assert changed.detector == "brightest-quarter/1"
    assert changed.detections[0].label == "bright"


def test_the_gate_lets_slow_change_through_in_the_end() -> None:
    """It compares with the last picture that passed, so a creeping change is not hidden by small steps."""
    gate = MotionGate(levels=12, share=0.01)
    assert gate.moved(np.full((100, 100, 3), 100, np.uint8))
    passed = [gate.moved(np.full((100, 100, 3), 100 + k, np.uint8)) for k in range(1, 30)]
    assert passed.count(True) == 2


@pytest.mark.parametrize("bounds", [{"levels": 300}, {"levels": -1}, {"share": 2.0}])
def test_a_gate_out_of_its_bounds_is_refused(bounds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="is not in"):
        MotionGate(**bounds)  # type: ignore[arg-type]


async def test_pictures_are_kept_under_their_name_the_newest_so_many(tmp_path: Path) -> None:
    darkroom = Darkroom(tmp_path / "S1", 3)
    names = [await darkroom.keep(DeviceId("camera"), encode(shelf(f"A-{k}")), 1000 + k) for k in range(5)]
    assert len(set(names)) == 5
    assert {p.stem for p in (tmp_path / "S1").iterdir()} == set(names[2:])
    observation = msgspec.json.decode((tmp_path / "S1" / f"{names[-1]}.json").read_bytes(), type=Observation)
    assert [b.text for b in observation.barcodes] == ["A-4"]
    picture = (tmp_path / "S1" / f"{names[-1]}.jpg").read_bytes()
    assert hashlib.sha256(picture).hexdigest() == observation.sha256


async def test_what_is_no_picture_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(Rejected):
        await Darkroom(tmp_path, 3).keep(DeviceId("camera"), b"no picture", 0)
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240 - a test may block
