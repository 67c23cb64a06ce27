"""What a planner worker can plan: each kind reads a problem from JSON, plans it, and draws what it found.

A kind tells step by step how far it is and what the best plan so far costs, and may be told to stop: then the best so
far is the plan, with the effort that it took. Asked again to stop after as much, it gives the same plan.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from contracts.errors import Rejected

Report = Callable[[int, int, float | None], bool]
"""Told the effort that is done, the effort in all, and the cost of the best plan so far; true: stop now."""


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
    seed
        Of what is random in it.
    report
        Told how far it is; says whether to stop.

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


KINDS = ("slotting", "waves", "transport", "picking", "batching", "stations")
