"""The reference site: a parts warehouse where robots bring pods to people.

Two blocks of pods stand side by side, a fire wall between them. Seen from above, in cells of 1.2 m (x to the right)::

    row 22      parking and chargers (dead ends, for empty robots)
    rows 20-21  north road           row 20 drives east, row 21 west
    rows 12-19  pods, islands of 2 x 8, one-way aisles between them, up and down by turns
    rows 10-11  middle road          east-going fire door D1 in the wall
    rows 2-9    pods
    rows 0-1    south road           west-going fire door D2 in the wall
    rows -1--4  8 pick stations, each a U: four places to queue, the station, three to leave by

Both outer columns of a block are roads too (one lane each way). A receiving station hangs on the west and on the east
side. Empty robots drive beneath the pods; loaded ones enter a storage cell only from its aisle.
"""

import random
from collections.abc import Iterator, Mapping
from itertools import pairwise

from contracts.errors import Rejected
from contracts.ids import (
    BinId,
    CellId,
    ChuteId,
    DeviceId,
    DoorId,
    EdgeId,
    ItemId,
    NodeId,
    PodId,
    RobotId,
    SiteId,
    StationId,
)
from contracts.layout import Edge, Layout, Node, NodeKind
from contracts.site import Bin, Cell, Chute, Device, Door, Pod, Robot, Site, Station
from simulators.catalogue import Catalogue, Opening, StockRow

CELL_M = 1.2
BLOCK_COLUMNS = 21
WALL = BLOCK_COLUMNS
COLUMNS = 2 * BLOCK_COLUMNS + 1
EAST_ROWS, WEST_ROWS = (0, 10, 20), (1, 11, 21)
BANDS = (range(2, 10), range(12, 20))
TOP = 22
PODS = 360
FACES, LEVELS, BIN_COLUMNS = 2, 4, 4
CHARGERS = 12
STATION_COLUMNS = (2, 7, 12, 17, 24, 29, 34, 39)
RECEIVE_ROW = 16
CHUTES = 6
SLOTS = 6
MANUFACTURER = "Floorplane"
ROAD_MPS, SPUR_MPS, LANE_MPS = 1.5, 0.8, 1.0
_WEST_MARGIN, _SOUTH_MARGIN = 3, 4
Cells = tuple[int, int]


def build(seed: int, catalogue: Catalogue, robots: int = 40, *, base_port: int = 17_000) -> Site:
    """Build the reference site; the same arguments give the same site.

    Parameters
    ----------
    seed
        Chooses which storage cells stay free and where robots stand at first.
    catalogue
        Must fit the site's bins (11,520).
    robots
        1 to 400; the first 42 stand on chargers and parking places, the rest beneath pods.
    base_port
        Loopback port of the first device; the site uses up to 250 from there, in 1024 to 65000.

    Raises
    ------
    Rejected
        An argument is out of its range, or the catalogue does not fit.
    """
    if not 1 <= robots <= 400:
        raise Rejected("robots", robots, "from 1 to 400")
    if not 1024 <= base_port <= 65_000:
        raise Rejected("base_port", base_port, "from 1024 to 65000")
    needed, bins = sum(o.bins for o in catalogue.openings), PODS * FACES * LEVELS * BIN_COLUMNS
    if needed > bins:
        raise Rejected("catalogue", needed, f"a catalogue that fits {bins} bins")
    rng = random.Random(f"{seed}/site")
    grid = _Grid()
    storage = [n.id for n in grid.nodes.values() if n.kind is NodeKind.STORAGE]
    homes = sorted(rng.sample(storage, PODS))
    spurs = [n.id for n in grid.nodes.values() if n.kind in {NodeKind.CHARGER, NodeKind.PARK}]
    starts = (spurs + rng.sample(storage, len(storage)))[:robots]
    layout = Layout("reference", "floor", "1", tuple(grid.nodes.values()), tuple(grid.edges.values()))
    stations = _stations()
    return Site(
        id=SiteId("reference"),
        layout=layout,
        pods=tuple(_pod(k + 1, home) for k, home in enumerate(homes)),
        stations=stations,
        chutes=tuple(Chute(ChuteId(f"C{k + 1}"), CellId("line"), 6.0 + 3.0 * k, 4) for k in range(CHUTES)),
        doors=(
            Door(DoorId("D1"), CellId("doors"), (node_id((WALL, 10)), node_id((WALL, 11)))),
            Door(DoorId("D2"), CellId("doors"), (node_id((WALL, 0)), node_id((WALL, 1)))),
        ),
        cells=_cells(stations, base_port),
        robots=tuple(Robot(RobotId(f"R{k + 1:03d}"), MANUFACTURER, start) for k, start in enumerate(starts)),
        line_length_m=100.0,
        infeed_m={s.id: round(30.0 + layout.node[s.lane[-1]].x_m, 2) for s in stations if s.kind == "pick"},
    )


