"""REST of identity: a browser's login and logout, who am I, and the audit trail."""

import json
import secrets
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from central.context import Context, Here
from central.database import Connection
from central.identity.access import ANYONE, COOKIE, SUPERVISOR, Principal, Role, digest
from central.identity.audit import AUDIT
from central.identity.passwords import matches
from central.listing import Limit
from central.moment import moment
from central.problems import Refusal, documented

router = APIRouter(prefix="/v1", tags=["identity"])


class Login(BaseModel):
    """A person's name and password."""

    name: str = Field(min_length=1, max_length=64, examples=["anna"])
    password: str = Field(min_length=1, max_length=200, examples=["correct horse battery staple"])


class Me(BaseModel):
    """Who is asking."""

    name: str
    role: Role


class AuditRow(BaseModel):
    """One command: who, what, why."""

    id: int
    at: datetime
    who: str
    role: str
    action: str
    subject: str
    reason: str
    correlation: str
    detail: Any


class AuditPage(BaseModel):
    """Newest first; `next` is the cursor of the following page."""

    items: list[AuditRow]
    next: int | None = None


@router.post("/session", responses=documented(400))
async def login(body: Login, request: Request, response: Response, here: Here) -> Me:
    """Log a person in; the session is a cookie that scripts cannot read."""
    rows = await here.database.read("SELECT name, role, password FROM app_user WHERE name = $1", body.name)
    if not await matches(body.password, rows[0]["password"] if rows else None):
        raise Refusal(401, "name or password is wrong")
    me = Me(name=rows[0]["name"], role=Role(rows[0]["role"]))
    await _begin(here, me, request, response, "session.login")
    return me


@router.get("/session/link", responses=documented(400), response_class=RedirectResponse, status_code=303)
async def follow_link(
    token: Annotated[str, Query(min_length=20, max_length=100)], request: Request, here: Here
) -> Response:
    """Log in by a link that works once, and go to the console."""
    # how long a secret lives is the wall's time, however fast the floor's runs
    rows = await here.database.write(
        "UPDATE login_link SET used_at = now() WHERE hash = $1 AND used_at IS NULL AND expires_at > now()"
        " RETURNING name, role",
        digest(token),
    )
    if not rows:
        raise Refusal(401, "this link was used before or is too old; log in with a name and a password")
    response = RedirectResponse("/", 303)
    await _begin(here, Me(name=rows[0]["name"], role=Role(rows[0]["role"])), request, response, "session.link")
    return response


@router.delete("/session", status_code=204, responses=documented())
async def logout(request: Request, here: Here) -> Response:
    """End the session."""
    secret = request.cookies.get(COOKIE)
    if secret is not None:
        await here.database.write("DELETE FROM session WHERE hash = $1", digest(secret))
        here.doorkeeper.forget(secret)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/")
    return response


@router.get("/me", responses=documented())
async def who_am_i(who: Principal = ANYONE) -> Me:
    """Show who the token or session belongs to."""
    return Me(name=who.name, role=who.role)


@router.get("/audit", response_model=AuditPage, responses=documented())
async def list_audit(
    here: Here,
    subject: Annotated[str | None, Query(description="Only about this")] = None,
    limit: Limit = 100,
    cursor: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    _: Principal = SUPERVISOR,
) -> dict[str, Any]:
    """List commands, newest first."""
    rows = await here.database.read(
        "SELECT * FROM audit WHERE ($1::bigint IS NULL OR id < $1) AND ($2::text IS NULL OR subject = $2)"
        " ORDER BY id DESC LIMIT $3",
        cursor, subject, limit,
    )  # fmt: skip
    items = [dict(r) | {"detail": json.loads(r["detail"]) if r["detail"] else None} for r in rows]
    return {"items": items, "next": rows[-1]["id"] if len(rows) == limit else None}


async def _begin(here: Context, me: Me, request: Request, response: Response, action: str) -> None:
    secret = secrets.token_urlsafe(32)
    now = moment(here.clock.now_ms())
    lasts = timedelta(hours=here.settings.session_hours)

    async def work(connection: Connection) -> None:
        await connection.execute("DELETE FROM session WHERE expires_at < now()")
        await connection.execute(
            "INSERT INTO session VALUES ($1, $2, $3, now() + $4)", digest(secret), me.name, me.role, lasts
        )
        await connection.execute(AUDIT, now, me.name, me.role, action, me.name, "", request.state.correlation, None)

    await here.database.unit(work)
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(lasts.total_seconds()),
        path="/",
        httponly=True,
        samesite="strict" if action == "session.login" else "lax",
        secure=request.url.scheme == "https",
    )
