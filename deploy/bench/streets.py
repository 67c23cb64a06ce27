"""A floor of streets for fleet benchmarks: two lanes each way round, bays of two rows back to back between them.

In cells of 1.5 m, one block is ten wide and four high::

    B B B B B B B B | |     bays, open to the street above
    b b b b b b b b | |     bays, open to the street below (the next block's)
    < < < < < < < < + +     two lanes, west and east
    > > > > > > > > + +

Robots may change lanes anywhere, and a street of two lanes up and down runs along the left edge too, so that one that
stands for good does not shut in who comes behind it.
"""

import math
import random

from contracts.ids import EdgeId, NodeId, PodId, RobotId, SiteId
from contracts.layout import Edge, Layout, Node, NodeKind
from contracts.site import Pod, Robot, Site

CELL_M = 1.5
MAKER = "Bench"
_BAYS, _WIDE, _HIGH = 8, 10, 4
_LEFT = _WIDE - _BAYS
"""Columns before the first block: its bays' lanes would be a dead end otherwise."""
_ROBOTS_A_BLOCK = 1.5
"""27 nodes a robot, as on the reference site with forty."""
_ROAD_MPS, _BAY_MPS = 1.5, 0.8
Cell = tuple[int, int]


def streets(robots: int, seed: int, pods: int | None = None) -> Site:
    """Return a floor with 24 street nodes and 16 bays for each one and a half robots; pods stand in some of the bays.

    The street along the left edge comes on top.

    Parameters
    ----------
    robots
        From 1 to 10,000; they stand in bays at first.
    seed
        Chooses where pods and robots stand.
    pods
        How many; by default one a robot.
    """
    blocks = max(4, math.ceil(robots / _ROBOTS_A_BLOCK))
    across = max(2, round(math.sqrt(blocks / 2.5)))
    up = max(2, math.ceil(blocks / across))
    nodes: dict[Cell, Node] = {}
    for y in range(up * _HIGH + 2):
        for x in range(_LEFT + across * _WIDE):
            road = y % _HIGH < 2 or (x - _LEFT) % _WIDE >= _BAYS
            kind = NodeKind.AISLE if road else NodeKind.STORAGE
            nodes[x, y] = Node(NodeId(f"{x:03d}-{y:03d}"), CELL_M * x, CELL_M * y, kind)
    edges: list[Edge] = []

    def way(a: Cell, b: Cell, speed_mps: float = _ROAD_MPS) -> None:
        if a in nodes and b in nodes:
            u, v = nodes[a].id, nodes[b].id
            edges.append(Edge(EdgeId(f"{u}_{v}"), u, v, speed_mps))

    for (x, y), node in nodes.items():
        column, row = (x - _LEFT) % _WIDE, y % _HIGH
        if node.kind is NodeKind.STORAGE:
            street = (x, y - 1) if row == 2 else (x, y + 1)
            way((x, y), street, _BAY_MPS)
            way(street, (x, y), _BAY_MPS)
            continue
        if row < 2:
            way((x, y), (x + 1 if row == 0 else x - 1, y))
            way((x, y), (x, y + 1 if row == 0 else y - 1))
        if column >= _BAYS and row >= 2:
            way((x, y), (x + 1 if column == _BAYS else x - 1, y))
        if column == _BAYS and row != 0:
            way((x, y), (x, y + 1))
        if column == _BAYS + 1 and row != 1:
            way((x, y), (x, y - 1))
    rng = random.Random(f"{seed}/streets")
    bays = [n.id for n in nodes.values() if n.kind is NodeKind.STORAGE]
    homes, starts = rng.sample(bays, pods or robots), rng.sample(bays, robots)
    return Site(
        id=SiteId("bench"), layout=Layout("streets", "floor", "1", tuple(nodes.values()), tuple(edges)),
        pods=tuple(Pod(PodId(f"P{k}"), home, ()) for k, home in enumerate(homes)), stations=(), chutes=(), doors=(),
        cells=(), robots=tuple(Robot(RobotId(f"B{k}"), MAKER, node) for k, node in enumerate(starts)),
        line_length_m=0.0, infeed_m={},
    )  # fmt: skip
