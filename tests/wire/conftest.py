"""Real servers for the tests of the ports: on free ports, in a temporary folder, killed and restarted at will."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.free_ports import take

NATS = Path(sys.executable).parent / "nats-server"
MOSQUITTO = Path("/usr/sbin/mosquitto")


class Server:
    """One server process that can be killed, have its store deleted, and come back on the same ports."""

    def __init__(self, command: list[str], ports: dict[str, int], store: Path) -> None:
        self.command, self.ports, self.store = command, ports, store
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def mqtt_url(self) -> str:
        return f"mqtt://127.0.0.1:{self.ports['mqtt']}"

    @property
    def nats_url(self) -> str:
        return f"nats://127.0.0.1:{self.ports['nats']}"

    async def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
        async with asyncio.timeout(20):
            for port in self.ports.values():
                while True:
                    try:
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                    except OSError:
                        assert self.process.poll() is None, f"{self.command[0]} ended with {self.process.returncode}"
                        await asyncio.sleep(0.02)
                    else:
                        writer.close()
                        break

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)  # until every thread stands

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def lose_store(self) -> None:
        shutil.rmtree(self.store)
        self.store.mkdir()


def make_nats(folder: Path, more: str = "") -> Server:
    ports = {"nats": take(), "mqtt": take()}
    store = folder / "store"
    store.mkdir()
    config = folder / "nats.conf"
    config.write_text(f"""
        server_name: test
        listen: "127.0.0.1:{ports["nats"]}"
        max_payload: 8MB
        jetstream {{ store_dir: "{store}", limits {{ default_max_consumers: -1 }} }}
        mqtt {{ listen: "127.0.0.1:{ports["mqtt"]}" }}
        {more}
    """)
    return Server([str(NATS), "-c", str(config)], ports, store)


def make_mosquitto(folder: Path) -> Server:
    ports = {"mqtt": take()}
    store = folder / "store"
    store.mkdir()
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {ports['mqtt']} 127.0.0.1\nallow_anonymous true\nuser root\nmax_queued_messages 20000\n"
    )
    return Server([str(MOSQUITTO), "-c", str(config)], ports, store)


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[Server]:
    """A nats-server with JetStream and MQTT, not yet started."""
    server = make_nats(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def guarded_nats(tmp_path: Path) -> Iterator[Server]:
    """A nats-server that asks for a user and a password, not yet started."""
    server = make_nats(tmp_path, 'authorization { user: "me", password: "p@ss:w/rd" }')
    yield server
    server.kill()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Server]:
    """A mosquitto, not yet started."""
    if not MOSQUITTO.exists():
        pytest.skip("no /usr/sbin/mosquitto on this machine")
    server = make_mosquitto(tmp_path)
    yield server
    server.kill()
