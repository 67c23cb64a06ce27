"""GS1 element strings, as they stand in a GS1-128 symbol: application identifiers, their formats, and FNC1. Pure.

GS1 General Specifications, sections 3 (formats) and 7.8.5 (which identifiers need no separator after them).
"""

import re
from collections.abc import Callable, Sequence

import msgspec

from central.epcis.identifiers import check_digit
from contracts.errors import Rejected

FNC1 = "\x1d"
"""How a scanner says the separator: the control character GS."""
LONGEST = 48
"""Data characters of one GS1-128 symbol, identifiers and separators included."""
_SET_82 = r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]"
_FORMATS = {
    "00": r"\d{18}", "01": r"\d{14}", "02": r"\d{14}", "10": _SET_82 + r"{1,20}", "11": r"\d{6}", "13": r"\d{6}",
    "15": r"\d{6}", "17": r"\d{6}", "21": _SET_82 + r"{1,20}", "30": r"\d{1,8}", "37": r"\d{1,8}",
    "400": _SET_82 + r"{1,30}", "401": _SET_82 + r"{1,30}", "402": r"\d{17}", "410": r"\d{13}", "413": r"\d{13}",
    "420": _SET_82 + r"{1,20}",
} | {f"{kind}{places}": r"\d{6}" for kind in ("310", "330") for places in range(6)}  # fmt: skip
"""Of each identifier that we write or read; 310n and 330n are net and gross weight in kg with n decimals."""
_CHECKED = frozenset({"00", "01", "02", "402", "410", "413"})
_DATES = frozenset({"11", "13", "15", "17"})
_PREDEFINED = re.compile(r"0[0-4]|1[1-9]|20|3[1-6]|41")
"""What the first two digits must be for an identifier whose length is known without a separator."""


class Element(msgspec.Struct, frozen=True):
    """One application identifier and what it says.

    Raises
    ------
    Rejected
        The identifier is not known here, or the value has another format or a wrong check digit.
    """

    ai: str
    value: str

    def __post_init__(self) -> None:
        form = _FORMATS.get(self.ai)
        if form is None:
            raise Rejected("ai", self.ai, "an application identifier that is known: " + ", ".join(_FORMATS))
        if not re.fullmatch(form, self.value, re.ASCII):
            raise Rejected(f"({self.ai})", self.value, f"of the form {form}")
        if self.ai in _CHECKED and check_digit(self.value[:-1]) != self.value[-1]:
            raise Rejected(f"({self.ai})", self.value, f"right: its check digit is {check_digit(self.value[:-1])}")
        if self.ai in _DATES and not _is_date(self.value):
            raise Rejected(f"({self.ai})", self.value, "a date as YYMMDD, the day 00 for the month's last")

    @property
    def shown(self) -> str:
        """As it stands below the bars, for people."""
        return f"({self.ai}){self.value}"


def _is_date(value: str) -> bool:
    month, day = int(value[2:4]), int(value[4:6])
    longest = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}.get(month, 31)
    if month == 2 and int(value[:2]) % 4:
        longest = 28
    return 1 <= month <= 12 and day <= longest


def may_stand(ai: str, value: str) -> bool:
    """Say whether a value can be written with an identifier, as a foreign lot number may not."""
    return re.fullmatch(_FORMATS[ai], value, re.ASCII) is not None


def has_known_length(ai: str) -> bool:
    """Say whether a reader knows where the value ends without a separator."""
    return _PREDEFINED.fullmatch(ai[:2]) is not None


def write(elements: Sequence[Element]) -> str:
    """Return elements as one string, without the leading FNC1 that every symbol has.

    Raises
    ------
    Rejected
        An identifier stands there twice, or one without the one it belongs to: content (02) and its count (37).
    """
    names = [e.ai for e in elements]
    for ai in names:
        if names.count(ai) > 1:
            raise Rejected("ai", ai, "once in a symbol")
    if ("02" in names) != ("37" in names):
        raise Rejected("ai", ", ".join(names), "complete: (02) and (37) stand together")
    text = ""
    for n, e in enumerate(elements, 1):
        text += e.ai + e.value
        if n < len(elements) and not has_known_length(e.ai):
            text += FNC1
    return text


def read(text: str) -> list[Element]:
    """Return the elements of a string as a scanner says it, with or without FNC1 or its AIM identifier in front.

    Raises
    ------
    Rejected
        It holds an identifier that is not known, or a value that is not of its format.
    """
    rest = text.removeprefix("]C1").removeprefix(FNC1)
    elements: list[Element] = []
    while rest:
        ai = next((rest[:n] for n in (2, 3, 4) if rest[:n] in _FORMATS), None)
        if ai is None:
            raise Rejected("element string", rest[:20], "one that begins with a known application identifier")
        rest = rest[len(ai) :]
        if has_known_length(ai):
            length = int(_FORMATS[ai][3:-1])
            value, rest = rest[:length], rest[length:].removeprefix(FNC1)
        else:
            value, _, rest = rest.partition(FNC1)
        elements.append(Element(ai, value))
    return elements


def symbols(elements: Sequence[Element], fits: Callable[[str], bool] = lambda _: True) -> list[list[Element]]:
    """Spread elements over as few symbols as their order allows, none longer than allowed; (02) and (37) stay together.

    Those of known length come first in each, since they need no separator.

    Parameters
    ----------
    fits
        Whether an element string has room where it is printed. One that has none even alone stands alone.
    """
    together = [e for e in elements if e.ai in {"02", "37"}]
    groups = ([together] if together else []) + [[e] for e in elements if e not in together]
    rows: list[list[Element]] = []
    for group in groups:
        for row in rows:
            text = write(_sorted([*row, *group]))
            if len(text) <= LONGEST and fits(text):
                row.extend(group)
                break
        else:
            rows.append(list(group))
    return [_sorted(r) for r in rows]


def _sorted(row: Sequence[Element]) -> list[Element]:
    return sorted(row, key=lambda e: (not has_known_length(e.ai), e.ai not in {"01", "02"}))
