"""Bytes to messages and back: one decoder a type, made once; JSON on both ports, so that a person can read a wire.

Reading is tolerant (unknown fields are skipped), writing is exact.
"""

from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

from contracts.errors import Rejected

T = TypeVar("T")
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes from outside: bad JSON or a wrong type, bad UTF-8 in a string, nesting without end."""
_encoder = msgspec.json.Encoder(order="deterministic")


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def encode(message: object) -> bytes:
    """Write a message as JSON; equal messages give equal bytes."""
    return _encoder.encode(message)


def decode(payload: bytes, kind: type[T]) -> T:
    """Read one message of a type, or of a union of tagged types.

    Raises
    ------
    Rejected
        The payload is not JSON, or not such a message; names the path of the field.
    """
    try:
        message: T = _decoder(cast("Hashable", kind)).decode(payload)
    except UNREADABLE as e:
        name = getattr(kind, "__name__", str(kind))
        raise Rejected("payload", payload[:120].decode(errors="replace"), f"a {name}: {e}") from e
    return message
