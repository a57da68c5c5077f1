"""Signature Version 4: AWS's own vectors, botocore as the signer, and everything that is not signed well."""

import hashlib
import json
import string
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain import sigv4
from ecr_emu.domain.canonical_requests import canonical_header, canonical_path, canonical_query
from ecr_emu.domain.signed_requests import Incomplete, Misused, Refused, SignedRequest, read
from ecr_emu.domain.sigv4 import Expired, NotYetCurrent, Wrong, check_claim, check_signature

VECTORS = json.loads(Path(__file__).with_name("sigv4_vectors.json").read_text())
# For the few services that want a session token that is not signed.
UNSIGNED_TOKEN = "post-sts-header-after"
CASES = [
    (case["name"], place)
    for case in VECTORS["cases"]
    for place in ("header", "query")
    if case["name"] != UNSIGNED_TOKEN
]
SECRET = VECTORS["secretKey"]
NOW = datetime.fromisoformat(VECTORS["time"]).timestamp()
HOST = "localhost:4566"
TARGET = "AmazonEC2ContainerRegistry_V20150921.DescribeImages"


def wsgi(text: str) -> str:
    """A text as WSGI hands it on: a character for each byte."""
    return text.encode().decode("latin-1")


def parse(message: str) -> SignedRequest:
    """The request in a vector, which has raw bytes in its path and folded headers."""
    head, _, body = message.partition("\n\n")
    line, *lines = head.split("\n")
    method, _, target = line.removesuffix(" HTTP/1.1").partition(" ")
    headers: dict[str, str] = {}
    for entry in "\n".join(lines).replace("\n ", " ").split("\n"):
        name, _, value = entry.partition(":")
        known = headers.get(name.lower())
        headers[name.lower()] = value if known is None else f"{known},{value}"
    path, _, query = wsgi(target).partition("?")
    return SignedRequest(method, path, query, headers, hashlib.sha256(body.rstrip("\n").encode()).hexdigest())


def signed(
    body: bytes = b"{}",
    url: str = f"http://{HOST}/",
    headers: Mapping[str, str] | None = None,
    token: str | None = None,
    expires: int | None = None,
) -> SignedRequest:
    """What arrives when botocore signs a request now: in the query if `expires` is given."""
    request = AWSRequest("POST", url, {"X-Amz-Target": TARGET, **(headers or {})}, body)
    credentials = Credentials("AKIDEXAMPLE", SECRET, token)
    if expires is None:
        SigV4Auth(credentials, "ecr", "us-east-1").add_auth(request)
    else:
        SigV4QueryAuth(credentials, "ecr", "us-east-1", expires).add_auth(request)
    # What goes into a query, botocore takes out of the body, which is JSON then.
    return arrived(request, body if expires is None else request.body)


def arrived(request: AWSRequest, body: bytes) -> SignedRequest:
    parts = urlsplit(request.url)
    headers = {"host": parts.netloc, **{name.lower(): value for name, value in request.headers.items()}}
    return SignedRequest("POST", parts.path, parts.query, headers, hashlib.sha256(body).hexdigest())


def changed(request: SignedRequest, headers: Mapping[str, str | None] = {}, **parts: str) -> SignedRequest:
    """The same request with other headers (None: without) and parts."""
    merged = {**request.headers, **headers}
    kept = {name: value for name, value in merged.items() if value is not None}
    values = {name: getattr(request, name) for name in ("method", "raw_path", "query_string", "body_sha256")}
    return SignedRequest(**{**values, **parts}, headers=kept)


def verify(request: SignedRequest, now: float | None = None, secret: str = SECRET) -> None:
    claim = read(request)
    assert claim is not None
    if claim.credential.access_key != "AKIDEXAMPLE":
        raise Refused
    check_claim(claim, request, datetime.now(UTC).timestamp() if now is None else now)
    check_signature(claim, request, secret)


@pytest.fixture
def request_() -> SignedRequest:
    return signed()


# AWS's vectors


