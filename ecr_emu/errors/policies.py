"""Errors of policies: repository, registry, lifecycle."""

from ecr_emu.errors.error import EcrError
from ecr_emu.errors.requests import invalid_parameter


def invalid_repository_policy() -> EcrError:
    """ECR's answer to any policy it dislikes, and (unverified) to one that would lock the caller out."""
    return invalid_parameter("PolicyText", "Invalid repository policy provided")


def invalid_registry_policy() -> EcrError:
    return invalid_parameter("PolicyText", "Invalid registry policy provided")


def repository_policy_not_found(name: str, account: str) -> EcrError:
    return EcrError(
        "RepositoryPolicyNotFoundException",
        f"Repository policy does not exist for the repository with name '{name}' "
        f"in the registry with id '{account}'",
    )


def registry_policy_not_found(account: str) -> EcrError:
    return EcrError(
        "RegistryPolicyNotFoundException",
        f"Registry policy does not exist in the registry with id '{account}'",
    )


def invalid_lifecycle_policy(problem: str, position: str | None = None) -> EcrError:
    """ECR leaves out the closing quote behind the one problem that has parts of its own (seen on AWS).

    It never says where the problem is: `position` adds a sentence that does.
    """
    error = invalid_parameter("LifecyclePolicyText", problem)
    message = error.message
    if "match exactly one schema" in problem:
        message = message.removesuffix("'")
    return EcrError(error.code, f"{message} The fault is at {position}." if position else message)


def lifecycle_policy_not_found(name: str, account: str) -> EcrError:
    return EcrError(
        "LifecyclePolicyNotFoundException",
        f"Lifecycle policy does not exist for the repository with name '{name}' "
        f"in the registry with id '{account}'",
    )


def lifecycle_preview_not_found(name: str, account: str) -> EcrError:
    """No preview was started (text unverified)."""
    return EcrError(
        "LifecyclePolicyPreviewNotFoundException",
        f"Lifecycle policy preview does not exist for the repository with name '{name}' "
        f"in the registry with id '{account}'",
    )


def lifecycle_preview_in_progress(name: str, account: str) -> EcrError:
    """A preview is under way (text unverified)."""
    return EcrError(
        "LifecyclePolicyPreviewInProgressException",
        f"Lifecycle policy preview is already in progress for the repository with name '{name}' "
        f"in the registry with id '{account}'",
    )


def storage_class_not_supported(digest: str, tag: str | None, target: str) -> EcrError:
    """An image that cannot be archived now (text unverified)."""
    return EcrError(
        "ImageStorageClassUpdateNotSupportedException",
        f"The storage class of the image with imageId {{imageDigest:'{digest}', imageTag:'{tag or 'null'}'}} "
        f"cannot be updated to '{target}'",
    )


def exclusion_already_exists(principal: str, account: str) -> EcrError:
    """The principal is excluded already (text unverified)."""
    return EcrError(
        "ExclusionAlreadyExistsException",
        f"Pull time update exclusion for principal '{principal}' already exists "
        f"in the registry with id '{account}'",
    )


def exclusion_not_found(principal: str, account: str) -> EcrError:
    """The principal is not excluded (text unverified)."""
    return EcrError(
        "ExclusionNotFoundException",
        f"Pull time update exclusion for principal '{principal}' does not exist "
        f"in the registry with id '{account}'",
    )


def too_many_exclusions(account: str, limit: int) -> EcrError:
    """More exclusions than the quota (text unverified)."""
    return EcrError(
        "LimitExceededException",
        f"The registry with id '{account}' already has the maximum allowed number of pull time update "
        f"exclusions which is '{limit}'",
    )
