"""Operations on managed signing."""

from typing import TYPE_CHECKING, Any

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control.operations import Answer, operation
from ecr_emu.control.operations.images import get_image
from ecr_emu.core import after_push
from ecr_emu.domain import signing
from ecr_emu.store import documents, signings

if TYPE_CHECKING:
    from types_boto3_ecr import type_defs as types


@operation
def put_signing_configuration(call: Call, request: "types.PutSigningConfigurationRequestTypeDef") -> Answer:
    registry = call.registry
    call.authorize("ecr:PutSigningConfiguration", registry, "*")
    rules = [_read_rule(rule) for rule in request["signingConfiguration"]["rules"]]
    if constraint := signing.check(registry.region, rules):
        raise errors.invalid_parameter("signingConfiguration", constraint)
    with call.store.write() as transaction:
        documents.put(transaction, registry, after_push.SIGNING, "", signing.write(rules), call.now)
    return {"signingConfiguration": _describe_rules(rules)}


@operation
def get_signing_configuration(call: Call, request: object) -> Answer:
    call.authorize("ecr:GetSigningConfiguration", call.registry, "*")
    with call.store.read() as connection:
        return _describe_configuration(call, connection)


@operation
def delete_signing_configuration(call: Call, request: object) -> Answer:
    call.authorize("ecr:DeleteSigningConfiguration", call.registry, "*")
    with call.store.write() as transaction:
        answer = _describe_configuration(call, transaction)
        documents.delete(transaction, call.registry, after_push.SIGNING)
    return answer


@operation
def describe_image_signing_status(
    call: Call, request: "types.DescribeImageSigningStatusRequestTypeDef"
) -> Answer:
    action = "ecr:DescribeImageSigningStatus"
    registry = call.target(request.get("registryId"))
    repository = call.repository(action, registry, request["repositoryName"])
    with call.store.snapshot() as connection:
        image = get_image(connection, repository, request["imageId"])
        found = signings.of_image(connection, image)
    return {
        "registryId": registry.account,
        "repositoryName": repository.name,
        "imageId": {"imageDigest": image.digest, "imageTag": request["imageId"].get("imageTag")},
        "signingStatuses": [
            {
                "signingProfileArn": entry.profile_arn,
                "status": entry.status,
                "failureCode": entry.failure.code if entry.failure else None,
                "failureReason": entry.failure.reason if entry.failure else None,
            }
            for entry in found
        ],
    }


def _describe_configuration(call: Call, connection: Any) -> Answer:
    """The configuration that is stored, or SigningConfigurationNotFoundException."""
    document = documents.find(connection, call.registry, after_push.SIGNING)
    if document is None:
        raise errors.signing_configuration_not_found(call.registry.account)
    rules = signing.read(document.body)
    return {"registryId": call.registry.account, "signingConfiguration": _describe_rules(rules)}


def _read_rule(rule: Any) -> signing.Rule:
    filters = rule.get("repositoryFilters")
    return signing.Rule(
        rule["signingProfileArn"],
        None if filters is None else tuple(entry["filter"] for entry in filters),
    )


def _describe_rules(rules: Any) -> Answer:
    return {
        "rules": [
            {
                "signingProfileArn": rule.profile_arn,
                "repositoryFilters": (
                    None
                    if rule.filters is None
                    else [{"filter": pattern, "filterType": "WILDCARD_MATCH"} for pattern in rule.filters]
                ),
            }
            for rule in rules
        ]
    }
