"""Who is asking, and what they may do: bearer tokens for programs, a session cookie for people."""

import hashlib
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec
from fastapi import Depends
from starlette.requests import HTTPConnection

from central.database import Database
from central.problems import Refusal
from contracts.runtime.clock import Clock

COOKIE = "floorplane_session"
_REMEMBER_MS = 30_000
_MOST = 10_000


class Role(StrEnum):
    """What somebody may do."""

    OPERATOR = "operator"
    """Sees everything, pauses robots, acknowledges alarms."""
    SUPERVISOR = "supervisor"
    """An operator who also cancels orders, books stock and takes robots out of service."""
    ERP = "erp"
    """Brings items, stock and orders, and follows them."""
    DEVICE = "device"
    """A handheld or another thing on the floor: reads health, and does the work for hands."""


class Principal(msgspec.Struct, frozen=True):
    """Somebody who was recognised."""

    name: str
    role: Role
    owner: str = ""
    """Whose goods it sees and changes; empty: everybody's. Only clients of the role ERP are bound to an owner."""


def digest(secret: str) -> bytes:
    """Return what is stored of a token: a random secret of 32 bytes needs no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


class Doorkeeper:
    """Recognises tokens and sessions; remembers for half a minute whom it has recognised."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[bytes, tuple[int, Principal]] = {}

    async def recognise(self, secret: str) -> Principal | None:
        """Return whose token or session this is, None for nobody's."""
        key, now = digest(secret), self._clock.now_ms()
        seen = self._known.get(key)
        if seen is not None and now - seen[0] < _REMEMBER_MS:
            return seen[1]
        rows = await self._database.read(
            "SELECT c.name, c.role, c.owner FROM token t JOIN client c ON c.name = t.client"
            " WHERE t.hash = $1 AND t.revoked_at IS NULL"
            " UNION ALL SELECT name, role, owner FROM session WHERE hash = $1 AND expires_at > now()",
            key,
        )
        if not rows:
            self._known.pop(key, None)
            return None
        principal = Principal(rows[0]["name"], Role(rows[0]["role"]), rows[0]["owner"])
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = (now, principal)
        return principal

    def forget(self, secret: str) -> None:
        """Recognise this one anew, as after a logout."""
        self.forget_hash(digest(secret))

    def forget_hash(self, hashed: bytes) -> None:
        """Recognise the secret with this digest anew."""
        self._known.pop(hashed, None)


def allowed(*roles: Role, house: bool = False) -> Callable[[HTTPConnection], Any]:
    """Return a dependency that gives the principal, and refuses others than these roles (none: any role).

    `house`: what the route shows belongs to no owner, so nobody who is bound to one sees it.
    """

    async def principal(connection: HTTPConnection) -> Principal:
        who: Principal = connection.state.principal
        if roles and who.role not in roles:
            raise Refusal(403, f"{who.name} has the role {who.role}; this needs {' or '.join(roles)}")
        if house and who.owner:
            raise Refusal(403, f"{who.name} sees only what belongs to {who.owner}; this is the house's")
        return who

    return principal


ANYONE = Depends(allowed())
HOUSE = Depends(allowed(house=True))
FLOOR = Depends(allowed(Role.OPERATOR, Role.SUPERVISOR))
ERP = Depends(allowed(Role.ERP, Role.SUPERVISOR))
SUPERVISOR = Depends(allowed(Role.SUPERVISOR))
