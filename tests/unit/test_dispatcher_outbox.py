"""Facts on their way to central: whatever the network does, each is taken once, in order."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ids import CellId, NodeId, PodId, SiteId
from contracts.messages.facts import Fact, FactsAck, PodMoved
from dispatcher.outbox import Outbox

SITE = SiteId("s")


def body(n: int) -> PodMoved:
    return PodMoved(PodId(f"P{n}"), NodeId("n"))


class Central:
    """Takes number n only after n - 1, and nothing of an older epoch."""

    def __init__(self) -> None:
        self.epoch = self.seq = 0
        self.taken: list[str] = []

    def hear(self, fact: Fact) -> FactsAck:
        if fact.epoch > self.epoch:
            self.epoch, self.seq = fact.epoch, 0
        if fact.epoch == self.epoch and fact.seq == self.seq + 1:
            self.seq = fact.seq
            assert isinstance(fact.body, PodMoved)
            if fact.body.pod not in self.taken:  # idempotent on the task's key
                self.taken.append(fact.body.pod)
        return FactsAck(SITE, self.epoch, self.seq)


@settings(max_examples=150)
@given(st.integers(0, 2**32), st.integers(1, 25), st.floats(0, 0.7), st.integers(0, 3))
def test_lost_doubled_and_late_messages_and_restarts_lose_and_double_nothing(
    seed: int, count: int, loss: float, restarts: int
) -> None:
    rng = random.Random(seed)
    box, central, now = Outbox(SITE, 1, 5_000), Central(), 0
    up: list[Fact] = []
    down: list[FactsAck] = []
    freed: list[object] = []
    said = 0
    for _ in range(3_000):
        now += rng.randrange(2_000)
        if said < count:
            up.append(box.add(now, body(said), (CellId("c"), 1, said)))
            said += 1
        if restarts and rng.random() < 0.02:
            restarts -= 1
            up.extend(box.renumber(now, box.epoch + 1))
        if box.due_ms is not None and box.due_ms <= now:
            up.extend(box.resend(now))
        if up:
            fact = up.pop(0 if rng.random() < 0.8 else rng.randrange(len(up)))
            if rng.random() >= loss:
                down.append(central.hear(fact))
            if rng.random() < 0.1:
                up.append(fact)
        if down:
            ack = down.pop(rng.randrange(len(down)))
            if rng.random() >= loss:
                causes, again = box.heard(now, ack)
                freed.extend(causes)
                up.extend(again)
        if said == count and not len(box):
            break
    assert len(box) == 0
    assert central.taken == [f"P{n}" for n in range(count)]
    assert sorted(freed) == [(CellId("c"), 1, n) for n in range(count)]  # type: ignore[type-var]


def test_an_event_is_free_only_when_its_fact_is_covered() -> None:
    box = Outbox(SITE, 1, 5_000)
    for n in range(3):
        box.add(0, body(n), (CellId("c"), 1, n))
    assert box.heard(10, FactsAck(SITE, 1, 2))[0] == [(CellId("c"), 1, 0), (CellId("c"), 1, 1)]
    assert len(box) == 1
    assert box.heard(20, FactsAck(SITE, 1, 1)) == ([], [])  # an old one


def test_central_that_misses_something_gets_it_again_but_not_in_a_storm() -> None:
    box = Outbox(SITE, 1, 5_000)
    facts = [box.add(0, body(n)) for n in range(3)]
    assert box.heard(10, FactsAck(SITE, 1, 0))[1] == facts
    assert box.heard(20, FactsAck(SITE, 1, 0))[1] == []
    assert box.due_ms == 1_010
    assert box.resend(1_010) == facts


def test_acknowledgements_of_an_older_epoch_ask_for_everything_and_of_other_sites_for_nothing() -> None:
    box = Outbox(SITE, 7, 5_000)
    fact = box.add(0, body(0))
    assert box.heard(10, FactsAck(SITE, 3, 900)) == ([], [fact])
    assert box.heard(2_000, FactsAck(SiteId("other"), 7, 1)) == ([], [])
    assert box.due_ms is not None
