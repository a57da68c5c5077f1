"""Login tokens, layer URLs and paging tokens that are forged, changed, old, or somebody else's."""

import base64
import hmac
import inspect
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from itsdangerous import signer

from ecr_emu.control import signatures
from ecr_emu.core import keys
from ecr_emu.domain import sigv4
from tests.attacks.victims import EVERYTHING, MANIFEST, PRINCIPALS, check_refused
from tests.clients import Reply, digest_of
from tests.steps import (
    GUEST,
    HOST,
    LAYER,
    NAME,
    OWNER,
    REGION,
    Caller,
    Site,
    basic,
    of_user,
    open_site,
)


def ping(site: Site, password: str, host: str = HOST, path: str = "/v2/") -> Reply:
    return site.ask("GET", path, b"", {"Authorization": basic(password)}, host)


def test_a_token_is_not_good_when_one_bit_of_it_is_another(site: Site, admin: Caller) -> None:
    good = admin.password
    assert ping(site, good).status == 200
    for at in range(len(good)):
        for bit in range(7):
            changed = good[:at] + chr(ord(good[at]) ^ 1 << bit) + good[at + 1 :]
            check_refused(ping(site, changed), 400, 401, 403)


def test_a_token_is_not_good_when_it_is_cut_or_longer(site: Site, admin: Caller) -> None:
    good = admin.password
    for at in range(len(good)):
        check_refused(ping(site, good[:at]), 401, 403)
        check_refused(ping(site, good[at + 1 :]), 401, 403)
        check_refused(ping(site, f"{good[:at]}.{good[at:]}"), 401, 403)
    for more in ("A", ".", "==", ".e30", f".{good}", "\0", " ", "é"):
        check_refused(ping(site, good + more), 400, 401, 403)


HEADERS: list[dict[str, Any]] = [
    {"alg": "none"},
    {"alg": "None"},
    {"alg": ""},
    {"alg": None},
    {"alg": ["HS256", "none"]},
    {"alg": "HS384"},
    {"alg": "HS512"},
    {"alg": "RS256"},
    {"alg": "ES256"},
    {"alg": "EdDSA"},
    {"alg": "HS256", "kid": "../../../dev/null"},
    {"alg": "HS256", "kid": "key' OR 1=1"},
    {"alg": "HS256", "jwk": {"kty": "oct", "k": ""}},
    {"alg": "HS256", "jku": "http://localhost/keys"},
    {"alg": "HS256", "crit": ["exp"]},
    {"alg": "HS256", "b64": False, "crit": ["b64"]},
    {"alg": "dir", "enc": "A256GCM"},
    {},
]


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


@pytest.mark.parametrize("header", HEADERS, ids=json.dumps)
def test_a_token_with_another_header_is_signed_by_nobody(
    header: dict[str, Any], site: Site, admin: Caller
) -> None:
    """Also with the claims of a good one, and its signature, none, or one by a key that everybody knows."""
    _, claims, signature = admin.password.split(".")
    signing = f"{encoded({'typ': 'JWT', **header})}.{claims}"
    of_no_key = [hmac.digest(key, signing.encode(), "sha256") for key in (b"", b"\0" * 32, b"secret")]
    forged = [base64.urlsafe_b64encode(one).decode().rstrip("=") for one in of_no_key]
    for end in ("", signature, *forged, "AAAA"):
        check_refused(ping(site, f"{signing}.{end}"), 403)


def test_claims_of_another_token_do_not_fit_the_signature(site: Site, admin: Caller) -> None:
    header, _, signature = of_user(site, "public").password.split(".")
    claims = jwt.decode(admin.password, options={"verify_signature": False})
    for changed in (claims, {**claims, "exp": 9_999_999_999}, {"aud": "ecr"}, [], "x", None):
        check_refused(ping(site, f"{header}.{encoded(changed)}.{signature}"), 403)


def test_a_token_of_another_data_folder_is_none(tmp_path: Path, site: Site) -> None:
    with open_site(tmp_path, "iam", PRINCIPALS) as stranger:
        check_refused(ping(site, of_user(stranger, "admin").password), 403)


def test_a_token_of_another_region_is_none_here(site: Site, admin: Caller) -> None:
    there = replace(admin, region="eu-west-1")
    elsewhere = HOST.replace(REGION, "eu-west-1")
    check_refused(ping(site, there.password), 403)
    check_refused(ping(site, admin.password, elsewhere), 403)
    assert ping(site, there.password, elsewhere).status == 200


