"""The first tokens and the first user of a new installation, and login links."""

import json
import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec

from central.database import dsn
from central.identity.access import Role, digest
from central.identity.passwords import hashed
from contracts.errors import Rejected, Unavailable
from contracts.runtime.clock import real

_LINK = timedelta(hours=1)


class Secrets(msgspec.Struct, frozen=True):
    """What `floorplane up` writes once into `.floorplane/secrets.json`.

    `tokens` by role (``erp``, ``operator``, ``supervisor``, ``device``); `password` of the user ``supervisor``.
    """

    tokens: dict[str, str]
    password: str


async def bootstrap_identity(url: str, path: Path | None = None) -> Secrets:
    """Make sure that a migrated database knows one client of each role, and the user ``supervisor``.

    Parameters
    ----------
    url
        The database.
    path
        Where the secrets are kept (mode 0600): read when it is there, else made and written. None: not written, as for
        a scratch database.

    Raises
    ------
    Rejected
        The file is there but holds no secrets.
    Unavailable
        The database does not answer.
    """
    kept = None if path is None else _read(path)
    made = kept or Secrets({role.value: secrets.token_urlsafe(32) for role in Role}, secrets.token_urlsafe(12))
    if path is not None and kept is None:
        _write(path, made)
    await real(_store(url, made, await hashed(made.password)))
    return made


async def login_link(url: str, name: str = "supervisor", role: Role = Role.SUPERVISOR) -> str:
    """Make a token for ``/v1/session/link?token=…`` that logs a browser in once, within an hour of the wall's time."""
    token = secrets.token_urlsafe(32)

    async def store() -> None:
        connection = await asyncpg.connect(dsn(url))
        try:
            await connection.execute(
                "INSERT INTO login_link (hash, name, role, expires_at) VALUES ($1, $2, $3, $4)",
                digest(token), name, role.value, datetime.now(UTC) + _LINK,
            )  # fmt: skip
        finally:
            await connection.close()

    await real(store())
    return token


def _read(path: Path) -> Secrets | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Secrets)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as e:
        raise Rejected(str(path), "unreadable", f"secrets as written by `floorplane up` ({e}); remove it") from e


def _write(path: Path, made: Secrets) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(msgspec.to_builtins(made), file, indent=1)


async def _store(url: str, made: Secrets, password: str) -> None:
    now = datetime.now(UTC)
    try:
        connection = await asyncpg.connect(dsn(url))
    except (OSError, asyncpg.PostgresError) as e:
        raise Unavailable(f"database: {e}") from e
    try:
        async with connection.transaction():
            for role, token in made.tokens.items():
                await connection.execute("INSERT INTO client VALUES ($1, $1) ON CONFLICT DO NOTHING", role)
                await connection.execute(
                    "INSERT INTO token (hash, client, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                    digest(token), role, now,
                )  # fmt: skip
            await connection.execute(
                "INSERT INTO app_user VALUES ('supervisor', 'supervisor', $1) ON CONFLICT DO NOTHING", password
            )
    finally:
        await connection.close()
