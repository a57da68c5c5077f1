"""What moto knows survives being written and read, and nothing else can be made of a file."""

import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest
from botocore.handlers import BUILTIN_HANDLERS
from moto.iam.models import iam_backends

from ecr_emu.control.query import moto_state
from tests.control.query.conftest import ACCOUNT, ROOT, Aws, allow, document, error_of, trust

SSH_KEY = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7 alice"


TAGS = [{"Key": "team", "Value": "red"}]


@pytest.fixture
def iam(aws: Aws) -> Any:
    return aws.client("iam", ROOT)


# Every request reads the state that the one before it wrote.


def test_what_a_user_has_is_kept(aws: Aws, iam: Any) -> None:
    aws.user("alice", allow("ecr:*"))
    iam.tag_user(UserName="alice", Tags=TAGS)
    iam.create_login_profile(UserName="alice", Password="long-enough-1A!")
    iam.upload_ssh_public_key(UserName="alice", SSHPublicKeyBody=SSH_KEY)
    serial = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]["SerialNumber"]
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
    iam.enable_mfa_device(UserName="alice", SerialNumber=serial, **codes)
    assert [key["UserName"] for key in iam.list_access_keys(UserName="alice")["AccessKeyMetadata"]] == [
        "alice"
    ]
    assert iam.list_user_tags(UserName="alice")["Tags"] == TAGS
    assert iam.get_login_profile(UserName="alice")["LoginProfile"]["UserName"] == "alice"
    assert len(iam.list_ssh_public_keys(UserName="alice")["SSHPublicKeys"]) == 1
    assert [one["SerialNumber"] for one in iam.list_mfa_devices(UserName="alice")["MFADevices"]] == [serial]


def test_what_belongs_together_is_kept(aws: Aws, iam: Any) -> None:
    aws.user("alice")
    iam.create_group(GroupName="readers")
    iam.add_user_to_group(GroupName="readers", UserName="alice")
    role = aws.role("deploy", {"AWS": ACCOUNT}, allow("ecr:*"), Tags=TAGS)
    iam.create_instance_profile(InstanceProfileName="profile", Tags=TAGS)
    iam.add_role_to_instance_profile(InstanceProfileName="profile", RoleName="deploy")
    policy = iam.create_policy(PolicyName="own", PolicyDocument=document(allow("ecr:*")))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="deploy", PolicyArn=policy)
    iam.attach_group_policy(GroupName="readers", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    assert [user["UserName"] for user in iam.get_group(GroupName="readers")["Users"]] == ["alice"]
    assert len(iam.list_attached_group_policies(GroupName="readers")["AttachedPolicies"]) == 1
    profile = iam.get_instance_profile(InstanceProfileName="profile")["InstanceProfile"]
    assert [one["Arn"] for one in profile["Roles"]] == [role]
    assert iam.get_policy(PolicyArn=policy)["Policy"]["AttachmentCount"] == 1
    assert iam.list_role_tags(RoleName="deploy")["Tags"] == TAGS
    details = iam.get_account_authorization_details(Filter=["User", "Role", "Group"])
    assert [one["GroupList"] for one in details["UserDetailList"]] == [["readers"]]


def test_what_an_account_has_is_kept(iam: Any) -> None:
    iam.create_account_alias(AccountAlias="team-red")
    iam.update_account_password_policy(MinimumPasswordLength=12)
    iam.create_service_linked_role(AWSServiceName="replication.ecr.amazonaws.com")
    provider = {"Url": "https://issuer.example", "ClientIDList": ["me"], "ThumbprintList": ["a" * 40]}
    iam.create_open_id_connect_provider(**provider)
    iam.create_saml_provider(SAMLMetadataDocument="x" * 1024, Name="saml")
    assert iam.list_account_aliases()["AccountAliases"] == ["team-red"]
    assert iam.get_account_password_policy()["PasswordPolicy"]["MinimumPasswordLength"] == 12
    assert len(iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]) == 1
    assert len(iam.list_saml_providers()["SAMLProviderList"]) == 1
    paths = [one["Path"] for one in iam.list_roles()["Roles"]]
    assert paths == ["/aws-service-role/replication.ecr.amazonaws.com/"]
    assert iam.get_account_summary()["SummaryMap"]["Roles"] == 1


def test_a_pickle_makes_nothing_but_what_moto_knows() -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, ("false",)

    for content in (
        pickle.dumps(Evil()),
        pickle.dumps(subprocess.Popen),
        pickle.dumps(json.dumps),
        b"",
        b"x",
    ):
        with pytest.raises(moto_state.Unreadable):
            moto_state.load(content, ACCOUNT)


@pytest.mark.parametrize(
    "name", ["iam_backends", "json.dumps", "random_resource_id", "IAMBackend.__init__", "os"]
)
def test_of_motos_module_there_are_classes_only(name: str) -> None:
    content = b"\x80\x04\x8c\x0fmoto.iam.models\x8c" + bytes([len(name)]) + name.encode() + b"\x93."
    with pytest.raises(moto_state.Unreadable):
        moto_state.load(content, ACCOUNT)


def test_nothing_is_left_in_motos_own_place(aws: Aws) -> None:
    iam_backends["999999999999"]["aws"].create_user("us-east-1", "theirs")
    try:
        aws.user("alice")
        assert list(iam_backends) == ["999999999999"]
        assert list(iam_backends["999999999999"]["aws"].users) == ["theirs"]
    finally:
        iam_backends.clear()


def test_moto_catches_no_request_of_this_process() -> None:
    """Importing it adds a handler to botocore, which lets everything pass until a mock is started."""
    stubbers = [one for event, one, *_ in BUILTIN_HANDLERS if "moto" in type(one).__module__]
    request = AWSRequest("GET", "https://iam.amazonaws.com/").prepare()
    assert [stubber(event_name="before-send", request=request) for stubber in stubbers] == [None]
    assert "responses" not in sys.modules or not sys.modules["responses"].mock.calls


def test_users_who_are_made_at_once_are_all_there(aws: Aws) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(aws.user, [f"user-{number}" for number in range(16)]))
    arns = {aws.client("sts", key).get_caller_identity()["Arn"].rpartition("/")[2] for key in keys}
    assert len(arns) == 16
    assert {one["UserName"] for one in aws.client("iam", ROOT).list_users()["Users"]} == arns


def test_a_failing_request_changes_nothing(aws: Aws) -> None:
    iam = aws.client("iam", ROOT)
    aws.user("alice", allow("ecr:*"))
    taken = {"RoleName": "filed", "AssumeRolePolicyDocument": document(trust({"AWS": ACCOUNT}))}
    assert error_of(iam.create_role, **taken)[0] == "EntityAlreadyExists"
    assert error_of(iam.create_user, UserName="alice")[0] == "EntityAlreadyExists"
    assert error_of(iam.delete_user, UserName="alice")[0] == "DeleteConflict"
    slip = {"InstanceProfileName": "profile", "RoleName": "deploy"}
    iam.create_instance_profile(InstanceProfileName="profile")
    aws.role("deploy", {"AWS": ACCOUNT})
    assert error_of(iam.remove_role_from_instance_profile, **slip)[0] == "NoSuchEntity"
    assert error_of(iam.create_service_linked_role, AWSServiceName="x")[0] == "InvalidInput"
    assert [user["UserName"] for user in iam.list_users()["Users"]] == ["alice"]
