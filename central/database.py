"""The one way to PostgreSQL: a pool of asyncpg connections and the unit of work, which is one transaction.

Every unit goes through `contracts.runtime.clock.real`, so that on virtual time the clock stands and results come in
order of request. Inside a unit there is neither sleep nor talk on a port. A unit may run again after a deadlock: it has
no effect but in the database.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import asyncpg

from contracts.errors import Unavailable
from contracts.runtime.clock import real
from contracts.runtime.url import server

T = TypeVar("T")
Row = Any
"""An asyncpg record: read by name."""
Connection = Any

_LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the driver's own words for a connection that broke between two messages
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, until it is promoted or we find the new primary
    asyncpg.QueryCanceledError,  # by an administrator, or the server's statement_timeout
    asyncpg.OutOfMemoryError,
)
_AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
_TRIES = 8


class DiskFull(Unavailable):
    """The database has no room for what should be written; nothing of it was."""


def dsn(url: str) -> str:
    """Return a database URL as asyncpg reads it.

    Raises
    ------
    Rejected
        It is no URL of a PostgreSQL.
    """
    server("database_url", url, {"postgresql", "postgresql+asyncpg"}, "postgresql://user:password@host:port/name")
    return url.replace("postgresql+asyncpg://", "postgresql://", 1)


async def _keep(connection: Connection) -> None:
    """Nothing to reset: a session holds no state of its own here."""


class Database:
    """A pool and its units of work.

    Parameters
    ----------
    url
        ``postgresql://user:password@host:port/name`` or with ``?host=/folder/of/socket``.
    connections
        Most connections at a time; 1 on virtual time, so that units run in the order of request.
    """

    def __init__(self, url: str, *, connections: int = 8) -> None:
        self._url = dsn(url)
        self._connections = connections
        self._pool: Any = None
        self._on_commit: list[Callable[[], None]] = []

    @property
    def is_open(self) -> bool:
        """Whether `open` has succeeded and `close` was not called."""
        return self._pool is not None

    def on_commit(self, hook: Callable[[], None]) -> None:
        """Call a hook after each unit that may have written."""
        self._on_commit.append(hook)

    async def open(self) -> None:
        """Connect.

        Raises
        ------
        Unavailable
            The server cannot be reached, or refuses us.
        """
        self._pool = await real(self._create())

    async def _create(self) -> Any:
        try:
            return await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=self._connections,
                max_inactive_connection_lifetime=0,
                max_cached_statement_lifetime=0,
                reset=_keep,
                server_settings={
                    "application_name": "floorplane-central",
                    "jit": "off",
                    "timezone": "UTC",
                    # every question here has its index; a plan cached while a table was empty must not scan it later
                    "enable_seqscan": "off",
                    # the questions are always the same: plan each once a session
                    "plan_cache_mode": "force_generic_plan",
                },
            )
        except (*_LOST, asyncpg.InvalidAuthorizationSpecificationError, TimeoutError) as e:
            raise Unavailable(f"database: {e}") from e

    async def close(self) -> None:
        """Disconnect."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await real(pool.close())

    async def unit(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run one transaction; all of it happens, or nothing.

        Raises
        ------
        Unavailable
            The database went away before the commit was confirmed.
        """
        result = await real(self._transact(work))
        self.committed()
        return result

    async def write(self, sql: str, *arguments: object) -> list[Row]:
        """Run one statement that writes, as a transaction of its own."""
        rows = await real(self._fetch(sql, arguments))
        self.committed()
        return rows

    async def read(self, sql: str, *arguments: object) -> list[Row]:
        """Run one statement that only reads (or writes what nobody waits for)."""
        return await real(self._fetch(sql, arguments))

    def committed(self) -> None:
        """Call the hooks: something was committed that others wait for."""
        for hook in self._on_commit:
            hook()

    async def _transact(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        pool = self._opened()
        for left in reversed(range(_TRIES)):
            try:
                async with self._connection(pool) as connection, connection.transaction():
                    return await work(connection)
            except _AGAIN:
                if not left:
                    raise
            except asyncpg.DiskFullError as e:
                raise DiskFull(f"database: {e}") from e
            except _LOST as e:
                raise Unavailable(f"database: {e}") from e
        raise AssertionError("unreachable")

    async def _fetch(self, sql: str, arguments: tuple[object, ...]) -> list[Row]:
        pool = self._opened()
        for left in reversed(range(_TRIES)):
            try:
                async with self._connection(pool) as connection:
                    rows: list[Row] = await connection.fetch(sql, *arguments)
                    return rows
            except _AGAIN:
                if not left:
                    raise
            except asyncpg.DiskFullError as e:
                raise DiskFull(f"database: {e}") from e
            except _LOST as e:
                raise Unavailable(f"database: {e}") from e
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def _connection(self, pool: Any) -> AsyncIterator[Connection]:
        async with pool.acquire() as connection:
            try:
                yield connection
            except _LOST:
                with suppress(asyncpg.InterfaceError):  # the pool has dropped it already
                    connection.terminate()  # whatever state it is in, nobody gets it again
                raise

    def _opened(self) -> Any:
        if self._pool is None:
            raise Unavailable("database: not connected yet")
        return self._pool
