"""Picker tours: the shortest way from the depot past all picks and back.

`route` does it with one-way aisles, several depots and items in several places too.
"""

from dispatcher.optimizers.picking.area import Area, Busy, Depot, OneWay, PickList, Spot, Want
from dispatcher.optimizers.picking.route import Route, RouteParams, Stop, route, verify
from dispatcher.optimizers.picking.tour import Tour, check
from dispatcher.optimizers.picking.warehouse import Picks, Warehouse

__all__ = [
    "Area", "Busy", "Depot", "OneWay", "PickList", "Picks", "Route", "RouteParams", "Spot", "Stop", "Tour", "Want",
    "Warehouse", "check", "route", "shortest_length_m", "shortest_tour", "verify",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Load the compiled part when it is asked for."""
    if name in {"shortest_length_m", "shortest_tour"}:
        from dispatcher.optimizers.picking import exact

        return getattr(exact, name)
    raise AttributeError(name)
