"""`floorplane up` refuses what is bad before it starts anything, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.runtime.settings import bare_environment
from tests.free_ports import take

ORDERS = "order_ref,planned_ship_date,actual_ship_date,sku,quantity,product_line,category\n"


class Command:
    """A `floorplane` command in a folder of its own, with ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = [take() for _ in range(3)]
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", *args],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder, start_new_session=True,
            env=bare_environment(COLUMNS="200", NO_COLOR="1"),
        )  # fmt: skip
        self.started.append(process)
        return process

    def run(self, *args: str) -> tuple[int, str, str]:
        process = self.start(*args)
        out, err = process.communicate(timeout=90)
        return process.returncode, out, err

    def up(self, *args: str) -> tuple[str, ...]:
        port, nats, mqtt = map(str, self.ports)
        return ("up", "--port", port, "--nats-port", nats, "--mqtt-port", mqtt, *args)

    def processes(self) -> list[str]:
        """Command lines of whatever runs for this folder."""
        found = []
        for proc in Path("/proc").iterdir():
            if proc.name.isdigit():
                try:
                    words = (proc / "cmdline").read_bytes()
                    environment = (proc / "environ").read_bytes()
                except OSError:
                    continue
                if os.fsencode(self.folder) in words + environment and int(proc.name) != os.getpid():
                    found.append(words.replace(b"\0", b" ").decode())
        return found


@pytest.fixture
def floorplane(tmp_path: Path) -> Iterator[Command]:
    command = Command(tmp_path)
    yield command
    for process in command.started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def test_a_bad_order_file_is_refused_before_anything_starts(floorplane: Command) -> None:
    """The error names file, line and field, and no folder was made."""
    bad = floorplane.folder / "bad.csv"
    bad.write_text(
        ORDERS + "1,2013-12-02,2013-12-02,part1,5,line1,Machines\n2,2013-12-02,2013-12-02,part2,-3,line1,Machines\n"
    )
    status, out, err = floorplane.run(*floorplane.up("--orders", str(bad)))
    assert status == 2
    assert "bad.csv:3/quantity" in err
    assert "-3" in err
    assert out == ""
    assert not (floorplane.folder / ".floorplane").exists()


def test_a_missing_order_file_is_named(floorplane: Command) -> None:
    """A file that is not there is named, and nothing starts."""
    status, _, err = floorplane.run(*floorplane.up("--orders", "nowhere.csv"))
    assert status == 2
    assert "nowhere.csv" in err
    assert not (floorplane.folder / ".floorplane").exists()


@pytest.mark.parametrize(("which", "option"), [(0, "--port"), (1, "--nats-port"), (2, "--mqtt-port")])
def test_a_taken_port_is_named_and_nothing_stays(floorplane: Command, which: int, option: str) -> None:
    """The port, its owner and the option are named; nothing was started."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", floorplane.ports[which]))
        other.listen()
        status, out, err = floorplane.run(*floorplane.up("--device-port", str(take(250))))
    assert status == 1
    assert f"port {floorplane.ports[which]} on 127.0.0.1 is taken by process {os.getpid()}" in err
    assert option in err
    assert out == ""
    assert floorplane.processes() == []


def test_a_taken_port_of_a_device_is_named_and_nothing_stays(floorplane: Command) -> None:
    """The twins' ports are looked at before anything starts; the device, the port and the remedy are named."""
    taken = take()
    with socket.socket() as other:
        other.bind(("127.0.0.1", taken))
        other.listen()
        status, out, err = floorplane.run(*floorplane.up("--device-port", str(taken)))
    assert status == 1
    assert f"device S1-scanner: port {taken} on 127.0.0.1 is taken by process {os.getpid()}" in err
    assert "--device-port" in err
    assert out == ""
    assert floorplane.processes() == []


def test_a_database_that_does_not_start_is_named_with_its_own_words(floorplane: Command) -> None:
    """A damaged data folder is told apart from a bad port, in the server's own words."""
    data = floorplane.folder / ".floorplane" / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9.6\n")
    status, _, err = floorplane.run(*floorplane.up("--device-port", str(take(250))))
    assert status == 1
    assert "PostgreSQL ended while starting" in err
    assert "postgresql.conf" in err
    assert floorplane.processes() == []


def test_one_broker_url_alone_is_refused(floorplane: Command) -> None:
    """The embedded broker serves both ports, so both URLs are given or none."""
    status, _, err = floorplane.run(*floorplane.up("--nats-url", "nats://127.0.0.1:4"))
    assert status == 2
    assert "FLOORPLANE_MQTT_URL" in err


def test_reset_leaves_a_folder_alone_that_is_not_ours(floorplane: Command) -> None:
    """`reset` removes nothing where it finds a file of somebody else."""
    precious = floorplane.folder / "precious"
    precious.mkdir()
    (precious / "thesis.tex").touch()
    status, _, err = floorplane.run("reset", "--yes", "--state", str(precious))
    assert status == 2
    assert "thesis.tex" in err
    assert (precious / "thesis.tex").exists()


def test_help_teaches_in_half_a_second(floorplane: Command) -> None:
    """Every command is there, and the help of the first does not import what only the others need."""
    heavy = "{'numpy', 'numba', 'sqlalchemy', 'fastapi', 'cv2', 'asyncua'}"
    code = f"import sys, deploy.cli; sys.exit(str({heavy} & set(sys.modules)) if {heavy} & set(sys.modules) else 0)"
    subprocess.run([sys.executable, "-c", code], check=True)
    status, out, _ = floorplane.run("--help")
    assert status == 0
    for command in (
        "up",
        "day",
        "replay",
        "stop",
        "reset",
        "invariants",
        "export-lif",
        "central",
        "dispatcher",
        "edge",
        "simulate",
        "bench",
    ):
        assert command in out
