"""What a vehicle's state machine asks of its body."""

import msgspec

from contracts.geometry import Pose
from contracts.vda5050.v2 import Action


class Begin(msgspec.Struct, frozen=True):
    """Start an action; answer with `Vehicle.ended`."""

    action: Action


class Stop(msgspec.Struct, frozen=True):
    """Stop an action: its edge was left, or its order is cancelled. Answer with `ended` only if it was cancelled."""

    action: Action
    cancelled: bool


class SayFactsheet(msgspec.Struct, frozen=True):
    """Publish the factsheet."""


class Locate(msgspec.Struct, frozen=True):
    """Take this pose as the truth."""

    pose: Pose
    map_id: str


Effect = Begin | Stop | SayFactsheet | Locate
