"""The vehicle side of VDA 5050 2.1 as a state machine: orders and instant actions in, what the body shall do out.

It knows no clock and no transport. Its body (a robot, or a twin) tells it what happened (`reached`, `ended`, `moving`,
`fault`) and asks it what may be driven (`base`, `may_drive`). Each call returns the effects in order; whatever changed
what is reported sets `changed`, so that the body says one state for all that happened at one moment.
"""

from collections import deque
from collections.abc import Callable

import msgspec

from contracts.errors import Rejected
from contracts.geometry import Point, Pose, distance_m
from contracts.vda5050.v2 import (
    VERSION,
    Action,
    ActionStatus,
    AgvPosition,
    BatteryState,
    EdgeState,
    ErrorEntry,
    ErrorLevel,
    InstantActions,
    Load,
    NodeState,
    OperatingMode,
    Order,
    State,
    Velocity,
)
from controllers.vda5050.actions import Actions
from controllers.vda5050.effects import Begin, Effect, Locate, SayFactsheet, Stop
from controllers.vda5050.orders import (
    NO_ROUTE,
    ORDER,
    UPDATE,
    VALIDATION,
    Abilities,
    Step,
    malformed,
    refusal,
    steps,
    unusable,
    warning,
)

KEPT_WARNINGS = 8
_AUTOMATIC = frozenset({OperatingMode.AUTOMATIC, OperatingMode.SEMIAUTOMATIC})


