"""The vehicle side of VDA 5050 as a pure state machine, for whatever body drives it."""

from controllers.vda5050.effects import Begin, Effect, Locate, SayFactsheet, Stop
from controllers.vda5050.orders import Abilities, Step
from controllers.vda5050.vehicle import Reading, Vehicle

__all__ = ["Abilities", "Begin", "Effect", "Locate", "Reading", "SayFactsheet", "Step", "Stop", "Vehicle"]
