"""Operations on images."""

from collections.abc import Sequence
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control import paging
from ecr_emu.control.operations import Answer, operation
from ecr_emu.core import delete, pull, pull_through, push
from ecr_emu.domain import names, pull_times
from ecr_emu.domain.registries import Registry
from ecr_emu.errors import EcrError
from ecr_emu.store import documents, image_listings, images, scans
from ecr_emu.store.images import Content, Filter, Image
from ecr_emu.store.policies import ACCOUNT_SETTING
from ecr_emu.store.repositories import Repository
from ecr_emu.store.scans import Scan
from ecr_emu.waiting import may_wait

if TYPE_CHECKING:
    from types_boto3_ecr import type_defs as types


_REASONS = {
    "ImageNotFound": "Requested image not found",
    "MissingDigestAndTag": "Invalid request parameters: both tag and digest cannot be null",
    "InvalidImageDigest": (
        f"Invalid request parameters: image digest should satisfy the regex '{names.DIGEST_PATTERN}'"
    ),
    "InvalidImageTag": (
        f"Invalid request parameters: image tag should satisfy the regex '{names.IMAGE_TAG_PATTERN}'"
    ),
    # The code is in the service model; the words are ours.
    "ImageInaccessible": "Requested image is archived",
    "ImageTagDoesNotMatchDigest": ("Invalid request parameters: given tag does not map to the given digest"),
}


