"""Whatever comes in as a fact, the line of facts goes on: nothing stops central, nothing foreign moves its place."""

import json
from typing import Any

from contracts import topics
from contracts.messages.facts import FactsAck
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import running

HUGE = 99_999_999_999_999_999_999_999
CLEAR = {"type": "alarm_cleared", "key": "x"}
PICK = {
    "type": "pick_done", "task": "P-T-A1-1-1", "attempt": 1, "qty": 4, "station": "S1", "reason": "", "evidence": {},
}  # fmt: skip


def fact(seq: Any, body: Any, **fields: Any) -> bytes:
    return json.dumps(
        {"site": "test", "epoch": 1, "seq": seq, "at_ms": 1_385_971_300_000, "body": body} | fields
    ).encode()


UNREADABLE = [
    b"", b"\xff\x00", b"[]", b"{", b'{"site":"test"}',
    fact(1, {"type": "nobody_knows"}), fact(1, CLEAR | {"key": "\ud800"}), fact("1", CLEAR), fact(1.5, CLEAR),
    fact(HUGE, CLEAR), fact(1, CLEAR, epoch=HUGE), fact(-1, CLEAR), fact(0, CLEAR), fact(1, CLEAR, epoch=-3),
    fact(1, CLEAR, epoch=7, site="elsewhere"),
]  # fmt: skip
"""Not facts of this site's dispatcher: they are left aside, and take no number."""
REFUSED = [
    PICK | {"qty": HUGE}, PICK | {"qty": -HUGE}, PICK | {"attempt": HUGE}, CLEAR, PICK | {"task": "x" * 5_000},
    {"type": "alarm_raised", "key": "k", "severity": "loud", "subject": "s", "text": "t", "remedy": "r"},
    {"type": "alarm_raised", "key": "k\u0000", "severity": "info", "subject": "\u0000", "text": "t", "remedy": "r"},
    {"type": "pod_moved", "pod": "nowhere", "node": "N1"},
    {"type": "task_started", "task": "nothing", "attempt": 1, "station": None, "robot": None},
    {"type": "tote_packed", "task": "K-T-A1-1", "attempt": 1, "weight_g": HUGE, "evidence": {}},
]  # fmt: skip
"""Facts that cannot have their effect, or have none: each takes its number, and a person is told where it matters."""


async def test_no_fact_stops_the_line_and_none_from_elsewhere_moves_it(postgres: ScratchPostgres) -> None:
    """Among all of these an honest pick is posted, and the books hold."""
    async with running(postgres) as floor:
        await floor.stock(("P0-B0", "part1", 10))
        await floor.order("A1", ("part1", 4))
        await floor.until(lambda: "P-T-A1-1-1" in floor.keys)
        subject = topics.facts_subject(floor.site.id)
        for number, body in enumerate((*REFUSED, PICK), 1):
            for junk in UNREADABLE:
                await floor.dispatcher.append(subject, junk)
            at_ms = HUGE if number == 4 else 1_385_971_300_000
            await floor.dispatcher.append(subject, fact(number, body, at_ms=at_ms))
            await floor.until(lambda n=number: FactsAck(floor.site.id, 1, n) in floor.acks)  # type: ignore[misc]
        assert {(a.epoch, a.seq) for a in floor.acks} <= {(0, 0), *((1, n) for n in range(len(REFUSED) + 2))}
        rows = await floor.rows("SELECT reason, qty FROM ledger WHERE reason = 'pick'")
        assert [tuple(r) for r in rows] == [("pick", 4)]
        assert await floor.violations() == []
