"""The actions of a vehicle: which wait, which run, and what may run beside what (VDA 5050, 6.11 and 6.12)."""

from collections import deque
from collections.abc import Iterable

from contracts.vda5050 import v3
from contracts.vda5050.v2 import Action, ActionState, ActionStatus
from contracts.vda5050.v3 import BlockingType
from controllers.vda5050.orders import MAY_DRIVE

RETRIABLE = str(v3.ActionStatus.RETRIABLE)
_OPEN = frozenset(
    {ActionStatus.WAITING, ActionStatus.INITIALIZING, ActionStatus.RUNNING, ActionStatus.PAUSED, RETRIABLE}
)
_BESIDE = frozenset({BlockingType.NONE, BlockingType.SOFT})
KEPT_INSTANT = 16
"""Finished instant actions that are still reported until the next order."""


class Actions:
    """Action states in the order in which they became known, and the queue of those that were triggered."""

    def __init__(self) -> None:
        self._states: dict[str, ActionState] = {}
        self._instant: dict[str, None] = {}
        self._urgent: deque[Action] = deque()
        self._queue: deque[Action] = deque()
        self._running: dict[str, Action] = {}

    def __contains__(self, action_id: str) -> bool:
        return action_id in self._states

    def states(self) -> tuple[ActionState, ...]:
        """Return all states as they are reported."""
        return tuple(self._states.values())

    @property
    def order_open(self) -> bool:
        """Whether an action of the order is neither finished nor failed."""
        return any(s.action_status in _OPEN for k, s in self._states.items() if k not in self._instant)

    @property
    def running(self) -> bool:
        """Whether anything runs."""
        return bool(self._running)

    @property
    def blocking(self) -> bool:
        """Whether something that forbids driving runs or was triggered."""
        if not (self._running or self._queue or self._urgent):
            return False
        return any(
            a.blocking_type not in MAY_DRIVE
            for part in (self._running.values(), self._urgent, self._queue)
            for a in part
        )

    def forget(self) -> None:
        """Begin a new order: only instant actions that are still open stay."""
        kept = {k: self._states[k] for k in self._instant if self._states[k].action_status in _OPEN}
        self._states, self._instant = kept, dict.fromkeys(kept)

    def know(self, actions: Iterable[Action]) -> None:
        """Take up actions of the order as WAITING."""
        for a in actions:
            self._states[a.action_id] = ActionState(
                a.action_id, ActionStatus.WAITING, a.action_type, a.action_description
            )

    def drop(self, actions: Iterable[Action]) -> None:
        """Forget actions of a horizon that was replaced."""
        for a in actions:
            self._states.pop(a.action_id, None)

    def trigger(self, actions: Iterable[Action]) -> None:
        """Queue actions of a node that was reached or an edge that is entered."""
        self._queue.extend(actions)

    def instant(self, action: Action, status: ActionStatus, result: str | None = None) -> None:
        """Take up an instant action that the vehicle itself carries out."""
        self._states[action.action_id] = ActionState(
            action.action_id, status, action.action_type, action.action_description, result
        )
        self._instant[action.action_id] = None
        done = [k for k in self._instant if self._states[k].action_status not in _OPEN]
        for k in done[: max(0, len(done) - KEPT_INSTANT)]:
            del self._instant[k], self._states[k]

    def clear_instants(self) -> None:
        """Forget instant actions that have ended (3.0: `clearInstantActions`)."""
        for k in [k for k in self._instant if self._states[k].action_status not in _OPEN]:
            del self._instant[k], self._states[k]

    def hurry(self, action: Action) -> None:
        """Queue an instant action before those of the order."""
        self.instant(action, ActionStatus.WAITING)
        self._urgent.append(action)

    def begin(self, *, driving: bool) -> list[Action]:
        """Start what may start now: HARD and SINGLE alone, HARD and SOFT not while driving; in the queue's order."""
        begun: list[Action] = []
        for queue in (self._urgent, self._queue):
            while queue:
                blocking = queue[0].blocking_type
                if driving and blocking not in MAY_DRIVE:
                    return begun
                if self._running and (
                    blocking not in _BESIDE or any(a.blocking_type not in _BESIDE for a in self._running.values())
                ):
                    return begun
                action = queue.popleft()
                self._running[action.action_id] = action
                self.set(action.action_id, ActionStatus.RUNNING)
                begun.append(action)
        return begun

    def hold(self, action_id: str, reason: str) -> bool:
        """Keep an action that failed until it is asked for again or skipped; False if it was not running."""
        if action_id not in self._running:
            return False
        self.set(action_id, RETRIABLE, reason)
        return True

    def held(self, action_id: str) -> Action | None:
        """Return an action that failed and waits for a decision (3.0, 6.2.3); None: it does not."""
        state = self._states.get(action_id)
        return self._running.get(action_id) if state is not None and state.action_status == RETRIABLE else None

    def end(self, action_id: str, status: str, result: str | None = None) -> bool:
        """Take note that a running action ended; False if it was not running."""
        if self._running.pop(action_id, None) is None:
            return False
        self.set(action_id, status, result)
        return True

    def set(self, action_id: str, status: str, result: str | None = None) -> None:
        """Change what is reported of an action."""
        old = self._states[action_id]
        self._states[action_id] = ActionState(action_id, status, old.action_type, old.action_description, result)

    def fail_waiting(self, reason: str) -> None:
        """Fail whatever of the order was not begun."""
        self._queue.clear()
        for k, s in self._states.items():
            if s.action_status == ActionStatus.WAITING and k not in self._instant:
                self.set(k, ActionStatus.FAILED, reason)

    def running_actions(self) -> list[Action]:
        """Return what runs, in the order in which it began."""
        return list(self._running.values())

    def running_of(self, actions: Iterable[Action]) -> list[Action]:
        """Return those of the given actions that run."""
        return [a for a in actions if a.action_id in self._running]
