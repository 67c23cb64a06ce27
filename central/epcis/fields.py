"""What a field of an EPCIS event may hold: small checks that name the path, the value and the bound."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from central.problems import FieldError

Errors = list[FieldError]
Check = Callable[[Any, str, Errors], None]
_URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:"
    r"(?://(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?"
    r"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::\d*)?(?=[/?#]|\Z))?"
    r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*"
    r"(?:\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
    r"(?:#(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)")
_STANDARD_WORD = re.compile(r"(?:urn:epcglobal:cbv|https?://ns\.gs1\.org/cbv/)")
_STANDARD_MEASURE = re.compile(r"https?://(?:www\.)?gs1\.org/voc/")
_SHOWN = 120
_LARGEST = 10**300


def refuse(errors: Errors, path: str, value: object, bound: str) -> None:
    """Note that a field cannot be accepted."""
    if not isinstance(value, bool | int | float | None) and len(text := str(value)) > 0:
        value = text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
    errors.append(FieldError(field=path, value=value, bound=bound))


def is_uri(value: object) -> bool:
    """Say whether a value is a URI with a scheme (RFC 3986); a CURIE is one."""
    return isinstance(value, str) and _URI.fullmatch(value) is not None


def instant(value: object) -> datetime | None:
    """Return an RFC 3339 date-time in UTC, None for anything else."""
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def uri(value: Any, path: str, errors: Errors) -> None:
    """Check a URI."""
    if not is_uri(value):
        refuse(errors, path, value, "a URI")


def time(value: Any, path: str, errors: Errors) -> None:
    """Check a moment."""
    if instant(value) is None:
        refuse(errors, path, value, "an RFC 3339 date-time with its offset")


def number(value: Any, path: str, errors: Errors) -> None:
    """Check a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse(errors, path, value, "a number")
    elif not -_LARGEST <= value <= _LARGEST:
        refuse(errors, path, str(value), "a number of at most 300 digits")


def text(value: Any, path: str, errors: Errors) -> None:
    """Check a text."""
    if not isinstance(value, str):
        refuse(errors, path, value, "a text")


def boolean(value: Any, path: str, errors: Errors) -> None:
    """Check a truth value."""
    if not isinstance(value, bool):
        refuse(errors, path, value, "true or false")


def matching(pattern: str, bound: str) -> Check:
    """Check that a text has a form."""
    compiled = re.compile(pattern)

    def check(value: Any, path: str, errors: Errors) -> None:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            refuse(errors, path, value, bound)

    return check


def one_of(words: frozenset[str]) -> Check:
    """Check that a text is one of these."""
    bound = "one of " + ", ".join(sorted(words))

    def check(value: Any, path: str, errors: Errors) -> None:
        if not isinstance(value, str) or value not in words:
            refuse(errors, path, value, bound)

    return check


def word(words: frozenset[str], *, measure: bool = False) -> Check:
    """Check a word of the vocabulary, or a URI of somebody's own (not of the vocabulary's old names)."""
    standard = _STANDARD_MEASURE if measure else _STANDARD_WORD
    bound = f"a word of the vocabulary ({', '.join(sorted(words)[:6])}, …) or a URI of your own"

    def check(value: Any, path: str, errors: Errors) -> None:
        if isinstance(value, str) and (value in words or (is_uri(value) and not standard.match(value))):
            return
        refuse(errors, path, value, bound)

    return check


def listed(of: Check, *, least: int = 0, unique: bool = False) -> Check:
    """Check each element of a list."""

    def check(value: Any, path: str, errors: Errors) -> None:
        if not isinstance(value, list):
            refuse(errors, path, value, "a list")
            return
        if len(value) < least:
            refuse(errors, path, value, f"a list of at least {least}")
        seen: set[str] = set()
        for n, one in enumerate(value):
            of(one, f"{path}/{n}", errors)
            if unique and isinstance(one, str):
                if one in seen:
                    refuse(errors, f"{path}/{n}", one, "in the list once")
                seen.add(one)

    return check


def either(one: Check, other: Check, bound: str) -> Check:
    """Check that one of two holds."""

    def check(value: Any, path: str, errors: Errors) -> None:
        first: Errors = []
        one(value, path, first)
        if not first:
            return
        second: Errors = []
        other(value, path, second)
        if second:
            refuse(errors, path, value, bound)

    return check


def record(
    fields: Mapping[str, Check], required: tuple[str, ...] = (), *, extensible: bool = True, closed: bool = False
) -> Check:
    """Check an object.

    Parameters
    ----------
    extensible
        Other fields may stand beside these, named by a URI or a CURIE.
    closed
        No other field may; else, when not extensible, any other is passed over.
    """

    def check(value: Any, path: str, errors: Errors) -> None:
        if not isinstance(value, dict):
            refuse(errors, path, value, "an object")
            return
        for name in required:
            if name not in value:
                refuse(errors, _under(path, name), None, "present")
        for name, one in value.items():
            known = fields.get(name)
            if known is not None:
                known(one, _under(path, name), errors)
            elif closed:
                refuse(errors, _under(path, name), one, "a field of the standard")
            elif extensible and not is_uri(name):
                refuse(errors, _under(path, name), one, "a field of the standard, or an extension with its prefix")

    return check


def _under(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
