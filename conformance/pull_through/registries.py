"""Debian's docker-registry as an upstream: open, with Basic, or with Bearer and a token server."""

import base64
import datetime
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

USER, TOKEN = "ann", "a-secret-access-token"
BASIC = "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
# What `htpasswd -B` makes of them.
HTPASSWD = f"{USER}:$2b$05$abcdefghijklmnopqrstuup9aV5BxzBTp5ostPYBGImtMJmcRggqe\n"
START_SECONDS = 30
ISSUER, SERVICE = "the tests", "the registry"
_CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder}/data}}
http: {{addr: "127.0.0.1:{port}"}}
{auth}
"""


@contextmanager
def docker_registry(folder: Path, auth: str = "") -> Iterator[str]:
    """The URL of a registry that keeps its images in a folder."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.fail(
            "docker-registry is not on PATH; install the Debian package docker-registry", pytrace=False
        )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    config = folder / "registry.yml"
    config.write_text(_CONFIG.format(folder=folder, port=port, auth=auth))
    log = folder / "registry.log"
    with log.open("wb") as output:
        process = subprocess.Popen([program, "serve", str(config)], stdout=output, stderr=output)
    try:
        _wait(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def with_basic(folder: Path) -> Iterator[str]:
    file = folder / "htpasswd"
    file.write_text(HTPASSWD)
    with docker_registry(folder, f"auth: {{htpasswd: {{realm: here, path: {file}}}}}") as url:
        yield url


@contextmanager
def with_bearer(folder: Path) -> Iterator[str]:
    """A registry that believes the tokens of a server that USER and TOKEN open."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    bundle = folder / "root.pem"
    bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    with _token_server(key, certificate) as realm:
        auth = (
            f"auth: {{token: {{realm: '{realm}', service: '{SERVICE}', issuer: '{ISSUER}', "
            f"rootcertbundle: {bundle}}}}}"
        )
        with docker_registry(folder, auth) as url:
            yield url


@contextmanager
def _token_server(key: Any, certificate: Any) -> Iterator[str]:
    chain = [base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_known = self.headers.get("Authorization") == BASIC
            body = json.dumps({"token": self.token()} if is_known else {}).encode()
            self.send_response(200 if is_known else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def token(self) -> str:
            scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
            access = []
            for scope in scopes:
                kind, name, actions = scope.split(":")
                access.append({"type": kind, "name": name, "actions": actions.split(",")})
            now = int(time.time())
            claims = {
                "iss": ISSUER,
                "aud": SERVICE,
                "sub": USER,
                "access": access,
                "jti": str(time.time_ns()),
            }
            times = {"iat": now, "nbf": now - 5, "exp": now + 300}
            return jwt.encode({**claims, **times}, key, "RS256", headers={"x5c": chain})

        def log_message(self, *arguments: object) -> None:
            """The registry says what it refuses."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/token"
    finally:
        server.shutdown()
        server.server_close()


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
                return
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
