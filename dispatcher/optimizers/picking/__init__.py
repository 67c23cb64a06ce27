"""Picker tours: the shortest way from the depot past all picks and back.

`route` does it with one-way aisles, several depots and items in several places too.
"""

from typing import TYPE_CHECKING

from dispatcher.optimizers.picking.area import Area, Busy, Depot, OneWay, PickList, Spot, Want
from dispatcher.optimizers.picking.route import Route, RouteParams, Stop, in_order, route
from dispatcher.optimizers.picking.tour import Tour, check
from dispatcher.optimizers.picking.verify import verify
from dispatcher.optimizers.picking.warehouse import Picks, Warehouse

if TYPE_CHECKING:
    from dispatcher.optimizers.picking.exact import shortest_length_m, shortest_tour

__all__ = [
    "Area", "Busy", "Depot", "OneWay", "PickList", "Picks", "Route", "RouteParams", "Spot", "Stop", "Tour", "Want",
    "Warehouse", "check", "in_order", "route", "shortest_length_m", "shortest_tour", "verify",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Load what compiles when it is asked for."""
    if name in {"shortest_length_m", "shortest_tour"}:
        from dispatcher.optimizers.picking import exact

        return getattr(exact, name)
    raise AttributeError(name)
