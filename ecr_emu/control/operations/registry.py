"""Operations on a registry as a whole: logging in, describing it."""

import base64
from typing import TYPE_CHECKING

from ecr_emu.context import Call
from ecr_emu.control.operations import Answer, operation
from ecr_emu.control.operations.replication import describe_rules
from ecr_emu.core import after_push

if TYPE_CHECKING:
    from types_boto3_ecr import type_defs as types


@operation
def get_authorization_token(call: Call, request: "types.GetAuthorizationTokenRequestTypeDef") -> Answer:
    # The ids change which endpoints are named, not what the token may do (reference, control plane 9.1).
    registries = [
        call.target(registry_id) for registry_id in request.get("registryIds", [call.registry.account])
    ]
    call.authorize("ecr:GetAuthorizationToken", call.registry, "*")
    key_id = call.credential.key_id if call.credential else ""
    password, expires_at = call.emulator.keys.login_token(call.principal, call.registry, call.now, key_id)
    token = base64.b64encode(f"AWS:{password}".encode()).decode()
    return {
        "authorizationData": [
            {
                "authorizationToken": token,
                "expiresAt": expires_at,
                "proxyEndpoint": call.emulator.hosts.endpoint(registry),
            }
            for registry in registries
        ]
    }


@operation
def describe_registry(call: Call, request: object) -> Answer:
    call.authorize("ecr:DescribeRegistry", call.registry, "*")
    with call.store.read() as connection:
        rules = after_push.replication_rules(connection, call.registry)
    return {"registryId": call.registry.account, "replicationConfiguration": describe_rules(rules)}
