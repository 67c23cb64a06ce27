"""Picker tours: the shortest way from the depot past all picks and back."""

from dispatcher.optimizers.picking.exact import shortest_length_m, shortest_tour
from dispatcher.optimizers.picking.tour import Tour, check
from dispatcher.optimizers.picking.warehouse import Picks, Warehouse

__all__ = ["Picks", "Tour", "Warehouse", "check", "shortest_length_m", "shortest_tour"]
