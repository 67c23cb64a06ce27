"""Milliseconds of the injected clock as moments in UTC, and back."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def moment(ms: int) -> datetime:
    """Return the moment `ms` milliseconds after the Unix epoch, exactly."""
    return _EPOCH + timedelta(milliseconds=ms)


def milliseconds(at: datetime) -> int:
    """Return a moment as whole milliseconds since the Unix epoch."""
    return (at - _EPOCH) // _MS