def vector(name: str, place: str) -> tuple[SignedRequest, str]:
    """A request, and what AWS says is its canonical form."""
    (case,) = [case for case in VECTORS["cases"] if case["name"] == name]
    return parse(case[place]["signedRequest"]), wsgi(case[place]["canonicalRequest"])


@pytest.mark.parametrize(("name", "place"), CASES)
def test_aws_signing_test_suite(name: str, place: str) -> None:
    request, canonical = vector(name, place)
    claim = read(request)
    assert claim is not None
    assert sigv4._canonical_request(claim, request) == canonical
    check_claim(claim, request, NOW, VECTORS["service"])
    check_signature(claim, request, SECRET)
    with pytest.raises(Wrong):
        check_signature(claim, request, SECRET[:-1])


def test_a_session_token_must_be_signed() -> None:
    request, _ = vector(UNSIGNED_TOKEN, "header")
    claim = read(request)
    assert claim is not None
    check_signature(claim, request, SECRET)
    with pytest.raises(Misused, match="'x-amz-security-token' must be a 'SignedHeader'"):
        check_claim(claim, request, NOW, VECTORS["service"])
    request, _ = vector(UNSIGNED_TOKEN, "query")
    claim = read(request)
    assert claim is not None
    with pytest.raises(Wrong):
        check_signature(claim, request, SECRET)


def test_the_vectors_say_where_they_are_from() -> None:
    assert "awslabs/aws-c-auth" in VECTORS["source"]
    assert VECTORS["licence"] == "Apache-2.0"
    assert len(VECTORS["cases"]) == 31


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("", "/"),
        ("/", "/"),
        ("//", "/"),
        ("/..", "/"),
        ("/a/./b/../c", "/a/c"),
        ("/a//b/", "/a/b/"),
        # The two cases of the suite that smithy-lang/smithy-rs added.
        ("/functions/arn%3Aaws/invocations", "/functions/arn%253Aaws/invocations"),
        ("/test/@connections/JBDvjfGEIAMCERw%3D", "/test/%40connections/JBDvjfGEIAMCERw%253D"),
    ],
)
def test_paths(raw: str, canonical: str) -> None:
    assert canonical_path(raw) == canonical


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("", ""),
        ("b=2&a=1", "a=1&b=2"),
        ("a=2&a=1", "a=1&a=2"),
        ("a", "a="),
        ("a=1&&", "a=1"),
        ("a=%2f&b=~&c=+", "a=%2F&b=~&c=%2B"),
        ("a=1&X-Amz-Signature=3", "a=1"),
    ],
)
def test_queries(raw: str, canonical: str) -> None:
    assert canonical_query(raw, without=b"X-Amz-Signature") == canonical


def test_only_spaces_of_http_are_folded() -> None:
    assert canonical_header(" a \t  b\r\n c ") == "a b c"
    # The second byte of an à in UTF-8 is a space to str.split.
    assert canonical_header(wsgi("à  à")) == wsgi("à à")


# botocore

NAMES = st.text(string.ascii_letters + string.digits + "-._~", min_size=1, max_size=8)
VALUES = st.text("".join(chr(code) for code in range(0x20, 0x7F)), max_size=20)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
PATHS = st.lists(st.one_of(st.sampled_from(["", ".", ".."]), TEXTS.map(lambda text: quote(text, safe=""))))
QUERIES = st.lists(st.tuples(NAMES, TEXTS.map(lambda text: quote(text, safe=""))), max_size=4)


BODIES = st.dictionaries(TEXTS, TEXTS, max_size=2).map(lambda members: json.dumps(members).encode())


