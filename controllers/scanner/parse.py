"""What a scanner's line says: AIM symbology prefix, GS1 element strings, failed readings.

References: ISO/IEC 15424 (symbology identifiers), GS1 General Specifications 24 (sections 3, 5.10 and 7.8).
"""

import re

import msgspec

_AIM = re.compile(r"^\](?P<code>[A-Za-z][0-9A-Za-z])")
_GS1_AIM = frozenset({"C1", "e0", "d2", "Q3", "J1"})
_GS = "\x1d"
_FAILED = frozenset({"", "noread", "no read", "no_read", "?", "nr"})
_BRACKETED = re.compile(r"\((\d{2,4})\)")
_FIXED = {
    **dict.fromkeys(("00",), 18),
    **dict.fromkeys(("01", "02", "03"), 14),
    "04": 16,
    **dict.fromkeys(("11", "12", "13", "14", "15", "16", "17", "18", "19"), 6),
    "20": 2,
    "41": 14,  # 410 to 417: one digit of the identifier and 13 of data
    **dict.fromkeys(("31", "32", "33", "34", "35", "36"), 8),  # two digits of the identifier and 6 of data
}
"""Data characters after the first two of an identifier whose length is predefined (figure 7.8.4-2)."""
_LENGTHS = {"2": 3, "3": 4, "4": 3, "7": 4, "8": 4}
_TWO = frozenset({"20", "21", "22", "30", "37"})
_THREE_OF_70 = frozenset({"710", "711", "712", "713", "714", "715", "716"})


class Reading(msgspec.Struct, frozen=True):
    """One line, understood.

    `text` is what the symbol carried, without prefix and control characters (empty: a failed reading); `symbology` is
    the AIM identifier (``C1``) or empty; `elements` are GS1 application identifiers and their values, where there are.
    """

    text: str
    symbology: str
    elements: dict[str, str]


def parse(line: bytes | str) -> Reading:
    """Read one line; never fails, since a scanner may say anything."""
    raw = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    raw = raw.strip("\x00\x02\x03\x04\r\n\t ")
    symbology = ""
    if found := _AIM.match(raw):
        symbology, raw = found["code"], raw[3:]
    marked = raw.startswith(_GS)
    body = raw.lstrip(_GS)
    if body.strip().casefold() in _FAILED:
        return Reading("", symbology, {})
    if _BRACKETED.match(body):
        return Reading(body, symbology, _bracketed(body))
    elements = _elements(body) if marked or symbology in _GS1_AIM or _GS in body else {}
    text = "".join(c for c in body if c >= " ")
    return Reading(text, symbology, elements or {})


def keys(reading: Reading) -> frozenset[str]:
    """Return every name under which the read thing may be known: its text, its GTIN in 14 digits, its SSCC or serial.

    A GTIN of 8, 12 or 13 digits with a right check digit is the same as its 14-digit form (section 3.3.2).
    """
    found = {reading.text}
    if gtin := _gtin14(reading.text):
        found.add(gtin)
    for ai in ("01", "02"):
        if value := reading.elements.get(ai):
            found.add(value)
    for ai in ("00", "21", "240", "241"):
        if value := reading.elements.get(ai):
            found.add(value)
    found.discard("")
    return frozenset(found)


def same(scanned: str, expected: str) -> bool:
    """Tell whether a scanned line names the expected code, whatever dress either wears."""
    if scanned == expected:
        return bool(expected)
    return not keys(parse(scanned)).isdisjoint(keys(parse(expected)))


def check_digit(digits: str) -> int:
    """Return the GS1 modulo-10 check digit of the digits before it (section 7.9)."""
    total = sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits)))
    return -total % 10


def _gtin14(text: str) -> str:
    if len(text) not in {8, 12, 13, 14} or not (text.isascii() and text.isdigit()):
        return ""
    return text.zfill(14) if check_digit(text[:-1]) == int(text[-1]) else ""


def _bracketed(text: str) -> dict[str, str]:
    parts = _BRACKETED.split(text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _elements(text: str) -> dict[str, str]:
    """Split an element string; what does not read as one gives nothing at all."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        if text[at] == _GS:
            at += 1
            continue
        start = text[at : at + 2]
        if len(start) < 2 or not (start.isascii() and start.isdigit()):
            return {}
        if (fixed := _FIXED.get(start)) is not None:
            end = at + 2 + fixed
            if end > len(text):
                return {}
        else:
            end = text.find(_GS, at)
            end = len(text) if end < 0 else end
        name = text[at : at + _name_length(text[at:])]
        found[name] = text[at + len(name) : end]
        at = end
    return found


def _name_length(text: str) -> int:
    start = text[:2]
    if start in _TWO or text[0] in "019":
        return 2
    if text[:3] in _THREE_OF_70:
        return 3
    return _LENGTHS.get(text[0], 2)
