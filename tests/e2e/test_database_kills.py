"""The database is killed again and again while ERP clients and a dispatcher work: nothing acknowledged is lost."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts.runtime.settings import bare_environment
from deploy.embedded.postgres import EmbeddedPostgres


def kills(times: int, timeout_s: float) -> dict[str, Any]:
    """Run the command as a user does; it says what it found as JSON."""
    command = [sys.executable, "-m", "deploy.cli", "bench", "kills", "--times", str(times), "--json", "-"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout_s, check=False, env=bare_environment()
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_killed_server_is_synced_in_one_call_where_the_kernel_tells_errors(tmp_path: Path) -> None:
    """Opening each of a thousand files before the recovery takes seconds on a busy disk."""
    major, minor = (int("".join(filter(str.isdigit, x))) for x in os.uname().release.split(".")[:2])
    with EmbeddedPostgres(tmp_path) as server:
        wanted = "syncfs" if (major, minor) >= (5, 8) else "fsync"
        assert server.query("SHOW recovery_init_sync_method") == wanted
        assert server.query("SHOW fsync") == "on"


@pytest.mark.slow
@pytest.mark.parametrize("times", [3, 20])
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
