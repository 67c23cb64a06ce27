"""Robots' broker and the log over TLS, with a certificate authority of one's own, named by ``SSL_CERT_FILE``."""

import asyncio
import datetime as dt
import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from contracts import topics
from contracts.errors import Unavailable
from contracts.ids import SiteId, TaskId
from contracts.runtime.floor.mqtt import MqttConnector
from contracts.runtime.log.nats import connect_log
from tests.free_ports import take
from tests.wire.conftest import NATS, Server


def certify(folder: Path) -> Path:
    """Make an authority, and a certificate of it for 127.0.0.1; returns the authority's file."""
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)

    def write(name: str, key: ec.EllipticCurvePrivateKey, made: x509.Certificate) -> None:
        (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])

    root = ec.generate_private_key(ec.SECP256R1())
    built = x509.CertificateBuilder().not_valid_before(now - day).not_valid_after(now + day)
    authority = (
        built.subject_name(named("our own"))
        .issuer_name(named("our own"))
        .public_key(root.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
                key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )
        .sign(root, hashes.SHA256())
    )  # fmt: skip
    write("ca", root, authority)
    own = ec.generate_private_key(ec.SECP256R1())
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    server = (
        built.subject_name(named("broker"))
        .issuer_name(named("our own"))
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False)
        .sign(root, hashes.SHA256())
    )
    write("server", own, server)
    return folder / "ca.pem"


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[tuple[Server, Path]]:
    """A NATS server that speaks TLS alone, to MQTT clients too."""
    authority = certify(tmp_path)
    ports = {"nats": take(), "mqtt": take()}
    store = tmp_path / "store"
    store.mkdir()
    tls = f'tls {{ cert_file: "{tmp_path}/server.pem", key_file: "{tmp_path}/server.key" }}'
    config = tmp_path / "nats.conf"
    config.write_text(f"""
        server_name: test
        listen: "127.0.0.1:{ports["nats"]}"
        {tls}
        jetstream {{ store_dir: "{store}" }}
        mqtt {{ listen: "127.0.0.1:{ports["mqtt"]}"
               {tls} }}
    """)
    server = Server([str(NATS), "-c", str(config)], ports, store)
    await server.start()
    yield server, authority
    server.kill()


async def test_the_broker_and_the_log_are_reached_over_tls_with_an_authority_of_our_own(
    secured: tuple[Server, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages go both ways; who does not know the authority is not connected."""
    server, authority = secured
    mqtts, tls = f"mqtts://127.0.0.1:{server.ports['mqtt']}", f"tls://127.0.0.1:{server.ports['nats']}"
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(Unavailable, match=str(server.ports["nats"])):
        await connect_log(tls, "stranger", wait_s=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5):
            await MqttConnector(mqtts).connect("stranger")

    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    floor = await MqttConnector(mqtts).connect("one")
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    await floor.subscribe("uagv/v2/+/+/state", lambda _, payload: heard.done() or heard.set_result(payload), qos=1)
    await floor.publish("uagv/v2/M/R1/state", b"{}")
    assert await asyncio.wait_for(heard, 20) == b"{}"
    await floor.close()
    log = await connect_log(tls, "two")
    key = topics.work_key(SiteId("s"), TaskId("T"))
    await log.append(key, b"work")
    entry = await log.last(key)
    assert entry is not None
    assert entry.payload == b"work"
    await log.close()
