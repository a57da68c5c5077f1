"""Paths, names, ARNs: no way of writing one leads to what one may not have, or to a 500."""

import json
from urllib.parse import quote

import pytest

from tests.attacks.victims import MANIFEST, PUBLIC, check_refused, repository
from tests.clients import digest_of
from tests.steps import (
    ARN,
    GUEST,
    HOST,
    LAYER,
    NAME,
    OWNER,
    REGION,
    TARGET_PREFIX,
    Caller,
    Site,
    basic,
    identity_policy,
    of_identity,
    of_user,
    user,
)

WAYS = [
    f"/v2/{MANIFEST}",
    f"//v2/{MANIFEST}",
    f"/v2//{MANIFEST}",
    f"/./v2/{MANIFEST}",
    f"/V2/{MANIFEST}",
    f"/v2./{MANIFEST}",
    f"/v2/../v2/{MANIFEST}",
    f"/v2/%2e%2e/v2/{MANIFEST}",
    f"/v2/%252e%252e/v2/{MANIFEST}",
    f"/%76%32/{MANIFEST}",
    f"/v2%2f{MANIFEST}",
    f"/v2%252f{MANIFEST}",
    f"/_emu/../v2/{MANIFEST}",
    f"/_emu/%2e%2e/v2/{MANIFEST}",
    f"/_layers/../v2/{MANIFEST}",
    f"/_layers/%2e%2e%2fv2/{MANIFEST}",
    f"/v2/{PUBLIC}/../../{MANIFEST}",
    f"/v2/{PUBLIC}/%2e%2e/%2e%2e/{MANIFEST}",
    f"/v2/{PUBLIC}/..%2f..%2f{MANIFEST}",
    f"/v2/{PUBLIC}/manifests/../../../{MANIFEST}",
    f"/v2/{PUBLIC}/manifests/..%2f..%2f..%2f{MANIFEST}",
    f"/v2/{PUBLIC}/..;/..;/{MANIFEST}",
    f"/v2/{PUBLIC}%00/../{MANIFEST}",
    f"/v2/{PUBLIC}/%c0%ae%c0%ae/{MANIFEST}",
    f"/v2/{PUBLIC}%5c..%5c..%5c{MANIFEST}",
    "/v2/team%2fapp/manifests/v1",
    "/v2/team%252fapp/manifests/v1",
    "/v2/team/app%00/manifests/v1",
    "/v2/team/app%00public/app/manifests/v1",
    "/v2/team/app./manifests/v1",
    "/v2/team/app%20/manifests/v1",
    "/v2/team/app%0a/manifests/v1",
    "/v2/team/app%0d%0aAuthorization:x/manifests/v1",
    "/v2/team/app;x/manifests/v1",
    "/v2/team/APP/manifests/v1",
    "/v2/team\\app/manifests/v1",
    "/v2/team/%61pp/manifests/v1",
    f"/v2/{MANIFEST}%00",
    f"/v2/{MANIFEST}%0a",
    f"/v2/{MANIFEST}/",
    f"/v2/{MANIFEST}%2f",
    f"/v2/{MANIFEST};{PUBLIC}",
    f"/v2/{MANIFEST}#{PUBLIC}",
    f"/v2/_emu/{MANIFEST}",
    f"/v2/_layers/{MANIFEST}",
    f"/v2/?{MANIFEST}".replace("/v2/", "/v2/_catalog/"),
    f"http://localhost/v2/{MANIFEST}",
    "*",
    "",
]


@pytest.mark.parametrize("path", WAYS)
def test_no_way_of_writing_a_path_leads_to_an_image(path: str, site: Site) -> None:
    """Neither without a login, nor for somebody who may read another repository of the registry."""
    login = {"Authorization": basic(of_user(site, "public").password)}
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"):
        for headers in ({}, login, {"X-Amz-Target": f"{TARGET_PREFIX}.DescribeRepositories", **login}):
            check_refused(site.ask(method, path, b"{}", headers, HOST))


def test_a_path_is_decoded_once(admin: Caller) -> None:
    """For who may read the image, so that it is the form that decides."""
    for path in (MANIFEST, "team%2fapp/manifests/v1", "team/%61pp/manifests/%76%31"):
        assert admin.v2("GET", path).status == 200
    for path in ("team%252fapp/manifests/v1", "team/%2561pp/manifests/v1", "team/app/manifests/%2576%2531"):
        check_refused(admin.v2("GET", path), 400, 404)


@pytest.mark.parametrize(
    "path", ["/v2/", "/v2", "/v2/?X-Amz-Target=x", "/%762/", "/_layers/", "/_emu/", "/_emu/iam"]
)
def test_a_signed_call_does_nothing_elsewhere(path: str, site: Site, admin: Caller) -> None:
    body = json.dumps({"repositoryName": PUBLIC}).encode()
    check_refused(site.ask("POST", path, body, admin.signed("DeleteRepository", body), HOST))
    admin.did("DescribeRepositories", repositoryNames=[PUBLIC])


@pytest.mark.parametrize("path", ["/x", "/v2x/", "/_emux", "/_layers", "/v3/"])
def test_a_signature_of_the_root_is_none_of_another_path(path: str, site: Site, admin: Caller) -> None:
    reply = site.ask("POST", path, b"{}", admin.signed("DescribeRegistry", b"{}"))
    assert (reply.status, reply.json()["__type"]) == (400, "InvalidSignatureException")


