"""Operations on replication: where a registry's images are copied."""

from typing import TYPE_CHECKING, Any

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control.operations import Answer, operation
from ecr_emu.control.operations.images import get_image
from ecr_emu.core import after_push, quotas
from ecr_emu.domain import replication
from ecr_emu.domain.registries import Registry
from ecr_emu.store import documents, replications

if TYPE_CHECKING:
    from types_boto3_ecr import type_defs as types


@operation
def put_replication_configuration(
    call: Call, request: "types.PutReplicationConfigurationRequestTypeDef"
) -> Answer:
    registry = call.registry
    call.authorize("ecr:PutReplicationConfiguration", registry, "*")
    rules = [_read_rule(rule) for rule in request["replicationConfiguration"]["rules"]]
    if constraint := replication.check(registry, rules, quotas.of(call)):
        raise errors.invalid_parameter("replicationConfiguration", constraint)
    with call.store.write() as transaction:
        if rules:
            text = replication.write(rules)
            documents.put(transaction, registry, after_push.REPLICATION, "", text, call.now)
        else:
            documents.delete(transaction, registry, after_push.REPLICATION)
    return {"replicationConfiguration": describe_rules(rules)}


@operation
def describe_image_replication_status(
    call: Call, request: "types.DescribeImageReplicationStatusRequestTypeDef"
) -> Answer:
    action = "ecr:DescribeImageReplicationStatus"
    registry = call.target(request.get("registryId"))
    repository = call.repository(action, registry, request["repositoryName"])
    with call.store.snapshot() as connection:
        image = get_image(connection, repository, request["imageId"])
        found = replications.of_image(connection, image)
    return {
        "repositoryName": repository.name,
        "imageId": {"imageDigest": image.digest, "imageTag": request["imageId"].get("imageTag")},
        "replicationStatuses": [
            {
                **describe_destination(entry.destination),
                "status": entry.status,
                "failureCode": entry.failure_code,
            }
            for entry in found
        ],
    }


def describe_rules(rules: Any) -> Answer:
    """The ReplicationConfiguration shape."""
    return {"rules": [_describe_rule(rule) for rule in rules]}


def describe_destination(destination: Registry) -> dict[str, str]:
    """The ReplicationDestination shape."""
    return {"region": destination.region, "registryId": destination.account}


def read_destination(given: Any) -> Registry:
    return Registry(given["registryId"], given["region"])


def _read_rule(rule: Any) -> replication.Rule:
    filters = rule.get("repositoryFilters")
    return replication.Rule(
        tuple(read_destination(place) for place in rule["destinations"]),
        None if filters is None else tuple(entry["filter"] for entry in filters),
        rule.get("deleteReplication", {}).get("enabled"),
    )


def _describe_rule(rule: replication.Rule) -> Answer:
    prefixes, deletes = rule.prefixes, rule.replicates_deletes
    return {
        "destinations": [describe_destination(place) for place in rule.destinations],
        "repositoryFilters": (
            None
            if prefixes is None
            else [{"filter": prefix, "filterType": "PREFIX_MATCH"} for prefix in prefixes]
        ),
        "deleteReplication": None if deletes is None else {"enabled": deletes},
    }
