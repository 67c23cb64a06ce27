"""The embedded nats-server answers on both ports, survives a kill with its store, and says which port is taken."""

import os
import signal
import socket
import time
from pathlib import Path

import nats
import pytest

from contracts.errors import Unavailable
from deploy.embedded.nats import EmbeddedNats
from tests.free_ports import take


def server_in(folder: Path) -> EmbeddedNats:
    return EmbeddedNats(folder, take(), take())


async def test_a_stream_survives_a_kill_of_the_server(tmp_path: Path) -> None:
    """What was appended before SIGKILL is there after the next start on the same store."""
    server = server_in(tmp_path).start()
    try:
        client = await nats.connect(server.url)
        js = client.jetstream()
        await js.add_stream(name="S", subjects=["s"])
        await js.publish("s", b"kept")
        await client.close()
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        server.stop()
        server.start()
        client = await nats.connect(server.url)
        assert (await client.jetstream().get_last_msg("S", "s")).data == b"kept"
        await client.close()
    finally:
        server.stop()


def test_a_taken_port_is_named_with_its_owner_and_a_remedy(tmp_path: Path) -> None:
    """A port that somebody listens on is refused before anything starts."""
    server = server_in(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", server.mqtt_port))
        other.listen()
        expected = rf"MQTT: port {server.mqtt_port} .* taken by process {os.getpid()} .*--mqtt-port"
        with pytest.raises(Unavailable, match=expected):
            server.start()
    assert server.pid is None
    assert not server.log.exists()


def test_it_speaks_mqtt(tmp_path: Path) -> None:
    """The MQTT port answers a CONNECT of MQTT 3.1.1 with an accepting CONNACK."""
    with server_in(tmp_path) as server, socket.create_connection(("127.0.0.1", server.mqtt_port), 5) as client:
        body = b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x01t"
        client.sendall(bytes([0x10, len(body)]) + body)
        assert client.recv(4) == b"\x20\x02\x00\x00"


def test_it_listens_on_loopback_alone(tmp_path: Path) -> None:
    """No socket of the server is bound to an address that another machine could reach."""
    with server_in(tmp_path) as server:
        ports = {server.port, server.mqtt_port}
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        rows += [line.split() for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]]
        bound = {r[1].rsplit(":", 1)[0] for r in rows if r[3] == "0A" and int(r[1].rsplit(":", 1)[1], 16) in ports}
        assert bound == {"0100007F"}


def test_it_stops_quickly_and_frees_its_ports(tmp_path: Path) -> None:
    """A stop is over within the few seconds that Ctrl-C has, and the same ports start again."""
    server = server_in(tmp_path).start()
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 3.0
    server.start()
    server.stop()
