"""Operations on scanning images for vulnerabilities."""

from typing import TYPE_CHECKING, Any

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control import paging
from ecr_emu.control.operations import Answer, operation
from ecr_emu.control.operations.images import get_image
from ecr_emu.core import after_push, quotas
from ecr_emu.domain import scanning
from ecr_emu.store import documents, repositories, scans
from ecr_emu.store.images import Image
from ecr_emu.store.repositories import Repository
from ecr_emu.store.scans import Scan

if TYPE_CHECKING:
    from types_boto3_ecr import type_defs as types


@operation
def put_image_scanning_configuration(
    call: Call, request: "types.PutImageScanningConfigurationRequestTypeDef"
) -> Answer:
    registry, name = call.target(request.get("registryId")), request["repositoryName"]
    call.authorize("ecr:PutImageScanningConfiguration", registry, name)
    scan_on_push = request["imageScanningConfiguration"].get("scanOnPush", False)
    with call.store.write() as transaction:
        repository = repositories.get(transaction, registry, name)
        repositories.set_scan_on_push(transaction, repository, scan_on_push)
    return {
        "registryId": registry.account,
        "repositoryName": name,
        "imageScanningConfiguration": {"scanOnPush": scan_on_push},
    }


@operation
def put_registry_scanning_configuration(
    call: Call, request: "types.PutRegistryScanningConfigurationRequestTypeDef"
) -> Answer:
    registry = call.registry
    call.authorize("ecr:PutRegistryScanningConfiguration", registry, "*")
    # What a member that is left out means is unverified; here it is as if nothing had been configured.
    configuration = scanning.Configuration(
        request.get("scanType", "BASIC"),
        tuple(
            scanning.Rule(
                rule["scanFrequency"], tuple(entry["filter"] for entry in rule["repositoryFilters"])
            )
            for rule in request.get("rules", [])
        ),
    )
    if constraint := scanning.check(configuration):
        raise errors.invalid_parameter("rules", constraint)
    with call.store.write() as transaction:
        text = scanning.write(configuration)
        documents.put(transaction, registry, after_push.SCANNING, "", text, call.now)
    return {"registryScanningConfiguration": _describe_configuration(configuration)}


@operation
def get_registry_scanning_configuration(call: Call, request: object) -> Answer:
    call.authorize("ecr:GetRegistryScanningConfiguration", call.registry, "*")
    with call.store.read() as connection:
        configuration = after_push.scanning_configuration(connection, call.registry)
    return {
        "registryId": call.registry.account,
        "scanningConfiguration": _describe_configuration(configuration),
    }


@operation
def batch_get_repository_scanning_configuration(
    call: Call, request: "types.BatchGetRepositoryScanningConfigurationRequestTypeDef"
) -> Answer:
    found, failures = [], []
    with call.store.snapshot() as connection:
        configuration = after_push.scanning_configuration(connection, call.registry)
        for name in dict.fromkeys(request["repositoryNames"]):
            call.authorize("ecr:BatchGetRepositoryScanningConfiguration", call.registry, name)
            repository = repositories.find(connection, call.registry, name)
            if repository is None:
                code = "REPOSITORY_NOT_FOUND"
                failures.append({"repositoryName": name, "failureCode": code, "failureReason": code})
                continue
            frequency = scanning.frequency(configuration, repository.scan_on_push, name)
            found.append(
                {
                    "repositoryArn": repository.arn,
                    "repositoryName": name,
                    "scanOnPush": repository.scan_on_push,
                    "scanFrequency": frequency.name,
                    "appliedScanFilters": _describe_filters(frequency.filters),
                }
            )
    return {"scanningConfigurations": found, "failures": failures}


@operation
def start_image_scan(call: Call, request: "types.StartImageScanRequestTypeDef") -> Answer:
    repository = _repository(call, "ecr:StartImageScan", request)
    with call.store.write() as transaction:
        image = get_image(transaction, repository, request["imageId"])
        if image.status_at(call.now) == "ARCHIVED":
            raise errors.image_archived()
        settings = after_push.find_settings(transaction, repository)
        configuration = scanning.read(settings.get(after_push.SCANNING))
        if configuration.scan_type == "ENHANCED":
            raise errors.scanning_disabled()
        if not after_push.is_scannable(transaction, image):
            raise errors.unsupported_image_type()
        if not after_push.may_be_scanned(transaction, image, call.now):
            raise errors.scan_limit()
        limit = quotas.of(call)["basic-scans-per-day"]
        if scanning.recent_scans(settings.get(after_push.SCAN_COUNT), call.now) >= limit:
            raise errors.too_many_scans(repository.registry.account, limit)
        scan = after_push.record_scan(transaction, call.now, repository, image, settings)
    return _describe_scan(repository, image, scan, request)


@operation
def describe_image_scan_findings(
    call: Call, request: "types.DescribeImageScanFindingsRequestTypeDef"
) -> Answer:
    repository = _repository(call, "ecr:DescribeImageScanFindings", request)
    image_id = request["imageId"]
    with call.store.snapshot() as connection:
        image = get_image(connection, repository, image_id)
        scan = scans.find(connection, image)
    if scan is None:
        digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
        raise errors.scan_not_found(repository.name, repository.registry.account, digest, tag)
    # There are no findings to page through, but a token must still be ours.
    paging.open_page(call, request, 0, "DescribeImageScanFindings", image.id)
    return _describe_scan(repository, image, scan, request)


def _repository(call: Call, action: str, request: Any) -> Repository:
    return call.repository(action, call.target(request.get("registryId")), request["repositoryName"])


def _describe_scan(repository: Repository, image: Image, scan: Scan, request: Any) -> Answer:
    return {
        "registryId": repository.registry.account,
        "repositoryName": repository.name,
        "imageId": {"imageDigest": image.digest, "imageTag": request["imageId"].get("imageTag")},
        "imageScanStatus": {"status": scan.status, "description": scan.description},
    }


def _describe_configuration(configuration: scanning.Configuration) -> Answer:
    return {
        "scanType": configuration.scan_type,
        "rules": [
            {"scanFrequency": rule.frequency, "repositoryFilters": _describe_filters(rule.filters)}
            for rule in configuration.rules
        ],
    }


def _describe_filters(filters: tuple[str, ...]) -> list[Answer]:
    return [{"filter": pattern, "filterType": "WILDCARD"} for pattern in filters]
