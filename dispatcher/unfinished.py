"""Actions that never end: a robot that acts at the end of its order, and says neither that it has done so nor failed.

Nothing is given away for it: some loads are put on by people, who take their time. A person is told.
"""

from dispatcher import stopped
from dispatcher.fleet.member import Vehicle
from dispatcher.world import World


def look(world: World) -> None:
    """Raise an alarm for each robot that has acted for too long, and clear it for the others."""
    for v in world.vehicles.values():
        key = f"acting-{v.id}"
        if not _acts(v) or world.now_ms - v.moved_ms <= world.params.acting_ms:
            world.clear_alarm(key)
            continue
        what = v.leg.act if v.leg is not None else ""
        text = f"Robot {v.id} has not ended its {what or 'action'} at {v.node} in {world.params.acting_ms // 1000} s."
        world.raise_alarm(key, "warning", v.id, text, "Help it there, or cancel its order on the console.")


def _acts(v: Vehicle) -> bool:
    order, report = v.order, v.report
    if order is None or report is None or report.charging or not v.placed:
        return False
    return order.at == len(order.path) - 1 and bool(order.actions) and stopped.busy(report)
