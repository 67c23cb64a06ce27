"""Labels: element strings round-trip, symbols are read back by an independent reader, printer and picture agree."""

import re
from datetime import date

import cv2
import numpy as np
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from central.epcis.identifiers import check_digit
from central.labels import code128, gs1, writers
from central.labels.layout import Content, LabelData, elements, lay_out
from contracts.errors import Rejected

SET_82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


def numbers(count: int) -> st.SearchStrategy[str]:
    return st.text(alphabet="0123456789", min_size=count, max_size=count)


def checked(count: int) -> st.SearchStrategy[str]:
    """So many digits, the last of which is right."""
    return numbers(count - 1).map(lambda d: d + check_digit(d))


LOTS = st.text(alphabet=SET_82, min_size=1, max_size=20)
DATES = st.dates(date(2000, 1, 1), date(2099, 12, 31)).map(lambda d: d.strftime("%y%m%d"))
ELEMENTS = st.fixed_dictionaries(
    {},
    optional={
        "00": checked(18), "01": checked(14), "10": LOTS, "17": DATES, "21": LOTS, "400": LOTS, "410": checked(13),
        "420": LOTS, "3303": numbers(6),
    },
).filter(bool).map(lambda d: [gs1.Element(ai, v) for ai, v in d.items()])  # fmt: skip


def drawn(values: list[int], module: int = 2) -> NDArray[np.uint8]:
    """Draw a symbol with its quiet zones."""
    row = np.repeat([n % 2 * 255 for n, _ in enumerate(code128.widths(values))], code128.widths(values))
    row = np.pad(np.repeat(row, module), 20 * module, constant_values=255)
    return np.pad(np.tile(row.astype(np.uint8), (60, 1)), 20, constant_values=255)


def scanned(picture: NDArray[np.uint8]) -> list[str]:
    """What an independent reader says, each as a GS1-128 symbol, from the top."""
    found = zxingcpp.read_barcodes(picture, text_mode=zxingcpp.TextMode.Plain)
    assert {b.symbology_identifier for b in found} <= {"]C1"}
    return [b.text for b in sorted(found, key=lambda b: b.position.top_left.y)]


@given(ELEMENTS)
def test_elements_survive_being_written_and_read(row: list[gs1.Element]) -> None:
    """Also with what a scanner puts in front."""
    text = gs1.write(row)
    assert gs1.read(text) == gs1.read("]C1" + text) == gs1.read(gs1.FNC1 + text) == row


@given(ELEMENTS)
def test_symbols_hold_each_element_once_and_none_is_too_long(row: list[gs1.Element]) -> None:
    """However many there are."""
    rows = gs1.symbols(row)
    assert sorted(e.ai for r in rows for e in r) == sorted(e.ai for e in row)
    assert all(len(gs1.write(r)) <= gs1.LONGEST for r in rows)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=SET_82 + "01234567890123456789\x1d", min_size=1, max_size=40))
def test_any_symbol_is_read_back_by_another_reader(text: str) -> None:
    """Start, code sets, FNC1, check and stop are those of the standard, or zxing would refuse it."""
    assert scanned(drawn(code128.values(text))) == [text]


@given(st.text(alphabet="0123456789", min_size=2, max_size=40))
def test_digits_take_half_as_many_characters(text: str) -> None:
    """The shortest row: a pair each, one more pair of characters where their number is odd."""
    assert len(code128.values(text)) == 4 + len(text) // 2 + 2 * (len(text) % 2)


@pytest.mark.parametrize(
    ("ai", "value", "bound"),
    [
        ("00", "095200000000000017", "its check digit is 1"),
        ("01", "123", "of the form"),
        ("10", "a b", "of the form"),
        ("10", "x" * 21, "of the form"),
        ("17", "271301", "a date"),
        ("17", "270230", "a date"),
        ("99", "x", "application identifier"),
    ],
)
def test_a_wrong_value_is_refused_with_its_bound(ai: str, value: str, bound: str) -> None:
    """Named with identifier and value."""
    with pytest.raises(Rejected, match=re.escape(bound)):
        gs1.Element(ai, value)


@pytest.mark.parametrize("text", ["", "0", "9912", "0112345678901234", "1712"])
def test_what_is_no_element_string_is_refused(text: str) -> None:
    """Nothing is guessed; nothing at all is no element."""
    if text == "":
        assert gs1.read(text) == []
        return
    with pytest.raises(Rejected):
        gs1.read(text)


