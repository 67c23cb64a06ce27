"""Makes EPCIS events of what was posted: some time after something was published, and before every question."""

import asyncio
from typing import Any

import msgspec

from central.database import Connection, Database
from central.epcis.document import CONTEXT
from central.epcis.projection import Happening, Move, Names, of_happenings, of_moves
from central.epcis.store import keep
from central.epcis.units import UNITS, of_units
from central.moment import moment
from contracts.errors import Unavailable
from contracts.runtime.clock import Clock
from contracts.runtime.logging import get_log

logger = get_log(__name__)
MOST = 500
_LATER_S = 60.0
"""Nobody sees this delay: a question catches up first. It only keeps the first question of a morning short."""
_HAPPENINGS = ("floorplane.order.received", "floorplane.order.changed", "floorplane.order.cancelled")


class EpcisProjector:
    """Keeps the EPCIS events of our own moves; one at a time, in the order of commits."""

    name = "central.epcis"

    def __init__(self, database: Database, clock: Clock, names: Names) -> None:
        self._database = database
        self._clock = clock
        self._names = names
        self._wake = asyncio.Event()
        self._one = asyncio.Lock()

    def published(self) -> None:
        """Something was published: catch up soon."""
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled."""
        self._wake.set()
        while True:
            await self._wake.wait()
            await self._clock.sleep(_LATER_S)
            self._wake.clear()
            try:
                await self.catch_up()
            except Unavailable as e:
                logger.warning("EPCIS events wait for the database", error=str(e))
                self._wake.set()

    async def catch_up(self) -> int:
        """Make the events of all that is committed; return how many moves and happenings those were.

        Raises
        ------
        Unavailable
            The database went away; what was made before is kept.
        """
        done = 0
        async with self._one:
            while True:
                some = await self._database.unit(self._step)
                if not some:
                    return done
                done += some

    async def _step(self, connection: Connection) -> int:
        after = await connection.fetchval("SELECT tx::text FROM cursor WHERE name = 'epcis' FOR UPDATE")
        reach = await connection.fetchval("SELECT epcis_reach($1::text::xid8, $2)::text", after, MOST)
        if reach is None:
            return 0
        moves = [
            _move(r)
            for r in await connection.fetch(
                "SELECT * FROM epcis_move WHERE tx > $1::text::xid8 AND tx <= $2::text::xid8 ORDER BY tx, seq",
                after, reach,
            )
        ]  # fmt: skip
        undone = [m.reverses for m in moves if m.reverses is not None]
        originals = (
            {
                m.seq: m
                for m in map(_move, await connection.fetch("SELECT * FROM epcis_move WHERE seq = ANY($1)", undone))
            }
            if undone
            else {}
        )
        happened = await connection.fetch(
            "SELECT e.tx::text, e.seq, e.at, e.type, e.subject, e.data::text, o.owner"
            " FROM event e JOIN orders o ON o.id = e.subject"
            " WHERE e.tx > $1::text::xid8 AND e.tx <= $2::text::xid8 AND e.type = ANY($3) ORDER BY e.tx, e.seq",
            after, reach, list(_HAPPENINGS),
        )  # fmt: skip
        happenings = await _happenings(connection, happened)
        nested = await connection.fetch(
            "SELECT e.tx::text, e.seq, e.at, e.type, e.subject, e.data::text, COALESCE(e.data->>'owner', '') AS owner"
            " FROM event e"
            " WHERE e.tx > $1::text::xid8 AND e.tx <= $2::text::xid8 AND e.type = ANY($3) ORDER BY e.tx, e.seq",
            after, reach, list(UNITS),
        )  # fmt: skip
        told = of_happenings(happenings, self._names) + of_units(await _happenings(connection, nested), self._names)
        told += of_moves(moves, originals, self._names)
        if told:
            at, owners = moment(self._clock.now_ms()), [t.owner for t in told]
            await keep(connection, "floor", owners, at, CONTEXT, [t.event for t in told])
        await connection.execute("UPDATE cursor SET tx = $1::text::xid8 WHERE name = 'epcis'", reach)
        return max(1, len(moves) + len(happened) + len(nested))


async def _happenings(connection: Connection, rows: list[Any]) -> list[Happening]:
    datas = [msgspec.json.decode(r["data"] or "{}", type=dict[str, Any]) for r in rows]
    lines = [line for data in datas for line in data.get("lines") or ()]
    if lines:
        items = sorted({line["item"] for line in lines})
        barcodes = dict(await connection.fetch("SELECT id, barcode FROM item WHERE id = ANY($1)", items))
        for line in lines:
            line["barcode"] = barcodes.get(line["item"])
    return [
        Happening(r["tx"], r["seq"], r["at"], r["type"], r["subject"], r["owner"], data)
        for r, data in zip(rows, datas, strict=True)
    ]


def _move(row: Any) -> Move:
    return Move(**(dict(row) | {"tx": str(row["tx"])}))
