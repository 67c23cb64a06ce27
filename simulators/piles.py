"""What really lies where, for people: in the world's bins, in packed totes, and on whatever else they reach."""

from collections import defaultdict
from typing import Any

from contracts.ids import BinId, ItemId
from simulators.world import World


class Piles:
    """All that people can lay down and take up; only they and the world know it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pod = {b.id: p.id for p in world.site.pods for b in p.bins}
        self._elsewhere: dict[str, dict[str, int]] = defaultdict(dict)
        self._broken: dict[tuple[str, str], int] = {}

    def put(self, place: str, item: str, qty: int, *, broken: int = 0) -> None:
        """Lay pieces down, of which some are broken."""
        if place in self._world.bins:
            self._world.give_back(BinId(place), ItemId(item), qty)
        elif qty:
            pile = self._pile(place)
            pile[item] = pile.get(item, 0) + qty
        if broken:
            self._broken[place, item] = self._broken.get((place, item), 0) + broken

    def take(self, place: str, item: str, qty: int) -> int:
        """Take up to so many pieces; return how many there were."""
        pile = self._pile(place)
        taken = min(qty, pile.get(ItemId(item), 0))
        if taken:
            pile[ItemId(item)] -= taken
            if not pile[ItemId(item)]:
                del pile[ItemId(item)]
        return taken

    def count(self, place: str, item: str) -> int:
        """Return how many pieces lie there."""
        return self._pile(place).get(ItemId(item), 0)

    def broken(self, place: str, item: str) -> int:
        """Return how many of them are broken."""
        return self._broken.get((place, item), 0)

    def empty(self, place: str) -> bool:
        """Tell whether nothing lies there."""
        return not self._pile(place)

    def within_reach(self, place: str) -> bool:
        """Tell whether somebody can get at it: a bin only while its pod stands on the floor and nobody carries it."""
        pod = self._pod.get(BinId(place))
        return pod is None or pod in self._world.pod_at.values()

    def _pile(self, place: str) -> dict[Any, int]:
        if place in self._world.bins:
            return self._world.bins[BinId(place)]
        if place.startswith("T-"):
            for tote in reversed(self._world.packed):
                if tote.label == place:
                    return tote.contents
        return self._elsewhere[place]
