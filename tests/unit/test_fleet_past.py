"""What central keeps of the fleet's past: the newest view until a moment, within its bounds."""

from hypothesis import given
from hypothesis import strategies as st

from central.fleet.past import Past


def view(at_ms: int) -> bytes:
    """Return a payload that says when it is of."""
    return f'{{"at_ms":{at_ms}}}'.encode()


@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=60).map(sorted), st.integers(0, 60_000))
def test_the_newest_view_until_a_moment_is_found(times: list[int], asked_ms: int) -> None:
    """What is answered is what was heard last until then, to the step; nothing from after it, ever."""
    past = Past(step_ms=1_000)
    for at_ms in times:
        past.keep(at_ms, view(at_ms))
    found = past.at(asked_ms)
    before = [t for t in times if t <= asked_ms]
    assert (found is None) == (not before)
    if found is not None:
        kept = [t for t in times if view(t) == found]
        assert 0 <= max(before) - kept[0] < 1_000


def test_the_oldest_go_first_and_a_clock_set_back_begins_anew() -> None:
    """Neither bytes nor hours grow without bound; times only ever rise."""
    past = Past(most_bytes=400, longest_ms=10_000, step_ms=1_000)
    for at_ms in range(0, 60_000, 1_000):
        past.keep(at_ms, view(at_ms))
    assert past.span is not None
    begin, end = past.span
    assert end == 59_000
    assert end - begin <= 10_000
    assert past.at(begin - 1) is None
    past.keep(5_000, view(5_000))
    assert past.span == (5_000, 5_000)
    small = Past(most_bytes=1, step_ms=0)
    small.keep(1, view(1))
    small.keep(2, view(2))
    assert small.span == (2, 2)
