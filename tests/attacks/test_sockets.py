"""What only a socket can send: headers that come twice, forms of the request line, broken ones."""

import base64
import socket
from collections.abc import Iterator

import pytest

from ecr_emu.app import is_quick
from ecr_emu.server import Server, bind
from tests.attacks.victims import MANIFEST, check_refused
from tests.clients import Reply
from tests.steps import API_HOST, GUEST, HOST, OWNER, TARGET_PREFIX, Caller, Site, basic, of_user


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    server = Server(site.application, bind("localhost", 0), is_quick)
    server.start()
    yield server
    server.stop()


def raw(server: Server, head: str, body: bytes = b"") -> Reply:
    """The answer to exactly these lines."""
    message = head.replace("\n", "\r\n").encode("latin-1") + b"\r\nConnection: close\r\n\r\n" + body
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(message)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    status, _, rest = answer.partition(b"\r\n")
    fields, _, content = rest.partition(b"\r\n\r\n")
    found = dict(
        line.lower().split(": ", 1) for line in fields.decode("latin-1").split("\r\n") if ": " in line
    )
    return Reply(int(status.split()[1]), found, content)


@pytest.mark.parametrize(
    "start",
    [
        "GET http://{owner}/v2/{path} HTTP/1.1\nHost: {guest}",
        "GET http://{owner}/v2/{path} HTTP/1.1\nHost: {owner}",
        "GET http://{owner}/v2/{path} HTTP/1.1",
        "GET http://{guest}@{owner}/v2/{path} HTTP/1.1\nHost: {guest}",
        "GET /v2/{path} HTTP/1.1\nHost: {owner}\nHost: {guest}",
        "GET /v2/{path} HTTP/1.1\nHost: {guest}\nHost: {owner}",
        "GET /v2/{path} HTTP/1.1\nHost: {guest}\n Host: {owner}",
        "GET /v2/{path} HTTP/1.1\nHost : {owner}",
        "GET /v2/{path} HTTP/1.1",
        "GET /v2/{path} HTTP/1.0",
        "GET //{owner}/v2/{path} HTTP/1.1\nHost: {owner}",
        "GET /v2/{path}#x HTTP/1.1\nHost: {owner}",
        "GET /v2/{path}\x00 HTTP/1.1\nHost: {owner}",
        "GET /v2/{path} HTTP/1.1\nHost: {owner}\nContent-Length: 5\nTransfer-Encoding: chunked",
        "GET /v2/{path} HTTP/1.1\nHost: {owner}\nContent-Length: 0\nContent-Length: 5",
        "GET * HTTP/1.1\nHost: {owner}",
        "CONNECT {owner}:80 HTTP/1.1\nHost: {owner}",
    ],
)
def test_no_form_of_a_request_makes_a_token_one_of_the_owner(start: str, server: Server, site: Site) -> None:
    guest_host = HOST.replace(OWNER, GUEST)
    head = start.format(owner=HOST, guest=guest_host, path=MANIFEST)
    guest = of_user(site, "guest", GUEST)
    for line in ("", f"\nAuthorization: {basic(guest.password)}"):
        check_refused(raw(server, head + line, b"0\r\n\r\n" if "chunked" in head else b""))


def test_a_variable_of_the_environment_is_no_header(
    site: Site, admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many programs have a HTTP_PROXY, some a HTTP_HOST; none of them is what the client sent."""
    monkeypatch.setenv("HTTP_AUTHORIZATION", basic(admin.password))
    server = Server(site.application, bind("localhost", 0), is_quick)
    server.start()
    try:
        assert raw(server, f"GET /v2/ HTTP/1.1\nHost: {HOST}").status == 401
    finally:
        server.stop()


def test_several_logins_are_none(server: Server, site: Site, admin: Caller) -> None:
    good, guest = basic(admin.password), basic(of_user(site, "guest", GUEST).password)
    start = f"GET /v2/ HTTP/1.1\nHost: {HOST}"
    assert raw(server, f"{start}\nAuthorization: {good}").status == 200
    for first, second in ((good, guest), (guest, good), (good, good), (good, "x"), ("x", good)):
        check_refused(raw(server, f"{start}\nAuthorization: {first}\nAuthorization: {second}"), 400, 401)


def test_a_login_of_a_megabyte_is_too_large(server: Server) -> None:
    check_refused(
        raw(server, f"GET /v2/ HTTP/1.1\nHost: {HOST}\nAuthorization: Basic {'A' * 1_100_000}"), 431
    )


# signed by hand


def lines(headers: dict[str, str]) -> str:
    return "".join(f"\n{name}: {value}" for name, value in headers.items())


SIGNED = f"POST / HTTP/1.1\nHost: {API_HOST}\nContent-Length: 0"


def test_a_header_that_comes_twice_is_signed_with_a_comma(server: Server, admin: Caller) -> None:
    headers = admin.signed("DescribeRegistry", b"", {"My-Header1": "value2,value1"})
    del headers["My-Header1"]
    twice = "\nMy-Header1:  value2\nMy-Header1: value1  "
    assert raw(server, SIGNED + lines(headers) + twice).json()["registryId"] == OWNER
    swapped = "\nMy-Header1: value1\nMy-Header1: value2"
    check_refused(raw(server, SIGNED + lines(headers) + swapped), 400)


@pytest.mark.parametrize(
    "extra",
    [
        f"X-Amz-Target: {TARGET_PREFIX}.DescribeRepositories",
        f"X_Amz_Target: {TARGET_PREFIX}.DescribeRepositories",
        "X-Amz-Other: x",
        "X_Amz_Date: 20150830T123600Z",
        "Host: localhost",
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_nothing_can_be_added_to_a_signed_request(
    extra: str, is_first: bool, server: Server, admin: Caller
) -> None:
    """Of a name with an underscore either may win: what is verified is what the operation sees."""
    signed = lines(admin.signed("DescribeRegistry", b""))
    start, rest = SIGNED.split("\n", 1)
    head = f"{start}\n{extra}\n{rest}{signed}" if is_first else f"{SIGNED}{signed}\n{extra}"
    reply = raw(server, head)
    assert reply.status == 400 or ("_" in extra and "registryId" in reply.json()), reply.body


def test_a_signature_does_not_serve_another_host(server: Server, admin: Caller) -> None:
    """The port is part of it; a target in absolute form changes nothing."""
    signed = lines(admin.signed("DescribeRegistry", b""))
    assert raw(server, SIGNED + signed).status == 200
    for host in (HOST, "localhost", f"{API_HOST}1", f"{API_HOST}."):
        check_refused(raw(server, SIGNED.replace(API_HOST, host) + signed), 400)
    absolute = SIGNED.replace("POST /", f"POST http://{API_HOST}/").replace(
        f"Host: {API_HOST}", f"Host: {HOST}"
    )
    check_refused(raw(server, absolute + signed), 400)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential",
        "AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature=",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=host,Signature=f",
        "AWS4-HMAC-SHA256 Credential=" + "a" * 20_000,
        "Bearer \xff\xfe",
        "Basic " + base64.b64encode(b"AWS:x").decode(),
        "none",
    ],
    ids=lambda value: value[:40],
)
@pytest.mark.parametrize("times", [1, 2])
def test_what_is_no_signature_is_refused(value: str, times: int, server: Server) -> None:
    head = f"{SIGNED}\nX-Amz-Target: {TARGET_PREFIX}.DescribeRegistry\nX-Amz-Date: 20150830T123600Z"
    reply = raw(server, head + f"\nAuthorization: {value}" * times)
    check_refused(reply, 400)
    assert reply.json()["__type"].endswith("SignatureException")
