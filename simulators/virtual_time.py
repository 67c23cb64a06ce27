"""An event loop whose clock jumps to the next timer when nothing is ready, and stands while real I/O is under way.

Real I/O starts at once, but its result is delivered in the order of request, so that a run does not depend on how fast
a database answers. Start the clock near zero and keep the epoch apart (`contracts.runtime.clock.LoopClock`): at 1.7e9 a
float no longer tells timers apart. Threads that are not behind `run_in_executor` (anyio's, for one) run the clock away.
"""

import asyncio
import heapq
import itertools
import selectors
from asyncio import AbstractEventLoop, Future, Handle, TimerHandle
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_inside: ContextVar[bool] = ContextVar("inside_real_io", default=False)
_RESOLUTION_S = 1e-9
_JUMPS_PER_LOOK = 64
_MOST_CANCELLED = 100


class Stuck(RuntimeError):  # noqa: N818 - what it says is its name
    """Virtual time cannot go on: real I/O does not end, or everything waits and no timer is set."""


class _Timer(TimerHandle):
    """A timer that, among those of one moment, runs in the order in which it was set."""

    __slots__ = ("n",)

    def __init__(
        self,
        when: float,
        call: Callable[..., object],
        args: tuple[Any, ...],
        loop: AbstractEventLoop,
        ctx: Context | None,
    ) -> None:
        # what the two classes above do, in one call instead of three: half a million times a day
        self._context = copy_context() if ctx is None else ctx
        self._loop, self._callback, self._args = loop, call, args
        self._cancelled, self._repr, self._source_traceback = False, None, None
        self._when, self._scheduled, self.n = when, False, 0

    if TYPE_CHECKING:
        _when: float

    def __lt__(self, other: "_Timer") -> bool:  # type: ignore[override]  # two million times a day: no call, no check
        return self._when < other._when or (self._when == other._when and self.n < other.n)


