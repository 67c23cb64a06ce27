"""Pages of a list: an opaque cursor that says where the next page begins."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from central.moment import milliseconds, moment
from central.problems import refused

T = TypeVar("T")
Limit = Annotated[int, Query(ge=1, le=500, description="Most rows of a page")]
Cursor = Annotated[str | None, Query(max_length=300, description="`next` of the page before")]
BEGIN = (moment(0), "")
END = (moment(7_258_118_400_000), "")
"""The first moment that is not accepted any more: the year 2200."""


class Page(BaseModel, Generic[T]):
    """One page; `next` leads to the following one, null at the end."""

    items: list[T]
    next: str | None = Field(None, description="Cursor of the next page")


def after(cursor: str | None) -> tuple[datetime, str]:
    """Return (moment, id) after which the page begins.

    Raises
    ------
    Refusal
        422: it is no cursor of ours.
    """
    if cursor is None:
        return BEGIN
    try:
        at_ms, name = json.loads(base64.urlsafe_b64decode(cursor))
        str(name).encode()  # half a character is none that a row has
        return moment(int(at_ms)), str(name)
    except (ValueError, TypeError, binascii.Error, OverflowError) as e:
        raise refused("cursor", cursor, "a cursor that a page before has given") from e


def before(cursor: str | None) -> tuple[datetime, str]:
    """Return (moment, id) before which a page begins whose newest rows come first; else as `after`."""
    return END if cursor is None else after(cursor)


class Turn(NamedTuple):
    """Where a page begins and which way it goes: the moment and id it begins at, and the SQL words for the way."""

    at: datetime
    name: str
    past: str
    direction: str


def turn(cursor: str | None, *, newest: bool) -> Turn:
    """Return how a page is read whose rows come in order, or the newest first.

    Raises
    ------
    Refusal
        As `after`.
    """
    return Turn(*before(cursor), "<", "DESC") if newest else Turn(*after(cursor), ">", "ASC")


def following(rows: Sequence[Any], limit: int, at: str) -> str | None:
    """Return the cursor after the last of these rows (by column `at` and `id`), None when the page is not full."""
    if len(rows) < limit:
        return None
    last = rows[-1]
    packed = json.dumps([milliseconds(last[at]), str(last["id"])])
    return base64.urlsafe_b64encode(packed.encode()).decode()
