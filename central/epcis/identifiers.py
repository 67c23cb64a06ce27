"""One name for one thing: EPC URIs and GS1 Digital Links become the same key, so that a query finds either by either.

The key is the Digital Link's path of application identifiers, ``gs1:/01/09521141012345/21/2017``: an EPC URI says where
the company prefix ends and becomes one without a doubt; the other way would need a table of prefixes. What is neither
keeps its own spelling. EPC Tag Data Standard 2.0 §6, GS1 Digital Link 1.2, CBV 2.0 §8.
"""

import re
from urllib.parse import quote, unquote

PREFIX = "gs1:"
DIGITAL_LINK = "https://id.gs1.org"
_EPC = re.compile(r"urn:epc:(id|class|idpat):([a-z]+):(.+)", re.IGNORECASE)
_LINK = re.compile(r"https?://[^/?#]+((?:/[^?#]*)?)", re.IGNORECASE)
_PRIMARY = {
    "00": r"\d{18}", "01": r"\d{8}|\d{12,14}", "253": r"\d{13}.{0,17}", "255": r"\d{13}\d{0,12}", "401": r".{1,30}",
    "402": r"\d{17}", "414": r"\d{13}", "417": r"\d{13}", "8003": r"\d{14}.{0,16}", "8004": r".{1,30}",
    "8006": r"\d{18}", "8010": r".{1,30}", "8017": r"\d{18}", "8018": r"\d{18}",
}  # fmt: skip
_QUALIFIERS = {
    "01": ("22", "10", "21", "235"), "414": ("254",), "417": ("7040",), "8006": ("22", "10", "21"), "8010": ("8011",),
}  # fmt: skip


def check_digit(digits: str) -> str:
    """Return the GS1 check digit (modulo 10, weights 3 and 1 from the right) of a number without it."""
    return str(-sum(int(d) * (3 if n % 2 == 0 else 1) for n, d in enumerate(reversed(digits))) % 10)


def is_gtin(text: str) -> bool:
    """Say whether a barcode is a GTIN-8, -12, -13 or -14 with a right check digit."""
    plain = text.isascii() and text.isdigit() and len(text) in {8, 12, 13, 14}
    return plain and check_digit(text[:-1]) == text[-1]


def is_sscc(text: str) -> bool:
    """Say whether a code is a serial shipping container code with a right check digit."""
    return text.isascii() and text.isdigit() and len(text) == 18 and check_digit(text[:-1]) == text[-1]


def gtin_link(gtin: str, *, lot: str = "", serial: str = "") -> str:
    """Return the Digital Link of a trade item, of its lot or of one piece of it."""
    more = (f"/10/{quote(lot, safe='')}" if lot else "") + (f"/21/{quote(serial, safe='')}" if serial else "")
    return f"{DIGITAL_LINK}/01/{gtin.zfill(14)}{more}"


def sscc_link(sscc: str) -> str:
    """Return the Digital Link of a logistic unit."""
    return f"{DIGITAL_LINK}/00/{sscc}"


def key(uri: str) -> str:
    """Return the one key of an identifier, however it is written."""
    found = _EPC.fullmatch(uri)
    if found:
        return _of_epc(found[1].lower(), found[2].lower(), found[3]) or uri
    found = _LINK.match(uri)
    return (_of_link(found[1]) or uri) if found else uri


def _path(*pairs: tuple[str, str]) -> str:
    return PREFIX + "".join(f"/{ai}/{quote(value, safe='')}" for ai, value in pairs)


def _of_link(path: str) -> str | None:
    parts = [unquote(p) for p in path.strip("/").split("/")]
    for at in range(len(parts) - 1):
        ai, value = parts[at], parts[at + 1]
        if ai in _PRIMARY and re.fullmatch(_PRIMARY[ai], value):
            allowed = _QUALIFIERS.get(ai, ())
            rest = dict(zip(parts[at + 2 :: 2], parts[at + 3 :: 2], strict=False))
            pairs = [(ai, value.zfill(14) if ai == "01" else value)]
            pairs += [(q, rest[q]) for q in allowed if q in rest]
            if ai == "414" and rest.get("254") == "0":  # the location itself, as an SGLN without extension
                pairs = pairs[:1]
            return _path(*pairs)
    return None


def _checked(digits: str, length: int) -> str | None:
    whole = digits + check_digit(digits) if digits.isdigit() else ""
    return whole if len(whole) == length else None


def _of_epc(form: str, scheme: str, body: str) -> str | None:
    parts = [unquote(p) for p in body.split(".")]
    serial_at = {"sgtin": 2, "lgtin": 2, "sgln": 2, "grai": 2, "gdti": 2, "sgcn": 2, "upui": 2, "itip": 4}.get(scheme)
    if serial_at is not None and len(parts) > serial_at:
        parts = [*parts[:serial_at], ".".join(parts[serial_at:])]  # a serial may hold dots
    if len(parts) < 2 or not all(p.isascii() and p.isdigit() for p in parts[:1]):
        return None
    company, second, *rest = parts
    serial = rest[0] if rest else ""
    if scheme in {"sgtin", "lgtin", "upui"}:
        gtin = _checked(second[:1] + company + second[1:], 14)
        if gtin is None or not serial:
            return None
        if serial == "*" and form == "idpat":
            return _path(("01", gtin))
        return _path(("01", gtin), ({"sgtin": "21", "lgtin": "10", "upui": "235"}[scheme], serial))
    if scheme == "sscc":
        sscc = _checked(second[:1] + company + second[1:], 18)
        return sscc and _path(("00", sscc))
    if scheme in {"sgln", "pgln"}:
        gln = _checked(company + second, 13)
        if gln is None:
            return None
        if scheme == "pgln":
            return _path(("417", gln))
        return _path(("414", gln), *([("254", serial)] if serial not in {"", "0"} else []))
    if scheme in {"grai", "gdti", "sgcn"}:
        number = _checked(company + second, 13)
        ai, lead = {"grai": ("8003", "0"), "gdti": ("253", ""), "sgcn": ("255", "")}[scheme]
        return number and _path((ai, lead + number + ("" if serial == "*" else serial)))
    if scheme in {"giai", "cpi", "ginc"}:
        return _path(({"giai": "8004", "cpi": "8010", "ginc": "401"}[scheme], company + ".".join(parts[1:])))
    if scheme in {"gsrn", "gsrnp"}:
        number = _checked(company + second, 18)
        return number and _path(({"gsrn": "8018", "gsrnp": "8017"}[scheme], number))
    if scheme == "gsin":
        number = _checked(company + second, 17)
        return number and _path(("402", number))
    return None
