"""The standard's query parameters as a question to the database (EPCIS 2.0 §8.2.7.1 and the REST binding §12)."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from central.epcis import vocabulary as words
from central.epcis.event import ACTIONS
from central.epcis.fields import Errors, instant, refuse
from central.epcis.identifiers import key
from central.epcis.index import term

PER_PAGE, MOST_PER_PAGE = 30, 1000


def _same(value: str) -> str:
    return value


_LISTED = {
    "eventType": ("eventType", _same),
    "EQ_action": ("action", _same),
    "EQ_bizStep": ("bizStep", words.step),
    "EQ_disposition": ("disposition", words.disposition),
    "EQ_persistentDisposition_set": ("persistentDisposition_set", words.disposition),
    "EQ_persistentDisposition_unset": ("persistentDisposition_unset", words.disposition),
    "EQ_readPoint": ("readPoint", key),
    "EQ_bizLocation": ("bizLocation", key),
    "EQ_transformationID": ("transformationID", key),
    "MATCH_epc": ("epc", key),
    "MATCH_parentID": ("parentID", key),
    "MATCH_inputEPC": ("inputEPC", key),
    "MATCH_outputEPC": ("outputEPC", key),
    "MATCH_anyEPC": ("anyEPC", key),
    "MATCH_epcClass": ("epcClass", key),
    "MATCH_inputEPCClass": ("inputEPCClass", key),
    "MATCH_outputEPCClass": ("outputEPCClass", key),
    "MATCH_anyEPCClass": ("anyEPCClass", key),
    "EQ_eventID": ("eventID", _same),
    "EQ_errorReason": ("errorReason", words.error_reason),
    "EQ_correctiveEventID": ("correctiveEventID", _same),
}
_FAMILIES = {
    "EQ_bizTransaction": ("bizTransaction", words.transaction_type),
    "EQ_source": ("source", words.party_type),
    "EQ_destination": ("destination", words.party_type),
}
_TIMES = {
    "GE_eventTime": "event_time >=",
    "LT_eventTime": "event_time <",
    "GE_recordTime": "record_time >=",
    "LT_recordTime": "record_time <",
    "GE_errorDeclarationTime": "declared_at >=",
    "LT_errorDeclarationTime": "declared_at <",
}
_COMPARED = {"EQ": "=", "GT": ">", "GE": ">=", "LT": "<", "LE": "<="}
_ORDERS = {"eventTime": "event_time", "recordTime": "record_time"}
PARAMETERS = (
    *_LISTED, *_TIMES, *(f"{c}_quantity" for c in _COMPARED), *(f"{f}_<type>" for f in _FAMILIES), "EXISTS_<field>",
    "orderBy", "orderDirection", "eventCountLimit", "maxEventCount", "perPage", "nextPageToken",
)  # fmt: skip


class Query(msgspec.Struct, frozen=True):
    """A question: conditions of SQL with their arguments, the order, and how many."""

    conditions: tuple[str, ...]
    arguments: tuple[object, ...]
    order: str
    descending: bool
    per_page: int
    limit: int | None
    """`eventCountLimit`: no more than so many in all."""
    most: int | None
    """`maxEventCount`: more than so many is an error."""
    token: tuple[datetime, int, int] | None
    """Moment and id of the last event of the page before, and how many came before this page."""


def read_query(parameters: Sequence[tuple[str, str]], errors: Errors, owner: str = "") -> Query:
    """Read parameters of somebody who sees one owner's events (empty: all); what is wrong is noted in `errors`."""
    conditions: list[str] = []
    arguments: list[object] = []
    plain: dict[str, str] = {}

    def where(condition: str, argument: object) -> None:
        arguments.append(argument)
        conditions.append(condition.replace("?", f"${len(arguments)}"))

    if owner:
        where("owner = ?", owner)
    grouped: dict[str, list[str]] = {}
    for name, value in parameters:
        grouped.setdefault(name, []).append(value)
    for name, raw in grouped.items():
        if any("\0" in one for one in (name, *raw)):
            refuse(errors, name.replace("\0", ""), "\\0", "text without NUL")
            continue
        values = [v for one in raw for v in _several(one)]
        family, rest = "_".join(name.split("_")[:2]), "_".join(name.split("_")[2:])
        if name in _LISTED:
            found, normal = _LISTED[name]
            if name == "EQ_action" and not ACTIONS.issuperset(values):
                refuse(errors, name, "|".join(values), f"of {', '.join(sorted(ACTIONS))}")
            where("terms && ?::text[]", [term(found, normal(v)) for v in values])
        elif family in _FAMILIES and name.startswith(f"{family}_"):
            found, normal = _FAMILIES[family]
            where("terms && ?::text[]", [term(f"{found}_{normal(rest)}", key(v)) for v in values])
        elif name.startswith("EXISTS_"):
            where("terms && ?::text[]", [term("exists", name.removeprefix("EXISTS_"))])
        elif name in _TIMES:
            moment = instant(values[0].replace(" ", "+"))
            if moment is None:
                refuse(errors, name, values[0], "an RFC 3339 date-time with its offset")
            else:
                where(f"{_TIMES[name]} ?", moment)
        elif name.endswith("_quantity") and name.removesuffix("_quantity") in _COMPARED:
            try:
                number = float(values[0])
            except ValueError:
                refuse(errors, name, values[0], "a number")
            else:
                sign = _COMPARED[name.removesuffix("_quantity")]
                where(f"EXISTS (SELECT FROM unnest(quantities) AS q WHERE q {sign} ?::float8)", number)
        elif name in PARAMETERS:
            plain[name] = values[0]
        else:
            refuse(errors, name, values[0], "a query parameter that is served: " + ", ".join(PARAMETERS))
    order = _choice(plain, "orderBy", _ORDERS, "record_time", errors)
    descending = _choice(plain, "orderDirection", {"ASC": False, "DESC": True}, "orderBy" in plain, errors)
    limit, most = (_count(plain, name, 1, 1_000_000, errors) for name in ("eventCountLimit", "maxEventCount"))
    if limit is not None and most is not None:
        refuse(errors, "maxEventCount", most, "given together with eventCountLimit")
    per_page = _count(plain, "perPage", 1, MOST_PER_PAGE, errors) or PER_PAGE
    token = _read_token(plain["nextPageToken"], errors) if "nextPageToken" in plain else None
    return Query(tuple(conditions), tuple(arguments), order, bool(descending), per_page, limit, most, token)


