"""Operations on repositories."""

from collections.abc import Iterable
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

from ecr_emu import access, errors
from ecr_emu.context import Call
from ecr_emu.control import paging
from ecr_emu.control.operations import Answer, operation
from ecr_emu.core import create, delete, quotas, trail
from ecr_emu.domain import kms_keys, mutability, resource_tags
from ecr_emu.domain.registries import Registry
from ecr_emu.domain.trail import Outcome, Request
from ecr_emu.store import images, repositories, uploads
from ecr_emu.store.repositories import Repository

if TYPE_CHECKING:
    from types_boto3_ecr import type_defs as types


@operation
def create_repository(call: Call, request: "types.CreateRepositoryRequestTypeDef") -> Answer:
    registry = call.target(request.get("registryId"))
    name = request["repositoryName"]
    call.authorize("ecr:CreateRepository", registry, name, tag_context(request.get("tags", [])))
    if request.get("tags"):
        call.authorize("ecr:TagResource", registry, name, tag_context(request["tags"]))
    tags = read_tags(request.get("tags", []), quotas.of(call)["tags-per-resource"])
    encryption = _encryption(registry, request)
    filters = read_filters(request)
    mode = request.get("imageTagMutability", "MUTABLE")
    check_filters(mode, filters)
    wanted = Repository(
        id=0,
        registry=registry,
        name=name,
        created_at=call.now,
        tag_mutability=mode,
        mutability_filters=tuple(filters or ()),
        scan_on_push=request.get("imageScanningConfiguration", {}).get("scanOnPush", False),
        encryption_type=encryption["encryptionType"],
        kms_key=encryption.get("kmsKey"),
    )
    with call.store.write() as transaction:
        repository = create.insert(transaction, quotas.of(call), wanted, tags)
        return _record(transaction, call, "CreateRepository", request, repository)


@operation
def describe_repositories(call: Call, request: "types.DescribeRepositoriesRequestTypeDef") -> Answer:
    registry = call.target(request.get("registryId"))
    paging.refuse_beside(request, "repositoryNames")
    for name in request.get("repositoryNames", ["*"]):
        call.authorize("ecr:DescribeRepositories", registry, name)
    if "repositoryNames" in request:
        names = list(dict.fromkeys(request["repositoryNames"]))
        with call.store.read() if len(names) == 1 else call.store.snapshot() as connection:
            # One that is missing fails the whole call (reference, control plane 2.4).
            found = [repositories.get(connection, registry, name) for name in names]
        return {"repositories": [describe(call, repository) for repository in found]}
    page = paging.open_page(call, request, "", "DescribeRepositories", registry)
    with call.store.read() as connection:
        rows = repositories.page(connection, registry, page.after, page.limit + 1)
    shown = page.cut(rows)
    return {
        "repositories": [describe(call, repository) for repository in shown],
        "nextToken": page.next_token(rows, shown[-1].name if shown else None),
    }


@operation
def delete_repository(call: Call, request: "types.DeleteRepositoryRequestTypeDef") -> Answer:
    registry = call.target(request.get("registryId"))
    repository = call.repository("ecr:DeleteRepository", registry, request["repositoryName"])
    if request.get("force"):
        delete.empty(call.store, repository)
    with call.store.write() as transaction:
        # Another of this name may have been made meanwhile.
        repositories.confirm(transaction, repository)
        if not request.get("force") and images.exist(transaction, repository):
            raise errors.repository_not_empty(repository.name, registry.account)
        begun = uploads.delete_all(transaction, repository)
        repositories.delete(transaction, repository)
        answer = _record(transaction, call, "DeleteRepository", request, repository)
    for upload_id in begun:
        call.blobs.discard(upload_id)
    return answer


def _record(transaction: Connection, call: Call, name: str, request: Any, repository: Repository) -> Answer:
    """Write down what was done to a repository, and answer it."""
    answer = {"repository": describe(call, repository)}
    trail.record(transaction, call, Request(name, request, call.request_id), Outcome(answer))
    return answer


@operation
def put_image_tag_mutability(call: Call, request: "types.PutImageTagMutabilityRequestTypeDef") -> Answer:
    registry = call.target(request.get("registryId"))
    call.authorize("ecr:PutImageTagMutability", registry, request["repositoryName"])
    mode, filters = request["imageTagMutability"], read_filters(request)
    check_filters(mode, filters)
    with call.store.write() as transaction:
        repository = repositories.get(transaction, registry, request["repositoryName"])
        repositories.set_tag_mutability(transaction, repository, mode, filters or [])
    return {
        "registryId": registry.account,
        "repositoryName": repository.name,
        "imageTagMutability": mode,
        "imageTagMutabilityExclusionFilters": describe_filters(filters or []) or None,
    }


def describe(call: Call, repository: Repository) -> Answer:
    """The Repository shape."""
    host = call.emulator.hosts.host(repository.registry)
    return {
        "repositoryArn": repository.arn,
        "registryId": repository.registry.account,
        "repositoryName": repository.name,
        "repositoryUri": f"{host}/{repository.name}",
        "createdAt": repository.created_at,
        "imageTagMutability": repository.tag_mutability,
        "imageTagMutabilityExclusionFilters": describe_filters(repository.mutability_filters) or None,
        "imageScanningConfiguration": {"scanOnPush": repository.scan_on_push},
        "encryptionConfiguration": {
            "encryptionType": repository.encryption_type,
            "kmsKey": repository.kms_key,
        },
    }


def tag_context(tags: Any) -> access.Context:
    """The condition keys of tags in a request."""
    return access.request_tags((tag["Key"], tag["Value"]) for tag in tags)


def read_tags(tags: Any, limit: int) -> dict[str, str]:
    """Resource tags by key, or InvalidTagParameterException or TooManyTagsException."""
    pairs = [(tag["Key"], tag["Value"]) for tag in tags]
    if not resource_tags.are_valid(pairs):
        raise errors.invalid_tag_parameter()
    if len(pairs) > limit:
        raise errors.too_many_tags(limit)
    return dict(pairs)


def _encryption(registry: Registry, request: Any) -> dict[str, str]:
    """The encryption configuration, as ECR describes it: KMS without a key means the account's own key.

    Nothing is encrypted here; the setting is kept because tools read it back.
    """
    given: dict[str, str] = request.get("encryptionConfiguration", {"encryptionType": "AES256"})
    if given["encryptionType"] == "AES256" and "kmsKey" in given:
        raise errors.key_beside_aes256()
    if foreign := kms_keys.foreign_region(given.get("kmsKey", ""), registry.region):
        raise errors.kms_key_of_other_region(foreign)
    if given["encryptionType"] != "AES256" and "kmsKey" not in given:
        return {**given, "kmsKey": create.default_key(registry)}
    return given


def read_filters(request: Any) -> list[str] | None:
    """The patterns of the exclusion filters that a request has; None when it has none."""
    given = request.get("imageTagMutabilityExclusionFilters")
    return None if given is None else [entry["filter"] for entry in given]


def describe_filters(filters: Iterable[str]) -> list[dict[str, str]]:
    """Patterns as the ImageTagMutabilityExclusionFilters shape."""
    return [{"filterType": "WILDCARD", "filter": pattern} for pattern in filters]


def check_filters(mode: str, filters: list[str] | None) -> None:
    """InvalidParameterException when mode and filters do not go together."""
    if constraint := mutability.check_filters(mode, filters):
        raise errors.invalid_parameter("imageTagMutabilityExclusionFilters", constraint)
