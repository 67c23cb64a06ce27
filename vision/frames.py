"""Pictures as arrays, and where they come from."""

from typing import Protocol

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from contracts.errors import Rejected

Picture = NDArray[np.uint8]
"""Rows, columns, blue-green-red."""
_MOST_PIXELS = 50_000_000


class Frame(msgspec.Struct, frozen=True):
    """One picture with the time (ms) of its exposure, encoded as it came."""

    camera: str
    at_ms: int
    encoded: bytes


class FrameSource(Protocol):
    """Gives pictures when asked: a camera driver, a folder, a recording."""

    async def grab(self) -> tuple[bytes, int]:
        """Return one encoded picture and the time (ms) of its exposure."""
        ...


def format_of(encoded: bytes) -> str:
    """Return ``jpg``, ``png`` or ``webp``.

    Raises
    ------
    Rejected
        It is none of them.
    """
    if encoded.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if encoded.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if encoded.startswith(b"RIFF") and encoded[8:12] == b"WEBP":
        return "webp"
    raise Rejected("picture", encoded[:12].hex(), "a JPEG, PNG or WebP")


def decode(encoded: bytes) -> Picture:
    """Decode a JPEG, PNG or WebP, in colour.

    Raises
    ------
    Rejected
        It is not one, is damaged, or has more than 50 million pixels.
    """
    format_of(encoded)
    try:
        picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as e:
        raise Rejected("picture", f"{len(encoded)} bytes", f"a picture: {e}") from e
    if picture is None:
        raise Rejected("picture", f"{len(encoded)} bytes", "a whole picture")
    if picture.shape[0] * picture.shape[1] > _MOST_PIXELS:
        raise Rejected("picture", f"{picture.shape[1]} x {picture.shape[0]}", f"at most {_MOST_PIXELS} pixels")
    return np.asarray(picture, np.uint8)


def encode(picture: Picture, quality: int = 90) -> bytes:
    """Encode as JPEG, `quality` 0..100."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise Rejected("picture", picture.shape, "a picture that can be encoded as JPEG")
    return bytes(data)
