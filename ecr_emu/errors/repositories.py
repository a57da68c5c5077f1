"""Errors of repositories and their resource tags."""

from ecr_emu.errors.error import EcrError
from ecr_emu.errors.requests import invalid_parameter


def repository_not_found(name: str, account: str) -> EcrError:
    return EcrError(
        "RepositoryNotFoundException",
        f"The repository with name '{name}' does not exist in the registry with id '{account}'",
    )


def repository_already_exists(name: str, account: str) -> EcrError:
    return EcrError(
        "RepositoryAlreadyExistsException",
        f"The repository with name '{name}' already exists in the registry with id '{account}'",
    )


def repository_not_empty(name: str, account: str) -> EcrError:
    return EcrError(
        "RepositoryNotEmptyException",
        f"The repository with name '{name}' in registry with id '{account}' "
        "cannot be deleted because it still contains images",
    )


def invalid_name(name: str) -> EcrError:
    """A repository name in a registry path that breaks the OCI grammar."""
    return EcrError("NameInvalid", f"'{name}' is not a repository name", 400)


def kms_key_of_other_region(region: str) -> EcrError:
    """A key's ARN of another region (`Invalid arn` and the region are verified, kmsError is not)."""
    return EcrError("KmsException", f"Invalid arn {region}", members={"kmsError": "NotFoundException"})


def key_beside_aes256() -> EcrError:
    return invalid_parameter(
        "encryptionConfiguration",
        "Invalid encryption configuration: Encryption key should not be set for AES256 encryption.",
    )


def invalid_tag_parameter() -> EcrError:
    return EcrError("InvalidTagParameterException", "Tag parameters are invalid")


def too_many_tags(limit: int) -> EcrError:
    """More resource tags than the quota (text unverified)."""
    return EcrError(
        "TooManyTagsException", f"The number of tags exceeds the limit of {limit} for the resource"
    )


def too_many_repositories(account: str, limit: int) -> EcrError:
    """More repositories than the quota (text inferred from that of images)."""
    return EcrError(
        "LimitExceededException",
        f"The registry with id '{account}' already has the maximum allowed number of repositories "
        f"which is '{limit}'",
    )
