"""Changing an ASN that was announced: all of a change or nothing, in one transaction."""

import json
from typing import Any

from central.context import Context
from central.database import Connection
from central.identity.access import Principal
from central.identity.audit import AUDIT
from central.inbound.model import AsnChange
from central.moment import moment
from central.preconditions import check
from central.problems import Refusal, refused


async def hold_asn(connection: Connection, asn: str, owner: str, if_match: str | None, *, needed: bool) -> Any:
    """Lock an ASN's row for this transaction and check what its author has seen of it.

    Raises
    ------
    Refusal
        404: it is not known, or of another owner. 412, 428: see `central.preconditions.check`.
    """
    row = await connection.fetchrow(
        "SELECT * FROM asn WHERE id = $1 AND ($2 = '' OR owner = $2) FOR UPDATE", asn, owner
    )
    if row is None:
        raise Refusal(404, f"asn: {asn!r} is not known")
    check(if_match, await connection.fetchval("SELECT asn_tag($1)", asn), needed=needed)
    return row


async def change_asn(
    here: Context, asn: str, change: AsnChange, who: Principal, correlation: str, if_match: str | None
) -> None:
    """Change an ASN.

    Raises
    ------
    Refusal
        404, 412, 428 as `hold_asn`; 409: it is closed, or a line would be less than has come, or than its handling
        units hold; 422: an item is not known, or a line is named twice.
    """
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> None:
        row = await hold_asn(connection, asn, who.owner, if_match, needed=True)
        if row["state"] not in {"expected", "arrived"}:
            raise Refusal(409, f"asn: {asn} is {row['state']} already; nothing of it can be changed")
        await connection.execute(
            "UPDATE asn SET due = COALESCE($2, due), over_pct = COALESCE($3, over_pct), note = COALESCE($4, note)"
            " WHERE id = $1",
            asn, change.due, change.over_pct, change.note,
        )  # fmt: skip
        await _change_lines(connection, asn, row["owner"], change)
        await connection.execute(
            "SELECT lay_out_receiving(a, $2), emit('floorplane.asn.changed', a.id, $2, jsonb_build_object("
            "'ref', a.ref, 'source', a.source, 'who', $3::text, 'reason', $4::text, 'due', a.due,"
            " 'lines', asn_lines(a.id)), a.correlation) FROM asn a WHERE a.id = $1",
            asn, at, who.name, change.reason,
        )  # fmt: skip
        detail = json.dumps(change.model_dump(mode="json", exclude_unset=True))
        await connection.execute(AUDIT, at, who.name, who.role, "asn.change", asn, change.reason, correlation, detail)

    await here.database.unit(work)


async def _change_lines(connection: Connection, asn: str, owner: str, change: AsnChange) -> None:
    rows = await connection.fetch(
        "SELECT l.*, (SELECT COALESCE(sum(u.qty), 0) FROM asn_unit_line u WHERE u.asn = l.asn AND u.line = l.line)"
        " AS in_units FROM asn_line l WHERE l.asn = $1 FOR UPDATE OF l",
        asn,
    )
    there, seen = {r["line"]: r for r in rows}, set()
    for n, x in enumerate(change.lines):
        was = there.get(x.line)
        if x.line in seen:
            raise refused(f"lines/{n}/line", x.line, "a line that the change names once")
        seen.add(x.line)
        item = was["item"] if was else x.item
        if item is None or not await connection.fetchval(
            "SELECT 1 FROM item WHERE id = $1 AND owner = $2 AND kind = 'stock'", item, owner
        ):
            raise refused(f"lines/{n}/item", item, "an item of the item master, as a new line needs")
        if x.item not in {None, item}:
            raise refused(f"lines/{n}/item", x.item, f"{item}: a line keeps its item; set it to 0 and add another one")
        if was is None:
            if x.qty == 0:
                raise refused(f"lines/{n}/qty", 0, "above 0 for a new line")
            await connection.execute(
                "INSERT INTO asn_line (asn, line, item, lot, expires, qty) VALUES ($1, $2, $3, $4, $5, $6)",
                asn, x.line, item, x.lot or "", x.expires, x.qty,
            )  # fmt: skip
            continue
        least = max(was["received"], was["in_units"])
        if x.qty < least:
            raise refused(
                f"lines/{n}/qty", x.qty, f"at least {least}: so many have come, or are on its units", status=409
            )
        await connection.execute(
            "UPDATE asn_line SET qty = $3, lot = COALESCE($4, lot), expires = COALESCE($5, expires)"
            " WHERE asn = $1 AND line = $2",
            asn, x.line, x.qty, x.lot, x.expires,
        )  # fmt: skip
