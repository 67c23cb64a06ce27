"""The site of the next-bin benchmark: pods between one-way aisles, ring roads, stations along both long sides."""

import math
import random
from itertools import pairwise

from contracts.ids import BinId, CellId, ChuteId, EdgeId, NodeId, PodId, RobotId, SiteId, StationId
from contracts.layout import Edge, Layout, Node, NodeKind
from contracts.site import Bin, Cell, Chute, Pod, Robot, Site, Station

MAKER = "Bench"
LINE = CellId("line")
PAIR = 4
"""Columns of the site for each pair of stations, one in the south and one in the north."""
CELL_M, SPEED_MPS = 2.0, 4.0
PODS_A_STATION, CHUTES, CHUTE_PLACES, SLOTS = 9, 6, 60, 6
_HEIGHT = 12


def build(stations: int, robots: int) -> Site:
    """Build pods between one-way aisles, two ring roads, and stations along both long sides.

    Parameters
    ----------
    stations
        Even, 2 to 80.
    robots
        1 to four a station.
    """
    width = math.ceil((stations // 2 * PAIR + 2) / 3) * 3  # whole aisles, each between two columns of pods
    nodes: dict[tuple[int, int], Node] = {}
    edges: dict[tuple[tuple[int, int], tuple[int, int]], Edge] = {}
    top = _HEIGHT - 1

    def node(x: int, y: int, kind: NodeKind = NodeKind.AISLE) -> None:
        nodes[x, y] = Node(_name(x, y), CELL_M * x, CELL_M * (y + 4), kind)

    def way(a: tuple[int, int], b: tuple[int, int], *, loaded: bool = True) -> None:
        edges[a, b] = Edge(EdgeId(f"{_name(*a)}-{_name(*b)}"), _name(*a), _name(*b), SPEED_MPS, loaded)

    for x in range(width):
        for y in range(_HEIGHT):
            node(x, y, NodeKind.STORAGE if 1 < y < top - 1 and x % 3 != 1 else NodeKind.AISLE)
    for x in range(width):
        for y in range(_HEIGHT):
            if x + 1 < width:
                a, b = (x, y), (x + 1, y)
                if y in {0, top - 1}:
                    way(a, b)
                elif y in {1, top}:
                    way(b, a)
                else:
                    beneath = nodes[a].kind is nodes[b].kind is NodeKind.STORAGE
                    way(a, b, loaded=not beneath)
                    way(b, a, loaded=not beneath)
            if y + 1 < _HEIGHT:
                low, high = (x, y), (x, y + 1)
                if y in {0, top - 1}:
                    way(low, high)
                    way(high, low)
                elif x % 3 == 1:
                    way(*((low, high) if x // 3 % 2 == 0 else (high, low)))
                else:
                    way(low, high, loaded=False)
                    way(high, low, loaded=False)
    lanes = []
    for k in range(stations // 2):
        x = PAIR * k + 1
        for side, road, first in ((-1, 0, x), (1, top, x + 1)):
            second = 2 * x + 1 - first
            lane = ((first, road + side), (first, road + 2 * side), (first, road + 3 * side), (second, road + 3 * side))
            exits = ((second, road + 2 * side), (second, road + side))
            for place in (*lane, *exits):
                node(*place, NodeKind.QUEUE if place in lane[:-1] else NodeKind.AISLE)
            node(*lane[-1], NodeKind.STATION)
            path = ((first, road), *lane, *exits, (second, road))
            for a, b in pairwise(path):
                way(a, b)
            lanes.append((lane, exits[0]))
    storage = [n.id for n in nodes.values() if n.kind is NodeKind.STORAGE]
    rng = random.Random(f"{stations}/nextbin")
    homes = rng.sample(storage, min(PODS_A_STATION * stations, len(storage) * 5 // 6))
    names = [StationId(f"S{k + 1}") for k in range(stations)]
    return Site(
        id=SiteId("bench"),
        layout=Layout("bench", "floor", "1", tuple(nodes.values()), tuple(edges.values())),
        pods=tuple(_pod(k, home) for k, home in enumerate(homes)),
        stations=tuple(
            Station(name, "pick", CellId(f"cell-{name}"), tuple(_name(*p) for p in lane), _name(*exit_), SLOTS)
            for name, (lane, exit_) in zip(names, lanes, strict=True)
        ),
        chutes=tuple(Chute(ChuteId(f"C{k}"), LINE, 3.0 * k, CHUTE_PLACES) for k in range(CHUTES)),
        doors=(),
        cells=(*(Cell(CellId(f"cell-{name}"), "station", ()) for name in names), Cell(LINE, "line", ())),
        robots=tuple(Robot(RobotId(f"B{k}"), MAKER, start) for k, start in enumerate(rng.sample(storage, robots))),
        line_length_m=100.0,
        infeed_m=dict.fromkeys(names, 10.0),
    )


def _name(x: int, y: int) -> NodeId:
    return NodeId(f"X{x}Y{y + 4}")


def _pod(number: int, home: NodeId) -> Pod:
    places = [(face, level, column) for face in range(2) for level in range(2) for column in range(2)]
    return Pod(
        PodId(f"P{number}"), home, tuple(Bin(BinId(f"P{number}-B{k}"), *where) for k, where in enumerate(places))
    )
