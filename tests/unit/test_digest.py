"""One digest for a day: whatever is missing, changed, moved or passed from one list to the other changes it."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages.ops import OpsAnswer
from deploy.digest import day_digest, recorded_commands
from dispatcher.commands import AnswerOps
from dispatcher.core import Core
from dispatcher.facts import Timer
from dispatcher.journal import Journal
from dispatcher.params import Params
from tests.unit.dispatcher_bench import small_site

COMMANDS = (b"command-1", b"command-2", b"command-2", b"command-3")
LEDGER = (b"row-1", b"row-2", b"row-3")

entries = st.lists(st.binary(max_size=6), max_size=5)


def test_the_same_day_gives_the_same_digest() -> None:
    """Whether it comes as a list or one by one."""
    assert day_digest(COMMANDS, LEDGER) == day_digest(iter(COMMANDS), iter(LEDGER))
    assert len(bytes.fromhex(day_digest(COMMANDS, LEDGER))) == 32


@pytest.mark.parametrize("of", [0, 1], ids=["commands", "ledger"])
def test_one_entry_counts_in_either_list(of: int) -> None:
    """Each entry removed, changed in one bit, doubled, and swapped with the next one."""
    lists = [list(COMMANDS), list(LEDGER)]
    seen = {day_digest(*lists)}
    changed = 0
    for k, entry in enumerate(lists[of]):
        others = [
            [*lists[of][:k], *lists[of][k + 1 :]],
            [*lists[of][:k], bytes([entry[0] ^ 1]) + entry[1:], *lists[of][k + 1 :]],
            [*lists[of][:k], entry, *lists[of][k:]],
        ]
        if k + 1 < len(lists[of]) and lists[of][k + 1] != entry:
            others.append([*lists[of][:k], lists[of][k + 1], entry, *lists[of][k + 2 :]])
        for other in others:
            if other != lists[of]:
                changed += 1
                seen.add(day_digest(*(other if n == of else lists[n] for n in (0, 1))))
    assert changed >= 3 * len(lists[of])
    # the two equal commands beside each other: removing or doubling the one or the other is the same change
    assert len(seen) == 1 + changed - (2 if of == 0 else 0)


@given(entries, entries, entries, entries)
def test_no_two_days_share_a_digest(a: list[bytes], b: list[bytes], c: list[bytes], d: list[bytes]) -> None:
    """Bytes cannot pass from one entry to the next, nor an entry from one list to the other."""
    assert (day_digest(a, b) == day_digest(c, d)) == ((a, b) == (c, d))


def test_the_commands_are_those_of_the_recording(tmp_path: Path) -> None:
    """One by one and in order over several steps and segments."""
    site, params = small_site(), Params()
    said = [AnswerOps(OpsAnswer(id=f"o{n}", done=True, reason="")) for n in range(5)]
    journal = Journal(tmp_path, site, params)
    core = Core(site, params, 1)
    journal.begin(core, fresh=True)
    journal.write(1, [Timer()], said[:2])
    journal.write(2, [Timer()], [])
    journal.begin(core, fresh=False)
    journal.write(3, [Timer()], said[2:])
    journal.close()
    assert [bytes(c) for c in recorded_commands(tmp_path)] == [msgspec.msgpack.encode(c) for c in said]
