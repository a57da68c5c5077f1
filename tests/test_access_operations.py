"""Every operation of the API asks at the door before it does or tells anything."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.model import Shape
from botocore.session import get_session

from tests.seeded import GOOD
from tests.steps import GUEST, OWNER, Caller, Site, identity_policy, of_identity, of_user, open_site, user

SERVICE = get_session().get_service_model("ecr")
OTHER_VALUES = {"string": "xx", "integer": 1, "long": 1, "blob": "eA==", "boolean": True, "timestamp": 1}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    anything = identity_policy(of_identity("Allow", "ecr:*"))
    users = [user("nobody"), user("guest", anything, account=GUEST)]
    with open_site(tmp_path_factory.mktemp("operations"), "iam", {"users": users}) as site:
        yield site


def required(shape: Shape) -> Any:
    """The smallest request that is well formed."""
    if shape.name in GOOD:
        return GOOD[shape.name][0]
    if shape.type_name == "structure":
        return {
            name: required(inner) for name, inner in shape.members.items() if name in shape.required_members
        }
    if shape.type_name == "list":
        return [required(shape.member)]
    return shape.enum[0] if getattr(shape, "enum", None) else OTHER_VALUES[shape.type_name]


def code(caller: Caller, operation: str, **more: Any) -> str:
    request = required(SERVICE.operation_model(operation).input_shape)
    reply = caller.api(operation, **{**request, **more})
    return "" if reply.status == 200 else str(reply.json()["__type"])


@pytest.mark.parametrize("operation", SERVICE.operation_names)
def test_who_has_no_policies_may_do_nothing(operation: str, site: Site) -> None:
    assert code(of_user(site, "nobody"), operation) == "AccessDeniedException"


WITH_REGISTRY = [
    name
    for name in SERVICE.operation_names
    if "registryId" in SERVICE.operation_model(name).input_shape.members
]


@pytest.mark.parametrize("operation", WITH_REGISTRY)
def test_who_may_do_all_at_home_may_do_nothing_elsewhere(operation: str, site: Site) -> None:
    guest = of_user(site, "guest", GUEST)
    assert code(guest, operation, registryId=OWNER) == "AccessDeniedException"