class _Failure(Exception):
    """Why one of several images could not be had: an ImageFailureCode and its reason."""

    def __init__(self, code: str, reason: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason or _REASONS[code]


# More than so many are no quick request.
FEW_IMAGES = 10


@operation
def put_image(call: Call, request: "types.PutImageRequestTypeDef") -> Answer:
    repository = _repository(call, "ecr:PutImage", request)
    account, tag = repository.registry.account, request.get("imageTag")
    if tag is not None and not names.is_image_tag(tag):
        raise errors.invalid_parameter(
            "imageTag", f"must satisfy regular expression '{names.IMAGE_TAG_PATTERN}'"
        )
    pushed = push.put_image(
        call,
        repository,
        request["imageManifest"].encode(),
        request.get("imageManifestMediaType"),
        request.get("imageDigest"),
        [tag] if tag else [],
    )
    if not pushed.is_news:
        raise errors.image_already_exists(repository.name, account, pushed.image.digest, tag)
    return {
        "image": {
            "registryId": account,
            "repositoryName": repository.name,
            "imageId": {"imageDigest": pushed.image.digest, "imageTag": tag},
            "imageManifest": request["imageManifest"],
            "imageManifestMediaType": pushed.image.media_type,
        }
    }


@operation
def batch_get_image(call: Call, request: "types.BatchGetImageRequestTypeDef") -> Answer:
    if len(request["imageIds"]) > FEW_IMAGES:
        # Manifests of up to 4 MB each.
        may_wait()
    registry, name = call.target(request.get("registryId")), request["repositoryName"]
    call.authorize("ecr:BatchGetImage", registry, name)
    found, failures, asked = _from_upstream(call, registry, request)
    if not asked and (found or failures):
        return {"images": found, "failures": failures}
    repository = call.repository("ecr:BatchGetImage", registry, name)
    due = []
    with call.store.snapshot() as connection:
        for image_id in asked:
            try:
                image = _find(connection, repository, image_id)
                body = _manifest(connection, image, request.get("acceptedMediaTypes"), call.now)
            except _Failure as failure:
                failures.append(_describe_failure(image_id, failure))
                continue
            if pull_times.is_due(image.pulled_at, call.now):
                due.append(image.id)
            tag = image_id.get("imageTag") or (image.tags[0] if image.tags else None)
            content = Content(image.digest, image.media_type, body)
            found.append(_describe_content(registry, name, content, tag))
    if due:
        pull.record(call, repository.registry, due)
    return {"images": found, "failures": failures}


@operation
def batch_delete_image(call: Call, request: "types.BatchDeleteImageRequestTypeDef") -> Answer:
    repository = _repository(call, "ecr:BatchDeleteImage", request)
    deleted: list[Answer] = []
    failures: list[Answer] = []
    with call.store.write() as transaction:
        # Looked up before anything goes, so that naming an image twice deletes it once and fails nowhere.
        for image_id in request["imageIds"]:
            try:
                deleted += _delete(transaction, repository, image_id, deleted, call.now)
            except _Failure as failure:
                failures.append(_describe_failure(image_id, failure))
            except EcrError as error:
                failures.append(_describe_failure(image_id, _Failure(error.code, error.message)))
    # A rule may replicate the deletions.
    call.emulator.wake.set()
    return {"imageIds": deleted, "failures": failures}


@operation
def describe_images(call: Call, request: "types.DescribeImagesRequestTypeDef") -> Answer:
    paging.refuse_beside(request, "imageIds")
    repository = _repository(call, "ecr:DescribeImages", request)
    if "imageIds" in request:
        with call.store.snapshot() as connection:
            asked = [
                get_image(connection, repository, image_id, "imageIds") for image_id in request["imageIds"]
            ]
            unique = {image.id: image for image in asked}
            found = _scans(connection, repository, list(unique))
        return {
            "imageDetails": [
                _describe(call, repository, image, found.get(image.id)) for image in unique.values()
            ]
        }
    page = paging.open_page(call, request, 0, "DescribeImages", repository.id, request.get("filter"))
    with call.store.read() as connection:
        rows = image_listings.page(connection, repository, _filter(call, request), page.after, page.limit + 1)
        shown = page.cut(rows)
        found = _scans(connection, repository, [image.id for image in shown])
    return {
        "imageDetails": [_describe(call, repository, image, found.get(image.id)) for image in shown],
        "nextToken": page.next_token(rows, shown[-1].id if shown else None),
    }


@operation
def list_images(call: Call, request: "types.ListImagesRequestTypeDef") -> Answer:
    repository = _repository(call, "ecr:ListImages", request)
    page = paging.open_page(call, request, [0, ""], "ListImages", repository.id, request.get("filter"))
    with call.store.read() as connection:
        rows = image_listings.page_of_ids(
            connection, repository, _filter(call, request), page.after, page.limit + 1
        )
    shown = page.cut(rows)
    return {
        "imageIds": [{"imageDigest": digest, "imageTag": tag} for _, digest, tag in shown],
        "nextToken": page.next_token(rows, [shown[-1][0], shown[-1][2] or ""] if shown else None),
    }


def _from_upstream(
    call: Call, registry: Registry, request: Any
) -> tuple[list[Answer], list[Answer], list[Any]]:
    """Behind a pull through cache rule: what the upstream gave, why it did not, and the ids that are left."""
    name, ids = request["repositoryName"], request["imageIds"]
    if pull_through.find_rule(call, registry, name) is None:
        return [], [], ids
    # Most servers have no rules.
    from ecr_emu.control import upstream_images

    found: list[Answer] = []
    failures: list[Answer] = []
    left: list[Any] = []
    accepted = request.get("acceptedMediaTypes")
    for image_id in ids:
        try:
            content = upstream_images.fetch(call, registry, name, image_id, accepted)
        except upstream_images.Refused as refusal:
            failures.append(_describe_failure(image_id, _Failure(refusal.code, refusal.reason)))
            continue
        if content is None:
            left.append(image_id)
        else:
            found.append(_describe_content(registry, name, content, image_id.get("imageTag")))
    return found, failures, left


def _describe_content(registry: Registry, name: str, content: Content, tag: str | None) -> Answer:
    """The Image shape."""
    return {
        "registryId": registry.account,
        "repositoryName": name,
        "imageId": {"imageDigest": content.digest, "imageTag": tag},
        "imageManifest": content.body.decode(),
        "imageManifestMediaType": content.media_type,
    }


def _repository(call: Call, action: str, request: Any) -> Repository:
    return call.repository(action, call.target(request.get("registryId")), request["repositoryName"])


def _filter(call: Call, request: Any) -> Filter:
    """Which images are asked for; archived ones are shown only then."""
    given = request.get("filter", {})
    return Filter(call.now, given.get("imageStatus", "ACTIVE"), given.get("tagStatus", "ANY"))


def _find(connection: Connection, repository: Repository, image_id: Any) -> Image:
    """The image that an ImageIdentifier means, or the failure that AWS reports for it."""
    digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
    if digest is None and tag is None:
        raise _Failure("MissingDigestAndTag")
    if digest is not None and not names.looks_like_digest(digest):
        raise _Failure("InvalidImageDigest")
    if tag is not None and not names.is_image_tag(tag):
        raise _Failure("InvalidImageTag")
    # The tag is looked up first (reference, control plane 4.2).
    if tag is not None:
        image = images.find_tagged(connection, repository, tag)
    else:
        image = images.find(connection, repository, digest)
    if image is None:
        raise _Failure("ImageNotFound")
    if digest not in (None, image.digest):
        raise _Failure("ImageTagDoesNotMatchDigest")
    return image


def get_image(
    connection: Connection, repository: Repository, image_id: Any, member: str = "imageId"
) -> Image:
    """The same for operations that fail whole: ImageNotFoundException, or InvalidParameterException."""
    try:
        return _find(connection, repository, image_id)
    except _Failure as failure:
        if failure.code in ("ImageNotFound", "ImageTagDoesNotMatchDigest"):
            digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
            raise errors.image_not_found(repository.name, repository.registry.account, digest, tag) from None
        # Which words AWS uses here is unverified.
        raise errors.invalid_parameter(member, failure.reason) from None


def _manifest(connection: Connection, image: Image, accepted: Sequence[str] | None, now: float) -> bytes:
    """The manifest's bytes, or the failure that says why they are not to be had."""
    if image.status_at(now) != "ACTIVE":
        raise _Failure("ImageInaccessible")
    # No conversion is done, so another type is not to be had (reference, control plane 4.2).
    if accepted is not None and image.media_type not in accepted:
        raise _Failure("ImageNotFound")
    body = images.body(connection, image.digest)
    if not body:
        raise _Failure("ImageInaccessible", errors.image_without_manifest().message)
    return body


def _delete(
    transaction: Connection, repository: Repository, image_id: Any, deleted: Sequence[Answer], now: float
) -> list[Answer]:
    """Delete what one ImageIdentifier means; the ids that went."""
    try:
        image = _find(transaction, repository, image_id)
    except _Failure as failure:
        is_repeated = failure.code == "ImageNotFound" and any(
            entry.items() >= image_id.items() for entry in deleted
        )
        if is_repeated:
            return []
        raise
    tag = image_id.get("imageTag")
    if tag is not None:
        delete.delete_tag(transaction, repository, image, tag, now)
        return [{"imageDigest": image.digest, "imageTag": tag}]
    delete.delete_image(transaction, repository, image, now)
    return [{"imageDigest": image.digest, "imageTag": tag} for tag in image.tags or (None,)]


def _scans(connection: Connection, repository: Repository, image_ids: Sequence[int]) -> dict[int, Scan]:
    """Basic scans to tell of, for accounts that still have the CLAIR version of scanning.

    Its successor does not fill the two members (API reference, ImageDetail), nor does enhanced scanning
    (aws/containers-roadmap, issue 1662).
    """
    setting = documents.find(connection, repository.registry, ACCOUNT_SETTING, "BASIC_SCAN_TYPE_VERSION")
    if setting is None or setting.body != "CLAIR":
        return {}
    found = scans.of_images(connection, image_ids)
    return {image_id: scan for image_id, scan in found.items() if scan.scan_type == "BASIC"}


def _describe_scan(scan: Scan | None) -> Answer:
    """The members of ImageDetail about the last scan."""
    if scan is None:
        return {}
    status = {"imageScanStatus": {"status": scan.status, "description": scan.description}}
    if scan.completed_at is None:
        return status
    summary = {
        "imageScanCompletedAt": scan.completed_at,
        "vulnerabilitySourceUpdatedAt": scan.source_updated_at,
        "findingSeverityCounts": scan.counts,
    }
    return {**status, "imageScanFindingsSummary": summary}


def _describe(call: Call, repository: Repository, image: Image, scan: Scan | None) -> Answer:
    """The ImageDetail shape."""
    status = image.status_at(call.now)
    return {
        "registryId": repository.registry.account,
        "repositoryName": repository.name,
        "imageDigest": image.digest,
        "imageTags": list(image.tags) or None,
        "imageSizeInBytes": image.size_bytes,
        "imagePushedAt": image.pushed_at,
        **_describe_scan(scan),
        "imageManifestMediaType": image.media_type,
        "artifactMediaType": image.artifact_type,
        "subjectManifestDigest": image.subject_digest,
        "lastRecordedPullTime": image.pulled_at,
        "imageStatus": status,
        "lastArchivedAt": image.kept.archived_at,
        # An image on its way back has not arrived.
        "lastActivatedAt": None if status == "ACTIVATING" else image.kept.activated_at,
    }


def _describe_failure(image_id: Any, failure: _Failure) -> Answer:
    return {"imageId": image_id, "failureCode": failure.code, "failureReason": failure.reason}
