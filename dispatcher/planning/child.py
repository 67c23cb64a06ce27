"""One plan in a process of its own: a job on standard input, its progress and its end on standard output, line by line.

A process, because a solver that is deep in compiled code can be ended in no other way, and because what it loads and
compiles is gone with it.
"""

import sys

import msgspec

from contracts.errors import Rejected
from contracts.messages.plans import PlanFound, PlanJob, PlanProgress, PlanRefused
from dispatcher.planning.kinds import solve


def main() -> None:
    """Plan what standard input says."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=PlanJob)

    def say(message: PlanProgress | PlanFound | PlanRefused) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
        sys.stdout.buffer.flush()

    try:
        found = solve(
            job.kind, bytes(job.problem), job.effort, job.seed,
            lambda share, cost: say(PlanProgress(job.plan, job.attempt, share, cost)),
        )  # fmt: skip
    except Rejected as e:
        say(PlanRefused(job.plan, job.attempt, str(e)))
        return
    result = msgspec.Raw(msgspec.json.encode({"plan": found.plan, "picture": found.picture}))
    say(PlanFound(job.plan, job.attempt, found.cost, found.effort, result))


if __name__ == "__main__":
    main()
