"""Operations on a registry as a whole."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest

from tests.clients import DEFAULT_ACCOUNT, Clock, Registry, Running
from tests.control.calls import Api, authorization

TWELVE_HOURS = 12 * 3600


def data_of(ecr: Any, *registry_ids: str) -> list[Any]:
    members = {"registryIds": list(registry_ids)} if registry_ids else {}
    data = ecr.get_authorization_token(**members)["authorizationData"]
    assert isinstance(data, list)
    return data


def claims_of(data: Any) -> Any:
    """What a login token says, without asking who signed it."""
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert user == "AWS"
    return jwt.decode(password, options={"verify_signature": False})


# --- GetAuthorizationToken -------------------------------------------------------------------------------


def test_token_logs_in_to_the_endpoint_it_comes_with(emulator: Running, ecr: Any) -> None:
    (data,) = data_of(ecr)
    assert data["proxyEndpoint"] == f"http://localhost:{emulator.port}"
    headers = {"Authorization": f"Basic {data['authorizationToken']}"}
    assert Registry(emulator.port, None).request("GET", "/v2/", headers=headers).status == 200


def test_token_is_good_for_twelve_hours(emulator: Running, ecr: Any, clock: Clock) -> None:
    (data,) = data_of(ecr)
    assert data["expiresAt"].astimezone(UTC) == datetime.fromtimestamp(clock.now + TWELVE_HOURS, UTC)
    registry = emulator.registry()
    clock.advance(TWELVE_HOURS - 1)
    assert registry.request("GET", "/v2/").status == 200
    clock.advance(1)
    assert registry.request("GET", "/v2/").status == 403


def test_token_says_who_where_and_until_when(emulator: Running, clock: Clock) -> None:
    (data,) = data_of(emulator.ecr("222222222222", "eu-west-1"))
    claims = claims_of(data)
    assert len(claims.pop("jti")) == 16
    assert claims == {
        "aud": "ecr",
        "sub": "arn:aws:iam::222222222222:root",
        "account": "222222222222",
        "kind": "root",
        "region": "eu-west-1",
        "key": "",
        "iat": int(clock.now),
        "exp": int(clock.now) + TWELVE_HOURS,
    }


def test_every_token_is_another(ecr: Any) -> None:
    first, second = data_of(ecr) + data_of(ecr)
    assert first["authorizationToken"] != second["authorizationToken"]


def test_registry_ids_give_one_endpoint_each_in_their_order(emulator: Running, ecr: Any) -> None:
    data = data_of(ecr, "222222222222", DEFAULT_ACCOUNT, "111111111111")
    other = f"dkr.ecr.us-east-1.localhost:{emulator.port}"
    assert [entry["proxyEndpoint"] for entry in data] == [
        f"http://222222222222.{other}",
        f"http://localhost:{emulator.port}",
        f"http://111111111111.{other}",
    ]
    # The ids do not change for whom the token is.
    assert {claims_of(entry)["account"] for entry in data} == {DEFAULT_ACCOUNT}


def test_endpoint_follows_the_host_template(start: Callable[..., Running]) -> None:
    ecr = start(registry_host="https://{account}.ecr.{region}.example.test").ecr()
    assert data_of(ecr)[0]["proxyEndpoint"] == f"https://{DEFAULT_ACCOUNT}.ecr.us-east-1.example.test"


# --- DescribeRegistry ------------------------------------------------------------------------------------


@pytest.mark.parametrize("account", [DEFAULT_ACCOUNT, "222222222222"])
def test_registry_of_the_caller_is_described(api: Api, account: str) -> None:
    reply = api.post("DescribeRegistry", {"registryId": "333333333333"}, authorization(account))
    assert reply.json() == {"registryId": account, "replicationConfiguration": {"rules": []}}
