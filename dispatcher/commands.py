"""What the core wants done: values that the shell carries out in order, after it has journaled them."""

import msgspec

from contracts.messages import facts, floor, ops
from contracts.vda5050 import v2, v3


class _Command(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Written as an array in the journal."""


class SendOrder(_Command, frozen=True, tag="order"):
    """A VDA 5050 order or order update to the robot that it names."""

    order: v2.Order


class SendInstantActions(_Command, frozen=True, tag="instant_actions"):
    """VDA 5050 instant actions to the robot that they name."""

    message: v2.InstantActions


class SendResponses(_Command, frozen=True, tag="responses"):
    """Answers to what a robot of VDA 5050 3.0 asked for."""

    message: v3.Responses


class SendZoneSet(_Command, frozen=True, tag="zone_set"):
    """The zones of a map, to a robot that understands them."""

    message: v3.ZoneSet


class SendEdgeCommand(_Command, frozen=True, tag="edge_command"):
    """A command to a cell."""

    command: floor.EdgeCommand


class AckEvents(_Command, frozen=True, tag="ack_events"):
    """A cell may forget these events."""

    ack: floor.EventAck


class TellCentral(_Command, frozen=True, tag="tell_central"):
    """A numbered fact for central."""

    fact: facts.Fact


class AnswerOps(_Command, frozen=True, tag="answer_ops"):
    """The answer to an operator."""

    answer: ops.OpsAnswer


Command = (
    SendOrder | SendInstantActions | SendResponses | SendZoneSet | SendEdgeCommand | AckEvents | TellCentral | AnswerOps
)