def test_a_token_ends_by_the_emulators_clock_and_comes_back_with_it(site: Site, admin: Caller) -> None:
    clock = site.application.emulator.clock
    password = admin.password
    try:
        clock.set(clock() + 12 * 3600 + 1)
        check_refused(ping(site, password), 403)
        assert ping(site, replace(admin).password).status == 200
    finally:
        clock.reset()
    assert ping(site, password).status == 200


def test_a_token_ends_with_its_key_and_is_not_the_next_owners(site: Site) -> None:
    """A key id that somebody else gets later makes no old token his."""
    mortal = of_user(site, "mortal")
    password = mortal.password
    assert ping(site, password, path=f"/v2/{MANIFEST}").status == 200
    site.ask("DELETE", "/_emu/iam", json.dumps({"accessKeyId": mortal.key}).encode())
    check_refused(ping(site, password), 403)
    key = {"id": mortal.key, "secret": "another"}
    site.put({"users": [{"name": "heir", "account": OWNER, "policies": [EVERYTHING], "accessKeys": [key]}]})
    check_refused(ping(site, password), 403)


@pytest.mark.parametrize("size", [70_000, 1_000_000])
def test_a_token_may_be_of_any_size(size: int, site: Site) -> None:
    for password in (
        "A" * size,
        "." * size,
        f"{'A' * size}.{'A' * size}.{'A' * size}",
        f"{encoded({'a': 'x' * size})}.e30.e30",
    ):
        check_refused(ping(site, password), 401, 403)
    check_refused(site.ask("GET", "/v2/", b"", {"Authorization": "Basic " + "=" * size}), 400)
    check_refused(
        site.ask("POST", "/", b"", {"Authorization": "AWS4-HMAC-SHA256 " + "a=b," * size}), 400, 404
    )


@pytest.mark.parametrize(
    "name", ["aws", "AWS ", "", "root", "admin", "AWS\0", "ÄWS", OWNER, "oauth2accesstoken"]
)
def test_only_the_user_aws_logs_in(name: str, site: Site, admin: Caller) -> None:
    check_refused(site.ask("GET", "/v2/", b"", {"Authorization": basic(admin.password, name)}, HOST), 401)


def test_a_header_with_two_logins_is_none(site: Site, admin: Caller) -> None:
    """granian joins headers of one name by a comma."""
    good, bad = basic(admin.password), basic("x")
    for value in (
        f"{good},{bad}",
        f"{bad},{good}",
        f"{good},{good}",
        f"{good}, Bearer x",
        f"Bearer x,{good}",
    ):
        check_refused(site.ask("GET", "/v2/", b"", {"Authorization": value}, HOST), 400, 401)


@pytest.mark.parametrize(
    "value", ["Bearer {}", "Token {}", "basic:{}", "Basic {} x", "\xff {}", "Basic \xe9", "Negotiate {}"]
)
def test_no_other_scheme_is_a_login(value: str, site: Site, admin: Caller) -> None:
    headers = {"Authorization": value.format(admin.password)}
    check_refused(site.ask("GET", "/v2/", b"", headers, HOST), 400, 401)


def test_what_is_sealed_for_one_purpose_is_good_for_no_other(site: Site, admin: Caller) -> None:
    """Login tokens, layer URLs and paging tokens are made with one key."""
    listed = admin.did("DescribeRepositories", maxResults=1)["nextToken"]
    for sealed in (listed, admin.password):
        check_refused(site.ask("GET", f"/_layers/{digest_of(LAYER)}?X-Amz-Signature={sealed}"), 403)
    layer = signature_of(url_of(admin))
    for sealed in (layer, admin.password):
        check_refused(admin.api("DescribeRepositories", nextToken=sealed), 400)
    for sealed in (listed, layer):
        check_refused(ping(site, sealed), 401, 403)


# layer URLs and paging tokens


def url_of(caller: Caller, digest: str = digest_of(LAYER)) -> str:
    answer = caller.did("GetDownloadUrlForLayer", repositoryName=NAME, layerDigest=digest)
    return str(answer["downloadUrl"]).removeprefix("http://localhost:4566")


def signature_of(url: str) -> str:
    return url.partition("X-Amz-Signature=")[2]


