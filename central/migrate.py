"""Bring a database to the newest schema: Alembic for what holds data, then every function and view anew."""

import asyncio
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from central.database import dsn
from contracts.errors import Unavailable
from contracts.runtime.clock import real

FUNCTIONS = (
    "capacity",
    "stock",
    "units",
    "events",
    "alarms",
    "shipping",
    "loading",
    "packing",
    "picking",
    "areas",
    "rounds",
    "orders",
    "waves",
    "hands",
    "putaway",
    "inbound",
    "transports",
    "facts",
    "ledger",
    "epcis",
    "webhooks",
    "counts",
    "replenishment",
    "returns",
    "scrap",
    "kits",
    "transfers",
    "care",
    "plans",
)
"""Rooms that bring SQL functions, in the order in which they build on each other."""
_ROOT = Path(str(files("central")))
_LOCK = 0x464C4F4F
_AWAY = (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError, asyncpg.InterfaceError)
_AGAIN_S = 0.1


async def migrate(url: str, *, revision: str = "head") -> None:
    """Upgrade the database behind `url` (``postgresql://…``); safe at every start, and from several processes.

    Parameters
    ----------
    revision
        Where to stop; functions and views come with the newest only.

    Raises
    ------
    Unavailable
        The server cannot be reached, or is still recovering.
    """
    await real(_migrate(url, revision))


async def _migrate(url: str, revision: str) -> None:
    async def connect() -> Any:
        try:
            return await asyncpg.connect(dsn(url))
        except _AWAY as e:
            raise Unavailable(f"database: {e}") from e

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            # not waited for in SQL: who waits there holds a snapshot, and an index that is built online waits for that
            while not await driver.fetchval(f"SELECT pg_try_advisory_lock({_LOCK})"):  # noqa: ASYNC110 - another process
                await asyncio.sleep(_AGAIN_S)
            await connection.run_sync(_upgrade, revision)
            await connection.commit()
            if revision != "head":
                return
            async with driver.transaction():
                for room in FUNCTIONS:
                    await driver.execute((_ROOT / room / "functions.sql").read_text("utf-8"))
                await driver.execute((_ROOT / "invariants.sql").read_text("utf-8"))
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(_ROOT / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
