"""Slotting: which part lies in which slot, so that the tours of all orders together are short."""

from dispatcher.optimizers.slotting.crowd import Shift, simulate
from dispatcher.optimizers.slotting.layouts import across, by_group, nearest, within
from dispatcher.optimizers.slotting.problem import Orders, Params, Plan, Problem, Slots, check, grid, travel_m
from dispatcher.optimizers.slotting.reslot import Step, reslot
from dispatcher.optimizers.slotting.search import plan

__all__ = [
    "Orders",
    "Params",
    "Plan",
    "Problem",
    "Shift",
    "Slots",
    "Step",
    "across",
    "by_group",
    "check",
    "grid",
    "nearest",
    "plan",
    "reslot",
    "simulate",
    "travel_m",
    "within",
]