def test_content_and_count_stand_together() -> None:
    """(02) means nothing without (37)."""
    with pytest.raises(Rejected, match="stand together"):
        gs1.write([gs1.Element("02", "04000000000006")])
    with pytest.raises(Rejected, match="once"):
        gs1.write([gs1.Element("10", "A"), gs1.Element("10", "B")])


LABEL = LabelData(
    sscc="095200000000000011", kind="pallet", site="hall-1", ship_to="Müller & Co <KG>, Straße 5_6^~\\, 10115 Berlin",
    gln="4000001000005", postcode="10115", route="NORTH-1", orders=("A1", "B2"), weight_g=12_500,
    content=(Content("part1", "Screw", "4000000000006", "L>ot_1", date(2027, 3, 31), 120),),
)  # fmt: skip


def page(label: LabelData) -> NDArray[np.uint8]:
    picture = cv2.imdecode(np.frombuffer(writers.png(lay_out(label)), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def test_the_picture_of_a_label_is_read_back() -> None:
    """SSCC, content with count, lot, expiry, ship-to and weight, by a reader that is not ours."""
    told = [(e.ai, e.value) for text in scanned(page(LABEL)) for e in gs1.read(text)]
    assert told == [
        ("02", "04000000000006"), ("37", "120"), ("17", "270331"), ("10", "L>ot_1"), ("410", "4000001000005"),
        ("3303", "012500"), ("00", "095200000000000011"),
    ]  # fmt: skip


def test_the_svg_draws_the_same_bars() -> None:
    """Drawn from its paths, it says the same."""
    canvas = np.full((1184, 840), 255, np.uint8)
    for x, y, w, h in re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)", writers.svg(lay_out(LABEL))):
        canvas[int(y) : int(y) + int(h), int(x) : int(x) + int(w)] = 0
    assert scanned(canvas) == scanned(page(LABEL))


def values_of_zpl(data: str) -> list[int]:
    """Read the invocation codes of a ^BC field as a printer does (ZPL II guide, table of Code 128)."""
    row, data = [{">:": 104, ">;": 105}[data[:2]]], data[2:]
    in_c = row[0] == 105
    while data:
        if data[0] == ">" and data[1] in "568":
            row.append({"5": 99, "6": 100, "8": 102}[data[1]])
            in_c = {"5": True, "6": False, "8": in_c}[data[1]]
            data = data[2:]
        elif data.startswith(">0"):
            row.append(ord(">") - 32)
            data = data[2:]
        elif in_c:
            row.append(int(data[:2]))
            data = data[2:]
        else:
            row.append(ord(data[0]) - 32)
            data = data[1:]
    return [*row, (row[0] + sum(k * v for k, v in enumerate(row[1:], 1))) % 103, 106]


@given(LOTS, st.integers(1, 99_999_999), st.one_of(st.none(), st.dates(date(2000, 1, 1), date(2099, 12, 31))))
def test_the_printer_draws_the_bars_of_the_picture(lot: str, count: int, expiry: date | None) -> None:
    """Each symbol's invocation codes are the symbol characters that the picture is drawn from; commands are escaped."""
    label = LabelData(
        sscc=LABEL.sscc, kind="carton", site="s", ship_to="^XZ~JA_1", gln="", postcode="1^2", route="", orders=(),
        weight_g=None, content=(Content("i", "n", "4000000000006", lot, expiry, count),),
    )  # fmt: skip
    marks = lay_out(label)
    printed = writers.zpl(marks)
    symbols = re.findall(r"\^BCN,\d+,N,N,N,N\^FD(.*)\^FS", printed)
    drawn_values = [list(m.values) for m in marks if hasattr(m, "values")]
    assert [values_of_zpl(s) for s in symbols] == drawn_values
    assert printed.count("^XZ") == printed.count("^XA") == 1
    assert "~" not in printed


def test_only_content_of_one_kind_is_in_the_bars() -> None:
    """Mixed content is said in words; a barcode that is no GTIN is not passed off as one."""
    other = Content("part2", "Nut", "4000000000020", "", None, 1)
    assert [e.ai for e in elements(LABEL) if e.ai in {"02", "37", "10", "17"}] == ["02", "37", "17", "10"]
    mixed = LabelData(*(*(getattr(LABEL, f) for f in LABEL.__struct_fields__[:-1]), (*LABEL.content, other)))
    assert [e.ai for e in elements(mixed)] == ["410", "3303"]
    assert any("2 items, 121 pieces" in m.words for m in lay_out(mixed) if hasattr(m, "words"))
