"""Errors of scanning, replication and signing."""

from ecr_emu.errors.error import EcrError
from ecr_emu.errors.requests import invalid_parameter


def scanning_disabled() -> EcrError:
    """StartImageScan in a registry with enhanced scanning (the class is inferred)."""
    return EcrError("ValidationException", "This feature is disabled")


def scan_limit() -> EcrError:
    return EcrError(
        "LimitExceededException", "The scan quota per image has been exceeded. Wait and try again."
    )


def too_many_scans(account: str, limit: int) -> EcrError:
    """More basic scans in 24 hours than the quota (text unverified)."""
    return EcrError(
        "LimitExceededException",
        f"The registry with id '{account}' already had the maximum allowed number of image scans "
        f"in 24 hours which is '{limit}'",
    )


def scan_not_found(name: str, account: str, digest: str | None, tag: str | None) -> EcrError:
    return EcrError(
        "ScanNotFoundException",
        f"Image scan does not exist for the image with '{{imageDigest:'{digest or 'null'}', "
        f"imageTag:'{tag or 'null'}'}}' in the repository with name '{name}' "
        f"in the registry with id '{account}'",
    )


def unsupported_image_type() -> EcrError:
    """An image that is not of a file system (AWS's documentation of the exception; text unverified)."""
    return EcrError("UnsupportedImageTypeException", "The image is of a type that cannot be scanned.")


def image_archived() -> EcrError:
    return EcrError("ImageArchivedException", "The specified image is archived and cannot be scanned.")


def backfill_destination_unknown() -> EcrError:
    """A backfill to where the registry does not replicate (text unverified)."""
    return invalid_parameter(
        "destination", "Destination is not configured in the replication configuration of the registry"
    )


def backfill_in_progress(region: str) -> EcrError:
    """One for each region (text unverified)."""
    return EcrError(
        "ReplicationBackfillInProgressException",
        f"A replication backfill is already in progress for the destination Region '{region}'",
    )


def too_many_backfills(account: str, limit: int) -> EcrError:
    """Too many in progress (text unverified)."""
    return EcrError(
        "LimitExceededException",
        f"The number of replication backfills in progress in the registry with id '{account}' "
        f"exceeds the limit of '{limit}'",
    )


def backfill_not_found(backfill_id: str, account: str) -> EcrError:
    """No such backfill, or one that ended more than 90 days ago (text unverified)."""
    return EcrError(
        "ReplicationBackfillNotFoundException",
        f"The replication backfill with id '{backfill_id}' does not exist "
        f"in the registry with id '{account}'",
    )


def backfill_has_ended(backfill_id: str, status: str) -> EcrError:
    """What ended cannot be stopped (text unverified)."""
    return EcrError(
        "ReplicationBackfillInvalidStatusException",
        f"The replication backfill with id '{backfill_id}' cannot be stopped "
        f"because its status is '{status}'",
    )


def signing_configuration_not_found(account: str) -> EcrError:
    """The registry has none (text unverified)."""
    return EcrError(
        "SigningConfigurationNotFoundException",
        f"Signing configuration does not exist in the registry with id '{account}'",
    )
