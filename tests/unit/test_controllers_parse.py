"""What scanners and scales say, in all the dresses that they wear."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Unavailable
from controllers.scale import read_answer
from controllers.scanner.parse import check_digit, keys, parse, same

GS = "\x1d"


@pytest.mark.parametrize(
    ("line", "text", "symbology"),
    [
        (b"T-17-1\r", "T-17-1", ""),
        (b"\x02T-17-1\x03", "T-17-1", ""),
        (b"]C0T-17-1", "T-17-1", "C0"),
        (b"]E04006381333931\r\n", "4006381333931", "E0"),
        (b"NoRead", "", ""),
        (b"NOREAD\r\n", "", ""),
        (b"?", "", ""),
        (b"", "", ""),
        (b"]C0", "", "C0"),
        (b"\xff\xfe", "��", ""),
    ],
)
def test_a_line_is_stripped_to_what_the_symbol_carried(line: bytes, text: str, symbology: str) -> None:
    reading = parse(line)
    assert (reading.text, reading.symbology) == (text, symbology)


@pytest.mark.parametrize(
    ("line", "elements"),
    [
        ("]C1010400638133393110ABC123" + GS + "21serial", {"01": "04006381333931", "10": "ABC123", "21": "serial"}),
        ("]d2" + "0104006381333931" + "17261231" + "3103001250" + "10L1", None),
        (GS + "00340123450000000017", {"00": "340123450000000017"}),
        ("(01)04006381333931(10)ABC", {"01": "04006381333931", "10": "ABC"}),
        ("]C1" + "8005001234" + GS + "37" + "12", {"8005": "001234", "37": "12"}),
        ("]C1" + "01123", {}),
        ("]C1" + "AB12", {}),
        ("0104006381333931", {}),
    ],
)
def test_gs1_element_strings_are_read_by_their_identifiers(line: str, elements: dict[str, str] | None) -> None:
    if elements is None:
        elements = {"01": "04006381333931", "17": "261231", "3103": "001250", "10": "L1"}
    assert parse(line).elements == elements


@pytest.mark.parametrize(
    ("scanned", "expected", "is_same"),
    [
        ("4006381333931", "4006381333931", True),
        ("]E04006381333931", "4006381333931", True),
        ("04006381333931", "4006381333931", True),
        ("]C1" + "0104006381333931" + "10LOT", "4006381333931", True),
        ("(01)04006381333931", "4006381333931", True),
        ("4006381333932", "4006381333931", False),
        ("014006381333931", "4006381333931", False),
        ("00000T-1", "T-1", False),
        ("", "", False),
        ("NoRead", "NoRead", True),
        ("NoRead", "", False),
        ("12345", "0000000012345", False),
    ],
)
def test_the_same_article_is_known_in_every_dress(scanned: str, expected: str, is_same: bool) -> None:
    assert same(scanned, expected) is is_same


@given(st.text(max_size=80))
def test_no_line_breaks_the_reader(line: str) -> None:
    reading = parse(line)
    assert all(c >= " " for c in reading.text)
    assert "" not in keys(reading)


@given(st.binary(max_size=80))
def test_no_bytes_break_the_reader(line: bytes) -> None:
    parse(line)


@given(st.from_regex(r"\A[0-9]{12}\Z"))
def test_a_gtin_is_known_by_its_fourteen_digits(body: str) -> None:
    gtin = body + str(check_digit(body))
    assert same("0" + gtin, gtin)
    wrong = body + str((check_digit(body) + 1) % 10)
    assert not same(wrong, gtin)


@pytest.mark.parametrize(
    ("line", "grams", "stable"),
    [
        ("S S     100.00 g", 100, True),
        ("S D     100.49 g", 100, False),
        ("S S       1.25 kg", 1250, True),
        ("S S      -0.02 g", 0, True),
        ("S S      - 12 g", -12, True),
        ("S S       2.0 lb", 907, True),
        ("S S 250 g\r\n", 250, True),
    ],
)
def test_a_weight_is_read_in_grams(line: str, grams: int, stable: bool) -> None:
    assert read_answer(line) == (grams, stable)


@pytest.mark.parametrize("line", ["S I", "S +", "S -", "ES", "", "S S", "S S 12 furlong", "S S twelve g", 'I4 A "x"'])
def test_what_is_no_weight_is_not_taken_for_one(line: str) -> None:
    with pytest.raises(Unavailable):
        read_answer(line)
