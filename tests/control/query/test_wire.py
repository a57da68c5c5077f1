"""Bad input of IAM and STS is the client's fault, in XML, and never a 500."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from botocore.loaders import Loader
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_emu.control.query.wire import MAX_BODY_BYTES
from tests.clients import Registry, Reply
from tests.control.query.conftest import ACCOUNT, Aws, allow, document, serve, trust

# How many forms are tried.
FORMS = {"iam": 400, "sts": 100}
FORM = "application/x-www-form-urlencoded; charset=utf-8"
VERSIONS = {"iam": "2010-05-08", "sts": "2011-06-15"}
MODELS = {name: Loader().load_service_model(name, "service-2") for name in VERSIONS}


@pytest.fixture(scope="module")
def believing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """An emulator that believes every key."""
    aws = Aws(serve(tmp_path_factory.mktemp("query")))
    yield aws
    aws.close()
    aws.running.stop()


def send(aws: Aws, body: bytes, service: str | None = "iam", **headers: str) -> Reply:
    """A POST that claims to be signed for a service."""
    scope = f"{ACCOUNT}/20250101/us-east-1/{service}/aws4_request"
    claim = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}
    sent = {"Content-Type": FORM, **(claim if service else {}), **headers}
    return Registry(aws.running.port, None).request("POST", "/", body, sent)


def error(reply: Reply) -> tuple[int, str, str]:
    """Status, code and message of an error, in the form that every SDK reads."""
    root = ElementTree.fromstring(reply.body)  # noqa: S314 - our own answer
    space = root.tag.partition("}")[0] + "}"
    assert root.tag == f"{space}ErrorResponse"
    found = root.find(f"{space}Error")
    assert found is not None
    assert root.findtext(f"{space}RequestId") == reply.headers["x-amzn-requestid"]
    return reply.status, found.findtext(f"{space}Code") or "", found.findtext(f"{space}Message") or ""


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MissingAction"),
        (b"Action=", "MissingAction"),
        (b"Version=2010-05-08", "MissingAction"),
        (b"\xff\xfe\x00garbage", "MissingAction"),
        (b"{}", "MissingAction"),
        (b"Action=MakeCoffee", "InvalidAction"),
        (b"Action=%00%ED%A0%80%3Cx%3E&Version=%22", "InvalidAction"),
        (b"Action=" + b"A" * 10_000, "InvalidAction"),
        (b"Action=create_user&UserName=x", "InvalidAction"),
        (b"Action=GetCallerIdentity", "InvalidAction"),
        (b"Action=CreateUser", "ValidationError"),
        (b"Action=CreateUser&UserName=a%20b", "ValidationError"),
        (b"Action=ListUsers&MaxItems=many", "ValidationError"),
        (b"Action=ListUsers&Marker=x", "ValidationError"),
        (b"Action=CreateUser&UserName=x&Tags.member.1.Key=a", "ValidationError"),
        (b"&".join(b"a%d=" % number for number in range(1001)), "MalformedQueryString"),
    ],
)
def test_bad_forms_are_refused(believing: Aws, body: bytes, code: str) -> None:
    assert error(send(believing, body))[:2] == (400, code)


def test_what_is_wrong_is_said_in_the_words_of_aws(believing: Aws) -> None:
    body = b"Action=CreateUser&UserName=a%20b&Path=x"
    message = (
        "2 validation errors detected: Value 'x' at 'path' failed to satisfy constraint: Member must satisfy "
        "regular expression pattern: (\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F); Value 'a b' at 'userName' "
        "failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+"
    )
    assert error(send(believing, body)) == (400, "ValidationError", message)


def test_a_secret_is_not_shown(believing: Aws) -> None:
    body = b"Action=CreateLoginProfile&UserName=x&Password=" + b"s3cret" * 30
    _, code, message = error(send(believing, body))
    assert (code, "s3cret" in message, "'password'" in message) == ("ValidationError", False, True)


def test_another_content_type_is_no_form(believing: Aws) -> None:
    body = b"Action=ListUsers&Version=2010-05-08"
    assert send(believing, body).status == 200
    reply = send(believing, body, **{"Content-Type": "application/json"})
    assert error(reply)[:2] == (400, "MissingAction")


def test_a_body_that_is_too_large_is_refused(believing: Aws) -> None:
    reply = send(believing, b"Action=ListUsers&x=" + b"x" * MAX_BODY_BYTES)
    assert error(reply)[:2] == (413, "RequestEntityTooLarge")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(believing: Aws, method: str) -> None:
    reply = Registry(believing.running.port, None).request(method, "/?Action=GetCallerIdentity")
    assert error(reply)[:2] == (405, "UnsupportedMethod")


def test_a_get_carries_its_form_in_the_query(believing: Aws) -> None:
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/1/us-east-1/sts/aws4_request"}
    path = "/?Action=GetCallerIdentity&Version=2011-06-15"
    reply = Registry(believing.running.port, None).request("GET", path, headers=headers)
    assert (reply.status, f"{ACCOUNT}:root" in reply.body.decode()) == (200, True)


@pytest.mark.parametrize("service", VERSIONS)
def test_what_is_not_signed_is_refused(believing: Aws, service: str) -> None:
    action = {"iam": "ListUsers", "sts": "GetCallerIdentity"}[service]
    body = urlencode({"Action": action, "Version": VERSIONS[service]}).encode()
    assert error(send(believing, body, None))[:2] == (403, "MissingAuthenticationToken")
    reply = send(believing, body, None, Authorization="AWS4-HMAC-SHA256 nonsense")
    assert error(reply)[:2] == (400, "IncompleteSignature")


@pytest.mark.parametrize(
    "action", sorted({"iam:ListUsers", "sts:GetCallerIdentity", "sts:AssumeRoleWithSAML"})
)
def test_an_unsigned_call_gets_nothing_where_signatures_are_verified(aws: Aws, action: str) -> None:
    service, _, name = action.partition(":")
    body = urlencode({"Action": name, "Version": VERSIONS[service]}).encode()
    status, code, _ = error(send(aws, body, None))
    assert (status, code) in ((403, "MissingAuthenticationToken"), (501, "NotImplemented"))


@pytest.mark.parametrize(
    ("service", "action"), [(name, action) for name in VERSIONS for action in MODELS[name]["operations"]]
)
def test_every_operation_without_members_has_an_answer(believing: Aws, service: str, action: str) -> None:
    reply = send(believing, urlencode({"Action": action}).encode(), service)
    assert reply.status in (200, 400, 404, 409, 410, 501), reply.body


# What stands in the world that the forms below are about.
GOOD = {
    "UserName": "alice",
    "RoleName": "deploy",
    "GroupName": "group",
    "InstanceProfileName": "profile",
    "PolicyName": "policy",
    "PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/own",
    "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/deploy",
    "PolicyDocument": document(allow("ecr:*")),
    "AssumeRolePolicyDocument": document(trust({"AWS": ACCOUNT})),
    "RoleSessionName": "ci",
    "VersionId": "v1",
    "PathPrefix": "/",
}
ODD = [
    "",
    "/",
    "1",
    "-1",
    "0",
    "true",
    "[]",
    "{}",
    "null",
    "v1",
    "v9",
    "Active",
    "AWS",
    "alice",
    "deploy",
    "all",
]
ODD += ["arn:aws:iam::aws:policy/ReadOnlyAccess", f"arn:aws:iam::{ACCOUNT}:role/deploy", "https://x.example"]
ODD += ["2026-01-01T00:00:00Z", "a=b", "-----BEGIN CERTIFICATE-----", "\N{GRINNING FACE}", "%", "<&>"]
WORLD = [
    {"Action": "CreateUser"},
    {"Action": "CreateAccessKey"},
    {"Action": "CreateGroup"},
    {"Action": "CreateRole"},
    {"Action": "CreateInstanceProfile"},
    {"Action": "CreatePolicy", "PolicyName": "own"},
]


def forms(service: str) -> st.SearchStrategy[dict[str, str]]:
    """Operations with what they require, most of it right, and some of the members that they may have."""
    model = MODELS[service]
    odd = st.sampled_from(ODD) | st.text(max_size=20).filter(lambda text: text.isprintable())

    def value(name: str) -> st.SearchStrategy[str]:
        return st.sampled_from([GOOD[name]] * 4 + ODD) if name in GOOD else odd

    def members(action: str) -> st.SearchStrategy[dict[str, str]]:
        name = model["operations"][action].get("input", {}).get("shape")
        shape = model["shapes"][name] if name else {"members": {}}
        needed = shape.get("required", [])
        lists = [name for name, one in shape["members"].items() if is_list(one["shape"])]
        return st.fixed_dictionaries(
            {
                "Action": st.just(action),
                **{name: value(name) for name in needed if name not in lists},
                **{f"{name}.member.1": odd for name in needed if name in lists},
            },
            optional={
                **{name: value(name) for name in shape["members"] if name not in needed},
                **{f"{name}.member.1.{part}": odd for name in lists for part in ("Key", "Value")},
            },
        )

    def is_list(name: str) -> bool:
        return bool(model["shapes"][name]["type"] == "list")

    return st.sampled_from(sorted(model["operations"])).flatmap(members)


@pytest.mark.parametrize("service", VERSIONS)
def test_no_form_is_our_fault(believing: Aws, service: str) -> None:
    for form in WORLD:
        send(believing, urlencode({**GOOD, **form, "Path": "/"}).encode())

    @settings(max_examples=FORMS[service])
    @given(form=forms(service))
    def check(form: dict[str, str]) -> None:
        reply = send(believing, urlencode(form, errors="replace").encode(), service)
        assert reply.status < 500 or reply.status == 501, (form, reply.body)
        ElementTree.fromstring(reply.body)  # noqa: S314 - our own answer

    check()


def test_letters_that_xml_cannot_have_are_no_part_of_an_answer(believing: Aws) -> None:
    """moto says what it did not find."""
    form = {"Action": "ListPolicyTags", "Version": VERSIONS["iam"]}
    reply = send(
        believing, urlencode({**form, "PolicyArn": "arn:aws:iam::aws:policy/a\x1b\0b-and-more"}).encode()
    )
    assert reply.status == 404
    ElementTree.fromstring(reply.body)  # noqa: S314 - the emulator's own
