"""Transport: which vehicle serves which stops and shipments, in which order and when."""

from dispatcher.optimizers.transport.insertion import insert
from dispatcher.optimizers.transport.problem import (
    UNBOUNDED,
    Break,
    Depot,
    Matrix,
    Params,
    Place,
    Problem,
    Shipment,
    Stop,
    Vehicle,
)
from dispatcher.optimizers.transport.routes import Plan, Route, Unplanned, Visit, check
from dispatcher.optimizers.transport.search import plan

__all__ = [
    "UNBOUNDED",
    "Break",
    "Depot",
    "Matrix",
    "Params",
    "Place",
    "Plan",
    "Problem",
    "Route",
    "Shipment",
    "Stop",
    "Unplanned",
    "Vehicle",
    "Visit",
    "check",
    "insert",
    "plan",
]
