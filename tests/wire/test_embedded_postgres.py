"""The embedded PostgreSQL starts as whoever we are, survives a kill, and never runs twice on one folder."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest

from contracts.errors import Unavailable
from deploy.embedded.postgres import SCRATCH, EmbeddedPostgres, _servers_of, binaries, usable_identity
from deploy.embedded.scratch import ScratchPostgres, scratch_postgres

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root must become another user")


async def test_a_fresh_database_is_empty_and_of_its_own(postgres_url: str) -> None:
    """Each test gets a database without tables, reached through a socket."""
    connection = await asyncpg.connect(postgres_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
        assert await connection.fetchval("SHOW server_encoding") == "UTF8"
        assert await connection.fetchval("SHOW listen_addresses") == ""
    finally:
        await connection.close()


async def test_a_template_is_copied_with_its_tables(postgres: ScratchPostgres) -> None:
    """A database migrated once is the template of a copy."""
    template = postgres.create()
    postgres.server.query("CREATE TABLE mark AS SELECT 7 AS n", database=template)
    copy = postgres.create(template=template)
    assert postgres.server.query("SELECT n FROM mark", database=copy) == "7"
    postgres.drop(copy)
    postgres.drop(template)


def test_committed_rows_survive_a_kill_of_the_server(tmp_path: Path) -> None:
    """SIGKILL in mid-life loses nothing that was committed, and the folder starts again."""
    server = EmbeddedPostgres(tmp_path).start()
    try:
        server.query("CREATE TABLE t AS SELECT generate_series(1, 100) AS n")
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert server._process is not None
        server._process.wait()
        assert server.pid is None
        url = server.url()
        server.start()
        assert server.query("SELECT count(*) FROM t") == "100"
        assert server.url() == url  # clients of the old one find the new one
    finally:
        server.stop()


def test_a_second_owner_of_a_folder_is_told_who_has_it(tmp_path: Path) -> None:
    """Two supervisors never run servers on one folder, and the second does not end the first one's."""
    with EmbeddedPostgres(tmp_path, SCRATCH) as first:
        with pytest.raises(Unavailable, match=f"in use by process {os.getpid()}"):
            EmbeddedPostgres(tmp_path, SCRATCH).start()
        assert first.query("SELECT 1") == "1"


ORPHAN = """
import signal, sys
from pathlib import Path
from deploy.embedded.postgres import SCRATCH, EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), SCRATCH).start()
print(server.pid, flush=True)
signal.pause()
"""


def test_the_server_ends_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    """A SIGKILLed supervisor leaves no server behind, and the next one takes the folder over."""
    supervisor = subprocess.Popen([sys.executable, "-c", ORPHAN, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    pid = int(supervisor.stdout.readline())
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    with EmbeddedPostgres(tmp_path, SCRATCH) as server:
        assert server.query("SELECT 1") == "1"
        assert server.pid != pid
        assert pid not in _servers_of(tmp_path / "data")


SCRATCHING = """
import signal
from deploy.embedded.scratch import scratch_postgres
with scratch_postgres() as postgres:
    print(postgres.server.folder, flush=True)
    signal.pause()
"""


def test_what_a_killed_program_left_in_memory_is_removed_by_the_next(postgres: ScratchPostgres) -> None:
    """A throw-away server's folder outlives a SIGKILL only until the next one starts; one that is in use stays."""
    program = subprocess.Popen([sys.executable, "-c", SCRATCHING], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    left = Path(program.stdout.readline().strip())
    program.kill()
    program.wait()
    program.stdout.close()
    assert left.exists()
    with scratch_postgres() as other:
        assert other.server.query("SELECT 1") == "1"
    assert not left.exists()
    assert postgres.server.query("SELECT 1") == "1"


def test_a_server_left_running_is_reaped(tmp_path: Path) -> None:
    """A server that nobody watches any more is ended through its postmaster.pid before a new one starts."""
    first = EmbeddedPostgres(tmp_path, SCRATCH).start()
    stale = first._process
    assert stale is not None
    first._process = None  # as a supervisor that forgot it
    first.stop()
    try:
        with EmbeddedPostgres(tmp_path, SCRATCH) as second:
            assert second.query("SELECT 1") == "1"
            assert stale.wait(1.0) == 0
    finally:
        if stale.poll() is None:
            stale.kill()


def test_a_foreign_process_with_the_old_number_is_left_alone(tmp_path: Path) -> None:
    """A postmaster.pid that names another living process does not end it, nor keep the server from starting."""
    server = EmbeddedPostgres(tmp_path, SCRATCH).start()
    assert server._process is not None
    server._process.kill()
    server._process.wait()
    server.stop()
    pidfile = tmp_path / "data" / "postmaster.pid"
    bystander = subprocess.Popen(["/bin/sleep", "60"])
    try:
        pidfile.write_text("\n".join([str(bystander.pid), *pidfile.read_text().split("\n")[1:]]))
        with server as again:
            assert again.query("SELECT 1") == "1"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_failed_start_says_the_servers_own_words_and_leaves_nothing(tmp_path: Path) -> None:
    """A setting that the server refuses is named, and no process stays."""
    server = EmbeddedPostgres(tmp_path, {**SCRATCH, "max_connections": "lots"})
    with pytest.raises(Unavailable, match="max_connections"):
        server.start()
    assert server.pid is None
    with EmbeddedPostgres(tmp_path, SCRATCH) as mended:
        assert mended.query("SELECT 1") == "1"


@as_root
def test_root_without_user_namespaces_becomes_another_user(tmp_path: Path) -> None:
    """Where the kernel refuses namespaces the server is somebody else, who owns the data folder and nothing above."""
    with EmbeddedPostgres(tmp_path, SCRATCH, identity="user:65534:65534") as server:
        assert server.query("SELECT 1") == "1"
        assert Path(f"/proc/{server.pid}").stat().st_uid == 65534
        assert (tmp_path / "data").stat().st_uid == 65534
        assert tmp_path.stat().st_uid == os.geteuid()


@as_root
def test_root_in_a_namespace_keeps_its_files(tmp_path: Path) -> None:
    """In a user namespace the server is not root to itself, and its files are ours."""
    if not usable_identity().startswith("namespace"):
        pytest.skip("user namespaces are refused here")
    with EmbeddedPostgres(tmp_path, SCRATCH) as server:
        assert server.query("SELECT 1") == "1"
        assert (tmp_path / "data").stat().st_uid == 0


def test_the_start_after_a_stop_is_quick(tmp_path: Path) -> None:
    """A new server is ready within the two seconds that tests reckon with (usually half of one)."""
    assert (binaries() / "initdb").exists()
    began = time.monotonic()
    with EmbeddedPostgres(tmp_path, SCRATCH) as server:
        assert server.query("SELECT 1") == "1"
    assert time.monotonic() - began < 10.0
