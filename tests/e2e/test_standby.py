"""Two real dispatchers over one broker: whoever leads is killed, then hangs; the other one goes on with its work."""

from pathlib import Path

import pytest

from deploy.bench.takeover import measure

pytestmark = pytest.mark.slow


def test_the_second_dispatcher_takes_over_from_one_that_is_killed_and_from_one_that_hangs(tmp_path: Path) -> None:
    """Transports go on, no robot gets two orders, and the one that hung ends by itself when it wakes."""
    found = measure(tmp_path, 4, ("kill", "hang"), 1, alone=False)
    took = found["takeovers"]
    assert [t["fault"] for t in took] == ["kill", "hang"]
    assert all(t["ended"] for t in took)
    assert all(t["heard_s"] > 0 for t in took)
    assert found["transports_done"] >= 3
    assert found["done_twice"] == 0
    assert found["contradictions"] == 0
    assert found["states_with_a_refused_order"] == 0
    assert found["violations"] == []
