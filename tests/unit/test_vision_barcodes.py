"""Reading barcodes: drawn ones exactly, photographs at the rate that was measured, and nothing where there is none."""

from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from numpy.typing import NDArray

from contracts.errors import Rejected
from vision.barcode import read
from vision.frames import decode, encode, format_of

PHOTOS = Path(__file__).parents[3] / "shared/data/vision/barcodes"
photographs = pytest.mark.skipif(not PHOTOS.exists(), reason=f"no photographs in {PHOTOS}")


def drawn(text: str, kind: str, scale: int = 3) -> NDArray[np.uint8]:
    """Draw one symbol on white, in colour."""
    symbol = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat[kind])
    grey = np.array(symbol.to_image(scale=scale, add_quiet_zones=True), np.uint8)
    return np.repeat(np.pad(grey, 20, constant_values=255)[:, :, None], 3, axis=2)


@pytest.mark.parametrize(
    ("text", "kind", "symbology"),
    [("T-17-1", "Code128", "]C0"), ("4006381333931", "EAN13", "]E0"), ("P001-A11", "QRCode", "]Q1")],
)
def test_a_drawn_symbol_is_read_with_its_place(text: str, kind: str, symbology: str) -> None:
    picture = drawn(text, kind)
    (seen,) = read(picture)
    assert (seen.text, seen.symbology) == (text, symbology)
    left, top, right, bottom = seen.box
    assert 15 <= left < right <= picture.shape[1] - 15
    assert 15 <= top <= bottom <= picture.shape[0] - 15


def test_all_symbols_of_a_picture_are_read_from_the_top_left() -> None:
    rows = [
        np.hstack([np.pad(drawn(t, "QRCode"), ((0, 0), (0, 0), (0, 0))) for t in ("A-11", "A-12")]),
        np.hstack([drawn(t, "QRCode") for t in ("A-21", "A-22")]),
    ]
    assert [b.text for b in read(np.vstack(rows))] == ["A-11", "A-12", "A-21", "A-22"]


def test_only_the_formats_asked_for_are_read() -> None:
    assert read(drawn("T-1", "QRCode"), ["Code128"]) == ()
    assert [b.text for b in read(drawn("T-1", "Code128"), ["Code128"])] == ["T-1"]


def test_a_picture_without_symbols_has_none() -> None:
    assert read(np.random.default_rng(1).integers(0, 256, (300, 400, 3), np.uint8)) == ()


@pytest.mark.parametrize("encoded", [b"", b"GIF89a", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + b"x" * 50])
def test_what_is_no_picture_is_refused(encoded: bytes) -> None:
    with pytest.raises(Rejected, match="picture"):
        decode(encoded)


def test_a_picture_survives_being_written_and_read() -> None:
    encoded = encode(drawn("T-1", "Code128"))
    assert format_of(encoded) == "jpg"
    assert [b.text for b in read(decode(encoded))] == ["T-1"]


def rate(folders: list[Path]) -> tuple[int, int]:
    """How many photographs give their true text, of how many."""
    right = total = 0
    for folder in folders:
        for truth in sorted(folder.glob("*.txt")):
            photo = next((p for s in (".png", ".webp", ".jpg") if (p := truth.with_suffix(s)).exists()), None)
            if photo is None:
                continue
            total += 1
            want = truth.read_bytes().decode("utf-8", "replace").strip()
            right += want in {b.text.strip() for b in read(decode(photo.read_bytes()))}
    return right, total


@photographs
def test_photographs_are_read_at_the_measured_rate() -> None:
    """Measured 2026-11-24, zxing-cpp 3.1.1: 306 of 333 photographs over all symbologies, 4.6 ms each on one core."""
    right, total = rate([f for f in sorted(PHOTOS.iterdir()) if f.is_dir() and not f.name.startswith("false")])
    assert total == 333
    assert right >= 304


@photographs
@pytest.mark.parametrize("folder", ["code128-1", "code39-1", "itf-1", "qrcode-1", "rssexpanded-1"])
def test_what_labels_of_a_warehouse_wear_is_read_always(folder: str) -> None:
    right, total = rate([PHOTOS / folder])
    assert right == total > 0


@photographs
def test_nothing_is_read_where_there_is_nothing() -> None:
    """19 photographs of things that look like symbols; measured: none is taken for one."""
    looked = 0
    for photo in sorted((PHOTOS / "falsepositives-1").iterdir()):
        try:
            picture = decode(photo.read_bytes())
        except Rejected:
            continue
        looked += 1
        assert read(picture) == (), photo.name
    assert looked >= 15
