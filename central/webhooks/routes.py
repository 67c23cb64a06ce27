"""REST of webhooks: register, look, remove, and what could not be delivered."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from central.context import Context, Correlation, Here
from central.events.stream import patterns
from central.idempotency import IdempotencyKey, once
from central.identity.access import ERP, Principal
from central.identity.audit import AUDIT
from central.moment import moment
from central.preconditions import IfMatch, check, tag
from central.problems import Refusal, documented
from central.webhooks import signature
from central.webhooks.address import check_url, resolve
from central.webhooks.pump import register
from contracts.errors import Rejected
from contracts.runtime.clock import real

router = APIRouter(prefix="/v1/webhooks", tags=["events"])
Type = Annotated[str, Field(pattern=r"^[a-z0-9_.]+\*?$", max_length=100, examples=["floorplane.order.*"])]


WebhookId = Annotated[str, Path(pattern=r"^W-\d{1,18}$")]


class WebhookIn(BaseModel):
    """Where events go, and which."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "https://erp.example.com/floorplane", "types": ["floorplane.order.*"]}]}
    )

    url: str = Field(min_length=1, max_length=2000, description="https, at a public address")
    types: list[Type] = Field(default_factory=list, max_length=50, description="Only these; none: all")
    subject: str = Field("", pattern=r"^[^\x00]{0,100}$", description="Only subjects that begin so")
    secret: str | None = Field(None, max_length=200, description="`whsec_` and base64; none: one is made")


class Webhook(BaseModel):
    """A registered webhook."""

    id: str
    url: str
    types: list[str]
    subject: str
    created_at: datetime
    active: bool = Field(description="False after it answered 410: it is gone")
    delivered: int
    waiting: int = Field(description="Deliveries that will be tried, or tried again")
    dead: int = Field(description="Deliveries that were given up; replay or delete them")
    last_at: datetime | None
    last_outcome: str = Field(description="Status of the last answer, or what went wrong")


class NewWebhook(Webhook):
    """A webhook with its secret, which is shown this once."""

    secret: str


class DeadLetter(BaseModel):
    """A delivery that was given up."""

    id: int
    type: str
    subject: str
    at: datetime
    attempts: int
    outcome: str
    event: dict[str, Any] | None = Field(description="The event's data")


class Replay(BaseModel):
    """Which dead letters to send again."""

    ids: list[int] = Field(default_factory=list, max_length=1000, description="None: all", examples=[[17, 18]])


class Replayed(BaseModel):
    """How many were set to be sent again."""

    replayed: int


_LIST = """
SELECT w.*, d.waiting, d.dead FROM webhook w
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE NOT x.dead) AS waiting, count(*) FILTER (WHERE x.dead) AS dead
                    FROM webhook_delivery x WHERE x.webhook = w.id) AS d
WHERE ($1 = '' OR w.owner = $1)
"""


def _out(row: Any) -> dict[str, Any]:
    shown = [t.replace("%", "*").replace(r"\_", "_") for t in row["types"]]
    return {k: row[k] for k in Webhook.model_fields if k != "types"} | {"types": shown}


@router.post("", status_code=201, response_model=NewWebhook, responses=documented(400, 409))
async def post_webhook(
    body: WebhookIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = ERP
) -> Response:
    """Have events sent to a URL from now on, as CloudEvents, signed as Standard Webhooks says."""
    internal = here.settings.webhook_internal
    check_url(body.url, internal=internal)
    try:
        await real(resolve(body.url, internal=internal))
    except OSError as e:
        raise Rejected("url", body.url, f"a host that is known ({e})") from e
    secret = body.secret or signature.written(secrets.token_bytes(32))
    signature.read(secret)
    at = moment(here.clock.now_ms())

    async def work(connection: Any) -> str:
        row = await register(
            connection, body.url, secret, list(patterns(body.types)), body.subject, who.name, who.owner, at
        )
        await connection.execute(AUDIT, at, who.name, who.role, "webhook.add", row["id"], body.url, correlation, None)
        shown = _out(dict(row) | {"waiting": 0, "dead": 0}) | {"secret": secret}
        return NewWebhook.model_validate(shown).model_dump_json()

    what, said = "POST /v1/webhooks", body.model_dump_json()
    answer = await once(here.database, who.name, idempotency_key, what, said, at, 201, work)
    here.webhooks.changed()
    return answer


