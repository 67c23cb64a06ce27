"""The problem of `stations` as the books have it, and its accepted plan given to the dispatcher."""

from datetime import datetime
from typing import Any

import msgspec

from central.context import Context
from central.database import Database
from central.moment import milliseconds
from central.problems import Refusal
from contracts import topics
from contracts.codec import decode, encode
from contracts.ids import StationId, ToteId
from contracts.messages.ops import OpsAnswer, OpsCommand, Seat, SeatTotes
from contracts.site import Site

MOST_TOTES = 2_000
_PATIENCE_S = 5.0
_TOTES = """
SELECT t.id, o.priority, o.due, max(k.station) FILTER (WHERE k.state = 'started') AS station,
       array_agg(b.parent ORDER BY k.id) AS pods
FROM tote t JOIN orders o ON o.id = t.order_id AND o.state IN ('released', 'picking')
JOIN task k ON k.tote = t.id AND k.kind = 'pick' AND k.state IN ('released', 'started')
JOIN place b ON b.code = k.bin AND b.parent IS NOT NULL
WHERE t.state = 'open' AND NOT t.hand
GROUP BY t.id, o.priority, o.due, o.received_at, t.n
ORDER BY o.priority DESC, o.due, o.received_at, t.n, t.id LIMIT $1
"""


async def stations_problem(database: Database, site: Site, at: datetime, given: dict[str, Any]) -> dict[str, Any]:
    """Read the open totes that robots serve, the most urgent first; what stands at a station stays there.

    `given` may say more of the problem than `books`: `pick_s`, `rule` and so on.
    """
    node, rows = site.layout.node, await database.read(_TOTES, MOST_TOTES)
    stations = [s for s in site.stations if s.kind == "pick"]
    free = {str(s.id): s.slots for s in stations}
    orders = []
    for r in rows:
        station = r["station"] or ""
        if station and free.get(station, 0) > 0:
            free[station] -= 1
        else:
            station = ""
        orders.append(
            {
                "id": r["id"], "pods": {pod: r["pods"].count(pod) for pod in r["pods"]}, "weight": 1 + r["priority"],
                "due_s": (milliseconds(r["due"]) - milliseconds(at)) / 1000, "station": station,
            }
        )  # fmt: skip
    return {
        "stations": [
            {"id": s.id, "slots": s.slots, "x_m": node[s.lane[-1]].x_m, "y_m": node[s.lane[-1]].y_m} for s in stations
        ],
        "pods": [{"id": p.id, "x_m": node[p.home].x_m, "y_m": node[p.home].y_m} for p in site.pods],
        "orders": orders,
    } | given  # fmt: skip


async def seat_totes(here: Context, plan_id: str, who: str, reason: str) -> None:
    """Give a plan of the books to the dispatcher, which follows it from then on; nothing for any other plan.

    Raises
    ------
    Refusal
        409: the dispatcher refuses it.
    Unavailable
        The dispatcher does not answer.
    """
    rows = await here.database.read(
        "SELECT problem, result FROM plan WHERE id = $1 AND kind = 'stations' AND state = 'done'", plan_id
    )
    problem = msgspec.json.decode(rows[0]["problem"]) if rows else {}
    if "books" not in problem:
        return
    stands = {o["id"] for o in problem["orders"] if o.get("station")}
    seats = [
        [Seat(ToteId(name), StationId(s["station"])) for name in s["orders"] if name not in stands]
        for s in msgspec.json.decode(rows[0]["result"])["plan"]["stations"]
    ]
    longest = max(map(len, seats), default=0)
    turns = tuple(mine[n] for n in range(longest) for mine in seats if n < len(mine))
    command = OpsCommand(f"plan-{plan_id}", who, reason, SeatTotes(plan_id, turns))
    payload = await here.log.request(topics.ops_subject(here.site.id), encode(command), timeout_s=_PATIENCE_S)
    answer = decode(payload, OpsAnswer)
    if not answer.done:
        raise Refusal(409, answer.reason)
