"""Signed requests that are changed, old, replayed or somebody else's. Each would delete something."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.attacks.victims import EVERYTHING, PUBLIC
from tests.steps import (
    API_HOST,
    OWNER,
    REGION,
    TARGET_PREFIX,
    Caller,
    Site,
)

BODY = json.dumps({"repositoryName": PUBLIC, "force": True}).encode()
TARGET = f"{TARGET_PREFIX}.DeleteRepository"
WRONG = "InvalidSignatureException"
INCOMPLETE = "IncompleteSignatureException"
NOBODY = "UnrecognizedClientException"
SESSIONS = {
    "roles": [
        {
            "name": role,
            "account": OWNER,
            "policies": [EVERYTHING],
            "sessions": [
                {
                    "name": "s",
                    "accessKeyId": f"ASIA{role.upper()}",
                    "secret": "secret",
                    "token": f"token-{role}",
                }
            ],
        }
        for role in ("one", "two")
    ]
}
Headers = dict[str, str]


@pytest.fixture(autouse=True)
def still_there(site: Site, admin: Caller) -> Iterator[None]:
    """What every attack here wants to do was not done."""
    site.put(SESSIONS)
    yield
    admin.did("DescribeRepositories", repositoryNames=[PUBLIC])


def send(site: Site, headers: Mapping[str, str], query: str = "", body: bytes = BODY) -> tuple[int, str]:
    """The status and the code of a request to the JSON API."""
    reply = site.ask("POST", f"/{query}", body, headers)
    return reply.status, reply.json().get("__type", "")


def test_the_request_is_good_until_it_is_changed(admin: Caller) -> None:
    admin.did("CreateRepository", repositoryName="team/doomed")
    assert admin.api("DeleteRepository", repositoryName="team/doomed").status == 200


# the Authorization header


def put(name: str, value: str) -> Callable[[Headers], Headers]:
    return lambda headers: {**headers, name: value}


def drop(name: str) -> Callable[[Headers], Headers]:
    return lambda headers: {key: value for key, value in headers.items() if key != name}


def swap(old: str, new: str) -> Callable[[Headers], Headers]:
    """Another text in the Authorization header."""
    return lambda headers: {**headers, "Authorization": headers["Authorization"].replace(old, new)}


def cut(length: int) -> Callable[[Headers], Headers]:
    """Only so much of the signature."""

    def change(headers: Headers) -> Headers:
        value, signature = headers["Authorization"].split("Signature=")
        return {**headers, "Authorization": f"{value}Signature={signature[:length]}"}

    return change


def upper(headers: Headers) -> Headers:
    value, signature = headers["Authorization"].split("Signature=")
    return {**headers, "Authorization": f"{value}Signature={signature.upper()}"}


def joined(headers: Headers) -> Headers:
    """Two headers as granian hands them over."""
    return {**headers, "Authorization": f"{headers['Authorization']},{headers['Authorization']}"}


def target_of_another(headers: Headers) -> Headers:
    return {
        **headers,
        "X-Amz-Target": headers["X-Amz-Target"].replace("DeleteRepository", "DescribeRegistry"),
    }


OTHER_KEY = {"ASIAONE": "ASIATWO"}
CHANGES: dict[str, tuple[Callable[[Headers], Headers], str]] = {
    "no header at all": (drop("Authorization"), "MissingAuthenticationTokenException"),
    "an empty header": (put("Authorization", ""), INCOMPLETE),
    "no signature": (cut(0), INCOMPLETE),
    "half a signature": (cut(32), WRONG),
    "all but a letter": (cut(63), WRONG),
    "a longer signature": (swap("Signature=", "Signature=0"), WRONG),
    "in capitals": (upper, WRONG),
    "of the guest's key": (swap("AKIAADMIN", "AKIAGUEST"), WRONG),
    "of nobody's key": (swap("AKIAADMIN", "AKIANOBODY"), NOBODY),
    "of no key": (swap("AKIAADMIN", ""), NOBODY),
    "of a key with a quote": (swap("AKIAADMIN", "' OR 1=1 --"), INCOMPLETE),
    "another region": (swap(REGION, "eu-west-1"), WRONG),
    "an odd region": (swap(REGION, "../x"), INCOMPLETE),
    "a region in capitals": (swap(REGION, "US-EAST-1"), WRONG),
    "another service": (swap("/ecr/", "/s3/"), WRONG),
    "another date": (swap("/20", "/19"), WRONG),
    "another end": (swap("aws4_request", "aws4"), WRONG),
    "another algorithm": (swap("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"), INCOMPLETE),
    "of two curves": (swap("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), INCOMPLETE),
    "no algorithm": (swap("AWS4-HMAC-SHA256", "none"), INCOMPLETE),
    "two credentials": (
        swap("Credential=", "Credential=x/20260101/x/ecr/aws4_request, Credential="),
        INCOMPLETE,
    ),
    "host not signed": (swap("host;", ""), WRONG),
    "target not signed": (swap(";x-amz-target", ""), WRONG),
    "a header that did not come": (swap("host;", "host;x-other;"), WRONG),
    "nothing signed": (swap("content-type;host;x-amz-date;x-amz-target", "host"), WRONG),
    "an added header": (put("X-Amz-Acl", "public"), WRONG),
    "an added token": (put("X-Amz-Security-Token", "x"), WRONG),
    "another target": (target_of_another, WRONG),
    "another type": (put("Content-Type", "application/x-amz-json-1.0"), WRONG),
    "two headers": (joined, INCOMPLETE),
    "no date": (drop("X-Amz-Date"), INCOMPLETE),
    "a strange date": (put("X-Amz-Date", "yesterday"), INCOMPLETE),
    "a date of other digits": (put("X-Amz-Date", "\xb2" * 8 + "T000000Z"), INCOMPLETE),
    "a day that is none": (put("X-Amz-Date", "20260230T000000Z"), INCOMPLETE),
    "another hash of the body": (put("X-Amz-Content-SHA256", "0" * 64), WRONG),
    "no hash of the body": (put("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"), WRONG),
    "letters that are none": (swap("Signature=", "Signature=\xff"), WRONG),
    "a megabyte": (swap("Signature=", "Signature=" + "0" * 1_000_000), WRONG),
    "a megabyte of names": (swap("host;", "host;" * 200_000), WRONG),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_signed_request_that_is_changed_is_refused(change: str, site: Site, admin: Caller) -> None:
    make, code = CHANGES[change]
    headers = admin.signed("DeleteRepository", BODY)
    assert make(headers) != headers
    assert send(site, make(headers)) == (400, code)


class OfHash(SigV4Auth):
    """Signs what the header says that the body is, as clients of S3 may."""

    def payload(self, request: AWSRequest) -> str:
        return str(request.headers["X-Amz-Content-SHA256"])


@pytest.mark.parametrize("content", ["UNSIGNED-PAYLOAD", hashlib.sha256(b"{}").hexdigest(), "", "0" * 64])
def test_the_hash_in_a_header_does_not_stand_for_the_body(content: str, site: Site, admin: Caller) -> None:
    headers = {"X-Amz-Target": TARGET, "X-Amz-Content-SHA256": content}
    request = AWSRequest("POST", f"http://{API_HOST}/", headers, BODY)
    OfHash(Credentials(admin.key, admin.secret), "ecr", REGION).add_auth(request)
    assert send(site, dict(request.headers.items())) == (400, WRONG)


class Sparing(SigV4Auth):
    """Signs all but some headers, and rightly so."""

    spared: tuple[str, ...] = ()

    def headers_to_sign(self, request: AWSRequest) -> Any:
        found = super().headers_to_sign(request)
        for name in self.spared:
            del found[name]
        return found


@pytest.mark.parametrize("spared", ["host", "x-amz-target", "x-amz-date", "x-amz-security-token"])
def test_host_and_amazons_headers_have_to_be_signed(spared: str, site: Site) -> None:
    """A header that is not signed could be added to a request of somebody else."""
    request = AWSRequest("POST", f"http://{API_HOST}/", {"X-Amz-Target": TARGET}, BODY)
    signer = Sparing(Credentials("ASIAONE", "secret", "token-one"), "ecr", REGION)
    signer.spared = (spared,)
    signer.add_auth(request)
    reply = site.ask("POST", "/", BODY, dict(request.headers.items()))
    assert (reply.status, reply.json()["__type"]) == (400, WRONG)
    assert "must be a 'SignedHeader' in the AWS Authorization." in reply.json()["message"]


def test_a_header_that_is_not_amazons_need_not_be_signed(site: Site) -> None:
    """So it is for the names that the others are refused."""
    target = f"{TARGET_PREFIX}.DescribeRegistry"
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    request = AWSRequest("POST", f"http://{API_HOST}/", headers, b"{}")
    signer = Sparing(Credentials("ASIAONE", "secret", "token-one"), "ecr", REGION)
    signer.spared = ("content-type",)
    signer.add_auth(request)
    assert site.ask("POST", "/", b"{}", dict(request.headers.items())).status == 200


@pytest.mark.parametrize("body", [b"", b"{}", BODY + b" ", BODY.replace(b"public", b"Public"), BODY * 2])
def test_the_body_is_signed(body: bytes, site: Site, admin: Caller) -> None:
    assert send(site, admin.signed("DeleteRepository", body), body=BODY) == (400, WRONG)


def test_every_bit_of_a_signature_counts(site: Site, admin: Caller) -> None:
    headers = admin.signed("DeleteRepository", BODY)
    start, signature = headers["Authorization"].split("Signature=")
    for at in range(len(signature)):
        for bit in (0, 1, 3, 5):
            changed = signature[:at] + chr(ord(signature[at]) ^ 1 << bit) + signature[at + 1 :]
            found = send(site, {**headers, "Authorization": f"{start}Signature={changed}"})
            assert found in ((400, WRONG), (400, INCOMPLETE))


def test_a_wrong_secret_and_a_secret_of_another_are_refused(site: Site, admin: Caller) -> None:
    for secret in ("", "secret-of-guest", "secret-of-admin ", "SECRET-OF-ADMIN"):
        headers = replace(admin, secret=secret).signed("DeleteRepository", BODY)
        assert send(site, headers) == (400, WRONG)


@pytest.mark.parametrize("service", ["s3", "sts", "ecr-public", "api.ecr", ""])
def test_a_signature_for_another_service_is_none_for_ecr(service: str, site: Site, admin: Caller) -> None:
    request = AWSRequest("POST", f"http://{API_HOST}/", {"X-Amz-Target": TARGET}, BODY)
    SigV4Auth(Credentials(admin.key, admin.secret), service, REGION).add_auth(request)
    assert send(site, dict(request.headers.items())) == (400, WRONG)


def test_a_session_needs_its_own_token(site: Site) -> None:
    arn = f"arn:aws:sts::{OWNER}:assumed-role/one/s"
    session = Caller(site, arn, "ASIAONE", "secret", "token-one")
    session.did("DescribeRegistry")
    for token in (None, "token-two", "token-on", "token-onex", "x" * 100_000):
        headers = replace(session, session_token=token).signed("DeleteRepository", BODY)
        assert send(site, headers) == (400, NOBODY)
    # Both have the same secret here; the key and the token of a session belong together.
    headers = replace(session, key="ASIATWO").signed("DeleteRepository", BODY)
    assert send(site, headers) == (400, NOBODY)


# time


def at(site: Site, admin: Caller, when: datetime, **more: str) -> Headers:
    """A request that is signed at another time."""
    headers = {"X-Amz-Target": TARGET, **more}
    request = AWSRequest("POST", f"http://{API_HOST}/", headers, BODY)
    signer = SigV4Auth(Credentials(admin.key, admin.secret), "ecr", REGION)
    request.context["timestamp"] = when.strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(text, request))
    return dict(request.headers.items())


@pytest.mark.parametrize("minutes", [-20_000, -60, -15.2, 15.2, 60, 20_000])
def test_a_request_of_another_time_is_refused(minutes: float, site: Site, admin: Caller) -> None:
    headers = at(site, admin, datetime.now(UTC) + timedelta(minutes=minutes))
    assert send(site, headers) == (400, WRONG)


@pytest.mark.parametrize("minutes", [-14.5, 14.5])
def test_a_request_of_almost_another_time_is_good(minutes: float, site: Site, admin: Caller) -> None:
    """So the time is why the others are refused."""
    admin.did("CreateRepository", repositoryName="team/late")
    headers = at(site, admin, datetime.now(UTC) + timedelta(minutes=minutes))
    # Signed for another body: what is wrong is the signature now, and no longer the time.
    message = site.ask("POST", "/", b"{}", headers).json()["message"]
    assert message.startswith("The request signature we calculated does not match")
    admin.did("DeleteRepository", repositoryName="team/late")


def test_x_amz_date_wins_over_date(site: Site, admin: Caller) -> None:
    """A Date of now does not save an old request, and a Date alone has to be in AWS's form."""
    old = at(site, admin, datetime.now(UTC) - timedelta(hours=1))
    now = datetime.now(UTC)
    for text in (format_datetime(now, usegmt=True), now.strftime("%Y%m%dT%H%M%SZ")):
        assert send(site, {**old, "Date": text}) == (400, WRONG)
    headers = drop("X-Amz-Date")(admin.signed("DeleteRepository", BODY))
    assert send(site, {**headers, "Date": format_datetime(now, usegmt=True)}) == (400, INCOMPLETE)


