"""Batching: which orders are picked together on one tour, so that all tours together are short."""

from dispatcher.optimizers.batching.plan import first_come, plan
from dispatcher.optimizers.batching.problem import Params, Plan, Problem, Promise, Turn, check

__all__ = ["Params", "Plan", "Problem", "Promise", "Turn", "check", "first_come", "plan"]
