"""Waves and labour: which person does which batch and when, so that little of weight is late."""

from dispatcher.optimizers.waves.dispatch import RULES, by_rule, earliest_due_date
from dispatcher.optimizers.waves.problem import Batch, Break, Params, Plan, Problem, Shift, Unplanned, Worker, check
from dispatcher.optimizers.waves.search import plan

__all__ = [
    "RULES",
    "Batch",
    "Break",
    "Params",
    "Plan",
    "Problem",
    "Shift",
    "Unplanned",
    "Worker",
    "by_rule",
    "check",
    "earliest_due_date",
    "plan",
]
