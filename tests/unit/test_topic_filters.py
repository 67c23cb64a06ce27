"""MQTT topic filters: matching by the standard's examples, overlap and cover by what they promise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.runtime.floor.match import cover, matches, overlap, valid

LEVEL = st.sampled_from(["a", "b", ""])
TOPICS = st.lists(LEVEL, min_size=1, max_size=4).map("/".join).filter(bool)
FILTERS = (
    st.tuples(st.lists(st.sampled_from(["a", "b", "", "+"]), max_size=4), st.booleans())
    .map(lambda x: "/".join([*x[0], "#"] if x[1] else x[0]))
    .filter(bool)
)


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/monitor", False),
        ("+/monitor/Clients", "$SYS/monitor/Clients", False),
        ("$SYS/#", "$SYS/monitor", True),
    ],
)
def test_the_examples_of_the_standard(pattern, topic, expected):
    """MQTT 3.1.1, sections 4.7.1 and 4.7.2, word by word."""
    assert matches(pattern, topic) is expected


@pytest.mark.parametrize("pattern", ["", "a#", "#/a", "a/+b", "a/#/b", "a\0"])
def test_what_is_no_filter(pattern):
    """A wildcard fills its level, ``#`` is the last."""
    assert not valid(pattern)


@given(FILTERS, FILTERS, TOPICS)
def test_filters_without_overlap_never_take_one_topic(first, second, topic):
    """Whenever a topic matches both filters, they overlap; overlap is symmetric."""
    assert overlap(first, second) == overlap(second, first)
    if matches(first, topic) and matches(second, topic):
        assert overlap(first, second)


@given(FILTERS, FILTERS, TOPICS)
def test_a_cover_takes_all_that_either_takes(first, second, topic):
    """The cover of two filters is a filter, and matches whatever one of them does."""
    joint = cover(first, second)
    assert valid(joint)
    if matches(first, topic) or matches(second, topic):
        assert matches(joint, topic)