# presigned URLs


def presigned(admin: Caller, seconds: int = 60, token: str | None = None) -> str:
    """The query of a presigned DeleteRegistryPolicy, which takes no body."""
    headers = {"X-Amz-Target": f"{TARGET_PREFIX}.DeleteRegistryPolicy"}
    request = AWSRequest("POST", f"http://{API_HOST}/", headers, b"")
    SigV4QueryAuth(Credentials(admin.key, admin.secret, token), "ecr", REGION, seconds).add_auth(request)
    return str(request.url).partition("/?")[2]


def parameter(query: str, name: str) -> str:
    return next(part.partition("=")[2] for part in query.split("&") if part.startswith(f"{name}="))


def with_parameter(query: str, name: str, value: str) -> str:
    return query.replace(f"{name}={parameter(query, name)}", f"{name}={value}")


IN_QUERY = {"X-Amz-Target": f"{TARGET_PREFIX}.DeleteRegistryPolicy"}


def test_a_presigned_request_that_is_changed_is_refused(site: Site, admin: Caller) -> None:
    query = presigned(admin)
    assert send(site, IN_QUERY, f"?{query}", b"") == (400, "RegistryPolicyNotFoundException")
    signature = parameter(query, "X-Amz-Signature")
    changed = {
        with_parameter(query, "X-Amz-Signature", signature[:-1]): WRONG,
        with_parameter(query, "X-Amz-Signature", ""): INCOMPLETE,
        with_parameter(query, "X-Amz-Expires", "604800"): WRONG,
        with_parameter(query, "X-Amz-Expires", "604801"): INCOMPLETE,
        with_parameter(query, "X-Amz-Expires", "-1"): INCOMPLETE,
        with_parameter(query, "X-Amz-Expires", "1" * 5000): INCOMPLETE,
        with_parameter(query, "X-Amz-SignedHeaders", "x-amz-target"): WRONG,
        with_parameter(query, "X-Amz-SignedHeaders", "host"): WRONG,
        with_parameter(query, "X-Amz-Algorithm", "none"): INCOMPLETE,
        query.replace("AKIAADMIN", "AKIAGUEST"): WRONG,
        query.replace("us-east-1", "eu-west-1"): WRONG,
        query.replace("%2Fecr%2F", "%2Fs3%2F"): WRONG,
        f"{query}&more=x": WRONG,
        f"{query}&X-Amz-Expires=60": INCOMPLETE,
        f"{query}&X-Amz-Signature={signature}": INCOMPLETE,
        f"{query}&X-Amz-Security-Token=x": WRONG,
        query.replace("X-Amz-Signature", "x-amz-signature"): INCOMPLETE,
        f"{query}%00": WRONG,
        "X-Amz-Algorithm=AWS4-HMAC-SHA256": INCOMPLETE,
        "": "MissingAuthenticationTokenException",
    }
    for other, code in changed.items():
        assert other != query
        assert send(site, IN_QUERY, f"?{other}", b"") == (400, code), other
    assert send(site, IN_QUERY, f"?{query}", b"{}") == (400, WRONG)
    assert send(site, {"X-Amz-Target": TARGET}, f"?{query}", BODY) == (400, WRONG)
    # Both at once is neither.
    both = admin.signed("DeleteRegistryPolicy", b"")
    assert send(site, both, f"?{query}", b"") == (400, WRONG)


def test_a_presigned_session_needs_its_token(site: Site) -> None:
    session = Caller(site, f"arn:aws:sts::{OWNER}:assumed-role/one/s", "ASIAONE", "secret")
    for token, code in (
        ("token-one", "RegistryPolicyNotFoundException"),
        ("token-two", NOBODY),
        (None, NOBODY),
    ):
        assert send(site, IN_QUERY, f"?{presigned(session, token=token)}", b"") == (400, code)
    # A token in a header beside the query is not the one that was signed.
    headers = {**IN_QUERY, "X-Amz-Security-Token": "token-one"}
    assert send(site, headers, f"?{presigned(session)}", b"") == (400, WRONG)