def stock(
    site: Site, catalogue: Catalogue, seed: int, pods_of: Mapping[ItemId, PodId] | None = None
) -> tuple[StockRow, ...]:
    """Lay the opening stock into the bins: as `pods_of` says, or by category and product line (before any slotting).

    The bins of one item lie in different pods where there are several, unless a slotting puts them into one. A
    miscounted item's first bin holds one piece less than its books.

    Raises
    ------
    Rejected
        `pods_of` misses an item, or puts more into a pod than it has bins.
    """
    rng = random.Random(f"{seed}/stock")
    line_of = {i.id: (i.category, i.product_line, i.id) for i in catalogue.stock_items}
    openings = sorted(catalogue.openings, key=lambda o: line_of[o.item])
    bins = [[b.id for b in rng.sample(p.bins, len(p.bins))] for p in site.pods]
    if pods_of is not None:
        return tuple(_slotted(site, openings, bins, pods_of))
    needed, pods = sum(o.bins for o in openings), len(bins)
    rows: list[StockRow] = []
    for opening in openings:
        for k, qty in enumerate(_split(opening)):
            # families fill pods from the first to the last; empty bins are spread evenly
            at = (len(rows) * pods // needed + k * 7) % pods
            while not bins[at]:
                at = (at + 1) % pods
            rows.append(StockRow(bins[at].pop(), opening.item, qty, qty - (opening.miscounted and k == 0)))
    return tuple(rows)


def _slotted(
    site: Site, openings: list[Opening], bins: list[list[BinId]], pods_of: Mapping[ItemId, PodId]
) -> Iterator[StockRow]:
    left = {p.id: names for p, names in zip(site.pods, bins, strict=True)}
    for opening in openings:
        names = left.get(pods_of.get(opening.item, PodId("")))
        if names is None or len(names) < opening.bins:
            raise Rejected(f"pods_of/{opening.item}", pods_of.get(opening.item), f"a pod with {opening.bins} free bins")
        for k, qty in enumerate(_split(opening)):
            yield StockRow(names.pop(), opening.item, qty, qty - (opening.miscounted and k == 0))


def _split(opening: Opening) -> list[int]:
    """Return what the books say of each bin of an item."""
    if opening.miscounted and opening.bins > 1:
        return [1, *_even(opening.qty - 1, opening.bins - 1)]
    return _even(opening.qty, opening.bins)


def _even(qty: int, bins: int) -> list[int]:
    return [qty // bins + (k < qty % bins) for k in range(bins)]


def node_id(cell: Cells) -> NodeId:
    """Return the name of the node in a cell of the drawing above."""
    return NodeId(f"X{cell[0] + _WEST_MARGIN:02d}Y{cell[1] + _SOUTH_MARGIN:02d}")


class _Grid:
    """Nodes and edges, laid cell by cell."""

    def __init__(self) -> None:
        self.nodes: dict[Cells, Node] = {}
        self.edges: dict[tuple[Cells, Cells], Edge] = {}
        for first in (0, WALL + 1):
            self._block(first)
        self._wall()
        for k, column in enumerate(c for c in range(COLUMNS) if c != WALL):
            charger = k % 4 == 1 or k in {0, 41}
            self._node((column, TOP), NodeKind.CHARGER if charger else NodeKind.PARK)
            self._both((column, TOP), (column, TOP - 1), SPUR_MPS, loaded=False)
        for station in _lanes():
            self._lane(*station)

    def _node(self, cell: Cells, kind: NodeKind = NodeKind.AISLE, door: DoorId | None = None) -> None:
        x_m, y_m = (cell[0] + _WEST_MARGIN + 0.5) * CELL_M, (cell[1] + _SOUTH_MARGIN + 0.5) * CELL_M
        self.nodes[cell] = Node(node_id(cell), round(x_m, 3), round(y_m, 3), kind, door)

    def _way(self, a: Cells, b: Cells, speed_mps: float = ROAD_MPS, *, loaded: bool = True) -> None:
        name = EdgeId(f"{node_id(a)}-{node_id(b)}")
        self.edges[a, b] = Edge(name, node_id(a), node_id(b), speed_mps, loaded)

    def _both(self, a: Cells, b: Cells, speed_mps: float = ROAD_MPS, *, loaded: bool = True) -> None:
        self._way(a, b, speed_mps, loaded=loaded)
        self._way(b, a, speed_mps, loaded=loaded)

    def _block(self, first: int) -> None:
        last = first + BLOCK_COLUMNS - 1
        aisles = (first + 1, *range(first + 4, last - 3, 3), last - 1)  # up and down by turns
        up = set(aisles[0::2])
        roads = {first, *aisles, last}
        for row in range(TOP):
            for column in range(first, last + 1):
                pods = any(row in band for band in BANDS) and column not in roads
                self._node((column, row), NodeKind.STORAGE if pods else NodeKind.AISLE)
        for row in range(TOP):
            for column in range(first, last):
                self._sideways((column, row), (column + 1, row), {first, last})
        for column in range(first, last + 1):
            for row in range(TOP - 1):
                low, high = (column, row), (column, row + 1)
                if row in EAST_ROWS:
                    self._both(low, high)  # from one lane of a road to the other
                elif column in roads:
                    self._way(*((low, high) if column in up else (high, low)))
                else:
                    self._both(low, high, SPUR_MPS, loaded=False)  # beneath the pods

    def _sideways(self, a: Cells, b: Cells, outer: set[int]) -> None:
        if a[1] in EAST_ROWS:
            self._way(a, b)
        elif a[1] in WEST_ROWS:
            self._way(b, a)
        elif a[0] in outer or b[0] in outer:
            self._both(a, b)  # between the two lanes of an outer road
        else:
            kinds = (self.nodes[a].kind, self.nodes[b].kind)
            beneath = kinds == (NodeKind.STORAGE, NodeKind.STORAGE)
            self._both(a, b, SPUR_MPS, loaded=not beneath)

    def _wall(self) -> None:
        for door, rows, step in ((DoorId("D1"), (10, 11), 1), (DoorId("D2"), (0, 1), -1)):
            for row in rows:
                self._node((WALL, row), NodeKind.DOOR, door)
                self._way((WALL - step, row), (WALL, row), LANE_MPS)
                self._way((WALL, row), (WALL + step, row), LANE_MPS)

    def _lane(self, lane: tuple[Cells, ...], exits: tuple[Cells, ...], before: Cells, after: Cells) -> None:
        for cell in lane:
            self._node(cell, NodeKind.QUEUE)
        self._node(lane[-1], NodeKind.STATION)
        for cell in exits:
            self._node(cell)
        path = (before, *lane, *exits, after)
        for a, b in pairwise(path):
            self._way(a, b, LANE_MPS)


def _lanes() -> list[tuple[tuple[Cells, ...], tuple[Cells, ...], Cells, Cells]]:
    """Return (lane, exits, road before, road after) of the pick stations, then of the receiving stations."""
    found: list[tuple[tuple[Cells, ...], tuple[Cells, ...], Cells, Cells]] = []
    for c in STATION_COLUMNS:
        places = ((c, -1), (c, -2), (c, -3), (c, -4), (c + 1, -4))
        found.append((places, ((c + 1, -3), (c + 1, -2), (c + 1, -1)), (c, 0), (c + 1, 0)))
    for road, away in ((0, -1), (COLUMNS - 1, 1)):
        r, x = RECEIVE_ROW, [road + away * k for k in range(4)]
        lane = ((x[1], r), (x[2], r), (x[3], r), (x[3], r - 1))
        found.append((lane, ((x[2], r - 1), (x[1], r - 1)), (road, r), (road, r - 1)))
    return found


def _stations() -> tuple[Station, ...]:
    found = []
    for k, (lane, exits, _, _) in enumerate(_lanes()):
        pick = k < len(STATION_COLUMNS)
        number = k + 1 if pick else k + 1 - len(STATION_COLUMNS)
        name = f"S{number}" if pick else f"G{number}"
        cell = CellId(f"station-{name}")
        found.append(
            Station(
                StationId(name),
                "pick" if pick else "receive",
                cell,
                tuple(map(node_id, lane)),
                node_id(exits[0]),
                SLOTS if pick else 0,
            )
        )
    return tuple(found)


def _pod(number: int, home: NodeId) -> Pod:
    return Pod(
        PodId(f"P{number:03d}"),
        home,
        tuple(
            Bin(BinId(f"P{number:03d}-{'AB'[face]}{level + 1}{column + 1}"), face, level, column)
            for face in range(FACES)
            for level in range(LEVELS)
            for column in range(BIN_COLUMNS)
        ),
    )


def _cells(stations: tuple[Station, ...], base: int) -> tuple[Cell, ...]:
    def device(name: str, role: str, driver: str, address: str, serves: str = "") -> Device:
        return Device(DeviceId(name), role, driver, address, serves)

    cells = []
    for k, s in enumerate(stations):
        port = base + 10 * k
        cells.append(
            Cell(
                s.cell,
                "station",
                (
                    device(f"{s.id}-scanner", "scanner", "tcp_scanner", f"tcp://127.0.0.1:{port}", s.id),
                    device(f"{s.id}-scale", "scale", "tcp_scale", f"tcp://127.0.0.1:{port + 1}", s.id),
                    device(f"{s.id}-printer", "printer", "tcp_printer", f"tcp://127.0.0.1:{port + 2}", s.id),
                    device(f"{s.id}-panel", "panel", "modbus", f"modbus://127.0.0.1:{port + 3}/1", s.id),
                    device(f"{s.id}-camera", "camera", "camera", f"http://127.0.0.1:{port + 4}/frame.jpg", s.id),
                ),
            )
        )
    line = [
        device("line-plc", "line", "modbus", f"modbus://127.0.0.1:{base + 120}/1"),
        device("line-scanner", "scanner", "tcp_scanner", f"tcp://127.0.0.1:{base + 121}"),
    ]
    for k in range(CHUTES):
        port = base + 130 + 2 * k
        line.append(device(f"C{k + 1}-scanner", "scanner", "tcp_scanner", f"tcp://127.0.0.1:{port}", f"C{k + 1}"))
        line.append(device(f"C{k + 1}-scale", "scale", "tcp_scale", f"tcp://127.0.0.1:{port + 1}", f"C{k + 1}"))
    doors = tuple(
        device(f"{name}-plc", "door", "opcua", f"opc.tcp://127.0.0.1:{base + 150 + k}", name)
        for k, name in enumerate(("D1", "D2"))
    )
    return (*cells, Cell(CellId("line"), "line", tuple(line)), Cell(CellId("doors"), "doors", doors))
