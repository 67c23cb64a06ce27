"""REST of transports: things moved by robots, without any stock."""

import hashlib
import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from central.context import Context, Correlation, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, Stored, claim, request_hash, store
from central.identity.access import HOUSE, Principal, Role, allowed
from central.identity.audit import AUDIT
from central.listing import Cursor, Limit, Page, following, turn
from central.moment import moment
from central.preconditions import IfMatch, check, tag
from central.problems import Refusal, documented, refused
from central.transports.model import TransportDetail, TransportIn, TransportOut
from contracts.ids import NodeId
from contracts.layout import NodeKind
from contracts.site import Site

router = APIRouter(prefix="/v1/transports", tags=["transports"])
MOVERS = Depends(allowed(Role.ERP, Role.OPERATOR, Role.SUPERVISOR, house=True))


@router.post(
    "",
    status_code=201,
    response_model=TransportOut,
    responses=documented(400, 409, 413),
    summary="Have something brought from one place to another",
)
async def post_transport(
    transport: TransportIn,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    who: Principal = MOVERS,
) -> Response:
    """Take a transport in. A robot is given to it as soon as one is free.

    The same key with the same body gives the same answer again (header `Idempotency-Replayed`).
    """
    origin, goal = _way(here, transport)
    at = moment(here.clock.now_ms())
    hashed = request_hash("POST /v1/transports", transport.model_dump_json())
    name = "V-" + hashlib.sha256(f"{who.name}\n{idempotency_key}\n{at.isoformat()}".encode()).hexdigest()[:12]

    async def work(connection: Connection) -> tuple[Stored, bool]:
        stored = await claim(connection, who.name, idempotency_key, hashed)
        if stored is not None:
            return stored, True
        row = await connection.fetchrow(
            "INSERT INTO transport (id, client, state, from_place, to_place, origin, goal, load, load_type, handling,"
            " priority, due, created_at)"
            " VALUES ($1, $2, 'open', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING *",
            name, who.name, transport.origin, transport.goal, origin, goal, transport.load, transport.load_type,
            transport.handling, transport.priority, transport.due, at,
        )  # fmt: skip
        await connection.execute(_HISTORY, name, at, "open", "", who.name)
        await connection.execute(
            "SELECT say_transport($1, $2), emit('floorplane.transport.open', $1, $2, $3::jsonb, $4)",
            name, at, json.dumps({"from": origin, "to": goal, "load": transport.load}), correlation,
        )  # fmt: skip
        body = TransportOut.model_validate(_shown(row)).model_dump_json(by_alias=True)
        answer = Stored(201, body)
        await store(connection, who.name, idempotency_key, hashed, answer, at)
        return answer, False

    answer, replayed = await here.database.unit(work)
    headers = {"Idempotency-Replayed": "true"} if replayed else {}
    return Response(answer.response, answer.status, headers, "application/json")