# names


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{PUBLIC}/manifests/x/manifests/v1", f"{PUBLIC}/manifests/x"),
        (f"{PUBLIC}/blobs/uploads/manifests/v1", f"{PUBLIC}/blobs/uploads"),
        (f"{PUBLIC}/tags/list/tags/list", f"{PUBLIC}/tags/list"),
        (f"{NAME}/manifests/{PUBLIC}/manifests/v1", f"{NAME}/manifests/{PUBLIC}"),
        (f"{PUBLIC}/referrers/{NAME}/tags/list", f"{PUBLIC}/referrers/{NAME}"),
        (f"{PUBLIC}s/tags/list", f"{PUBLIC}s"),
        ("public/tags/list", "public"),
        ("app/tags/list", "app"),
    ],
)
def test_the_repository_that_is_asked_for_is_the_one_that_is_meant(path: str, name: str, site: Site) -> None:
    """A path is read from the right; the policies see the same name as the look-up."""
    reply = of_user(site, "public").v2("GET", path)
    assert reply.status == 403
    assert f"on resource: {repository(name)} because" in reply.error[1]


@pytest.mark.parametrize(
    ("who", "name", "may"),
    [
        ("team", "team-a", True),
        ("team", "team-a/b", True),
        ("team", "team", False),
        ("team", NAME, False),
        ("team", "xteam-a", False),
        ("team", "team/team-a", False),
        ("short", "aa", True),
        ("short", "aa/bb", False),
        ("short", "aab", False),
        ("own", "own/app", True),
        ("own", NAME, False),
        ("own", "other/own/app", False),
        ("starry", NAME, False),
        ("starry", "own/app", False),
    ],
)
def test_a_pattern_covers_what_it_says(who: str, name: str, may: bool, site: Site) -> None:
    caller = of_user(site, who)
    api = caller.api("ListImages", repositoryName=name)
    registry = caller.v2("GET", f"{name}/tags/list")
    assert (api.status, registry.status) == ((200, 200) if may else (400, 403))
    assert may or api.json()["__type"] == "AccessDeniedException"


STRANGE_NAMES = [
    "*",
    "team-*",
    "team-?",
    "te*",
    "TEAM-a",
    "${aws:username}/app",
    "own/${aws:username}",
    "team-a/*",
]
STRANGE_NAMES += [
    "team-a/../team/app",
    "team-a//b",
    "team-a/",
    "/team-a",
    "team-a\0",
    "team-a\n",
    "team-\u0430",
]
STRANGE_NAMES += ["_emu/app", "_catalog", "a" * 10_000, "team-a:repository/x", f"team-a,{ARN}"]


@pytest.mark.parametrize("who", ["admin", "team", "starry"])
@pytest.mark.parametrize("name", STRANGE_NAMES, ids=lambda name: ascii(name)[:25])
def test_a_name_that_is_a_pattern_means_nothing(name: str, who: str, site: Site) -> None:
    """Not even for who may do everything."""
    caller = of_user(site, who)
    reply = caller.api("ListImages", repositoryName=name)
    assert (reply.status, reply.json()["__type"]) == (400, "InvalidParameterException")
    check_refused(caller.v2("GET", f"{quote(name)}/tags/list"), 400, 404)
    mount = f"team-a/blobs/uploads/?mount={digest_of(LAYER)}&from={quote(name, safe='')}"
    assert caller.v2("POST", mount).status == (403 if who == "starry" else 202)


@pytest.mark.parametrize(
    "arn",
    [
        ARN,
        f"{ARN}/../../public/app",
        repository("*"),
        repository("${aws:username}"),
        ARN.replace(OWNER, "*"),
        ARN.replace(OWNER, GUEST),
        ARN.replace("aws", "aws-cn", 1),
        ARN.replace(REGION, "*"),
        ARN.replace(REGION, "eu-west-1"),
        ARN.replace("repository", "REPOSITORY"),
        f" {ARN}",
        f"{ARN}\n",
        f"{repository(PUBLIC)}\0/../{NAME}",
        f"{repository(PUBLIC)},{ARN}",
    ],
)
def test_an_arn_opens_no_repository_of_others(arn: str, site: Site, admin: Caller) -> None:
    for who, account in (("public", OWNER), ("guest", GUEST)):
        caller = of_user(site, who, account)
        for operation, members in {
            "TagResource": {"tags": [{"Key": "owned", "Value": "yes"}]},
            "UntagResource": {"tagKeys": ["owned"]},
            "ListTagsForResource": {},
        }.items():
            check_refused(caller.api(operation, resourceArn=arn, **members), 400)
    assert admin.did("ListTagsForResource", resourceArn=ARN)["tags"] == []


def test_a_tag_beside_one_in_another_case_opens_nothing(site: Site, admin: Caller) -> None:
    """Condition keys have no case, tags do: a blue repository must not pass for a red one (inferred)."""
    says_red = {"StringEquals": {"aws:RequestTag/team": "red"}}
    allow = of_identity("Allow", ["ecr:CreateRepository", "ecr:TagResource"], Condition=says_red)
    site.put({"users": [user("red", identity_policy(allow))]})
    tags = [{"Key": "team", "Value": "blue"}, {"Key": "Team", "Value": "red"}]
    reply = of_user(site, "red").api("CreateRepository", repositoryName="red/app", tags=tags)
    admin.api("DeleteRepository", repositoryName="red/app")
    assert reply.json().get("__type") == "AccessDeniedException"


@pytest.mark.parametrize(
    "registry_id", ["*", OWNER + "1", f"{OWNER}/", "", f"{OWNER},{GUEST}", " " + OWNER, "\uff11" * 12]
)
def test_a_registry_id_is_twelve_digits(registry_id: str, site: Site) -> None:
    guest = of_user(site, "guest", GUEST)
    reply = guest.api("ListImages", repositoryName=NAME, registryId=registry_id)
    assert (reply.status, reply.json()["__type"]) == (400, "InvalidParameterException")
