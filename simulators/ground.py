"""The ground as a robot meets it: what it tells the world, and what it may do there."""

from typing import Protocol

from contracts.ids import NodeId, PodId, RobotId


class Ground(Protocol):
    """What a robot does to the world (`simulators.world.World`), and what the world checks."""

    def place(self, robot: RobotId, node: NodeId) -> None:
        """Put the robot on a node by hand."""
        ...

    def entering(self, robot: RobotId, node: NodeId) -> None:
        """The robot begins to drive onto a node."""
        ...

    def left(self, robot: RobotId, node: NodeId) -> None:
        """The robot has left a node wholly."""
        ...

    def lift(self, robot: RobotId, node: NodeId, pod: PodId | None = None) -> PodId:
        """Lift the pod that stands on a node.

        Raises
        ------
        Rejected
            None stands there, or not the one that was meant.
        """
        ...

    def set_down(self, robot: RobotId, node: NodeId) -> PodId:
        """Set the carried pod down on a node.

        Raises
        ------
        Rejected
            A pod stands there already.
        """
        ...
