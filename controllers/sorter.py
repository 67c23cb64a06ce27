"""What a sorter knows of the totes between its scanner and its chutes: which index is which tote. Pure.

Indices and counters are 16 bits wide and wrap: indices from 65,535 to 1, counters modulo 65,536.
"""

import msgspec

from contracts.ids import ToteId

INDEX_LAST = 65_535
COUNT_MODULUS = 65_536


class Routed(msgspec.Struct, frozen=True):
    """A tote that was sent to a chute, as its index says."""

    index: int
    tote: ToteId
    chute: int


class Passed(msgspec.Struct, frozen=True):
    """What one reading of a chute's counter means.

    `diverted` came down the chute, in order; `missed` were sent there and did not come (they go around); `strangers` is
    how many came that nobody sent.
    """

    diverted: tuple[Routed, ...]
    missed: tuple[Routed, ...]
    strangers: int


def index_after(index: int) -> int:
    """Return the next index."""
    return index % INDEX_LAST + 1


def steps_between(old: int, new: int) -> int:
    """Return how many totes passed the scanner between two indices, 0..65,535; 0 is a line's index before the first."""
    return new if old == 0 else (new - old) % INDEX_LAST


def passed(waiting: tuple[Routed, ...], index: int, count: int) -> Passed:
    """Read a chute's counter.

    Parameters
    ----------
    waiting
        What was sent to this chute and is not yet settled, in the order of the scanner.
    index
        The last index that the chute's eye saw.
    count
        By how much its counter grew, at least 1.
    """
    at = next((k for k, r in enumerate(waiting) if r.index == index), None)
    if at is None:
        # The last one was a stranger. Those before it, if there are several, are as likely the oldest that we sent.
        known = waiting[: max(0, min(count - 1, len(waiting)))]
        return Passed(known, (), count - len(known))
    start = max(0, at + 1 - count)
    return Passed(waiting[start : at + 1], waiting[:start], max(0, count - (at + 1)))
