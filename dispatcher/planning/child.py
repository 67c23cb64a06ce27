"""One plan in a process of its own: a job on standard input, its progress and its end on standard output, line by line.

A process, because a solver that is deep in compiled code can be ended in no other way, and because what it loads and
compiles is gone with it. SIGTERM asks it to stop with the best plan so far.
"""

import signal
import sys
import time
from types import FrameType

import msgspec

from contracts.errors import Rejected
from contracts.messages.plans import PlanFound, PlanJob, PlanProgress, PlanRefused
from dispatcher.planning.kinds import solve

_EVERY_S = 0.5
"""Progress is told so often, at the most; nothing of the plan depends on it."""


def main() -> None:
    """Plan what standard input says."""
    asked_to_stop = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked_to_stop
        asked_to_stop = True

    signal.signal(signal.SIGTERM, stop)
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=PlanJob)
    begun = told = time.monotonic()

    def say(message: PlanProgress | PlanFound | PlanRefused) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
        sys.stdout.buffer.flush()

    def report(done: int, effort: int, cost: float | None) -> bool:
        nonlocal told
        now = time.monotonic()
        if now - told >= _EVERY_S or done >= effort:
            told = now
            share = min(1.0, done / effort)
            eta_s = (now - begun) * (1 - share) / share if share > 0 else None
            say(PlanProgress(job.plan, job.attempt, share, cost, done, eta_s))
        return asked_to_stop or 0 < job.until <= done

    try:
        found = solve(job.kind, bytes(job.problem), job.effort, job.seed, report)
    except Rejected as e:
        say(PlanRefused(job.plan, job.attempt, str(e)))
        return
    result = msgspec.Raw(msgspec.json.encode({"plan": found.plan, "picture": found.picture}))
    say(PlanFound(job.plan, job.attempt, found.cost, found.effort, result))


if __name__ == "__main__":
    main()
