"""Things that became others: kits made of their parts or taken apart, goods that came back as another item. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Event = dict[str, Any]
_STEPS = {
    "kit": "assembling",
    "kit_part": "assembling",
    "unkit": "disassembling",
    "unkit_part": "disassembling",
    "regrade_from": "repackaging",
    "regrade_to": "repackaging",
}
"""By the reason of a move into or out of the workshop."""
_WORKSHOP = "workshop"


def whole(move: Any, originals: Mapping[int, Any]) -> str | None:
    """Return the cause that a move shares with the others of one transformation, or of its undoing; None: none."""
    base = originals.get(move.reverses, move) if move.reverses is not None else move
    cause: str = base.key.rpartition("/")[0]
    return cause if base.reason in _STEPS else None


def transformed(
    moves: Sequence[Any],
    originals: Mapping[int, Any],
    stamp: Callable[[str, Any], Event],
    quantity: Callable[[Any], Event],
    place: Callable[[str], str],
) -> list[Event]:
    """Return the event of one transformation; of its undoing, the opposite and the original declared wrong.

    Parameters
    ----------
    moves
        All of one cause (`whole`), posted in one transaction.
    stamp, quantity, place
        How an event is stamped, and a quantity and a place are told.
    """
    undone = [originals[m.reverses] for m in moves if m.reverses in originals]
    if not undone:
        return [_event(moves, moves[0].key.rpartition("/")[0], stamp, quantity, place)]
    cause = undone[0].key.rpartition("/")[0]
    corrective = _event(moves, f"reverse/{cause}", stamp, quantity, place, undone[0].reason)
    wrong = _event(sorted(undone, key=lambda m: int(m.seq)), cause, stamp, quantity, place)
    wrong["errorDeclaration"] = {
        "declarationTime": corrective["eventTime"],
        "reason": "did_not_occur",
        "correctiveEventIDs": [corrective["eventID"]],
    }
    return [corrective, wrong]


def _event(
    moves: Sequence[Any],
    cause: str,
    stamp: Callable[[str, Any], Event],
    quantity: Callable[[Any], Event],
    place: Callable[[str], str],
    reason: str | None = None,
) -> Event:
    into = [m for m in moves if m.b == _WORKSHOP]
    out = [m for m in moves if m.a == _WORKSHOP]
    return {
        "type": "TransformationEvent",
        **stamp(cause, moves[0].at),
        "inputQuantityList": [quantity(m) for m in into],
        "outputQuantityList": [quantity(m) for m in out],
        "bizStep": _STEPS[reason or moves[0].reason],
        "disposition": "in_progress",
        "readPoint": {"id": place(into[0].a)},
        "bizLocation": {"id": place(out[-1].b)},
    }