class _Selector(selectors.DefaultSelector):
    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:  # noqa: ARG002 - ours to decide
        loop = self.loop
        due = loop._scheduled[0].when() if loop._scheduled else None  # noqa: SLF001 - one thing in two classes
        if loop._ready or loop._stopping or (due is not None and due < loop.now + _RESOLUTION_S):  # noqa: SLF001
            return []  # never poll while anything can run: when bytes arrive must not matter
        if loop.gates:
            work, out = loop.gates[0]
            if work.done():
                loop.gates.popleft()
                _deliver(work, out, loop)
                return []
            events = super().select(loop.patience_s)  # hold the clock
            if not events:
                raise Stuck(f"real I/O did not end within {loop.patience_s:g} s: {_name(work)}")
            return events
        # no real I/O is under way, so nothing can be read; look for signals and threads now and then
        loop.jumps += 1
        events = super().select(0) if due is None or loop.jumps % _JUMPS_PER_LOOK == 0 else []
        if not events:
            if due is None:
                raise Stuck(f"nothing to do at {loop.now:.3f} s: no timer, no real I/O; waiting: {_waiting(loop)}")
            loop.now = due
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop.

    Parameters
    ----------
    start
        The loop's time at first, seconds; keep it small.
    patience_s
        Wall seconds without a sign of life after which real I/O counts as hung.
    """

    _ready: deque[Handle]
    _scheduled: list[TimerHandle]
    _stopping: bool
    _clock_resolution: float
    _timer_cancelled_count: int

    def __init__(self, start: float = 0.0, *, patience_s: float = 60.0) -> None:
        self.now = start
        self.patience_s = patience_s
        self.jumps = 0
        self.gates: deque[tuple[Future[Any], Future[Any]]] = deque()
        self._set = itertools.count()
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)
        self._clock_resolution = _RESOLUTION_S

    def time(self) -> float:
        """Virtual seconds."""
        return self.now

    def call_soon(self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None) -> Handle:
        """Call after what is ready: a million times a day, so nothing else is looked at."""
        handle = Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> TimerHandle:
        """Set a timer, seconds from now."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> TimerHandle:
        """Set a timer."""
        timer = _Timer(when, callback, args, self, context)
        timer.n = next(self._set)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # noqa: SLF001 - as asyncio does, so that it counts cancelled ones
        return timer

    def _run_once(self) -> None:
        """Run one round, as asyncio's own does; it asks the selector only when nothing else can run."""
        ready, scheduled = self._ready, self._scheduled
        cancelled: int = self._timer_cancelled_count
        if cancelled > _MOST_CANCELLED and 2 * cancelled > len(scheduled):
            for timer in scheduled:
                timer._scheduled = not timer._cancelled  # type: ignore[attr-defined]  # noqa: SLF001 - one thing in three classes
            scheduled[:] = [t for t in scheduled if not t._cancelled]  # noqa: SLF001
            heapq.heapify(scheduled)
            self._timer_cancelled_count = 0
        while scheduled and scheduled[0]._cancelled:  # noqa: SLF001
            heapq.heappop(scheduled)._scheduled = False  # type: ignore[attr-defined]  # noqa: SLF001
            self._timer_cancelled_count -= 1
        if not ready and (not scheduled or scheduled[0]._when >= self.now + _RESOLUTION_S):  # type: ignore[attr-defined]  # noqa: SLF001
            self._process_events(self._selector.select())  # type: ignore[attr-defined]
        end = self.now + _RESOLUTION_S
        while scheduled and scheduled[0]._when < end:  # type: ignore[attr-defined]  # noqa: SLF001
            timer = heapq.heappop(scheduled)
            timer._scheduled = False  # type: ignore[attr-defined]  # noqa: SLF001
            ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:  # noqa: SLF001
                handle._run()  # noqa: SLF001

    async def real(self, work: Awaitable[T]) -> T:
        """Do real I/O with the clock standing.

        Nested calls pass through; the work ends even when the caller is cancelled.

        Raises
        ------
        Stuck
            Out of the loop itself, when the work gives no sign of life for `patience_s`.
        """
        if _inside.get():
            return await work
        name = getattr(work, "__qualname__", type(work).__qualname__)
        return await self._gate(self.create_task(_run(work), name=f"real:{name}"))

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: Any) -> Future[T]:  # type: ignore[override]
        """Run in a thread, behind the gate like any real I/O."""
        work: Future[T] = super().run_in_executor(executor, func, *args)
        return work if _inside.get() else self._gate(work)

    async def shutdown_default_executor(self, *args: Any) -> None:
        """Join the executor's threads, in real time."""
        await self.real(super().shutdown_default_executor(*args))

    def _gate(self, work: Future[T]) -> Future[T]:
        out: Future[T] = self.create_future()
        self.gates.append((work, out))
        return out


async def _run(work: Awaitable[T]) -> T:
    _inside.set(True)
    return await work


def _deliver(work: Future[Any], out: Future[Any], loop: AbstractEventLoop) -> None:
    error = None if work.cancelled() else work.exception()
    if out.done():  # the caller was cancelled; the unit has ended all the same
        if error is not None:
            loop.call_exception_handler(
                {"message": "real I/O failed after its caller was cancelled", "exception": error}
            )
    elif work.cancelled():
        out.cancel()
    elif error is not None:
        out.set_exception(error)
    else:
        out.set_result(work.result())


def _name(work: Future[Any]) -> str:
    if isinstance(work, asyncio.Task):
        stack = work.get_stack(limit=1)
        where = f" at {stack[0].f_code.co_filename}:{stack[0].f_lineno}" if stack else ""
        return f"{work.get_name()}{where}"
    return repr(work)


def _waiting(loop: AbstractEventLoop) -> str:
    names = sorted(t.get_name() for t in asyncio.all_tasks(loop))
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def run(main: Coroutine[Any, Any, T], *, start: float = 0.0, patience_s: float = 60.0) -> T:
    """Run to the end on a new virtual-time loop, as `asyncio.run` does.

    Raises
    ------
    Stuck
        The clock cannot go on; says what is waited for.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(start, patience_s=patience_s)) as runner:
        return runner.run(main)
