"""Goods-to-person: which orders stand together at which station, and which pods come there in which order."""

from dispatcher.optimizers.stations.problem import Params, Plan, Problem, Visit, check
from dispatcher.optimizers.stations.search import first_come, plan, together

__all__ = ["Params", "Plan", "Problem", "Visit", "check", "first_come", "plan", "together"]