@router.get("", response_model=Page[TransportOut], responses=documented())
async def list_transports(
    here: Here,
    state: Annotated[str | None, Query(description="Only in this state")] = None,
    robot: Annotated[str | None, Query(description="Only of this robot")] = None,
    open_only: Annotated[bool, Query(alias="open", description="Only what is not closed")] = False,
    newest: Annotated[bool, Query(description="The newest first")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    _: Principal = HOUSE,
) -> dict[str, Any]:
    """List transports in the order in which they came, or the newest first."""
    at, name, past, direction = turn(cursor, newest=newest)
    rows = await here.database.read(
        f"SELECT * FROM transport WHERE (created_at, id) {past} ($1, $2)"  # noqa: S608 - constants
        " AND ($3::text IS NULL OR state = $3) AND ($4::text IS NULL OR robot = $4)"
        " AND (NOT $5 OR state IN ('open', 'assigned', 'loaded'))"
        f" ORDER BY created_at {direction}, id {direction} LIMIT $6",
        at, name, state, robot, open_only, limit,
    )  # fmt: skip
    return {"items": [_shown(r) for r in rows], "next": following(rows, limit, "created_at")}


@router.get("/{transport_id}", response_model=TransportDetail, responses=documented(404))
async def get_transport(transport_id: str, response: Response, here: Here, _: Principal = HOUSE) -> dict[str, Any]:
    """Show a transport: its state, its robot, its history; its `ETag` changes with its state and its robot."""
    found = await _transport(transport_id, here)
    response.headers["ETag"] = f'"{tag(found["id"], found["state"], found["robot"])}"'
    return found


async def _transport(transport_id: str, here: Context) -> dict[str, Any]:
    rows = await here.database.read("SELECT * FROM transport WHERE id = $1", transport_id)
    if not rows:
        raise Refusal(404, f"transport: {transport_id!r} is not known")
    history = await here.database.read(
        "SELECT at, state, robot, node, reason, who FROM transport_history WHERE transport = $1 ORDER BY seq",
        transport_id,
    )
    return _shown(rows[0]) | {"history": [dict(r) for r in history]}


@router.delete("/{transport_id}", response_model=TransportDetail, responses=documented(404, 409, 412))
async def cancel_transport(
    transport_id: str,
    here: Here,
    correlation: Correlation,
    reason: Annotated[str, Query(min_length=1, max_length=500, description="Kept with the transport")] = "cancelled",
    lost: Annotated[bool, Query(description="Its robot had it and has lost it: close it all the same")] = False,
    if_match: IfMatch = None,
    who: Principal = MOVERS,
) -> dict[str, Any]:
    """Cancel a transport that no robot has picked up yet, or with `lost` one whose robot has not got it any more.

    409 when it is too late. Again without effect. A robot that has it after all brings it to its end.
    """
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> None:
        row = await connection.fetchrow("SELECT state, robot FROM transport WHERE id = $1 FOR UPDATE", transport_id)
        if row is None:
            raise Refusal(404, f"transport: {transport_id!r} is not known")
        check(if_match, tag(transport_id, row["state"], row["robot"]), needed=False)
        if row["state"] == "cancelled":
            return
        if row["state"] == "done" or (row["state"] == "loaded" and not lost):
            where = f"it is on robot {row['robot']}" if row["state"] == "loaded" else "it is done"
            raise Refusal(409, f"transport: {transport_id} cannot be cancelled any more: {where}")
        await connection.execute(
            "SELECT move_transport($1, 'cancelled', $2, NULL, NULL, $3, $4)", transport_id, at, reason, who.name
        )
        await connection.execute(
            AUDIT, at, who.name, who.role, "transport.cancel", transport_id, reason, correlation, None
        )

    await here.database.unit(work)
    return await _transport(transport_id, here)


_HISTORY = "INSERT INTO transport_history (transport, at, state, reason, who) VALUES ($1, $2, $3, $4, $5)"


def _shown(row: Any) -> dict[str, Any]:
    one = dict(row)
    return one | {
        "from": one["from_place"],
        "to": one["to_place"],
        "from_node": one["origin"],
        "to_node": one["goal"],
    } | {"origin": one["from_place"], "goal": one["to_place"]}  # fmt: skip


def _way(here: Context, transport: TransportIn) -> tuple[NodeId, NodeId]:
    site = here.site
    ends: list[NodeId] = []
    for field, name in (("from", transport.origin), ("to", transport.goal)):
        node = site.place(name)
        if node is None:
            raise refused(field, name, f"a place of site {site.id}: a node of its layout, a station or a named place")
        if site.pods and site.layout.node[node].kind is NodeKind.STORAGE:
            raise refused(field, name, "a place for transports: pods of the stock stand there")
        ends.append(node)
    if ends[0] == ends[1]:
        raise refused("to", transport.goal, "another place than `from`")
    if not _reaches(site, *ends):
        raise refused("to", transport.goal, f"a place that a road leads to from {transport.origin}")
    return ends[0], ends[1]


def _reaches(site: Site, start: NodeId, end: NodeId) -> bool:
    seen, todo = {start}, [start]
    while todo:
        here = todo.pop()
        if here == end:
            return True
        for edge in site.layout.out[here]:
            if edge.end not in seen:
                seen.add(edge.end)
                todo.append(edge.end)
    return False
