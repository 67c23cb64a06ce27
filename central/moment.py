"""Moments and days: the injected clock's milliseconds as moments in UTC and back, and what a client may give."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AwareDatetime

T = TypeVar("T", date, datetime)

FIRST_YEAR, LAST_YEAR = 1970, 2199


def kept(at: T) -> T:
    """Return a day or moment that every clock and the database can hold.

    Raises
    ------
    ValueError
        It is before 1970 or after 2199.
    """
    # the database knows 0001-01-01 and 9999-12-31 as minus and plus infinity, and no clock can add to them
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError(f"in the years {FIRST_YEAR} to {LAST_YEAR}; what never ends is said by leaving it out")
    return at


Day = Annotated[date, AfterValidator(kept)]
"""A day, as a client may give it: in the years 1970 to 2199."""
Moment = Annotated[AwareDatetime, AfterValidator(kept)]
"""A moment with its zone, as a client may give it: in the years 1970 to 2199."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def moment(ms: int) -> datetime:
    """Return the moment `ms` milliseconds after the Unix epoch, exactly."""
    return _EPOCH + timedelta(milliseconds=ms)


def milliseconds(at: datetime) -> int:
    """Return a moment as whole milliseconds since the Unix epoch."""
    return (at - _EPOCH) // _MS