def _nothing(_: Step) -> bool:
    return False


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What the body measures when a state is said."""

    position: AgvPosition
    battery: BatteryState
    velocity: Velocity | None = None
    loads: tuple[Load, ...] = ()


class Vehicle:
    """One vehicle's order, actions, pause and errors.

    Parameters
    ----------
    abilities
        What the vehicle can do, and the places it knows.
    last_node_id
        Where it stands at first; empty: it does not know.
    """

    def __init__(self, abilities: Abilities, last_node_id: str = "") -> None:
        self._abilities = abilities
        self.order_id = ""
        self.order_update_id = 0
        self.last_node_id = last_node_id
        self.last_node_sequence_id = 0
        self.base: deque[Step] = deque()
        """Released steps still to be driven, nearest first. Read it; only this class changes it."""
        self.bars: Callable[[Step], bool] = _nothing
        """Whether a step of the base may not be entered now: a zone that was not granted, or is closed."""
        self._horizon: list[Step] = []
        self._entered: Step | None = None
        self._actions = Actions()
        self.driving = False
        self.paused = False
        self._pausing: Action | None = None
        self._cancelling: Action | None = None
        self._cut = True
        self._cancelled = False
        self._warnings: list[ErrorEntry] = []
        self._faults: dict[str, ErrorEntry] = {}
        self.operating_mode = OperatingMode.AUTOMATIC
        self.changed = True

    # --- what the body asks

    @property
    def may_drive(self) -> bool:
        """Whether the body may drive its base now; if not, it comes to rest as soon as it can."""
        return (
            not self.paused
            and self._pausing is None
            and not any(f.error_level == ErrorLevel.FATAL for f in self._faults.values())
            and self.operating_mode in _AUTOMATIC
            and not self._actions.blocking
        )

    @property
    def waits(self) -> bool:
        """Whether the next step of the base may not be entered now."""
        return bool(self.base) and self.bars(self.base[0])

    @property
    def must_cut(self) -> bool:
        """Whether the order is being cancelled and the body has not yet said (`cut`) where it can stop."""
        return self._cancelling is not None and not self._cut

    @property
    def active(self) -> bool:
        """Whether an order is being carried out or waits for its horizon."""
        return bool(self.base or self._horizon) or self._actions.order_open

    def stops_at(self, index: int) -> bool:
        """Whether the body must come to rest on the base's step `index` (0 is the next one)."""
        following = index + 1
        if following == len(self.base) or self.base[index].stops or self.base[following].stops_before:
            return True
        return self.bars(self.base[following])

    # --- what master control says

    def order(self, order: Order, pose: Pose) -> list[Effect]:
        """Take an order or an update, or refuse it with a warning (figure 8).

        Parameters
        ----------
        order
            As read.
        pose
            Where the vehicle is.
        """
        same = order.order_id == self.order_id and self.order_id != ""
        if same and order.order_update_id == self.order_update_id:
            self.changed = True  # whoever sends it again has not seen our state
            return []
        refused = malformed(order) or self._untimely(order, same=same) or unusable(order, self._abilities)
        made: list[Step] = []
        if refused is None:
            made = steps(order, self._abilities)
            if not same and not self._reaches(made[0], pose):
                text = f"the first node is not where the vehicle is ({pose.x_m:.2f}, {pose.y_m:.2f})"
                refused = refusal(NO_ROUTE, order, text, nodeId=order.nodes[0].node_id)
        if refused is not None:
            self._warn(refused)
            return []
        self.changed = True
        self._warnings.clear()
        self.order_update_id = order.order_update_id
        if same:
            return self._extend(made)
        return self._take(order, made, pose)

    def instant(self, message: InstantActions) -> list[Effect]:
        """Carry out instant actions; one whose id is known is not done twice."""
        effects: list[Effect] = []
        for action in message.actions:
            self.changed = True
            if action.action_id in self._actions:
                continue
            match action.action_type:
                case "startPause":
                    self._pause(action)
                case "stopPause":
                    self._resume(action)
                    effects += self._begin()
                case "cancelOrder":
                    effects += self._cancel(action)
                case "stateRequest":
                    self._actions.instant(action, ActionStatus.FINISHED)
                case "factsheetRequest":
                    self._actions.instant(action, ActionStatus.FINISHED)
                    effects.append(SayFactsheet())
                case "clearInstantActions":
                    self._actions.clear_instants()
                    self._actions.instant(action, ActionStatus.FINISHED)
                case "retry" | "skipRetry" as kind:
                    effects += self._decide(action, again=kind == "retry")
                case "initPosition":
                    effects += self._locate(action)
                case kind if kind in self._abilities.instant_actions:
                    self._actions.hurry(action)
                    effects += self._begin()
                case kind:
                    self._refuse_instant(action, f"{kind} is not an instant action of this vehicle")
        return effects

    def unreadable(self, topic: str, why: Rejected) -> None:
        """Report a message that could not be read (6.6.4.1)."""
        self._warn(warning(VALIDATION, str(why)[:300], **{"topic": topic, why.field: str(why.value)[:80]}))

    # --- what the body says

    def reached(self) -> list[Effect]:
        """The next node of the base was traversed: its edge is left, its actions and the next edge's are triggered."""
        step = self.base.popleft()
        effects: list[Effect] = []
        if step.edge is not None and step.edge.actions:
            for action in self._actions.running_of(step.edge.actions):
                self._actions.end(action.action_id, ActionStatus.FINISHED)
                effects.append(Stop(action, cancelled=False))
        self.last_node_id = step.node.node_id
        self.last_node_sequence_id = step.node.sequence_id
        self._entered = None
        self.changed = True
        if self._cancelling is None:
            if step.node.actions:
                self._actions.trigger(step.node.actions)
            effects += self._enter()
        return effects + self._settled()

    def ended(self, action_id: str, *, failure: str = "", result: str = "", retriable: bool = False) -> list[Effect]:
        """An action ended, well unless `failure` says why not; a `retriable` one waits for a decision (3.0)."""
        if failure and retriable and self._cancelling is None:
            if self._actions.hold(action_id, failure):
                self.changed = True
                self._warn(warning("orderActionError", failure, orderId=self.order_id, actionId=action_id))
            return []
        status = ActionStatus.FAILED if failure else ActionStatus.FINISHED
        if not self._actions.end(action_id, status, failure or result or None):
            return []
        self.changed = True
        if failure and self._cancelling is None:
            self._warn(warning("orderActionError", failure, orderId=self.order_id, actionId=action_id))
        return self._begin() + self._settled()

    def moving(self, driving: bool) -> list[Effect]:
        """The body began to drive or turn, or came to rest."""
        if driving == self.driving:
            return []
        self.driving = driving
        self.changed = True
        if driving:
            return []
        if self._pausing is not None:
            self._actions.set(self._pausing.action_id, ActionStatus.FINISHED)
            self._pausing, self.paused = None, True
        return self._begin() + self._settled()

    def cut(self, keep: int) -> list[Effect]:
        """Answer `must_cut`: the body comes to rest on the base's step `keep` - 1, or where it stands for 0."""
        while len(self.base) > keep:
            self.base.pop()
        self._cut = True
        self.changed = True
        return self._settled()

    def fault(self, error: ErrorEntry) -> None:
        """The body has an error of its own; a FATAL one stops it until `mended`."""
        self._faults[error.error_type] = error
        self.changed = True

    def mended(self, error_type: str) -> None:
        """The error is gone."""
        if self._faults.pop(error_type, None) is not None:
            self.changed = True

    def state(
        self, reading: Reading, header_id: int, timestamp: str, manufacturer: str, serial: str, version: str = VERSION
    ) -> State:
        """Say everything that master control is told."""
        base, horizon = self.base, self._horizon
        nodes: tuple[NodeState, ...] = tuple([s.node_state for part in (base, horizon) for s in part])
        edges: tuple[EdgeState, ...] = tuple(
            [s.edge_state for part in (base, horizon) for s in part if s.edge_state is not None]
        )
        return State(
            order_id=self.order_id,
            order_update_id=self.order_update_id,
            last_node_id=self.last_node_id,
            last_node_sequence_id=self.last_node_sequence_id,
            driving=self.driving,
            node_states=nodes,
            edge_states=edges,
            action_states=self._actions.states(),
            battery_state=reading.battery,
            operating_mode=self.operating_mode,
            errors=(*self._faults.values(), *self._warnings),
            agv_position=reading.position,
            velocity=reading.velocity,
            loads=reading.loads,
            paused=self.paused,
            new_base_request=bool(horizon) and len(base) <= 1,
            header_id=header_id,
            timestamp=timestamp,
            version=version,
            manufacturer=manufacturer,
            serial_number=serial,
        )

    # --- inside

    def _untimely(self, order: Order, *, same: bool) -> ErrorEntry | None:
        if self._cancelling is not None:
            return refusal(ORDER, order, "the running order is being cancelled")
        if self.operating_mode not in _AUTOMATIC:
            return refusal(ORDER, order, f"the operating mode is {self.operating_mode}")
        if not same:
            if self.active:
                return refusal(ORDER, order, f"order {self.order_id} is not finished")
            return None
        if order.order_update_id < self.order_update_id:
            return refusal(UPDATE, order, f"update {self.order_update_id} is already here")
        if self._cancelled:
            return refusal(UPDATE, order, "the order was cancelled: send a new orderId")
        end = self.base[-1].node_state if self.base else None
        node_id = end.node_id if end else self.last_node_id
        sequence_id = end.sequence_id if end else self.last_node_sequence_id
        first = order.nodes[0]
        if (first.node_id, first.sequence_id) != (node_id, sequence_id):
            text = f"it begins at {first.node_id}/{first.sequence_id}, the base ends at {node_id}/{sequence_id}"
            return refusal(UPDATE, order, text, nodeId=first.node_id, sequenceId=first.sequence_id)
        return None

    def _reaches(self, first: Step, pose: Pose) -> bool:
        return first.node.node_id == self.last_node_id or self._stands_on(first, pose)

    def _stands_on(self, first: Step, pose: Pose) -> bool:
        position = first.node.node_position
        deviation_m = position.allowed_deviation_xy if position is not None else None
        return distance_m(Point(pose.x_m, pose.y_m), first.at) <= max(deviation_m or 0.0, self._abilities.reach_m)

    def _take(self, order: Order, made: list[Step], pose: Pose) -> list[Effect]:
        self.order_id = order.order_id
        self._cancelled = False
        self._actions.forget()
        self._actions.know(a for s in made for a in s.actions)
        self.base = deque(s for s in made if s.node.released)
        self._horizon = made[len(self.base) :]
        self._entered = None
        if self._stands_on(made[0], pose):
            return self.reached()
        return []

    def _extend(self, made: list[Step]) -> list[Effect]:
        self._actions.drop(a for s in self._horizon for a in s.actions)
        self._actions.know(a for s in made[1:] for a in s.actions)
        added = [s for s in made[1:] if s.node.released]
        self._horizon = made[1 + len(added) :]
        self.base.extend(added)
        return self._enter()

    def _enter(self) -> list[Effect]:
        """Trigger the next edge's actions once the vehicle is on the node before it."""
        step = self.base[0] if self.base else None
        edge = step.edge if step is not None and self._entered is not step else None
        if edge is not None and edge.actions and edge.start_node_id == self.last_node_id:
            self._entered = step
            self._actions.trigger(edge.actions)
        return self._begin()

    def _begin(self) -> list[Effect]:
        if self.paused or self._pausing is not None:
            return []
        return [Begin(a) for a in self._actions.begin(driving=self.driving)]

    def _pause(self, action: Action) -> None:
        if self.driving:
            if self._pausing is not None:
                self._actions.set(self._pausing.action_id, ActionStatus.FINISHED)
            self._actions.instant(action, ActionStatus.RUNNING)
            self._pausing = action
        else:
            self._actions.instant(action, ActionStatus.FINISHED)
            self.paused = True

    def _resume(self, action: Action) -> None:
        if self._pausing is not None:
            self._actions.set(self._pausing.action_id, ActionStatus.FAILED, "stopPause came first")
            self._pausing = None
        self.paused = False
        self._actions.instant(action, ActionStatus.FINISHED)

    def _cancel(self, action: Action) -> list[Effect]:
        if self._cancelling is not None or not self.active:
            self._actions.instant(action, ActionStatus.FAILED, "no order to cancel")
            text = "there is no order, or it is already cancelled"
            self._warn(warning("noOrderToCancel", text, actionId=action.action_id))
            return []
        self._actions.instant(action, ActionStatus.RUNNING)
        self._cancelling, self._cut = action, not self.base
        self._actions.fail_waiting("order cancelled")
        self._horizon = []
        for held in self._actions.running_actions():
            if self._actions.held(held.action_id) is not None:
                self._actions.end(held.action_id, ActionStatus.FAILED, "order cancelled")
        return [Stop(a, cancelled=True) for a in self._actions.running_actions()] + self._settled()

    def _settled(self) -> list[Effect]:
        """Finish a cancellation once nothing moves and nothing runs."""
        if self._cancelling is None or not self._cut or self.driving or self.base or self._actions.running:
            return []
        self._actions.set(self._cancelling.action_id, ActionStatus.FINISHED)
        self._cancelling, self._cancelled = None, True
        self.changed = True
        return []

    def _decide(self, action: Action, *, again: bool) -> list[Effect]:
        """Try an action that failed once more, or leave it failed (3.0, `retry` and `skipRetry`)."""
        name = str(action.parameter("actionId") or "")
        held = self._actions.held(name)
        if held is None:
            self._refuse_instant(action, f"action {name} does not wait for a decision")
            return []
        self._actions.instant(action, ActionStatus.FINISHED)
        if again:
            self._actions.set(name, ActionStatus.RUNNING)
            return [Begin(held)]
        self._actions.end(name, ActionStatus.FAILED, "skipped")
        return self._begin() + self._settled()

    def _locate(self, action: Action) -> list[Effect]:
        if self.active or self.driving:
            self._refuse_instant(action, "an order is running")
            return []
        try:
            x_m, y_m, heading = (float(action.parameter(k)) for k in ("x", "y", "theta"))
        except (TypeError, ValueError):
            self._refuse_instant(action, "x, y and theta must be numbers")
            return []
        self.last_node_id = str(action.parameter("lastNodeId") or "")
        self.last_node_sequence_id = 0
        self._actions.instant(action, ActionStatus.FINISHED)
        return [Locate(Pose(x_m, y_m, heading), str(action.parameter("mapId") or ""))]

    def _refuse_instant(self, action: Action, why: str) -> None:
        self._actions.instant(action, ActionStatus.FAILED, why)
        about = {"actionId": action.action_id, "actionType": action.action_type}
        self._warn(warning("instantActionError", why, **about))

    def _warn(self, error: ErrorEntry) -> None:
        self._warnings = [*(w for w in self._warnings if w != error), error][-KEPT_WARNINGS:]
        self.changed = True
