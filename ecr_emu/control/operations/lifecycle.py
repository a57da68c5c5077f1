"""Operations on lifecycle policies and their previews.

Policies are checked, stored and handed out; nothing evaluates them yet. So a preview is begun and never ends,
and no policy has been evaluated at any time.
"""

from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

import orjson

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control import paging
from ecr_emu.control.operations import Answer, operation
from ecr_emu.control.operations.policies import target
from ecr_emu.domain import lifecycle_policy
from ecr_emu.domain.lifecycle_policy import InvalidLifecyclePolicy
from ecr_emu.store import documents, repositories
from ecr_emu.store.repositories import Repository

if TYPE_CHECKING:
    from types_boto3_ecr import type_defs as types

_POLICY = "lifecycle-policy"
_PREVIEW = "lifecycle-preview"
_PREVIEW_PAGE = 100


@operation
def put_lifecycle_policy(call: Call, request: "types.PutLifecyclePolicyRequestTypeDef") -> Answer:
    registry, name = target(call, "ecr:PutLifecyclePolicy", request)
    text = _canonical(request["lifecyclePolicyText"])
    with call.store.write() as transaction:
        repository = repositories.get(transaction, registry, name)
        documents.put_of_repository(transaction, repository, _POLICY, text, call.now)
    return _describe(repository, text)


@operation
def get_lifecycle_policy(call: Call, request: "types.GetLifecyclePolicyRequestTypeDef") -> Answer:
    registry, name = target(call, "ecr:GetLifecyclePolicy", request)
    with call.store.snapshot() as connection:
        repository = repositories.get(connection, registry, name)
        return _describe(repository, _policy(connection, repository))


@operation
def delete_lifecycle_policy(call: Call, request: "types.DeleteLifecyclePolicyRequestTypeDef") -> Answer:
    registry, name = target(call, "ecr:DeleteLifecyclePolicy", request)
    with call.store.write() as transaction:
        repository = repositories.get(transaction, registry, name)
        text = _policy(transaction, repository)
        documents.delete_of_repository(transaction, repository, _POLICY)
    return _describe(repository, text)


@operation
def start_lifecycle_policy_preview(
    call: Call, request: "types.StartLifecyclePolicyPreviewRequestTypeDef"
) -> Answer:
    registry, name = target(call, "ecr:StartLifecyclePolicyPreview", request)
    given = request.get("lifecyclePolicyText")
    if given is not None:
        _canonical(given)
    with call.store.write() as transaction:
        repository = repositories.get(transaction, registry, name)
        if documents.of_repository(transaction, repository, _PREVIEW) is not None:
            raise errors.lifecycle_preview_in_progress(repository.name, registry.account)
        # A text that is given is echoed as it came (reference, control plane 6.7).
        text = _policy(transaction, repository) if given is None else given
        preview = {"lifecyclePolicyText": text, "status": "IN_PROGRESS", "startedAt": call.now}
        body = orjson.dumps(preview).decode()
        documents.put_of_repository(transaction, repository, _PREVIEW, body, call.now)
    return {**_describe(repository, text), "status": "IN_PROGRESS"}


@operation
def get_lifecycle_policy_preview(call: Call, request: Any) -> Answer:
    paging.refuse_beside(request, "imageIds")
    registry = call.target(request.get("registryId"))
    repository = call.repository("ecr:GetLifecyclePolicyPreview", registry, request["repositoryName"])
    # There are no results to page through yet, so the only token that is good is none.
    listing = ("GetLifecyclePolicyPreview", repository.id, request.get("filter"))
    paging.open_page(call, request, 0, *listing, default=_PREVIEW_PAGE)
    with call.store.read() as connection:
        body = documents.of_repository(connection, repository, _PREVIEW)
    if body is None:
        raise errors.lifecycle_preview_not_found(repository.name, registry.account)
    preview = orjson.loads(body)
    return {
        **_describe(repository, preview["lifecyclePolicyText"]),
        "status": preview["status"],
        "previewResults": [],
    }


def _canonical(text: str) -> str:
    try:
        return lifecycle_policy.canonical(text, orjson.loads)
    except InvalidLifecyclePolicy as problem:
        raise errors.invalid_lifecycle_policy(str(problem)) from None


def _policy(connection: Connection, repository: Repository) -> str:
    text = documents.of_repository(connection, repository, _POLICY)
    if text is None:
        raise errors.lifecycle_policy_not_found(repository.name, repository.registry.account)
    return text


def _describe(repository: Repository, text: str) -> Answer:
    return {
        "registryId": repository.registry.account,
        "repositoryName": repository.name,
        "lifecyclePolicyText": text,
    }
