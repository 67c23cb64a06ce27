"""Who moves the doors and lifts of a LIF file, which cannot say so itself: a file of ours beside it.

Beside ``hall.lif.json`` it is ``hall.gates.toml``, with a table a door or lift::

    [lifts.lift-N7]
    moved_by = "robots"      # they call it by themselves; one rides at a time

    [lifts.L2]
    moved_by = "device"      # an edge calls it, over Modbus or OPC UA
    driver = "modbus"
    address = "modbus://10.0.0.7:502/1"
    floors = ["g2", "u2"]    # the nodes of its cabin, in the order of its controller's floors

    [doors.D1]
    moved_by = "robots"
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from contracts.errors import Rejected
from contracts.ids import CellId, DeviceId, DoorId, LiftId, NodeId
from contracts.layout import Layout
from contracts.site import Cell, Device, Door, Lift

_DRIVERS = {"modbus": "modbus", "opcua": "opc.tcp"}
"""The scheme of a driver's addresses."""


class _Gate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table of the file."""

    moved_by: str
    driver: str = ""
    address: str = ""
    floors: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lifts: dict[str, _Gate] = {}
    doors: dict[str, _Gate] = {}


class Gates(msgspec.Struct, frozen=True):
    """A layout's doors and lifts as a site has them, and the cells of their controllers."""

    doors: tuple[Door, ...] = ()
    lifts: tuple[Lift, ...] = ()
    cells: tuple[Cell, ...] = ()


def path_of(lif: Path) -> Path:
    """Return where the doors and lifts of a LIF file are told of."""
    return lif.with_name(lif.name.removesuffix(".json").removesuffix(".lif") + ".gates.toml")


def missing(lif: Path, layout: Layout) -> list[str]:
    """Say of each door and lift that nobody moves how to tell who does; empty: nothing is missing.

    Raises
    ------
    Rejected
        The file beside it cannot be read.
    """
    path = path_of(lif)
    told = _read(path)
    lines = []
    for kind, known, nodes in (("doors", told.doors, _doors(layout)), ("lifts", told.lifts, _lifts(layout))):
        for name, at in nodes.items():
            if name not in known:
                where = ", ".join(f"{n} on {layout.level(n)}" for n in at)
                lines.append(
                    f"nobody moves {kind[:-1]} {name} ({where}). Write into {path.name}: [{kind}.{name}] "
                    f'moved_by = "robots" if they do it by themselves; or "device", with driver = "modbus" or "opcua" '
                    f"and address{' and floors' if kind == 'lifts' else ''}"
                )
    return lines


def read_gates(lif: Path, layout: Layout) -> Gates:
    """Read who moves the doors and lifts of a LIF file's layout.

    Raises
    ------
    Rejected
        The file beside it cannot be read, names a door or lift that the layout has not got, or leaves one out; names
        the element, and says what to write.
    """
    lines = missing(lif, layout)
    if lines:
        told = _read(path_of(lif))
        names = ", ".join(n for n in (*_doors(layout), *_lifts(layout)) if n not in {**told.doors, **told.lifts})
        raise Rejected(str(path_of(lif)), names, f"in that file: {'; '.join(lines)}")
    told, doors, lifts = _read(path_of(lif)), _doors(layout), _lifts(layout)
    for field, known, there in (("doors", told.doors, doors), ("lifts", told.lifts, lifts)):
        for name in known:
            if name not in there:
                raise Rejected(f"{field}/{name}", name, f"one of {', '.join(there) or 'none'}, as the layout has it")
    made_doors = tuple(
        Door(DoorId(name), _cell("doors", name, gate), tuple(doors[name])) for name, gate in told.doors.items()
    )
    made_lifts = tuple(
        Lift(LiftId(name), _cell("lifts", name, gate), _floors(name, gate, lifts[name]))
        for name, gate in told.lifts.items()
    )
    cells = []
    for kind, known in (("doors", told.doors), ("lifts", told.lifts)):
        devices = tuple(_device(kind, name, gate) for name, gate in known.items() if gate.moved_by == "device")
        if devices:
            cells.append(Cell(CellId(kind), kind, devices))
    return Gates(made_doors, made_lifts, tuple(cells))


def _read(path: Path) -> _File:
    try:
        return msgspec.toml.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        return _File()
    except OSError as e:
        raise Rejected("gates", str(path), f"a file that can be read: {e.strerror}") from e
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise Rejected("gates", str(path), f"TOML as docs/robots.md has it: {e}") from e


def _doors(layout: Layout) -> dict[str, list[NodeId]]:
    return _by((n.door, n.id) for n in layout.nodes)


def _lifts(layout: Layout) -> dict[str, list[NodeId]]:
    return _by((n.lift, n.id) for n in layout.nodes)


def _by(pairs: Iterable[tuple[Any, NodeId]]) -> dict[str, list[NodeId]]:
    found: dict[str, list[NodeId]] = {}
    for name, node in pairs:
        if name is not None:
            found.setdefault(name, []).append(node)
    return found


def _cell(kind: str, name: str, gate: _Gate) -> CellId:
    """Return the cell that moves a door or lift; none where the robots do."""
    field = f"{kind}/{name}"
    if gate.moved_by not in {"robots", "device"}:
        raise Rejected(f"{field}/moved_by", gate.moved_by, "robots or device")
    if gate.moved_by == "robots":
        for word, value in (("driver", gate.driver), ("address", gate.address), ("floors", gate.floors)):
            if value:
                raise Rejected(f"{field}/{word}", value, 'left out where moved_by = "robots"')
        return CellId("")
    if gate.driver not in _DRIVERS:
        raise Rejected(f"{field}/driver", gate.driver, f"one of {', '.join(_DRIVERS)}")
    address, scheme = urlsplit(gate.address), _DRIVERS[gate.driver]
    if address.scheme != scheme or not address.hostname:
        raise Rejected(f"{field}/address", gate.address, f"a URL that begins with {scheme}:// and a host")
    return CellId(kind)


def _device(kind: str, name: str, gate: _Gate) -> Device:
    return Device(DeviceId(f"{name}-plc"), kind[:-1], gate.driver, gate.address, name)


def _floors(name: str, gate: _Gate, nodes: Sequence[NodeId]) -> tuple[NodeId, ...]:
    if not gate.floors:
        return tuple(nodes)
    if sorted(gate.floors) != sorted(nodes):
        raise Rejected(f"lifts/{name}/floors", ", ".join(gate.floors), f"each of {', '.join(nodes)} once")
    return tuple(NodeId(n) for n in gate.floors)
