"""The disk is full, really: the answer is 507, nothing of it stays, nothing is lost, and work goes on by itself."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAM = f"import tests; tests.__path__ = [{str(ROOT / 'tests')!r}]; from tests.wire.full_disk import main; main()"
"""Some package in the environment may be called `tests` too."""
ALONE = ["unshare", "--user", "--map-root-user", "--mount"]


def may_mount(folder: Path) -> bool:
    """Whether this kernel lets us mount a small file system where nobody else sees it."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        [*ALONE, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    return tried.returncode == 0


def test_a_disk_without_room_is_507_and_loses_nothing(tmp_path: Path) -> None:
    """PostgreSQL on a small tmpfs that fills up; a fact said meanwhile is posted when there is room again."""
    if not may_mount(tmp_path):
        pytest.skip("needs a user and a mount namespace (unshare --user --mount), which this kernel refuses")
    done = subprocess.run(
        [*ALONE, sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=ROOT,
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["full"]["status"], found["full"]["type"]) == (507, "application/problem+json")
    assert "No space left" in found["full"]["body"]["detail"]
    assert found["full"]["body"]["title"] == "Insufficient Storage"
    assert set(found["refused"]) <= {507, 503}, found["refused"]
    assert (found["taken"] > 0, found["lost"], found["left_of_refused"]) == (True, [], [])
    assert found["unacknowledged"], "a fact was acknowledged that could not be stored"
    assert (found["again"], found["picked"], found["violations"]) == (201, 1, 0)
    if not found["died"]:
        assert found["reads"] == 200
