"""What a camera at a station sees: the face of a pod, bin by bin, each with its label and barcode, drawn with numpy.

EAN-13 after the GS1 General Specifications, 5.2: 95 modules, sets A, B and C.
"""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
WIDTH_PX, HEIGHT_PX = 1280, 960
_A = ("0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011")
_PARITY = ("AAAAAA", "AABABB", "AABBAB", "AABBBA", "ABAABB", "ABBAAB", "ABBBAA", "ABABAB", "ABABBA", "ABBABA")
_MODULE_PX = 2
_QUIET = 11
_BAR_PX = 56


class Shelf(msgspec.Struct, frozen=True):
    """One bin as it is seen: where it is, the code on its label, and how full it looks (0..1)."""

    level: int
    column: int
    code: str
    fill: float


@lru_cache(maxsize=20_000)
def ean13(code: str) -> str:
    """Return the modules of an EAN-13, ``1`` for a bar."""
    if len(code) != 13 or not code.isdecimal():
        raise ValueError(f"code: {code!r} is not 13 digits")
    b = ["".join("10"[int(m)] for m in reversed(_invert(p))) for p in _A]
    left = "".join(
        _A[int(d)] if s == "A" else _invert(b[int(d)]) for d, s in zip(code[1:7], _PARITY[int(code[0])], strict=True)
    )
    right = "".join(_invert(_A[int(d)]) for d in code[7:])
    return f"101{left}01010{right}101"


def _invert(pattern: str) -> str:
    return "".join("10"[int(m)] for m in pattern)


def label(code: str) -> Pixels:
    """Return a bin's label as grey pixels: barcode with its quiet zones, digits beneath. Shape (84, 234)."""
    modules = np.frombuffer(ean13(code).encode(), dtype=np.uint8) - ord("0")
    row = np.repeat(np.pad(modules, _QUIET), _MODULE_PX)
    bars = np.tile((1 - row) * 255, (_BAR_PX, 1)).astype(np.uint8)
    picture = np.full((_BAR_PX + 28, bars.shape[1]), 255, dtype=np.uint8)
    picture[6 : 6 + _BAR_PX] = bars
    cv2.putText(picture, code, (24, _BAR_PX + 22), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40,), 1)
    return picture


def pod_face(pod: str, shelves: Sequence[Shelf], levels: int, columns: int, noise_seed: int) -> Pixels:
    """Draw the face of a pod. Shape (960, 1280), grey; the lowest level is at the bottom.

    Parameters
    ----------
    shelves
        Bins with something in them; one without a code is drawn open and empty.
    noise_seed
        Seed of the sensor's noise.
    """
    picture = np.full((HEIGHT_PX, WIDTH_PX), 62, dtype=np.uint8)
    height, width = HEIGHT_PX // levels, WIDTH_PX // columns
    for shelf in shelves:
        top, left = HEIGHT_PX - (shelf.level + 1) * height, shelf.column * width
        picture[top + 8 : top + height - 96, left + 8 : left + width - 8] = 28
        rows = round((height - 110) * min(1.0, shelf.fill))
        if rows:
            picture[top + height - 96 - rows : top + height - 96, left + 16 : left + width - 16] = 150
        if shelf.code:
            drawn = label(shelf.code)
            y, x = top + height - 90, left + (width - drawn.shape[1]) // 2
            picture[y : y + drawn.shape[0], x : x + drawn.shape[1]] = drawn
    picture[::height] = 110
    picture[:, ::width] = 110
    cv2.putText(picture, pod, (12, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (230,), 2)
    return _noisy(picture, noise_seed)


@lru_cache(maxsize=1)
def _noise() -> NDArray[np.int8]:
    """Return the sensor's noise, once; every picture shows another cut of it. Shape (960, 2560)."""
    return np.random.default_rng(1).integers(-6, 7, (HEIGHT_PX, 2 * WIDTH_PX), dtype=np.int8)


def _noisy(picture: Pixels, seed: int) -> Pixels:
    shift = seed % WIDTH_PX
    return np.asarray(cv2.add(picture, _noise()[:, shift : shift + WIDTH_PX], dtype=cv2.CV_8U), dtype=np.uint8)


def empty_place() -> Pixels:
    """Draw a station without a pod: bare floor. Shape (960, 1280), grey."""
    return np.full((HEIGHT_PX, WIDTH_PX), 90, dtype=np.uint8)


def jpeg(picture: Pixels, quality: int = 85) -> bytes:
    """Return the picture as JPEG."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"picture: shape {picture.shape} cannot be encoded")
    return bytes(data)
