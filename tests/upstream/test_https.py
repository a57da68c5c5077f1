"""Upstreams over HTTPS: certificates count, and nobody is led away from it."""

import datetime
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.clients import Running, digest_of
from tests.upstream.hostile import IMAGE, LAYER, Hostile, hostile, says
from tests.upstream.waiting import images_of, wait_for

QUAY = {"ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1, with its key, that nobody has signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "upstream")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    file = tmp_path / "certificate.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + pem)
    return file


@pytest.fixture
def secure(certificate: Path) -> Iterator[Hostile]:
    """An upstream that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with hostile(context) as server:
        server.offer()
        yield server


@pytest.fixture
def cache(start: Callable[..., Running], secure: Hostile) -> Running:
    running = start(upstream=(("quay", secure.url),), upstream_private=True, upstream_timeout=5)
    running.ecr().create_pull_through_cache_rule(**QUAY)
    return running


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.mark.usefixtures("trusted")
def test_image_comes_over_https(cache: Running) -> None:
    client = cache.registry()
    assert client.request("GET", "/v2/quay/team/app/manifests/v1").body == IMAGE
    assert client.request("GET", f"/v2/quay/team/app/blobs/{digest_of(LAYER)}").body == LAYER
    wait_for(lambda: images_of(cache.ecr(), "quay/team/app"))


def test_certificate_that_nobody_trusts_is_refused(cache: Running, secure: Hostile) -> None:
    code, message = cache.registry().request("GET", "/v2/quay/team/app/manifests/v1").error
    assert code == "UNAVAILABLE"
    assert "certificate" in message
    assert secure.asked == []


@pytest.mark.usefixtures("trusted")
def test_nobody_is_led_from_https_to_http(cache: Running, secure: Hostile, bad: Hostile) -> None:
    """Not by a redirect, and not to a token server."""
    path = "/v2/team/app/manifests/v1"
    for answer in (
        says(307, {"Location": f"{bad.url}/anywhere"}),
        says(401, {"WWW-Authenticate": f'Bearer realm="{bad.url}/token"'}),
    ):
        secure.answers[path] = answer
        code, message = cache.registry().request("GET", "/v2/quay/team/app/manifests/v1").error
        assert code == "UNAVAILABLE"
        assert "from https to http:" in message
    assert bad.asked == []