def _several(value: str) -> list[str]:
    """Part a list: by ``|`` always, by commas where each part is a URI or none is (a URI may hold a comma)."""
    parts: list[str] = []
    for one in value.split("|"):
        by_comma = one.split(",")
        whole = ":" in one and not all(":" in p for p in by_comma)
        parts += [one] if whole else by_comma
    return parts


def flattened(query: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """Return the parameters of a query that is written as a JSON object."""
    for name, value in query.items():
        if not name.startswith("@"):
            yield from ((name, str(v)) for v in (value if isinstance(value, list) else [value]))


def page_sql(query: Query, rows: int) -> tuple[str, tuple[object, ...]]:
    """Return the statement for one page of `rows` and its arguments."""
    conditions, arguments = list(query.conditions), list(query.arguments)
    direction, past = ("DESC", "<") if query.descending else ("ASC", ">")
    if query.token is not None:
        arguments += [query.token[0], query.token[1]]
        conditions.append(f"({query.order}, id) {past} (${len(arguments) - 1}, ${len(arguments)})")
    arguments.append(rows)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    sql = (
        f"SELECT id, event_time, record_time, context, data FROM epcis_event {where}"  # noqa: S608 - our own words only
        f" ORDER BY {query.order} {direction}, id {direction} LIMIT ${len(arguments)}"
    )
    return sql, tuple(arguments)


def count_sql(query: Query) -> tuple[str, tuple[object, ...]]:
    """Return the statement that counts all that match, and its arguments."""
    where = f"WHERE {' AND '.join(query.conditions)}" if query.conditions else ""
    return f"SELECT count(*) AS n FROM epcis_event {where}", query.arguments  # noqa: S608 - our own words only


def write_token(row: Any, order: str, before: int) -> str:
    """Return the token of the page after this row, `before` events having been given."""
    packed = f"{row[order].isoformat()} {row['id']} {before}"
    return base64.urlsafe_b64encode(packed.encode()).decode()


def _read_token(token: str, errors: Errors) -> tuple[datetime, int, int] | None:
    try:
        moment, number, before = base64.urlsafe_b64decode(token).decode().split(" ")
        at = datetime.fromisoformat(moment)
        if at.tzinfo is not None and 0 <= int(number) < 2**63 and int(before) >= 0:
            return at, int(number), int(before)
    except (ValueError, binascii.Error):
        pass
    refuse(errors, "nextPageToken", token, "a token that a page before has given")
    return None


def _choice(plain: dict[str, str], name: str, choices: dict[str, Any], default: Any, errors: Errors) -> Any:
    if name not in plain:
        return default
    if plain[name] not in choices:
        refuse(errors, name, plain[name], f"one of {', '.join(choices)}")
        return default
    return choices[plain[name]]


def _count(plain: dict[str, str], name: str, least: int, most: int, errors: Errors) -> int | None:
    if name not in plain:
        return None
    value = plain[name]
    if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
        refuse(errors, name, value, f"a number in {least}..{most}")
        return None
    return int(value)
