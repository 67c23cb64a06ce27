"""Layouts from a file of either kind, LIF or a site of ours: checked, and two of them compared."""

from pathlib import Path
from typing import Any

import msgspec

from contracts.errors import Rejected
from contracts.layout_difference import difference
from contracts.lif import LifLayout, read_lif
from contracts.reach import refuse_unreachable
from contracts.site import read_site
from deploy.gates_file import missing
from deploy.lif_site import stations_of


class _Kind(msgspec.Struct):
    """What tells a LIF file from a site."""

    metaInformation: Any = None  # noqa: N815 - as the standard names it
    layout: Any = None


def read_layouts(path: Path) -> tuple[LifLayout, ...]:
    """Read the layouts of a LIF file, or the one of a site file.

    Raises
    ------
    Rejected
        It cannot be read, is neither, or an element of it contradicts another; names the element.
    """
    try:
        payload = path.read_bytes()
    except OSError as e:
        raise Rejected("file", str(path), f"a LIF or site file that can be read: {e.strerror}") from e
    try:
        kind = msgspec.json.decode(payload, type=_Kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise Rejected("file", str(path), f"a LIF or site file, which is a JSON object: {e}") from e
    if kind.metaInformation is None and kind.layout is not None:
        site = read_site(path)
        return (LifLayout(site.layout, tuple(stations_of(site)), ()),)
    return read_lif(payload)


def check(path: Path) -> list[str]:
    """Check a layout file and say what is in it, what of a LIF file is not kept, and what a fleet must be told.

    Raises
    ------
    Rejected
        See `read_layouts`; or a station of a LIF file cannot be reached or left.
    """
    said: list[str] = []
    for one in read_layouts(path):
        layout = one.layout
        refuse_unreachable(layout, {f"layouts/{layout.id}/stations/{s.id}": s.nodes for s in one.stations})
        lifts = {n.lift for n in layout.nodes if n.lift is not None}
        counts = [
            f"{len(layout.nodes)} nodes", f"{len(layout.edges)} edges", f"{len(one.stations)} stations",
            f"{len(layout.levels)} levels ({', '.join(layout.levels)})",
        ]  # fmt: skip
        counts += [f"{len(lifts)} lifts"] * bool(lifts) + [f"{len(layout.zones)} zones"] * bool(layout.zones)
        said.append(f"layout {layout.id}, version {layout.version}: {', '.join(counts)}")
        said += [f"not kept: {note}" for note in one.notes]
        if one.vehicle_types or one.stations:
            said += [f"for a fleet: {line}" for line in missing(path, layout)]
    return said


def compare(old: Path, new: Path) -> list[str]:
    """Say in words what changes from one layout file to another; empty when nothing does.

    Raises
    ------
    Rejected
        See `read_layouts`.
    """
    before, after = read_layouts(old), read_layouts(new)
    if len(before) == len(after) == 1:
        return _difference(before[0], after[0])
    olds, news = {one.layout.id: one for one in before}, {one.layout.id: one for one in after}
    said: list[str] = []
    for name in dict.fromkeys((*olds, *news)):
        a, b = olds.get(name), news.get(name)
        if a is None or b is None:
            said.append(f"layout {name}: {'new' if a is None else 'gone'} ({_size(a or b)})")
        else:
            said += [f"layout {name}: {line}" for line in _difference(a, b)]
    return said


def _difference(before: LifLayout, after: LifLayout) -> list[str]:
    """Compare two layouts with their stations."""
    said = difference(before.layout, after.layout)
    olds, news = ({s.id: ", ".join(s.nodes) for s in one.stations} for one in (before, after))
    for name in dict.fromkeys((*olds, *news)):
        a, b = olds.get(name), news.get(name)
        if a is None or b is None:
            said.append(f"station {name}: {'new' if a is None else 'gone'} (at {a or b})")
        elif a != b:
            said.append(f"station {name}: at {a} → {b}")
    return said


def _size(one: LifLayout | None) -> str:
    return "" if one is None else f"{len(one.layout.nodes)} nodes, {len(one.layout.edges)} edges"
