"""Which rules a cell needs, and which of its devices plays which part in them."""

from contracts.errors import Rejected
from contracts.ids import BinId, ChuteId, DeviceId, DoorId, StationId
from contracts.site import Bin, Cell, Device, Site
from edge.rules.door import DoorRules
from edge.rules.lift import LiftPlace, LiftRules
from edge.rules.line import LineRules
from edge.rules.pack import PackPlace, PackRules
from edge.rules.pick import PickRules, StationDevices
from edge.rules.port import Memory, Rules, Tolerances
from edge.rules.sort import SortRules


class BinMap(dict[BinId, Bin]):
    """Bins by id, made once for all cells of a process."""

    @classmethod
    def of(cls, site: Site) -> "BinMap":
        """Collect the bins of a site."""
        return cls((b.id, b) for p in site.pods for b in p.bins)


def rules_of(site: Site, cell: Cell, bins: BinMap, memory: Memory, tolerances: Tolerances) -> Rules:
    """Build a cell's rules.

    Raises
    ------
    Rejected
        The cell's kind is not known, or a device that its rules need is not there.
    """
    match cell.kind:
        case "station":
            station = next((s for s in site.stations if s.cell == cell.id), None)
            if station is None:
                raise Rejected(f"cells/{cell.id}", cell.kind, "the cell of a station of the site")
            devices = StationDevices(
                panel=_needed(cell, "panel"),
                scanner=_needed(cell, "scanner"),
                scale=_part(cell, "scale"),
                printer=_part(cell, "printer"),
                camera=_part(cell, "camera"),
            )
            return PickRules(station.slots, devices, bins, memory, tolerances)
        case "line":
            chutes = tuple(c.id for c in site.chutes if c.cell == cell.id)
            sort = SortRules(_needed(cell, "line"), _sorter_scanner(cell, chutes), chutes, memory, tolerances)
            places = {
                c: PackPlace(c, scanner, _part(cell, "scale", c))
                for c in chutes
                if (scanner := _part(cell, "scanner", c)) is not None
            }
            return LineRules(sort, PackRules(places, sort.diverted, memory))
        case "doors":
            doors = {d.id: _needed(cell, "door", d.id) for d in site.doors if d.cell == cell.id}
            return DoorRules(doors, tolerances)
        case "lifts":
            lifts = {
                lift.id: LiftPlace(_needed(cell, "lift", lift.id), tuple(map(site.layout.level, lift.nodes)))
                for lift in site.lifts
                if lift.cell == cell.id
            }
            return LiftRules(lifts, tolerances)
        case _:
            raise Rejected(f"cells/{cell.id}/kind", cell.kind, "station, line, doors or lifts")


def _part(cell: Cell, role: str, serves: StationId | ChuteId | DoorId | str = "") -> DeviceId | None:
    return next((d.id for d in cell.devices if d.role == role and (not serves or d.serves == serves)), None)


def _needed(cell: Cell, role: str, serves: DoorId | str = "") -> DeviceId:
    found = _part(cell, role, serves)
    if found is None:
        raise Rejected(f"cells/{cell.id}/devices", role, f"among its devices{f' for {serves}' if serves else ''}")
    return found


def _sorter_scanner(cell: Cell, chutes: tuple[ChuteId, ...]) -> DeviceId:
    """The scanner that serves no chute is the sorter's."""

    def is_sorter(device: Device) -> bool:
        return device.role == "scanner" and device.serves not in chutes

    found = next((d.id for d in cell.devices if is_sorter(d)), None)
    if found is None:
        raise Rejected(f"cells/{cell.id}/devices", "scanner", "among its devices, for the sorter")
    return found
