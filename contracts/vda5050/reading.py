"""Read VDA 5050 messages tolerantly: at full speed when they are well-formed, mended when they are not.

Unknown fields are skipped and missing optional ones take their defaults. Only when that fails is the payload looked at
again: nulls are dropped, numbers in quotes are numbers, and an identifier that is null is empty.
"""

from typing import Any, TypeVar

import msgspec

from contracts.codec import UNREADABLE
from contracts.errors import Rejected
from contracts.vda5050.header import Message

M = TypeVar("M", bound=Message)

_EMPTY: dict[str, str | int] = {"orderId": "", "lastNodeId": "", "orderUpdateId": 0}
"""What null means in a field of the message itself that we require."""
_decoders: dict[type[Message], msgspec.json.Decoder[Any]] = {}


def read(payload: bytes, kind: type[M]) -> M:
    """Read one message of a kind.

    Raises
    ------
    Rejected
        The payload is not JSON, or not such a message even when mended; `field` is the path of what is wrong.
    """
    return read_with_deviation(payload, kind)[0]


def read_with_deviation(payload: bytes, kind: type[M]) -> tuple[M, str]:
    """Read one message, and say what had to be mended (empty: nothing).

    Raises
    ------
    Rejected
        As `read`.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    message: M
    try:
        message = decoder.decode(payload)
    except msgspec.ValidationError as deviation:
        message = _mended(payload, kind)
        return message, str(deviation)
    except UNREADABLE as e:
        raise Rejected("payload", payload[:120].decode(errors="replace"), f"JSON: {e}") from e
    return message, ""


def _mended(payload: bytes, kind: type[M]) -> M:
    try:
        raw = msgspec.json.decode(payload)
    except UNREADABLE as e:
        raise Rejected("payload", payload[:120].decode(errors="replace"), f"JSON: {e}") from e
    if not isinstance(raw, dict):
        raise Rejected("payload", payload[:120].decode(errors="replace"), f"a {kind.__name__}: a JSON object")
    for key, empty in _EMPTY.items():
        if key in raw and raw[key] is None:
            raw[key] = empty
    try:
        return msgspec.convert(_without_nulls(raw), kind, strict=False)
    except msgspec.ValidationError as e:
        field, value = _place(str(e), raw)
        raise Rejected(field, value, f"a {kind.__name__}: {e}") from e
    except RecursionError as e:
        raise Rejected("payload", payload[:120].decode(errors="replace"), "nested less deeply") from e


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v) for v in value if v is not None]
    return value


def _place(error: str, raw: dict[str, Any]) -> tuple[str, object]:
    """Take the path out of msgspec's text: ``... missing required field `x` - at `$.agvPosition` ``."""
    said, _, at = error.partition(" - at `$")
    path = at.rstrip("`").replace("[", "/").replace("]", "").replace(".", "/").strip("/").replace("...", "")
    missing = said.partition("missing required field `")[2].rstrip("`")
    field = "/".join(p for p in (path, missing) if p)
    value: object = raw
    for level in filter(None, path.split("/")):
        if isinstance(value, dict):
            value = value.get(level)
        elif isinstance(value, list) and level.isdigit() and int(level) < len(value):
            value = value[int(level)]
        else:
            return field, None
    return field or "payload", None if missing else value