@given(
    body=BODIES,
    path=PATHS.map("/".join),
    query=QUERIES,
    value=VALUES,
    expires=st.none() | st.integers(1, 604_800),
    token=st.none() | st.text(string.ascii_letters + "+/=", min_size=1),
)
def test_what_botocore_signs_is_right(
    body: bytes,
    path: str,
    query: list[tuple[str, str]],
    value: str,
    expires: int | None,
    token: str | None,
) -> None:
    url = f"http://{HOST}/{path}"
    if query:
        url += "?" + "&".join(f"{name}={value}" for name, value in query)
    request = signed(body, url, {"X-Other": value}, token, expires)
    verify(request)
    claim = read(request)
    assert claim is not None
    assert (claim.credential.access_key, claim.credential.region) == ("AKIDEXAMPLE", "us-east-1")
    assert (claim.session_token, claim.expires_seconds) == (token, expires)


@given(st.binary())
def test_a_body_need_not_be_text(body: bytes) -> None:
    verify(signed(body))


@given(body=BODIES, data=st.data(), expires=st.sampled_from([None, 600]))
def test_what_was_changed_on_the_way_is_refused(body: bytes, data: Any, expires: int | None) -> None:
    request = signed(body, f"http://{HOST}/a?b=c", expires=expires)
    other = data.draw(
        st.sampled_from(
            [
                changed(request, method="PUT"),
                changed(request, raw_path="/b"),
                changed(request, query_string=request.query_string + "&d=e"),
                changed(request, query_string=request.query_string.replace("b=c", "b=d")),
                changed(request, body_sha256="0" * 64),
                changed(request, {"host": "000000000000.dkr.ecr.us-east-1.localhost"}),
                changed(request, {"x-amz-target": TARGET + "s"}),
                changed(request, {"x-amz-target": None}),
                changed(request, {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}),
            ]
        )
    )
    with pytest.raises(Wrong):
        verify(other)


def test_another_secret_is_wrong(request_: SignedRequest) -> None:
    with pytest.raises(Wrong):
        verify(request_, secret=SECRET + "x")


def test_the_hash_of_the_body_may_be_a_header(request_: SignedRequest) -> None:
    verify(changed(request_, {"x-amz-content-sha256": request_.body_sha256}))


# time


def test_a_signature_is_good_for_a_quarter_of_an_hour_before_and_after() -> None:
    request = parse(VECTORS["cases"][0]["header"]["signedRequest"])
    claim = read(request)
    assert claim is not None
    for now in (NOW - 900, NOW, NOW + 900.9):
        check_claim(claim, request, now, "service")
    with pytest.raises(Expired) as late:
        check_claim(claim, request, NOW + 901, "service")
    assert vars(late.value) == {
        "signed_at": "20150830T123600Z",
        "limit": "20150830T123601Z",
        "now": "20150830T125101Z",
        "window": "15 min",
    }
    with pytest.raises(NotYetCurrent) as early:
        check_claim(claim, request, NOW - 900.1, "service")
    assert vars(early.value) == {
        "signed_at": "20150830T123600Z",
        "limit": "20150830T123559Z",
        "now": "20150830T122059Z",
        "window": "15 min",
    }


@pytest.mark.parametrize(
    ("expires", "seconds", "window"),
    [(60, 60, "1 min"), (90, 90, "90 sec"), (900, 900, "15 min"), (3600, 900, "15 min")],
)
def test_a_presigned_request_is_good_for_as_long_as_it_says_but_no_longer_than_others(
    expires: int, seconds: int, window: str
) -> None:
    request = signed(expires=expires)
    claim = read(request)
    assert claim is not None
    start = datetime.fromisoformat(claim.signed_at).timestamp()
    check_claim(claim, request, start + seconds)
    with pytest.raises(Expired) as late:
        check_claim(claim, request, start + seconds + 1)
    assert late.value.window == window


def test_a_presigned_request_need_not_say_how_long_it_is_good() -> None:
    request = signed(expires=60)
    claim = read(changed(request, query_string=request.query_string.replace("&X-Amz-Expires=60", "")))
    assert claim is not None
    check_claim(claim, request, datetime.fromisoformat(claim.signed_at).timestamp() + 900)


@pytest.mark.parametrize(
    "time", ["", "2015", "20150830T123600", "20150830T123600z", "20150230T000000Z", "٢" * 16]
)
def test_a_time_that_is_none(request_: SignedRequest, time: str) -> None:
    with pytest.raises(Incomplete):
        verify(changed(request_, {"x-amz-date": time}))