def test_a_layer_url_that_is_changed_anywhere_opens_nothing(site: Site, admin: Caller) -> None:
    url = url_of(admin)
    signature, path = signature_of(url), url.partition("?")[0]
    assert site.ask("GET", url).body == LAYER
    # The last letter holds two bits that mean nothing.
    for at in range(len(signature) - 1):
        for bit in range(6):
            changed = signature[:at] + chr(ord(signature[at]) ^ 1 << bit) + signature[at + 1 :]
            check_refused(site.ask("GET", f"{path}?X-Amz-Signature={changed}"), 403)
        check_refused(site.ask("GET", f"{path}?X-Amz-Signature={signature[:at]}"), 403)
    for other in ("/_layers/", f"{path}/", f"{path}/..", f"/_layers/x/../{digest_of(LAYER)}", f"{path}%00"):
        check_refused(site.ask("GET", f"{other}?X-Amz-Signature={signature}"), 403)
    config = path.replace(digest_of(LAYER)[7:], digest_of(b"another")[7:])
    check_refused(site.ask("GET", f"{config}?X-Amz-Signature={signature}"), 403)
    for more in (f"&X-Amz-Signature={signature}x", "&X-Amz-Expires=99999999"):
        assert site.ask("GET", url + more).status == 200
    check_refused(site.ask("GET", f"{path}?X-Amz-Signature=x&X-Amz-Signature={signature}"), 403)


def test_a_layer_url_ends_and_can_be_used_to_write_nothing(site: Site, admin: Caller) -> None:
    url, clock = url_of(admin), site.application.emulator.clock
    for method in ("PUT", "POST", "DELETE", "PATCH"):
        check_refused(site.ask(method, url, b"x"), 405)
    try:
        clock.set(clock() + 3601)
        check_refused(site.ask("GET", url), 403)
        check_refused(site.ask("GET", url.replace("X-Amz-Expires=3600", "X-Amz-Expires=604800")), 403)
    finally:
        clock.reset()
    assert site.ask("GET", url).status == 200


def test_a_layer_url_is_for_one_repository(site: Site, admin: Caller) -> None:
    """Another one that holds the same layer does not keep it alive."""
    admin.did("CreateRepository", repositoryName="team/short-lived")
    admin.push_image("team/short-lived")
    asked = {"repositoryName": "team/short-lived", "layerDigest": digest_of(LAYER)}
    url = admin.did("GetDownloadUrlForLayer", **asked)["downloadUrl"].removeprefix("http://localhost:4566")
    assert site.ask("GET", url).status == 200
    admin.did("DeleteRepository", repositoryName="team/short-lived", force=True)
    check_refused(site.ask("GET", url), 404)


def test_a_paging_token_is_for_one_account_operation_and_repository(site: Site, admin: Caller) -> None:
    guest = of_user(site, "guest", GUEST)
    token = guest.did("DescribeRepositories", maxResults=1)["nextToken"]
    assert len(guest.did("DescribeRepositories", nextToken=token)["repositories"]) == 2
    tries: list[tuple[Caller, str, dict[str, Any]]] = [
        (admin, "DescribeRepositories", {}),
        (admin, "DescribeRepositories", {"registryId": GUEST}),
        (guest, "ListImages", {"repositoryName": "of-guest/0"}),
        (guest, "DescribeImages", {"repositoryName": "of-guest/0"}),
        (guest, "DescribePullThroughCacheRules", {}),
        (replace(guest, region="eu-west-1"), "DescribeRepositories", {}),
    ]
    for caller, operation, members in tries:
        reply = caller.api(operation, nextToken=token, **members)
        check_refused(reply, 400)
        assert reply.json()["__type"] in ("InvalidParameterException", "AccessDeniedException")
    for at in range(len(token) - 1):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        check_refused(guest.api("DescribeRepositories", nextToken=changed), 400)


# secrets are compared in constant time; who may call the pages


def test_signatures_and_tokens_are_compared_in_constant_time() -> None:
    """Read in the code: what a clock says of a loaded machine says nothing."""
    assert "hmac.compare_digest(expected" in inspect.getsource(sigv4.check_signature)
    assert "hmac.compare_digest(" in inspect.getsource(signatures._same)
    assert "jwt.decode(" in inspect.getsource(keys.Keys)
    assert "hmac.compare_digest(" in inspect.getsource(jwt.algorithms.HMACAlgorithm.verify)
    assert "URLSafeSerializer(" in inspect.getsource(keys.Keys.unseal)
    assert "hmac.compare_digest(" in inspect.getsource(signer.SigningAlgorithm.verify_signature)


@pytest.mark.parametrize("path", ["/_emu/health", "/_emu/iam", "/_emu/decisions", "/_emu/clock"])
def test_the_admin_pages_ask_nobody_and_show_no_secret(path: str, site: Site, admin: Caller) -> None:
    """Whoever reaches the port may call them, in every mode: they are for the one who runs the emulator."""
    admin.did("DescribeRegistry")
    reply = site.ask("GET", path)
    assert reply.status == 200
    for secret in ("secret-of-", admin.password):
        assert secret.encode() not in reply.body
