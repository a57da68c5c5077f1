"""Forms for IAM and STS, made from botocore's models of both."""

import functools
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StructureShape

from conformance.fuzz import policies
from conformance.fuzz.asks import QUERY, Ask
from conformance.fuzz.world import ACCOUNT, World
from ecr_emu.control.query.forms import CONTENT_TYPE, VERSIONS

API_VERSIONS = {service: version for version, service in VERSIONS.items()}
ARN = f"arn:aws:iam::{ACCOUNT}:"
# Few names, so that what is made is found again, and the accounts do not fill with principals.
_NAMES = ("reader", "builder", "u1", "u2", "r1", "p1", "g1")
_SESSION_NAMES = ("ci", "s1")
_ARNS = (
    *(f"{ARN}user/reader", f"{ARN}role/builder", f"{ARN}role/r1", f"{ARN}policy/p1", f"{ARN}root"),
    "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly",
)
_STRANGE = (
    "",
    " ",
    "x" * 5000,
    "\0",
    "\ud800".encode("utf-8", "replace").decode(),
    "é",
    "-1",
    "1e9",
    "<&>",
    "*",
)
# How deep structures are filled: some of IAM's contain themselves.
MAX_DEPTH = 6


@functools.cache
def _model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@functools.cache
def _operations(service: str) -> tuple[str, ...]:
    # Most are about what few use; what ecr-emu acts upon comes more often.
    often = ("CreateUser", "CreateRole", "CreatePolicy", "CreateAccessKey", "PutUserPolicy", "PutRolePolicy")
    often += ("AttachRolePolicy", "AttachUserPolicy", "DeleteUser", "DeleteRole", "UpdateAssumeRolePolicy")
    return (*_model(service).operation_names, *(often * 8 if service == "iam" else ()))


def make(world: World) -> Ask:
    """A form that might be good, for either API."""
    chance = world.chance
    service = chance.choice(("iam", "sts", "sts"))
    operation = chance.choice(_operations(service))
    form = {"Action": operation, "Version": API_VERSIONS[service]}
    _fill(world, form, "", _model(service).operation_model(operation).input_shape, 0)
    if chance.random() < 0.3:
        _spoil(world, form)
    text = urlencode(form, errors="replace")
    ask = Ask(QUERY, f"{service}:{operation}", "POST", "/", sign=service)
    if chance.random() < 0.15:
        return ask.but(method="GET", target=f"/?{text}")
    return ask.but(headers=(("Content-Type", CONTENT_TYPE),), body=text.encode())


def _spoil(world: World, form: dict[str, str]) -> None:
    """Another value, a member that is not there, or one too few."""
    chance = world.chance
    name = chance.choice(list(form))
    way = chance.randrange(3)
    if way == 0:
        form[name] = chance.choice(_STRANGE)
    elif way == 1:
        form[name + chance.choice((".member.1", ".1", ".", ".member.0", ".member.99999999", ".Key"))] = "x"
    else:
        del form[name]


def _fill(world: World, form: dict[str, str], name: str, shape: Shape | None, depth: int) -> None:
    if isinstance(shape, StructureShape):
        for member, inner in shape.members.items():
            is_wanted = member in shape.required_members or world.chance.random() < 0.25
            if is_wanted and depth < MAX_DEPTH:
                _fill(world, form, f"{name}.{member}" if name else member, inner, depth + 1)
    elif isinstance(shape, ListShape):
        for number in range(world.chance.choice((1, 1, 2))):
            _fill(world, form, f"{name}.member.{number + 1}", shape.member, depth + 1)
    elif shape is not None:
        form[name] = _text(world, name.rpartition(".")[2], shape)


def _text(world: World, member: str, shape: Shape) -> str:
    chance = world.chance
    if member in _DOCUMENTS:
        return _DOCUMENTS[member](world)
    for end, values in _BY_END.items():
        if member.endswith(end):
            return chance.choice(values)
    if getattr(shape, "enum", None):
        return str(chance.choice(shape.enum))  # type: ignore[attr-defined]
    if shape.type_name in ("integer", "long"):
        return str(chance.choice((1, 900, 3600, 1000, 43_201)))
    return chance.choice(("true", "false")) if shape.type_name == "boolean" else chance.choice(_NAMES)


def _identity(world: World) -> str:
    return policies.document(world.chance, principal=False, resource=True)


def _token(world: World) -> str:
    header, claims = '{"alg":"RS256"}', json.dumps({"iss": "https://idp.example", "sub": "x", "aud": "y"})
    import base64

    parts: list[Any] = [
        base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in (header, claims)
    ]
    return ".".join([*parts, world.chance.choice(("c2ln", "", "!"))])


_DOCUMENTS: dict[str, Callable[[World], str]] = {
    "PolicyDocument": _identity,
    "Policy": _identity,
    "AssumeRolePolicyDocument": lambda world: policies.trust(world.chance),
    "WebIdentityToken": _token,
}
_BY_END = {
    "Arn": _ARNS,
    "arn": _ARNS,
    "SessionName": _SESSION_NAMES,
    "Path": ("/", "/staff/"),
    "PathPrefix": ("/",),
    "AccessKeyId": ("AKIAREADER", "AKIABUILDER", "AKIANOBODYSKEY000000"),
    "Marker": ("1", "0", "x", "99999"),
    "MaxItems": ("1", "2", "1000"),
    "DurationSeconds": ("900", "3600", "43200"),
    "VersionId": ("v1", "v2"),
    "Key": ("team", "stage"),
}
