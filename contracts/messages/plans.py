"""Plans: how planner workers ask central for problems, tell how far they are, and bring what they found.

A worker asks (`PlanWanted`) and gets one problem for itself alone (`PlanJob`), or nothing. While it plans it tells how
far it is (`PlanProgress`) and learns whether to go on; at the end it brings the plan (`PlanFound`) or why there is none
(`PlanRefused`). A worker that falls silent loses the problem to another one. Problems and plans are JSON.
"""

import msgspec


class PlanWanted(msgspec.Struct, frozen=True, tag="plan_wanted"):
    """A worker is free; `kinds` are what it can plan."""

    worker: str
    kinds: tuple[str, ...]


class PlanProgress(msgspec.Struct, frozen=True, tag="plan_progress"):
    """How far a plan is: `share` of the effort in [0, 1], and the cost of the best so far (None: none yet)."""

    plan: str
    attempt: int
    share: float
    cost: float | None = None
    done: int = 0
    """Of the effort, in the kind's own measure."""
    eta_s: float | None = None
    """So much longer on the wall, as far as it has gone by now."""


class PlanFound(msgspec.Struct, frozen=True, tag="plan_found"):
    """A plan, as JSON."""

    plan: str
    attempt: int
    cost: float
    effort: int
    """What was really used."""
    result: msgspec.Raw


class PlanRefused(msgspec.Struct, frozen=True, tag="plan_refused"):
    """There is no plan, and why: names the element at fault."""

    plan: str
    attempt: int
    reason: str


class PlanJob(msgspec.Struct, frozen=True, tag="plan_job"):
    """A problem for one worker. The same problem, effort and seed give the same plan."""

    plan: str
    attempt: int
    kind: str
    problem: msgspec.Raw
    effort: int
    """0: the kind's own."""
    seed: int
    until: int = 0
    """Stop after so much of the effort; 0: not before all of it."""


class PlanAnswer(msgspec.Struct, frozen=True, tag="plan_answer"):
    """Whether to go on, and a job where one was asked for and there is one."""

    go_on: bool
    job: PlanJob | None = None
    stop: bool = False
    """Bring the best so far."""


PlanTold = PlanWanted | PlanProgress | PlanFound | PlanRefused
