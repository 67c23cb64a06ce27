"""Cancellations that a library must not swallow.

On Python 3.11 `asyncio.wait_for` returns its result, and forgets that its task was cancelled, when both happen in one
turn of the loop; whoever waits for that task then waits for ever.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


def heed_cancellation(since: int = 0) -> None:
    """Be cancelled if the present task was asked to be, more than `since` times."""
    task = asyncio.current_task()
    if task is not None and task.cancelling() > since:
        raise asyncio.CancelledError


@contextmanager
def cancellable() -> Iterator[None]:
    """Let a cancellation that comes within be heard at the end at the latest; one from before is no reason."""
    task = asyncio.current_task()
    since = 0 if task is None else task.cancelling()
    yield
    heed_cancellation(since)
