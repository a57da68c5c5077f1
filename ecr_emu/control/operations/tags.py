"""Operations on resource tags; only repositories have them."""

from typing import TYPE_CHECKING

from ecr_emu import access, errors
from ecr_emu.context import Call
from ecr_emu.control.operations import Answer, operation
from ecr_emu.control.operations.repositories import read_tags, tag_context
from ecr_emu.core import quotas
from ecr_emu.domain.registries import Registry, parse_repository_arn
from ecr_emu.store import repositories

if TYPE_CHECKING:
    from types_boto3_ecr import type_defs as types


@operation
def tag_resource(call: Call, request: "types.TagResourceRequestTypeDef") -> Answer:
    registry, name = _target(call, "ecr:TagResource", request["resourceArn"], tag_context(request["tags"]))
    limit = quotas.of(call)["tags-per-resource"]
    tags = read_tags(request["tags"], limit)
    with call.store.write() as transaction:
        repository = repositories.get(transaction, registry, name)
        if len(repositories.resource_tags(transaction, repository) | tags) > limit:
            raise errors.too_many_tags(limit)
        repositories.put_resource_tags(transaction, repository, tags)
    return {}


@operation
def untag_resource(call: Call, request: "types.UntagResourceRequestTypeDef") -> Answer:
    registry, name = _target(
        call, "ecr:UntagResource", request["resourceArn"], {"aws:tagkeys": tuple(request["tagKeys"])}
    )
    with call.store.write() as transaction:
        repository = repositories.get(transaction, registry, name)
        repositories.delete_resource_tags(transaction, repository, request["tagKeys"])
    return {}


@operation
def list_tags_for_resource(call: Call, request: "types.ListTagsForResourceRequestTypeDef") -> Answer:
    registry, name = _target(call, "ecr:ListTagsForResource", request["resourceArn"])
    with call.store.snapshot() as connection:
        repository = repositories.get(connection, registry, name)
        tags = repositories.resource_tags(connection, repository)
    return {"tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _target(
    call: Call, action: str, arn: str, more: access.Context = access.NOTHING_MORE
) -> tuple[Registry, str]:
    """Registry and name of the repository that an ARN means; the region must be the caller's."""
    parsed = parse_repository_arn(arn)
    if parsed is None or parsed[0].region != call.registry.region:
        raise errors.invalid_parameter("resourceArn", "Invalid ARN")
    call.authorize(action, *parsed, more)
    return parsed
