"""Requests of the JSON API: made from the model, of values that the emulator knows or nearly knows."""

import copy
import functools
import json
import random
from collections.abc import Callable, Mapping
from typing import Any

from conformance.fuzz import policies
from conformance.fuzz.asks import Ask
from conformance.fuzz.registry_asks import NOBODYS
from conformance.fuzz.world import OTHER_ACCOUNT, REGION, World, api
from ecr_emu.control.model import load
from tests.seeded import GOOD, ODD
from tests.steps import TARGET_PREFIX

MODEL = load()
OPERATIONS = sorted(MODEL.operations)
# The values with which every parser has had trouble once.
ANYTHING: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, -0.0, 2**31, 2**53, 2**63, -(2**63), 2**64, 2**70, 1e300, 5e-324),
    *("", " ", "x", "\0", "\ud800", "\u202e", "e\u0301", "\U0010ffff", "%00", "../..", "${a}", "x" * 5000),
    *([], {}, [None], [[]], {"": ""}, [{}], {"a": {"b": {}}}, [0] * 101, ["x"] * 1001),
)
_INTEGERS = (0, 1, 2, 5, 100, 1000, 1001, -1, 2**31 - 1)
_TEXTS = ("x", "team", "1", "AES256", "", "a" * 256, "2025-01-01T00:00:00Z", "*")


def make(world: World) -> Ask:
    """A request for some operation."""
    chance = world.chance
    operation = "GetAuthorizationToken" if chance.random() < 0.01 else chance.choice(OPERATIONS)
    if operation.startswith(("Delete", "BatchDelete")):
        # What is deleted is there no more for what comes after.
        operation = chance.choice(OPERATIONS)
    members = value(world, MODEL.operations[operation]["input"]["shape"])
    if chance.random() < 0.35:
        members = altered(members, chance)
    ask = api(operation, _encoded(members))
    if chance.random() < 0.01:
        return ask.having(("X-Amz-Target", f"{TARGET_PREFIX}.{chance.choice(OPERATIONS)}"))
    return ask


def _encoded(members: Any) -> bytes:
    # One without a half of a surrogate pair is not JSON to every parser.
    return json.dumps(members).encode()


def value(world: World, shape_name: str) -> Any:
    """A value of a shape of the model that might be good."""
    chance = world.chance
    dynamic = _DYNAMIC.get(shape_name)
    if dynamic is not None and chance.random() < 0.8:
        return dynamic(world)
    good, odd = GOOD.get(shape_name), ODD.get(shape_name)
    if good and chance.random() < 0.88:
        return chance.choice(good)
    if odd and chance.random() < 0.9:
        return chance.choice(odd)
    shape = MODEL.shapes[shape_name]
    return _OF_TYPES.get(shape["type"], _text)(world, shape)


def _structure(world: World, shape: Mapping[str, Any]) -> dict[str, Any]:
    required = _required(id(shape), shape)
    found = {}
    for name, entry in shape["members"].items():
        if name in required or world.chance.random() < _SHARES.get(name, 0.3):
            found[name] = value(world, entry["shape"])
    return found


_REQUIRED: dict[int, frozenset[str]] = {}


def _required(key: int, shape: Mapping[str, Any]) -> frozenset[str]:
    if key not in _REQUIRED:
        _REQUIRED[key] = frozenset(shape.get("required", ()))
    return _REQUIRED[key]


# How often an optional member is there, where it spoils most requests or makes them worth more.
_SHARES = {"registryId": 0.06, "nextToken": 0.12, "maxResults": 0.4, "kmsKey": 0.1}


def _list(world: World, shape: Mapping[str, Any]) -> list[Any]:
    fewest = shape.get("min", 0)
    count = fewest + world.chance.choice((0, 1, 1, 1, 2, 4)) if fewest == 0 else fewest
    return [value(world, shape["member"]["shape"]) for _ in range(count)]


def _text(world: World, shape: Mapping[str, Any]) -> str:
    if "enum" in shape:
        return str(world.chance.choice(shape["enum"]))
    return world.chance.choice(_TEXTS)


def _map(world: World, shape: Mapping[str, Any]) -> dict[str, Any]:
    return {world.chance.choice(_TEXTS): value(world, shape["value"]["shape"])}


_OF_TYPES: dict[str, Callable[[World, Mapping[str, Any]], Any]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "integer": lambda world, shape: world.chance.choice(_INTEGERS),
    "long": lambda world, shape: world.chance.choice(_INTEGERS),
    "boolean": lambda world, shape: world.chance.random() < 0.5,
    "timestamp": lambda world, shape: world.chance.choice((0, 1, 1.5e9, 2**31)),
    "double": lambda world, shape: world.chance.choice((0.0, 1.5, -1.0)),
    "float": lambda world, shape: world.chance.choice((0.0, 1.5, -1.0)),
    "blob": lambda world, shape: world.chance.choice(("", "AA==", "bW9yZSE=")),
}


def _altered_text(make_text: Callable[[random.Random], str]) -> Callable[[World], Any]:
    """A document as text; at times with something else in one of its places."""

    def made(world: World) -> str:
        text = make_text(world.chance)
        if world.chance.random() < 0.3:
            return json.dumps(altered(json.loads(text), world.chance)).ljust(100)
        return text

    return made


def _upload_id(world: World) -> str:
    return str(world.of(world.uploads, ("", NOBODYS, b""))[1])


def _manifest(chance: random.Random) -> str:
    return str(chance.choice(GOOD["ImageManifest"]))


_registry_policy = _altered_text(functools.partial(policies.document, resource=True))
_lifecycle_policy = _altered_text(policies.lifecycle)
_DYNAMIC: dict[str, Callable[[World], Any]] = {
    "UploadId": _upload_id,
    "NextToken": lambda world: world.of(world.tokens, "x"),
    "RegistryId": lambda world: world.chance.choice(("000000000000", OTHER_ACCOUNT)),
    "Region": lambda world: world.chance.choice((REGION, "us-west-2", "eu-north-1")),
    "RepositoryPolicyText": _altered_text(policies.document),
    "RegistryPolicyText": _registry_policy,
    "LifecyclePolicyText": _lifecycle_policy,
    "LifecyclePolicyTextForRepositoryCreationTemplate": _lifecycle_policy,
    "ImageManifest": _altered_text(_manifest),
}


def altered(document: Any, chance: random.Random) -> Any:
    """A document with anything at all in one or two of its places, or a member more, or one less."""
    holder = [document]
    for _ in range(chance.choice((1, 1, 2))):
        container, key = _place(holder, chance)
        way = chance.random()
        if way < 0.7 or container is holder:
            container[key] = _anything(chance)
        elif way < 0.85:
            del container[key]
        elif isinstance(container, dict):
            container[chance.choice(_TEXTS)] = _anything(chance)
        else:
            container.append(copy.deepcopy(container[key]))
    return holder[0]


def _anything(chance: random.Random) -> Any:
    # A copy: what is altered next may be in it.
    return copy.deepcopy(chance.choice(ANYTHING))


def _place(container: Any, chance: random.Random) -> tuple[Any, Any]:
    """A container somewhere in a document, and an index or a name in it."""
    key: Any = 0
    while True:
        inner = container[key]
        if not isinstance(inner, dict | list) or not inner or chance.random() < 0.15:
            return container, key
        container = inner
        key = chance.choice(list(inner)) if isinstance(inner, dict) else chance.randrange(len(inner))
