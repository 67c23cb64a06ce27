"""What was last heard of the fleet; latest wins, and its age is shown."""

from central.fleet.past import Past
from contracts.codec import decode
from contracts.errors import Rejected
from contracts.messages.ops import FleetView, RobotView


class FleetBoard:
    """Keeps the last fleet view and the last pose frame."""

    def __init__(self) -> None:
        self.view: FleetView | None = None
        self.raw_view = b""
        self.poses = b""
        self.past = Past()

    def heard_view(self, payload: bytes) -> bool:
        """Take a fleet view; says whether it was one and is not older than what is known."""
        try:
            view = decode(payload, FleetView)
        except Rejected:
            return False
        if self.view is not None and (view.epoch, view.at_ms) < (self.view.epoch, self.view.at_ms):
            return False
        self.view, self.raw_view = view, payload
        self.past.keep(view.at_ms, payload)
        return True

    def robot(self, name: str) -> RobotView | None:
        """Return one robot as it was last heard of."""
        return None if self.view is None else next((r for r in self.view.robots if r.id == name), None)

    def heard_poses(self, frame: bytes) -> None:
        """Take a pose frame."""
        self.poses = frame
