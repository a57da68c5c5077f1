"""Operations on scanning images for vulnerabilities."""

from typing import TYPE_CHECKING, Any

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control import paging
from ecr_emu.control.operations import Answer, operation
from ecr_emu.control.operations.images import get_image
from ecr_emu.core import after_push, quotas, scan
from ecr_emu.domain import injected_scans, scan_findings, scanning
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
        scan.report_changes(transaction, registry, configuration, call.now)
        documents.put(transaction, registry, scan.CONFIGURATION, "", text, call.now)
    return {"registryScanningConfiguration": _describe_configuration(configuration)}


@operation
def get_registry_scanning_configuration(call: Call, request: object) -> Answer:
    call.authorize("ecr:GetRegistryScanningConfiguration", call.registry, "*")
    with call.store.read() as connection:
        configuration = scan.configuration(connection, call.registry)
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
        configuration = scan.configuration(connection, call.registry)
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
        if scanning.read(settings.get(scan.CONFIGURATION)).scan_type == "ENHANCED":
            raise errors.scanning_disabled()
        if not scan.is_scannable(transaction, image):
            raise errors.unsupported_image_type()
        if not scan.may_begin(transaction, image, call.now):
            raise errors.scan_limit()
        limit = quotas.of(call)["basic-scans-per-day"]
        if scan.count(settings, call.now) >= limit:
            raise errors.too_many_scans(repository.registry.account, limit)
        begun = scan.begin(transaction, call.now, repository, image, settings)
    call.emulator.wake.set()
    return _describe_scan(repository, image, begun, request)


@operation
def describe_image_scan_findings(
    call: Call, request: "types.DescribeImageScanFindingsRequestTypeDef"
) -> Answer:
    repository = _repository(call, "ecr:DescribeImageScanFindings", request)
    image_id = request["imageId"]
    with call.store.snapshot() as connection:
        image = get_image(connection, repository, image_id)
        found = scans.find(connection, image)
        if found is None:
            digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
            raise errors.scan_not_found(repository.name, repository.registry.account, digest, tag)
        page = paging.open_page(call, request, 0, "DescribeImageScanFindings", image.id)
        rows = scans.page_of_findings(connection, image, page.after, page.limit + 1)
    answer = _describe_scan(repository, image, found, request)
    if found.status not in injected_scans.WITH_FINDINGS:
        # Clients that look for findings before the scan is complete have to find none (reference, 4.3).
        return answer
    shown = page.cut(rows)
    shapes = [shape for _, shape in shown]
    return {
        **answer,
        "imageScanFindings": _describe_findings(repository, image, found, shapes),
        "nextToken": page.next_token(rows, shown[-1][0]) if shown else None,
    }


def _repository(call: Call, action: str, request: Any) -> Repository:
    return call.repository(action, call.target(request.get("registryId")), request["repositoryName"])


def _describe_scan(repository: Repository, image: Image, found: Scan, request: Any) -> Answer:
    return {
        "registryId": repository.registry.account,
        "repositoryName": repository.name,
        "imageId": {"imageDigest": image.digest, "imageTag": request["imageId"].get("imageTag")},
        "imageScanStatus": {"status": found.status, "description": found.description},
    }


def _describe_findings(repository: Repository, image: Image, found: Scan, shapes: list[Answer]) -> Answer:
    about = {
        "imageScanCompletedAt": found.completed_at,
        "vulnerabilitySourceUpdatedAt": found.source_updated_at,
        "findingSeverityCounts": found.counts,
    }
    if found.scan_type == "BASIC":
        return {**about, "findings": shapes}
    # The image's tags are those of now, not those of the scan.
    mark = {injected_scans.MARK["key"]: injected_scans.MARK["value"]} if found.is_injected else {}
    where = scan_findings.resource(
        repository.arn,
        image.digest,
        {
            **found.about,
            "imageTags": list(image.tags),
            "pushedAt": image.pushed_at,
            "lastInUseAt": image.pulled_at,
        },
        mark,
    )
    return {**about, "enhancedFindings": [{"resources": [where], **shape} for shape in shapes]}


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
