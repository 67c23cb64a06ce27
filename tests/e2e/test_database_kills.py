"""The database is killed again and again while ERP clients and a dispatcher work: nothing acknowledged is lost."""

import json
import subprocess
import sys
from typing import Any

import pytest


def kills(times: int, timeout_s: float) -> dict[str, Any]:
    """Run the command as a user does; it says what it found as JSON."""
    command = [sys.executable, "-m", "deploy.cli", "bench", "kills", "--times", str(times), "--json", "-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_no_acknowledgement_is_lost_and_none_has_two_effects(times: int) -> None:
    """Orders, bookings, cancellations and picks, by the books of those who were answered; and work goes on."""
    found = kills(times, 120 + 20 * times)
    assert found["times"] == times
    assert found["lost"] == 0, found["detail"]
    assert found["duplicated"] == 0, found["detail"]
    assert found["unexplained"] == 0, found["detail"]
    assert found["invariant_violations"] == 0
    assert all(found["acknowledged"][kind] > 0 for kind in ("order", "booking", "pick"))
    assert found["repeated"] > 0, "nobody was interrupted"