@router.get("", response_model=list[Webhook], responses=documented())
async def list_webhooks(here: Here, who: Principal = ERP) -> list[dict[str, Any]]:
    """List webhooks and how they are doing."""
    return [_out(r) for r in await here.database.read(_LIST + " ORDER BY w.created_at, w.id", who.owner)]


@router.get("/{webhook_id}", response_model=Webhook, responses=documented(404))
async def get_webhook(webhook_id: WebhookId, response: Response, here: Here, who: Principal = ERP) -> dict[str, Any]:
    """Show one webhook."""
    found = await _webhook(webhook_id, here, who)
    response.headers["ETag"] = f'"{_tag(found)}"'
    return found


def _tag(webhook: Mapping[str, Any]) -> str:
    return tag(webhook["id"], webhook["url"], str(webhook["created_at"]))


async def _webhook(webhook_id: str, here: Context, who: Principal) -> dict[str, Any]:
    rows = await here.database.read(_LIST + " AND w.id = $2", who.owner, webhook_id)
    if not rows:
        raise _unknown(webhook_id)
    return _out(rows[0])


@router.delete("/{webhook_id}", status_code=204, response_model=None, responses=documented(404, 412))
async def delete_webhook(
    webhook_id: WebhookId, here: Here, correlation: Correlation, if_match: IfMatch = None, who: Principal = ERP
) -> None:
    """Remove a webhook with all that it was still to be sent."""
    at = moment(here.clock.now_ms())

    async def work(connection: Any) -> None:
        found = await connection.fetchrow(
            "DELETE FROM webhook WHERE id = $1 AND ($2 = '' OR owner = $2) RETURNING id, url, created_at",
            webhook_id, who.owner,
        )  # fmt: skip
        if found is None:
            raise _unknown(webhook_id)
        check(if_match, _tag(found), needed=False)
        await connection.execute(AUDIT, at, who.name, who.role, "webhook.remove", webhook_id, "", correlation, None)

    await here.database.unit(work)


@router.get("/{webhook_id}/dead-letters", responses=documented(404))
async def list_dead_letters(
    webhook_id: WebhookId,
    here: Here,
    limit: Annotated[int, Query(ge=1, le=500, description="Most rows")] = 100,
    beyond: Annotated[int, Query(ge=0, lt=2**63, description="Only after this id")] = 0,
    who: Principal = ERP,
) -> list[DeadLetter]:
    """List what could not be delivered, the oldest first."""
    await _webhook(webhook_id, here, who)
    rows = await here.database.read(
        "SELECT d.id, e.type, e.subject, e.at, d.attempts, d.outcome, e.data::text AS data FROM webhook_delivery d"
        " JOIN event e ON e.tx = d.tx AND e.seq = d.seq"
        " WHERE d.webhook = $1 AND d.dead AND d.id > $2 ORDER BY d.id LIMIT $3",
        webhook_id, beyond, limit,
    )  # fmt: skip
    return [DeadLetter.model_validate({**dict(r), "event": _data(r["data"])}) for r in rows]


def _data(text: str | None) -> dict[str, Any] | None:
    return None if text is None else msgspec.json.decode(text, type=dict[str, Any])


@router.post("/{webhook_id}/dead-letters:replay", response_model=Replayed, responses=documented(400, 404, 409))
async def replay_dead_letters(
    webhook_id: WebhookId,
    body: Replay,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    who: Principal = ERP,
) -> Response:
    """Send dead letters again, from now on with fresh attempts; a webhook that was gone is tried again."""
    await _webhook(webhook_id, here, who)
    at = moment(here.clock.now_ms())

    async def work(connection: Any) -> str:
        rows = await connection.fetch(
            "UPDATE webhook_delivery SET dead = false, attempts = 0, due_at = $2, outcome = ''"
            " WHERE webhook = $1 AND dead AND (cardinality($3::bigint[]) = 0 OR id = ANY($3)) RETURNING id",
            webhook_id, at, body.ids,
        )  # fmt: skip
        await connection.execute("UPDATE webhook SET active = true WHERE id = $1", webhook_id)
        await connection.execute(
            AUDIT, at, who.name, who.role, "webhook.replay", webhook_id, f"{len(rows)} letters", correlation, None
        )
        return Replayed(replayed=len(rows)).model_dump_json()

    what, said = f"POST /v1/webhooks/{webhook_id}/dead-letters:replay", body.model_dump_json()
    answer = await once(here.database, who.name, idempotency_key, what, said, at, 200, work)
    here.webhooks.changed()
    return answer


def _unknown(webhook_id: str) -> Refusal:
    return Refusal(404, f"webhook: {webhook_id!r} is not known")
