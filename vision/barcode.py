"""Barcodes in a picture, read with zxing-cpp."""

from collections.abc import Iterable

import cv2
import msgspec
import zxingcpp

from vision.frames import Picture

Point = tuple[int, int]


class BarcodeSeen(msgspec.Struct, frozen=True):
    """One symbol: what it says and where.

    `text` is as a scanner would say it, with control characters; `format` is zxing's name (``Code128``, ``QRCode``);
    `symbology` is the AIM identifier (``]C1``); `corners` are pixels (x, y) clockwise from the symbol's upper left.
    """

    text: str
    format: str
    symbology: str
    corners: tuple[Point, Point, Point, Point]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in pixels."""
        xs, ys = [x for x, _ in self.corners], [y for _, y in self.corners]
        return min(xs), min(ys), max(xs), max(ys)


def read(picture: Picture, formats: Iterable[str] = ()) -> tuple[BarcodeSeen, ...]:
    """Read every symbol of a picture, from the top left.

    Parameters
    ----------
    picture
        Rows, columns, blue-green-red.
    formats
        Names of zxing's formats; none: all that it reads.
    """
    names = tuple(formats)
    wanted = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat[n] for n in names]) if names else None
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    plain = zxingcpp.TextMode.Plain  # a scanner says element strings, not what stands below the bars
    found = (
        zxingcpp.read_barcodes(grey, text_mode=plain)
        if wanted is None
        else zxingcpp.read_barcodes(grey, formats=wanted, text_mode=plain)
    )
    seen = [
        BarcodeSeen(
            text=b.text,
            format=b.format.name,
            symbology=b.symbology_identifier,
            corners=(
                (b.position.top_left.x, b.position.top_left.y),
                (b.position.top_right.x, b.position.top_right.y),
                (b.position.bottom_right.x, b.position.bottom_right.y),
                (b.position.bottom_left.x, b.position.bottom_left.y),
            ),
        )
        for b in found
        if b.valid
    ]
    return tuple(sorted(seen, key=lambda b: (b.box[1], b.box[0], b.text)))
