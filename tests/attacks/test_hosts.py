"""Which registry is meant, from where a request comes, and by whom: what no header and no form changes."""

import json
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.attacks.victims import MANIFEST, check_refused
from tests.clients import Reply, Running
from tests.steps import (
    ARN,
    GUEST,
    HOST,
    LOG_IN,
    NAME,
    OWNER,
    REGION,
    TARGET_PREFIX,
    Caller,
    Site,
    denied,
    identity_policy,
    of_identity,
    of_user,
)

# which registry, and from where

PRETENDING = {
    "X-Forwarded-Host": f"{GUEST}.dkr.ecr.{REGION}.localhost:4566",
    "Forwarded": f"host={GUEST}.dkr.ecr.{REGION}.localhost;for=203.0.113.7",
    "X-Original-URL": "/v2/of-guest/0/tags/list",
    "X-Rewrite-URL": "/v2/of-guest/0/tags/list",
    "X-HTTP-Method-Override": "DELETE",
    "X-Original-Host": f"{GUEST}.dkr.ecr.{REGION}.localhost:4566",
    "X-Forwarded-For": "203.0.113.7",
    "X-Real-IP": "203.0.113.7",
    "Client-IP": "203.0.113.7",
    "True-Client-IP": "203.0.113.7",
    "CF-Connecting-IP": "203.0.113.7",
    "X-Client-IP": "203.0.113.7",
    "Remote-Addr": "203.0.113.7",
    "Via": "203.0.113.7",
}


@pytest.mark.parametrize("name", PRETENDING)
def test_no_header_pretends_another_registry_path_or_address(name: str, site: Site, admin: Caller) -> None:
    pretend = {name: PRETENDING[name]}
    assert admin.v2("GET", f"{NAME}/tags/list", headers=pretend).json()["name"] == NAME
    near = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
    site.put({"users": [{"name": "public", "account": OWNER, "policies": [LOG_IN, _allow_from(near)]}]})
    try:
        check_refused(of_user(site, "public").v2("GET", f"{NAME}/tags/list", headers=pretend), 403)
        body = json.dumps({"repositoryName": NAME}).encode()
        public = of_user(site, "public")
        reply = site.ask("POST", "/", body, {**public.signed("ListImages", body), **pretend})
        assert reply.json()["__type"] == "AccessDeniedException"
    finally:
        site.put({"users": [{"name": "public", "account": OWNER, "policies": [LOG_IN]}]})


def _allow_from(condition: dict[str, Any]) -> dict[str, Any]:
    return identity_policy(of_identity("Allow", "ecr:*", Condition=condition))


HOSTS = [
    f"{OWNER}.dkr.ecr.{REGION}.localhost:4566",
    f"{OWNER}.dkr.ecr.{REGION}.localhost.",
    f"{OWNER}.DKR.ECR.{REGION.upper()}.LOCALHOST",
    f"{OWNER}.dkr.ecr.{REGION}.localhost,localhost",
    f"localhost,{OWNER}.dkr.ecr.{REGION}.localhost",
    f"user@{OWNER}.dkr.ecr.{REGION}.localhost",
    f"{OWNER}.dkr.ecr.{REGION}.localhost:4566@{GUEST}.dkr.ecr.{REGION}.localhost",
    f"{OWNER}.dkr.ecr.{REGION}.localhost%00.{GUEST}.dkr.ecr.{REGION}.localhost",
    f"{OWNER}.dkr.ecr.{REGION}.{GUEST}.dkr.ecr.{REGION}.localhost",
    f"{GUEST}.dkr.ecr.{REGION}.{OWNER}.dkr.ecr.{REGION}.localhost",
    "localhost:4566",
    "[::1]:4566",
    "",
]


@pytest.mark.parametrize("host", HOSTS)
def test_no_host_name_makes_a_token_one_of_the_owner(host: str, site: Site) -> None:
    """The Host says which registry is meant; who asks is in the token, and may do the same everywhere."""
    guest = of_user(site, "guest", GUEST)
    for method, path in (("GET", MANIFEST), ("GET", f"{NAME}/tags/list"), ("POST", f"{NAME}/blobs/uploads/")):
        reply = guest.v2(method, path, host=host)
        check_refused(reply, 403, 404)
        # Either it is the owner's registry, which is closed, or the guest's, where this is not.
        assert reply.status == 404 or f"on resource: {ARN} because no resource" in reply.error[1]


def test_the_host_does_not_say_who_calls_the_api(site: Site) -> None:
    guest = of_user(site, "guest", GUEST)
    request = AWSRequest("POST", f"http://{HOST}/", {"X-Amz-Target": f"{TARGET_PREFIX}.ListImages"}, b"{}")
    body = json.dumps({"repositoryName": NAME, "registryId": OWNER}).encode()
    request.data = body
    SigV4Auth(Credentials(guest.key, guest.secret), "ecr", REGION).add_auth(request)
    reply = site.ask("POST", "/", body, dict(request.headers.items()), HOST)
    clause = "because no resource-based policy allows the ecr:ListImages action"
    assert reply.json()["message"] == denied(guest.arn, "ecr:ListImages", clause)


# mode token: every key is believed, and is good for its own account


FORGED = [GUEST, f"AKIA{GUEST}", "AKIAQ3EGRQ37XXXXXXXX", f"{OWNER}/x", "test"]


@pytest.mark.parametrize("key", FORGED)
def test_a_forged_key_is_good_for_its_own_account_only(key: str, emulator: Running) -> None:
    owner = emulator.ecr(OWNER)
    owner.create_repository(repositoryName=NAME)
    site = Site(emulator.application)
    scope = f"{key}/20260101/{REGION}/ecr/aws4_request"
    forged = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}

    def call(operation: str, **members: str) -> Reply:
        target = {"X-Amz-Target": f"{TARGET_PREFIX}.{operation}"}
        return site.ask("POST", "/", json.dumps(members).encode(), {**target, **forged})

    for operation in ("ListImages", "DeleteRepository", "SetRepositoryPolicy"):
        reply = call(operation, repositoryName=NAME, registryId=OWNER, policyText="{}")
        assert (reply.status, reply.json()["__type"]) == (400, "AccessDeniedException")
    token = call("GetAuthorizationToken").json()["authorizationData"][0]["authorizationToken"]
    login = {"Authorization": f"Basic {token}"}
    assert site.ask("GET", "/v2/", b"", login, HOST).status == 200
    reply = site.ask("GET", f"/v2/{NAME}/tags/list", b"", login, HOST)
    assert (reply.status, reply.error[0]) == (403, "DENIED")
    assert not reply.error[1].startswith(f"User: arn:aws:iam::{OWNER}:")
    assert owner.list_images(repositoryName=NAME)["imageIds"] == []


@pytest.mark.parametrize(
    "authorization", ["AWS4-HMAC-SHA256 Credential=x", "AWS4-HMAC-SHA256", "AWS x:y", "Bearer x"]
)
def test_a_key_without_a_scope_is_nobodys(authorization: str, emulator: Running) -> None:
    headers = {"X-Amz-Target": f"{TARGET_PREFIX}.DescribeRepositories", "Authorization": authorization}
    reply = Site(emulator.application).ask("POST", "/", b"{}", headers)
    assert (reply.status, reply.json()["__type"]) == (400, "IncompleteSignatureException")