def test_the_date_header_will_do() -> None:
    request = parse(VECTORS["cases"][0]["header"]["signedRequest"])
    dated = changed(request, {"date": request.headers["x-amz-date"], "x-amz-date": None})
    claim = read(dated)
    assert claim is not None
    assert claim.signed_at == "20150830T123600Z"


# form

SCOPE = "AKIDEXAMPLE/20150830/us-east-1/ecr/aws4_request"
GOOD = {"Credential": SCOPE, "SignedHeaders": "host;x-amz-date", "Signature": "0" * 64}
DATED = {"host": HOST, "x-amz-date": "20150830T123600Z"}


def with_header(authorization: str, **headers: str) -> SignedRequest:
    return SignedRequest("POST", "/", "", {**DATED, **headers, "authorization": authorization}, "0" * 64)


def with_query(**parameters: str) -> SignedRequest:
    query = "&".join(f"X-Amz-{name.replace('_', '-')}={quote(value)}" for name, value in parameters.items())
    return SignedRequest("GET", "/", query, {"host": HOST}, "0" * 64)


@pytest.mark.parametrize(
    "separator", [", ", ",", " ", "  ,\t", " , "], ids=["usual", "comma", "space", "tab", "both"]
)
@pytest.mark.parametrize("names", [tuple(GOOD), tuple(reversed(GOOD))], ids=["usual", "reversed"])
def test_parameters_come_in_any_order_and_spacing(separator: str, names: tuple[str, ...]) -> None:
    words = separator.join(f"{name}={GOOD[name]}" for name in names)
    claim = read(with_header(f" AWS4-HMAC-SHA256 {words}, "))
    assert claim is not None
    assert claim.credential.scope == "20150830/us-east-1/ecr/aws4_request"
    assert (claim.signed_headers, claim.signature) == (("host", "x-amz-date"), "0" * 64)


def test_nothing_is_signed() -> None:
    assert read(SignedRequest("POST", "/", "a=b&X-Amz-Signature=c", DATED, "0" * 64)) is None


REQUIRES = "Authorization header requires '{}' parameter."
HASHED = r" \(Hashed with SHA-256 and encoded with Base64\) Authorization=[A-Za-z0-9+/]{43}=$"
NO_EQUAL_SIGN = (
    r"^Invalid key=value pair \(missing equal-sign\) in Authorization header "
    r"\(hashed with SHA-256 and encoded with Base64\): '[A-Za-z0-9+/]{43}='\.$"
)


@pytest.mark.parametrize("algorithm", ["AWS4-HMAC-SHA256", "Bearer", "AWS4-HMAC-SHA512"])
@pytest.mark.parametrize(
    "absent", [("Credential",), ("Signature",), ("SignedHeaders", "Signature"), tuple(GOOD)]
)
def test_parameters_that_are_missing_are_named(algorithm: str, absent: tuple[str, ...]) -> None:
    words = ", ".join(f"{name}={'' if name in absent else value}" for name, value in GOOD.items())
    named = " ".join(
        REQUIRES.format(name) for name in ("Credential", "Signature", "SignedHeaders") if name in absent
    )
    with pytest.raises(Incomplete, match="^" + named + HASHED):
        read(with_header(f"{algorithm} {words}"))


def test_a_missing_date_is_named() -> None:
    request = with_header("AWS4-HMAC-SHA256", **{"x-amz-date": ""})
    date = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
    with pytest.raises(Incomplete, match=f"{REQUIRES.format('SignedHeaders')} {date}{HASHED}"):
        read(request)


@pytest.mark.parametrize(
    "authorization", ["Bearer secret", "Basic QVdTOnNlY3JldA", "AWS4-HMAC-SHA256 Credential"]
)
def test_what_is_no_pair_is_shown_as_a_hash(authorization: str) -> None:
    with pytest.raises(Incomplete, match=NO_EQUAL_SIGN) as problem:
        read(with_header(authorization))
    assert "secret" not in str(problem.value)


