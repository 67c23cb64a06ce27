"""Two layouts compared, in words."""

from contracts.layout import Edge, Layout, Node, Zone

_Part = Node | Edge | Zone


def difference(a: Layout, b: Layout) -> list[str]:
    """Say in words what changes from one layout to another; empty when nothing does."""
    said = [
        f"layout: {field} {getattr(a, field)!r} → {getattr(b, field)!r}"
        for field in ("id", "map_id", "version")
        if getattr(a, field) != getattr(b, field)
    ]
    olds, news = _parts(a), _parts(b)
    for what in dict.fromkeys((*olds, *news)):
        old, new = olds.get(what), news.get(what)
        if new is None:
            said.append(f"{what}: gone ({_in_words(old)})")
        elif old is None:
            said.append(f"{what}: new ({_in_words(new)})")
        else:
            said += [
                f"{what}: {field} {_value(getattr(old, field))} → {_value(getattr(new, field))}"
                for field in old.__struct_fields__
                if getattr(old, field) != getattr(new, field)
            ]
    return said


def _parts(layout: Layout) -> dict[str, _Part]:
    nodes: dict[str, _Part] = {f"node {n.id}": n for n in layout.nodes}
    edges: dict[str, _Part] = {f"edge {e.id}": e for e in layout.edges}
    return nodes | edges | {f"zone {z.id}": z for z in layout.zones}


def _in_words(part: _Part | None) -> str:
    if isinstance(part, Zone):
        return f"{part.kind}, {len(part.corners)} corners"
    if isinstance(part, Edge):
        return f"{part.start} → {part.end}, {part.max_speed_mps:g} m/s"
    if part is None:
        return ""
    level = f" on {part.level}" if part.level else ""
    return f"{part.kind} at {part.x_m:g}, {part.y_m:g}{level}"


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
