"""What a planner worker can plan: each kind reads a problem from JSON, plans it, and draws what it found.

A kind tells how it goes by solving with a small share of the effort first: what it shows then is a plan already, and
the last one is solved with the whole effort and the seed alone, so that it does not depend on what was shown before.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from contracts.errors import Rejected

Report = Callable[[float, float | None], None]
"""Told the share of the effort that is done, in [0, 1], and the cost of the best plan so far."""
SHARES = (0.02, 0.2, 1.0)


class Solved(msgspec.Struct, frozen=True):
    """A plan as JSON values, what it costs, the effort that it took, and its picture."""

    cost: float
    effort: int
    plan: Any
    picture: Any


Kind = Callable[[bytes, int, int, Report], Solved]


def solve(kind: str, problem: bytes, effort: int, seed: int, report: Report) -> Solved:
    """Plan one problem.

    Parameters
    ----------
    kind
        One of `KINDS`.
    problem
        JSON, as the kind reads it.
    effort
        How hard to try, in the kind's own measure; 0: as hard as it usually does.

    Raises
    ------
    Rejected
        The kind is not known, or the problem contradicts itself; names the element.
    """
    if kind not in KINDS:
        raise Rejected("kind", kind, f"one of {', '.join(KINDS)}")
    if effort < 0:
        raise Rejected("effort", effort, "at least 0")
    from importlib import import_module

    module = import_module(f"dispatcher.planning.{kind}")
    chosen: Kind = module.solve
    return chosen(problem, effort or module.EFFORT, seed, report)


def read(problem: bytes, kind: Any) -> Any:
    """Read a problem.

    Raises
    ------
    Rejected
        It is not of the kind's form; names the element.
    """
    try:
        return msgspec.json.decode(problem, type=kind)
    except msgspec.ValidationError as e:
        text, _, path = str(e).partition(" - at `$")
        raise Rejected(f"problem{path.rstrip('`')}", "as given", text) from e
    except msgspec.DecodeError as e:
        raise Rejected("problem", "as given", f"JSON: {e}") from e


KINDS = ("slotting", "waves", "transport")
