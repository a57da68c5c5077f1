"""Errors of images, manifests and tags."""

from collections.abc import Sequence

from ecr_emu.errors.error import EcrError
from ecr_emu.errors.requests import invalid_parameter


def image_not_found(name: str, account: str, digest: str | None, tag: str | None) -> EcrError:
    return EcrError(
        "ImageNotFoundException",
        f"The image with imageId {{imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'}} "
        f"does not exist within the repository with name '{name}' in the registry with id '{account}'",
    )


def requested_image_not_found() -> EcrError:
    """The same on the data plane, in the words of BatchGetImage's failure."""
    return EcrError("ImageNotFound", "Requested image not found", 404)


def image_without_manifest() -> EcrError:
    """An image that is known by a record alone (ecr-emu's own; AWS has no such images)."""
    return EcrError(
        "ImageNotFound",
        "This image was imported without its manifest, so it cannot be pulled until somebody pushes it",
        404,
    )


def image_already_exists(name: str, account: str, digest: str, tag: str | None) -> EcrError:
    return EcrError(
        "ImageAlreadyExistsException",
        f"Image with digest '{digest}' and tag '{tag or 'null'}' already exists "
        f"in the repository with name '{name}' in registry with id '{account}'",
    )


def image_tag_already_exists(name: str, tag: str) -> EcrError:
    return EcrError(
        "ImageTagAlreadyExistsException",
        f"The image tag '{tag}' already exists in the '{name}' repository "
        "and cannot be overwritten because the tag is immutable.",
    )


def image_digest_does_not_match(name: str, account: str, digest: str) -> EcrError:
    return EcrError(
        "ImageDigestDoesNotMatchException",
        f"The image with digest '{digest}' in repository '{name}' and registry ID '{account}' "
        "does not match the image digest that Amazon ECR has calculated.",
    )


def images_referenced(name: str, account: str, digests: Sequence[str]) -> EcrError:
    return EcrError(
        "ReferencedImagesNotFoundException",
        f"Images with digests '[{', '.join(digests)}]' required for pushing image into repository "
        f"with name '{name}' in the registry with id '{account}' do not exist",
    )


def image_referenced_by_list(parents: Sequence[str]) -> EcrError:
    return EcrError(
        "ImageReferencedByManifestList",
        f"Requested image referenced by manifest list: [{', '.join(parents)}]",
    )


def manifest_invalid(reason: str = "Invalid JSON syntax") -> EcrError:
    """ECR's answer to any manifest it dislikes; the reason is ours when it is more than bad JSON."""
    return invalid_parameter("ImageManifest", reason)


def tag_invalid(tag: str) -> EcrError:
    """A tag in a registry path or query that is not a tag."""
    return EcrError("TagNotATag", f"'{tag[:140]}' is not a tag", 400)


def too_many_tag_parameters(limit: int) -> EcrError:
    """More `?tag=` than a push may have (OCI distribution-spec, main branch: 414)."""
    return EcrError("TooManyTagParameters", f"A push may have at most {limit} tag parameters", 414)


def too_many_images(name: str, account: str, limit: int) -> EcrError:
    """More images than the quota (text as seen on ECR Public)."""
    return EcrError(
        "LimitExceededException",
        f"The repository with name '{name}' in registry with id '{account}' already has the maximum allowed "
        f"number of images which is '{limit}'",
    )


def too_many_image_tags(name: str, account: str, tag: str, limit: int) -> EcrError:
    return EcrError(
        "LimitExceededException",
        f"Adding tag '{tag}' to an image in the repository with name '{name}' in registry with id "
        f"'{account}' exceeds the maximum allowed number of tags per image which is '{limit}'",
    )
