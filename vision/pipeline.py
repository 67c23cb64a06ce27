"""From a frame to an observation: decode, motion gate, barcodes, detector, evidence."""

import hashlib
from collections.abc import Iterable

import msgspec

from vision.barcode import BarcodeSeen, read
from vision.detector import Detection, Detector
from vision.frames import Picture, decode, encode, format_of
from vision.gate import MotionGate

_MARGIN = 0.1


class Observation(msgspec.Struct, frozen=True):
    """What one picture shows, and what proves it.

    `sha256` is of the picture as it came; `moved` is false when it was like the last one, and then `barcodes` and
    `detections` are those of the last one; `crop` is the part (left, top, right, bottom) that holds all of them.
    """

    camera: str
    at_ms: int
    sha256: str
    format: str
    width: int
    height: int
    moved: bool
    barcodes: tuple[BarcodeSeen, ...]
    detections: tuple[Detection, ...]
    detector: str
    crop: tuple[int, int, int, int] | None


class Pipeline:
    """Looks at the pictures of one camera.

    Parameters
    ----------
    camera
        Its name.
    formats
        Barcode formats to look for; none: all.
    gate
        Decides which pictures are looked at.
    detector
        A learned detector; None: barcodes only.
    """

    def __init__(
        self,
        camera: str,
        *,
        formats: Iterable[str] = (),
        gate: MotionGate | None = None,
        detector: Detector | None = None,
    ) -> None:
        self._camera, self._formats = camera, tuple(formats)
        self._gate, self._detector = gate or MotionGate(), detector
        self._last: tuple[tuple[BarcodeSeen, ...], tuple[Detection, ...]] = ((), ())

    def look(self, encoded: bytes, at_ms: int) -> Observation:
        """Look at one picture (JPEG or PNG) taken at a time (ms).

        Raises
        ------
        Rejected
            It is no picture.
        """
        picture = decode(encoded)
        height, width = picture.shape[:2]
        moved = self._gate.moved(picture)
        if moved:
            detections = self._detector.detect(picture) if self._detector else ()
            self._last = (read(picture, self._formats), detections)
        barcodes, detections = self._last
        return Observation(
            camera=self._camera,
            at_ms=at_ms,
            sha256=hashlib.sha256(encoded).hexdigest(),
            format=format_of(encoded),
            width=width,
            height=height,
            moved=moved,
            barcodes=barcodes,
            detections=detections,
            detector=self._detector.name if self._detector else "",
            crop=_around([b.box for b in barcodes] + [d.box for d in detections], width, height),
        )


def cut(encoded: bytes, observation: Observation) -> bytes | None:
    """Return the part of a picture that an observation speaks of, as JPEG; None when it speaks of nothing."""
    if observation.crop is None:
        return None
    left, top, right, bottom = observation.crop
    part: Picture = decode(encoded)[top:bottom, left:right]
    return encode(part)


def _around(boxes: list[tuple[int, int, int, int]], width: int, height: int) -> tuple[int, int, int, int] | None:
    if not boxes:
        return None
    left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
    right, bottom = max(b[2] for b in boxes), max(b[3] for b in boxes)
    dx, dy = max(4, int((right - left) * _MARGIN)), max(4, int((bottom - top) * _MARGIN))
    return max(0, left - dx), max(0, top - dy), min(width, right + dx), min(height, bottom + dy)