def test_two_authorization_headers_are_none() -> None:
    one = "AWS4-HMAC-SHA256 " + ", ".join(f"{name}={value}" for name, value in GOOD.items())
    with pytest.raises(Incomplete, match=NO_EQUAL_SIGN):
        read(with_header(f"{one},{one}"))


def test_a_parameter_that_comes_twice_means_nothing() -> None:
    words = ", ".join(f"{name}={value}" for name, value in GOOD.items())
    with pytest.raises(Incomplete, match="'Credential' must be given only once"):
        read(with_header(f"AWS4-HMAC-SHA256 {words}, Credential={SCOPE}"))
    request = signed(expires=60)
    with pytest.raises(Incomplete, match="'X-Amz-Credential' must be given only once"):
        read(changed(request, query_string=request.query_string + "&X-Amz-Credential=a"))


@pytest.mark.parametrize("algorithm", ["AWS4-HMAC-SHA512", "AWS4-ECDSA-P256-SHA256", "none", ""])
def test_another_algorithm_is_not_supported(algorithm: str) -> None:
    words = ", ".join(f"{name}={value}" for name, value in GOOD.items())
    message = rf"^Unsupported AWS 'algorithm': '{algorithm}' \(only AWS4-HMAC-SHA256 for now\)\. $"
    if algorithm:
        with pytest.raises(Incomplete, match=message):
            read(with_header(f"{algorithm} {words}"))
    with pytest.raises(Incomplete, match=message):
        read(
            with_query(
                Algorithm=algorithm,
                Credential=SCOPE,
                Signature="0",
                SignedHeaders="host",
                Date="20150830T123600Z",
            )
        )


@pytest.mark.parametrize(
    "credential", ["AKID", "a/b/c/d", SCOPE + "/", "a/b/20150830/us-east-1/ecr/aws4_request"]
)
def test_a_credential_has_five_parts(credential: str) -> None:
    message = (
        "Credential must have exactly 5 slash-delimited elements, "
        f"e.g. keyid/date/region/service/term, got '{credential}'"
    )
    with pytest.raises(Incomplete) as problem:
        read(with_header(f"AWS4-HMAC-SHA256 Credential={credential},SignedHeaders=host,Signature=0"))
    assert str(problem.value) == message


def test_query_parameters_that_are_missing_are_named() -> None:
    with pytest.raises(Incomplete) as problem:
        read(with_query(Algorithm="AWS4-HMAC-SHA256", Credential=SCOPE, Date=""))
    assert str(problem.value) == (
        "AWS query-string parameters must include 'X-Amz-Signature'. "
        "AWS query-string parameters must include 'X-Amz-SignedHeaders'. "
        "AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters."
    )


@pytest.mark.parametrize("expires", ["0", "-1", "604801", "9" * 5000, "x", "1.5", "٣"])
def test_a_presigned_request_is_good_for_a_second_to_a_week(expires: str) -> None:
    request = with_query(
        Algorithm="AWS4-HMAC-SHA256",
        Credential=SCOPE,
        Signature="0",
        SignedHeaders="host",
        Date="20150830T123600Z",
        Expires=expires,
    )
    with pytest.raises(Incomplete, match="X-Amz-Expires must be between 1 and 604800 seconds"):
        read(request)


def test_a_request_is_signed_in_one_place() -> None:
    request = signed(expires=60)
    with pytest.raises(Misused, match="Found both 'X-Amz-Algorithm' as a query-string param"):
        read(changed(request, {"authorization": "AWS4-HMAC-SHA256"}))


# use


def problem_of(request: SignedRequest) -> str:
    claim = read(request)
    assert claim is not None
    with pytest.raises(Misused) as problem:
        check_claim(claim, request, NOW)
    return str(problem.value)


