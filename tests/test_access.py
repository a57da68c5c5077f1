"""Who may do what, over a server: resource policies in `token` mode, identity policies in `iam` mode.

All combinations are in test_access_matrix.py, what each step takes in test_access_steps.py.
"""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from ecr_emu.app import build, is_quick
from ecr_emu.domain.manifests import OCI_MANIFEST
from ecr_emu.server import Server, bind
from ecr_emu.settings import Settings
from tests import boto
from tests.clients import Registry, Running, digest_of
from tests.steps import GUEST, LAYER, NAME, OWNER, PULL, PUSH, denied, document, statement, user
from tests.steps import STEPS as ALL_STEPS

READS = (*PULL, "ecr:BatchCheckLayerAvailability", "ecr:ListImages")
# GET and not HEAD, which says nothing of why.
STEPS = {step.action: step for step in reversed(ALL_STEPS) if step.name != "HEAD manifest"}


class Side:
    """One caller: a boto3 client and a logged-in registry client, each of which tries steps."""

    def __init__(self, ecr: Any, registry: Registry) -> None:
        self.ecr = ecr
        self.registry = registry

    def on_registry(self, action: str) -> str:
        """ "" when the step of the registry passes, else its message."""
        step = STEPS[action]
        path = f"/v2/{NAME}/{step.path}"
        reply = self.registry.request(step.method, path, step.body, {"Content-Type": OCI_MANIFEST})
        if reply.status == 403:
            return reply.error[1] if reply.body else action
        assert reply.status in (200, 201, 202, 404), reply.body
        return ""

    def on_api(self, action: str) -> str:
        """The same for the operation."""
        step = STEPS[action]
        try:
            getattr(self.ecr, xform_name(step.operation))(
                registryId=OWNER, repositoryName=NAME, **step.members
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDeniedException":
                return ""
            return str(error.response["Error"]["Message"])
        return ""


# --- token mode ------------------------------------------------------------------------------------------


@pytest.fixture
def owner(emulator: Running) -> Side:
    """The account that has the repository, with an image in it."""
    side = Side(emulator.ecr(OWNER), emulator.registry(OWNER))
    side.ecr.create_repository(repositoryName=NAME)
    side.registry.push_image(NAME, "v1", LAYER)
    return side


@pytest.fixture
def guest(emulator: Running) -> Side:
    """Another account, which talks to the first one's registry."""
    host = f"{OWNER}.dkr.ecr.us-east-1.localhost:{emulator.port}"
    return Side(emulator.ecr(GUEST), Registry(emulator.port, emulator.password(GUEST), host))


def test_pull_is_refused_then_granted_and_push_stays_refused(owner: Side, guest: Side) -> None:
    assert guest.on_registry("ecr:BatchGetImage").endswith(
        "because no resource-based policy allows the ecr:BatchGetImage action"
    )
    text = document(statement("Allow", PULL, {"AWS": f"arn:aws:iam::{GUEST}:root"}))
    owner.ecr.set_repository_policy(repositoryName=NAME, policyText=text)
    assert [guest.on_registry(action) for action in PULL] == ["", ""]
    assert guest.on_registry("ecr:InitiateLayerUpload").endswith(
        "because no resource-based policy allows the ecr:InitiateLayerUpload action"
    )
    owner.ecr.delete_repository_policy(repositoryName=NAME)
    assert guest.on_registry("ecr:BatchGetImage") != ""


def test_a_tag_of_the_repository_denies(owner: Side) -> None:
    is_production = {"StringEquals": {"ecr:ResourceTag/environment": "prod"}}
    text = document(statement("Deny", PULL, Condition=is_production))
    owner.ecr.set_repository_policy(repositoryName=NAME, policyText=text)
    assert owner.on_registry("ecr:BatchGetImage") == ""
    arn = owner.ecr.describe_repositories()["repositories"][0]["repositoryArn"]
    owner.ecr.tag_resource(resourceArn=arn, tags=[{"Key": "environment", "Value": "prod"}])
    assert owner.on_registry("ecr:BatchGetImage").endswith("explicit deny in a resource-based policy")
    assert owner.on_api("ecr:BatchGetImage").endswith("explicit deny in a resource-based policy")


def test_an_address_decides(owner: Side, guest: Side) -> None:
    def allow_from(network: str) -> None:
        near = {"IpAddress": {"aws:SourceIp": network}}
        text = document(statement("Allow", PULL, Condition=near))
        owner.ecr.set_repository_policy(repositoryName=NAME, policyText=text)

    allow_from("203.0.113.0/24")
    assert guest.on_registry("ecr:BatchGetImage") != ""
    forwarded = {"X-Forwarded-For": "203.0.113.7"}
    assert guest.registry.request("GET", f"/v2/{NAME}/manifests/v1", None, forwarded).status == 403
    allow_from("127.0.0.0/8")
    assert [guest.on_registry("ecr:BatchGetImage"), guest.on_api("ecr:BatchGetImage")] == ["", ""]


def test_a_registry_policy_of_scope_v1_is_about_its_own_actions_only(owner: Side, guest: Side) -> None:
    owner.ecr.put_account_setting(name="REGISTRY_POLICY_SCOPE", value="V1")
    owner.ecr.put_registry_policy(policyText=document(statement("Allow", "ecr:*", Resource="*")))
    assert guest.on_registry("ecr:BatchGetImage") != ""
    owner.ecr.put_account_setting(name="REGISTRY_POLICY_SCOPE", value="V2")
    assert guest.on_registry("ecr:BatchGetImage") == ""


def test_nobody_mounts_what_he_may_not_read(owner: Side, guest: Side) -> None:
    owner.ecr.create_repository(repositoryName="open/copy")
    text = document(statement("Allow", PUSH, {"AWS": GUEST}))
    owner.ecr.set_repository_policy(repositoryName="open/copy", policyText=text)
    for source in (f"&from={NAME}", ""):
        path = f"/v2/open/copy/blobs/uploads/?mount={digest_of(LAYER)}{source}"
        assert guest.registry.request("POST", path).status == 202
        assert owner.registry.request("POST", path.replace("open/copy", NAME)).status == 201
    text = document(statement("Allow", PULL, {"AWS": GUEST}))
    owner.ecr.set_repository_policy(repositoryName=NAME, policyText=text)
    assert guest.registry.request("POST", path).status == 201


def test_open_asks_nothing(start: Callable[..., Running]) -> None:
    emulator = start(auth="open")
    owner, guest = (Side(emulator.ecr(account), Registry(emulator.port, None)) for account in (OWNER, GUEST))
    owner.ecr.create_repository(repositoryName=NAME)
    owner.ecr.set_repository_policy(
        repositoryName=NAME, policyText=document(statement("Deny", "ecr:ListImages"))
    )
    assert (owner.on_api("ecr:ListImages"), guest.on_api("ecr:ListImages")) == ("", "")


# --- iam mode --------------------------------------------------------------------------------------------

READ_ONLY = {"managed": "AmazonEC2ContainerRegistryReadOnly"}
EVERYTHING = {"managed": "AmazonEC2ContainerRegistryFullAccess"}


@pytest.fixture
def iam(tmp_path: Path) -> Iterator[Running]:
    """An emulator that verifies signatures, by the machine's own clock; boto3 signs with it."""
    principals = {
        "users": [
            user("admin", EVERYTHING),
            user("reader", READ_ONLY),
            user("nobody"),
            user("fenced", EVERYTHING, boundary=READ_ONLY),
            user("guest", EVERYTHING, account=GUEST),
        ]
    }
    (tmp_path / "iam.json").write_text(json.dumps(principals))
    sockets = bind("localhost", 0)
    settings = Settings(
        data_dir=tmp_path / "data",
        port=sockets[0].getsockname()[1],
        auth="iam",
        iam_file=str(tmp_path / "iam.json"),
    )
    application = build(settings)
    server = Server(application, sockets, is_quick)
    server.start()
    running = Running(application, server)
    yield running
    running.stop()


def client(iam: Running, name: str, secret: str | None = None) -> Any:
    return boto.client("ecr", iam.url, (f"AKIA{name.upper()}", secret or f"secret-of-{name}"))


def side(iam: Running, name: str) -> Side:
    ecr = client(iam, name)
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    host = f"{OWNER}.dkr.ecr.us-east-1.localhost:{iam.port}"
    return Side(ecr, Registry(iam.port, base64.b64decode(token).decode().removeprefix("AWS:"), host))


@pytest.fixture
def admin(iam: Running) -> Side:
    admin = side(iam, "admin")
    admin.ecr.create_repository(repositoryName=NAME)
    admin.registry.push_image(NAME, "v1", LAYER)
    return admin


def error_of(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**request)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


def test_a_key_that_nobody_has_and_a_wrong_secret_are_refused(iam: Running) -> None:
    assert error_of(client(iam, "stranger").list_images, repositoryName=NAME) == (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    )
    code, message = error_of(client(iam, "admin", "wrong").list_images, repositoryName=NAME)
    assert code == "InvalidSignatureException"
    assert message.startswith(
        "The request signature we calculated does not match the signature you provided."
    )


@pytest.mark.usefixtures("admin")
def test_identity_policies_decide_alike_on_both_planes(iam: Running) -> None:
    reader = side(iam, "reader")
    arn = f"arn:aws:iam::{OWNER}:user/reader"
    for action in STEPS:
        because = f"because no identity-based policy allows the {action} action"
        may = action in READS
        wanted = "" if may else denied(arn, action, because)
        assert reader.on_api(action) == reader.on_registry(action) == wanted


@pytest.mark.usefixtures("admin")
def test_who_may_do_nothing_gets_no_token(iam: Running) -> None:
    assert error_of(client(iam, "nobody").get_authorization_token) == (
        "AccessDeniedException",
        denied(
            f"arn:aws:iam::{OWNER}:user/nobody",
            "ecr:GetAuthorizationToken",
            "because no identity-based policy allows the ecr:GetAuthorizationToken action",
            "*",
        ),
    )


@pytest.mark.usefixtures("admin")
def test_a_boundary_is_named(iam: Running) -> None:
    fenced = side(iam, "fenced")
    assert fenced.on_registry("ecr:BatchGetImage") == ""
    for got in (fenced.on_registry("ecr:PutImage"), fenced.on_api("ecr:PutImage")):
        assert got.endswith("because no permissions boundary allows the ecr:PutImage action")


def test_another_account_needs_both_sides(iam: Running, admin: Side) -> None:
    guest = side(iam, "guest")
    assert guest.on_registry("ecr:BatchGetImage").endswith(
        "because no resource-based policy allows the ecr:BatchGetImage action"
    )
    text = document(statement("Allow", PULL, {"AWS": GUEST}))
    admin.ecr.set_repository_policy(repositoryName=NAME, policyText=text)
    assert guest.on_registry("ecr:BatchGetImage") == guest.on_api("ecr:BatchGetImage") == ""
    iam.post("/_emu/iam", users=[{"name": "guest", "account": GUEST, "policies": []}])
    for got in (guest.on_registry("ecr:BatchGetImage"), guest.on_api("ecr:BatchGetImage")):
        assert got.endswith("because no identity-based policy allows the ecr:BatchGetImage action")


@pytest.mark.usefixtures("admin")
def test_a_token_loses_its_power_with_the_key_and_the_policy(iam: Running) -> None:
    reader = side(iam, "reader")
    assert reader.on_registry("ecr:BatchGetImage") == ""
    iam.post("/_emu/iam", users=[{"name": "reader", "account": OWNER, "policies": []}])
    assert reader.on_registry("ecr:BatchGetImage").endswith(
        "no identity-based policy allows the ecr:BatchGetImage action"
    )
    anybody = Registry(iam.port, None)
    assert anybody.request("DELETE", "/_emu/iam", b'{"accessKeyId": "AKIAREADER"}').status == 200
    reply = reader.registry.request("GET", "/v2/")
    assert (reply.status, reply.error[0]) == (403, "DENIED")
    assert error_of(reader.ecr.list_images, repositoryName=NAME)[0] == "UnrecognizedClientException"


def test_a_token_of_a_server_that_knew_no_keys_is_none_here(iam: Running) -> None:
    from ecr_emu.context import root_principal

    emulator = iam.application.emulator
    password, _ = emulator.keys.login_token(root_principal(OWNER), emulator.hosts.default, emulator.clock())
    assert Registry(iam.port, password).request("GET", "/v2/").status == 403


def test_moving_the_emulators_clock_locks_nobody_out(iam: Running, admin: Side) -> None:
    iam.post("/_emu/clock", advance="400d")
    assert admin.on_api("ecr:ListImages") == ""
    assert admin.registry.request("GET", "/v2/").status == 403
    assert side(iam, "admin").on_registry("ecr:ListImages") == ""


def test_tags_of_a_request_and_of_a_repository_are_asked(iam: Running, admin: Side) -> None:
    rule = {
        "name": "red",
        "document": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": ["ecr:CreateRepository", "ecr:TagResource"],
                    "Resource": "*",
                    "Condition": {"StringEquals": {"aws:RequestTag/team": "red"}},
                },
                {
                    "Effect": "Allow",
                    "Action": "ecr:ListImages",
                    "Resource": "*",
                    "Condition": {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}},
                },
            ],
        },
    }
    iam.post("/_emu/iam", users=[user("red", rule, tags={"team": "red"})])
    ecr = client(iam, "red")
    red, blue = ([{"Key": "team", "Value": value}] for value in ("red", "blue"))
    assert error_of(ecr.create_repository, repositoryName="blue", tags=blue)[0] == "AccessDeniedException"
    ecr.create_repository(repositoryName="red", tags=red)
    assert ecr.list_images(repositoryName="red")["imageIds"] == []
    assert error_of(ecr.list_images, repositoryName=NAME)[0] == "AccessDeniedException"
