"""Operations on lifecycle policies and their previews.

A policy is stored here and run by a job (jobs/lifecycle.py), and so is a preview (jobs/preview.py).
"""

from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control import paging
from ecr_emu.control.operations import Answer, operation
from ecr_emu.control.operations.policies import target
from ecr_emu.core import lifecycle
from ecr_emu.store import jobs, previews, repositories
from ecr_emu.store import lifecycle as policies
from ecr_emu.store.lifecycle import Policy
from ecr_emu.store.previews import Preview, Result
from ecr_emu.store.repositories import Repository

if TYPE_CHECKING:
    from types_boto3_ecr import type_defs as types

_PREVIEW_PAGE = 100
# After this the results are EXPIRED (inferred; reference, control plane 6.7).
_PREVIEW_SECONDS = 24 * 3600


@operation
def put_lifecycle_policy(call: Call, request: "types.PutLifecyclePolicyRequestTypeDef") -> Answer:
    registry, name = target(call, "ecr:PutLifecyclePolicy", request)
    text = lifecycle.canonical(request["lifecyclePolicyText"], call.emulator.settings)
    with call.store.write() as transaction:
        repository = repositories.get(transaction, registry, name)
        lifecycle.put_policy(transaction, repository, text, call.now, call.emulator.settings)
    call.emulator.wake.set()
    return _describe(repository, text)


@operation
def get_lifecycle_policy(call: Call, request: "types.GetLifecyclePolicyRequestTypeDef") -> Answer:
    registry, name = target(call, "ecr:GetLifecyclePolicy", request)
    with call.store.snapshot() as connection:
        repository = repositories.get(connection, registry, name)
        return _describe_run(repository, _policy(connection, repository))


@operation
def delete_lifecycle_policy(call: Call, request: "types.DeleteLifecyclePolicyRequestTypeDef") -> Answer:
    registry, name = target(call, "ecr:DeleteLifecyclePolicy", request)
    with call.store.write() as transaction:
        repository = repositories.get(transaction, registry, name)
        policy = _policy(transaction, repository)
        lifecycle.delete_policy(transaction, repository)
    return _describe_run(repository, policy)


@operation
def start_lifecycle_policy_preview(
    call: Call, request: "types.StartLifecyclePolicyPreviewRequestTypeDef"
) -> Answer:
    registry, name = target(call, "ecr:StartLifecyclePolicyPreview", request)
    given = request.get("lifecyclePolicyText")
    if given is not None:
        lifecycle.canonical(given, call.emulator.settings)
    with call.store.write() as transaction:
        repository = repositories.get(transaction, registry, name)
        preview = previews.find(transaction, repository.id)
        if preview is not None and preview.status == "IN_PROGRESS":
            raise errors.lifecycle_preview_in_progress(repository.name, registry.account)
        # A text that is given is echoed as it came (reference, control plane 6.7).
        text = _policy(transaction, repository).text if given is None else given
        previews.start(transaction, repository, text)
        jobs.put(transaction, jobs.PREVIEW, call.now, repository.id)
    call.emulator.wake.set()
    return {**_describe(repository, text), "status": "IN_PROGRESS"}


@operation
def get_lifecycle_policy_preview(call: Call, request: Any) -> Answer:
    paging.refuse_beside(request, "imageIds")
    registry = call.target(request.get("registryId"))
    repository = call.repository("ecr:GetLifecyclePolicyPreview", registry, request["repositoryName"])
    tag_status = request.get("filter", {}).get("tagStatus", "ANY")
    listing = ("GetLifecyclePolicyPreview", repository.id, tag_status)
    page = paging.open_page(call, request, 0, *listing, default=_PREVIEW_PAGE)
    with call.store.snapshot() as connection:
        preview = previews.find(connection, repository.id)
        if preview is None:
            raise errors.lifecycle_preview_not_found(repository.name, registry.account)
        status = _status(preview, call.now)
        if status != "COMPLETE":
            rows: list[Result] = []
        elif "imageIds" in request:
            named = [
                (image_id.get("imageDigest"), image_id.get("imageTag")) for image_id in request["imageIds"]
            ]
            rows = previews.of_images(connection, repository, tag_status, named)
        else:
            rows = previews.page(connection, repository, tag_status, page.after, page.limit + 1)
    shown = rows if "imageIds" in request else page.cut(rows)
    return {
        **_describe(repository, preview.policy_text),
        "status": status,
        "previewResults": [_describe_result(result) for result in shown],
        "nextToken": page.next_token(rows, shown[-1].position) if len(shown) < len(rows) else None,
        "summary": _summary(preview) if status == "COMPLETE" else None,
    }


def _status(preview: Preview, now: float) -> str:
    is_old = preview.ended_at is not None and now - preview.ended_at > _PREVIEW_SECONDS
    return "EXPIRED" if is_old else preview.status


def _describe_result(result: Result) -> Answer:
    target_class = "ARCHIVE" if result.action == "TRANSITION" else None
    return {
        "imageTags": list(result.tags) or None,
        "imageDigest": result.digest,
        "imagePushedAt": result.pushed_at,
        "action": {"type": result.action, "targetStorageClass": target_class},
        "appliedRulePriority": result.rule_priority,
        "storageClass": result.storage_class,
    }


def _summary(preview: Preview) -> Answer:
    moved = {"targetStorageClass": "ARCHIVE", "imageTotalCount": preview.transitioning_count}
    return {
        "expiringImageTotalCount": preview.expiring_count,
        "transitioningImageTotalCounts": [moved] if preview.transitioning_count else None,
    }


def _policy(connection: Connection, repository: Repository) -> Policy:
    policy = policies.find(connection, repository)
    if policy is None:
        raise errors.lifecycle_policy_not_found(repository.name, repository.registry.account)
    return policy


def _describe(repository: Repository, text: str) -> Answer:
    return {
        "registryId": repository.registry.account,
        "repositoryName": repository.name,
        "lifecyclePolicyText": text,
    }


def _describe_run(repository: Repository, policy: Policy) -> Answer:
    # A policy that has never run has the time 0 (reference, control plane 6.7).
    return {**_describe(repository, policy.text), "lastEvaluatedAt": policy.evaluated_at or 0.0}