def test_the_host_must_be_signed() -> None:
    words = f"Credential={SCOPE}, SignedHeaders=x-amz-date, Signature=0"
    assert problem_of(with_header(f"AWS4-HMAC-SHA256 {words}")) == (
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
    )


@pytest.mark.parametrize("name", ["x-amz-target", "x-amz-security-token"])
def test_headers_that_mean_something_to_aws_must_be_signed(name: str) -> None:
    words = f"Credential={SCOPE}, SignedHeaders=host;x-amz-date, Signature=0"
    assert problem_of(with_header(f"AWS4-HMAC-SHA256 {words}", **{name: "x"})) == (
        f"'{name}' must be a 'SignedHeader' in the AWS Authorization."
    )


def test_a_trace_id_need_not_be_signed() -> None:
    request = with_header(
        f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=Host;X-Amz-Date, Signature=0",
        **{"x-amzn-trace-id": "x", "amz-sdk-request": "y"},
    )
    claim = read(request)
    assert claim is not None
    check_claim(claim, request, NOW)


def test_the_scope_must_be_of_this_request() -> None:
    words = "Credential=AKIDEXAMPLE/b/c_d/s3/aws5_request, SignedHeaders=host;x-amz-date, Signature=0"
    assert problem_of(with_header(f"AWS4-HMAC-SHA256 {words}")) == (
        "Credential should be scoped to a valid region, not 'c_d'. "
        "Credential should be scoped to correct service: 'ecr'. "
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'. "
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        "'b' != '20150830', from '20150830T123600Z'."
    )


def test_nothing_secret_shows() -> None:
    request = signed(token="session-token")
    claim = read(request)
    assert claim is not None
    shown = repr(claim) + repr(request) + repr(signed(expires=60))
    assert "session-token" not in shown
    assert claim.signature not in shown
    assert "X-Amz-Signature" not in shown


# anything at all

ANYTHING = st.text(max_size=30) | st.text("AWS4-HMAC-SHA256 Credential=/,;", max_size=200)
PIECES = st.sampled_from(
    [
        "AWS4-HMAC-SHA256",
        "Credential=",
        SCOPE,
        "SignedHeaders=",
        "host;x-amz-date",
        "Signature=",
        ", ",
        " ",
        "=",
        "é",
    ]
)


@given(
    authorization=st.none() | ANYTHING | st.lists(PIECES, max_size=14).map("".join),
    date=ANYTHING | st.just("20150830T123600Z"),
    query=ANYTHING
    | st.lists(st.sampled_from(["X-Amz-Algorithm=", "X-Amz-Date=", "&", "%", "%zz", "A"])).map("".join),
    path=ANYTHING,
    header=ANYTHING,
)
def test_nothing_is_raised_but_refusals(
    authorization: str | None, date: str, query: str, path: str, header: str
) -> None:
    headers = {"host": HOST, "x-amz-date": date, "x-other": header}
    if authorization is not None:
        headers["authorization"] = authorization
    request = SignedRequest("POST", path, query, headers, "0" * 64)
    try:
        claim = read(request)
        if claim is not None:
            check_claim(claim, request, NOW)
            check_signature(claim, request, SECRET)
            raise AssertionError("nobody signed this")
    except Refused:
        pass


@given(st.data())
def test_a_signature_that_was_cut_or_bent_is_refused(data: Any) -> None:
    request = signed()
    header = request.headers["authorization"]
    # Without a comma or a space it says the same.
    at = data.draw(st.sampled_from([at for at, letter in enumerate(header) if letter not in ", "]))
    bent = data.draw(
        st.sampled_from([header[:at], header[:at] + header[at + 1 :], header[:at] + "é" + header[at:]])
    )
    with pytest.raises(Refused):
        verify(changed(request, {"authorization": bent}))


def test_a_megabyte_of_header_is_refused_at_once() -> None:
    for text in ("=" * 1_000_000, "a=b," * 250_000, "," * 1_000_000, "Credential=" + "/" * 1_000_000):
        with pytest.raises(Refused):
            read(with_header(f"AWS4-HMAC-SHA256 {text}"))
