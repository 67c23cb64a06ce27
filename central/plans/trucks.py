"""Open orders as stops of a transport problem, and its accepted plan as trucks with stops in order."""

from datetime import timedelta
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, Field, ValidationError

from central.database import Connection, Database
from central.identity.access import Principal
from central.moment import Moment, milliseconds
from central.orders.model import Name
from central.problems import FieldError, Refusal, refused

_Text = Annotated[str, Field(max_length=64, pattern=r"^([A-Za-z0-9][A-Za-z0-9 ._/-]*)?$")]


class OrdersToBring(BaseModel):
    """Which orders become stops: `problem.orders` of a plan of the kind `transport`."""

    route: _Text = Field(min_length=1, description="Orders of this route that are on no truck; the trucks get it")
    begins_at: Moment = Field(description="Second 0 of the plan; trucks leave from then on")
    ids: list[Name] | None = Field(
        None, max_length=2_000, description="These orders, of this route or of none; absent: all that are open"
    )
    measures: list[Literal["totes", "weight_g", "volume_ml"]] = Field(
        ["totes"], min_length=1, max_length=3, description="What the vehicles' capacity is, number by number"
    )
    service_s: int = Field(300, ge=0, le=86_400, description="Time at a stop for each order")
    carrier: _Text = ""
    dock: Name | None = None


_OPEN = """
SELECT o.id, o.ship_to, o.due, o.state, o.route,
       EXISTS (SELECT FROM truck_order x WHERE x.order_id = o.id AND x.live) AS taken,
       (SELECT count(*) FROM tote t WHERE t.order_id = o.id AND t.state <> 'void')::bigint AS totes,
       (SELECT COALESCE(sum((l.qty - l.short) * i.weight_g), 0) FROM order_line l JOIN item i ON i.id = l.item
        WHERE l.order_id = o.id AND l.kind = 'stock')::bigint AS weight_g,
       (SELECT COALESCE(sum((l.qty - l.short) * i.volume_ml), 0) FROM order_line l JOIN item i ON i.id = l.item
        WHERE l.order_id = o.id AND l.kind = 'stock')::bigint AS volume_ml
FROM orders o
WHERE CASE WHEN $2::text[] IS NULL THEN o.route = $1 AND o.put_back IS NULL
               AND o.state IN ('allocated', 'released', 'picking', 'packed')
               AND NOT EXISTS (SELECT FROM truck_order x WHERE x.order_id = o.id AND x.live)
           ELSE o.id = ANY ($2) END
ORDER BY o.due, o.id
"""


async def transport_problem(database: Database, given: dict[str, Any]) -> dict[str, Any]:
    """Return the problem with a stop for each open order; an order that cannot be brought is named in `left`.

    Raises
    ------
    Refusal
        `orders` is not as it should be, or an order that it names is not known.
    """
    asked = _asked(given["orders"])
    rows = await database.read(_OPEN, asked.route, asked.ids)
    known = {r["id"] for r in rows}
    for n, name in enumerate(asked.ids or ()):
        if name not in known:
            raise refused(f"problem/orders/ids/{n}", name, "a known order")
    places = {p.get("id") for p in given.get("places", ()) if isinstance(p, dict)}
    stops, left = [], []
    for r in rows:
        close_s = (milliseconds(r["due"]) - milliseconds(asked.begins_at)) // 1000
        why = (
            f"it is {r['state']}" if r["state"] not in {"allocated", "released", "picking", "packed"}
            else "it goes with another truck" if r["taken"]
            else f"it is of the route {r['route']}" if r["route"] not in {"", asked.route}
            else f"where {r['ship_to']!r} is, no place says" if r["ship_to"] not in places
            else "it is due before the trucks leave" if close_s < 0
            else ""
        )  # fmt: skip
        if why:
            left.append({"id": r["id"], "reason": why})
            continue
        stops.append(
            {
                "id": r["id"], "place": r["ship_to"], "delivery": [r[m] for m in asked.measures],
                "service_s": asked.service_s, "open_s": 0, "close_s": close_s,
            }
        )  # fmt: skip
    return given | {"stops": [*given.get("stops", ()), *stops], "left": [*given.get("left", ()), *left]}


def _asked(told: Any) -> OrdersToBring:
    try:
        return OrdersToBring.model_validate(told)
    except ValidationError as e:
        errors = [
            FieldError(
                field="/".join(["problem", "orders", *map(str, x["loc"])]), value=_plain(x["input"]), bound=x["msg"]
            )
            for x in e.errors()
        ]  # fmt: skip
        raise Refusal(422, f"{errors[0].field}: {errors[0].value!r}: {errors[0].bound}", errors) from e


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else type(value).__name__


async def make_trucks(connection: Connection, plan_id: str, at: object, who: Principal) -> None:
    """Make a truck of each route of an accepted plan of orders; nothing for any other plan.

    Raises
    ------
    Refusal
        An order cannot go with its truck any more; names each.
    """
    row = await connection.fetchrow("SELECT kind, problem, result FROM plan WHERE id = $1", plan_id)
    if row["kind"] != "transport":
        return
    problem = msgspec.json.decode(row["problem"])
    if "orders" not in problem:
        return
    asked, found = _asked(problem["orders"]), msgspec.json.decode(row["result"])["plan"]
    place = {s["id"]: s["place"] for s in problem["stops"]}
    trucks, errors = [], []
    for n, route in enumerate(found["routes"], 1):
        truck = f"{plan_id}-{n}"
        leaves = asked.begins_at + timedelta(seconds=route["visits"][0]["begin_s"])
        vehicle = f"{route['vehicle']} {route['number'] + 1}"[:64]
        if await connection.fetchval("SELECT count(*) FROM place WHERE code = $1", truck):
            raise refused("id", truck, "a name that nothing at the site has", status=409)
        await connection.execute("INSERT INTO place (code, kind) VALUES ($1, 'truck')", truck)
        await connection.execute(
            "INSERT INTO truck (id, state, carrier, route, vehicle, dock, departs_at, created_at, created_by)"
            " VALUES ($1, 'planned', $2, $3, $4, $5, $6, $7, $8)",
            truck, asked.carrier, asked.route, vehicle, asked.dock, leaves, at, who.name,
        )  # fmt: skip
        stops: list[tuple[str, list[str]]] = []
        for visit in route["visits"]:
            if visit["kind"] == "stop":
                if not stops or stops[-1][0] != place[visit["id"]]:
                    stops.append((place[visit["id"]], []))
                stops[-1][1].append(visit["id"])
        for k, (ship_to, orders) in enumerate(stops, 1):
            await connection.execute("INSERT INTO truck_stop VALUES ($1, $2, $3)", truck, k, ship_to)
            rows = await connection.fetch("SELECT * FROM add_to_truck($1, $2, $3, $4)", truck, k, orders, at)
            errors += [
                FieldError(field=f"routes/{n - 1}/stops/{k - 1}", value=r["order_id"], bound=r["outcome"]) for r in rows
            ]
        await connection.execute(_TOLD, truck, at, asked.route, asked.carrier, sum(len(o) for _, o in stops))
        trucks.append(truck)
    if errors:
        raise Refusal(409, f"{errors[0].field}: {errors[0].value!r} is not {errors[0].bound}", errors)
    await connection.execute(
        "UPDATE plan SET outcome = $2::jsonb WHERE id = $1", plan_id, msgspec.json.encode({"trucks": trucks}).decode()
    )


_TOLD = (
    "SELECT emit('floorplane.truck.planned', $1, $2,"
    " jsonb_build_object('route', $3::text, 'carrier', $4::text, 'orders', $5::integer))"
)
