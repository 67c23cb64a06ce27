"""The port of a learned detector: what it sees in a picture, whichever model is behind it."""

from typing import Protocol

import msgspec

from vision.frames import Picture


class Detection(msgspec.Struct, frozen=True):
    """One thing seen: its class, how sure (0..1), and its box in pixels (left, top, right, bottom)."""

    label: str
    score: float
    box: tuple[int, int, int, int]


class Detector(Protocol):
    """Finds things in a picture."""

    name: str
    """The model and its version, kept with every observation."""

    def detect(self, picture: Picture) -> tuple[Detection, ...]:
        """Return what is seen, the surest first."""
        ...
