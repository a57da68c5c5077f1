"""What the tests of IAM and STS share: an emulator that verifies signatures, and clients of both APIs."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ecr_emu.app import build, is_quick
from ecr_emu.server import Server, bind
from ecr_emu.settings import Settings
from tests import boto
from tests.clients import Registry, Running

ACCOUNT, OTHER = "111122223333", "444455556666"
ROOT = ("AKIAROOTEXAMPLE00000", "root-secret")
OTHER_ROOT = ("AKIAOTHERROOT0000000", "other-secret")
CAROL = ("AKIACAROLEXAMPLE0000", "carol-secret")
CAROL_ARN = f"arn:aws:iam::{ACCOUNT}:user/staff/carol"
FILED = f"arn:aws:iam::{ACCOUNT}:role/filed"
POWER_USER = "AmazonEC2ContainerRegistryPowerUser"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def trust(principal: Any, *, action: Any = "sts:AssumeRole", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": action, **more}


FILE = {
    "accounts": {
        ACCOUNT: {"root": {"accessKeys": [{"id": ROOT[0], "secret": ROOT[1]}]}},
        OTHER: {"root": {"accessKeys": [{"id": OTHER_ROOT[0], "secret": OTHER_ROOT[1]}]}},
    },
    "users": [
        {
            "name": "carol",
            "path": "/staff/",
            "account": ACCOUNT,
            "id": "AIDACAROLEXAMPLE12345",
            "accessKeys": [{"id": CAROL[0], "secret": CAROL[1]}],
        }
    ],
    "roles": [
        {
            "name": "filed",
            "account": ACCOUNT,
            "id": "AROAFILEDEXAMPLE12345",
            "trust": json.loads(document(trust({"AWS": CAROL_ARN}))),
            "policies": [{"managed": POWER_USER}],
        }
    ],
}


@dataclass
class Elsewhere:
    """Where an emulator of another process is."""

    port: int
    url: str


class Aws:
    """boto3 clients of one emulator."""

    def __init__(self, running: Running | Elsewhere) -> None:
        self.running: Any = running
        self._clients: list[Any] = []

    @classmethod
    def at(cls, port: int) -> "Aws":
        """Of an emulator in a process of its own."""
        return cls(Elsewhere(port, f"http://127.0.0.1:{port}"))

    def client(self, service: str, key: tuple[str, ...], region: str = "us-east-1") -> Any:
        config = Config(retries={"max_attempts": 0}, parameter_validation=False)
        self._clients.append(boto.client(service, self.running.url, key, region, config))
        return self._clients[-1]

    def session(self, key: tuple[str, ...], role: str, name: str = "ci", **more: Any) -> tuple[str, str, str]:
        """The keys of a session of a role."""
        return keys_of(self.client("sts", key).assume_role(RoleArn=role, RoleSessionName=name, **more))

    def user(self, name: str, *statements: dict[str, Any], root: tuple[str, str] = ROOT) -> tuple[str, str]:
        """A new user with a key of its own and, if there are statements, an inline policy."""
        iam = self.client("iam", root)
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(*statements))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def role(self, name: str, trusted: Any, *statements: dict[str, Any], **more: Any) -> str:
        """A new role with an inline policy; its ARN."""
        iam = self.client("iam", ROOT)
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust(trusted)), **more)[
            "Role"
        ]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
        return str(role["Arn"])

    def registry(self, key: tuple[str, ...], account: str = ACCOUNT) -> Registry:
        """What docker would be after a login with this key."""
        token = self.client("ecr", key).get_authorization_token()["authorizationData"][0]
        password = base64.b64decode(token["authorizationToken"]).decode().removeprefix("AWS:")
        host = f"{account}.dkr.ecr.us-east-1.localhost:{self.running.port}"
        return Registry(self.running.port, password, host)

    def close(self) -> None:
        for client in self._clients:
            client.close()


def keys_of(answer: Any) -> tuple[str, str, str]:
    credentials = answer["Credentials"]
    return credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]


def error_of(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    """Code and message that boto3 gets."""
    with pytest.raises(ClientError) as refused:
        call(**request)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def serve(folder: Path, **settings: Any) -> Running:
    """An emulator by the machine's clock, with which boto3 signs."""
    sockets = bind("localhost", 0)
    application = build(Settings(data_dir=folder / "data", port=sockets[0].getsockname()[1], **settings))
    server = Server(application, sockets, is_quick)
    server.start()
    return Running(application, server)


@pytest.fixture
def iam_file(tmp_path: Path) -> Path:
    (tmp_path / "iam.json").write_text(json.dumps(FILE))
    return tmp_path / "iam.json"


@pytest.fixture
def aws(tmp_path: Path, iam_file: Path) -> Iterator[Aws]:
    """An emulator that knows whom the file names."""
    aws = Aws(serve(tmp_path, auth="iam", iam_file=str(iam_file)))
    yield aws
    aws.close()
    aws.running.stop()
