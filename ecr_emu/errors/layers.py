"""Errors of layers, blobs and uploads."""

from collections.abc import Mapping, Sequence

from ecr_emu.errors.error import EcrError


def layers_missing(name: str, account: str, digests: Sequence[str]) -> EcrError:
    return EcrError(
        "LayersNotFoundException",
        f"Layers with digests '[{', '.join(digests)}]' required for pushing image into repository "
        f"with name '{name}' in the registry with id '{account}' do not exist",
    )


def layer_not_found(name: str, account: str, digest: str) -> EcrError:
    return EcrError(
        "LayersNotFoundException",
        f"The layer with digest '{digest}' does not exist within the repository "
        f"with name '{name}' in the registry with id '{account}'",
    )


def layer_inaccessible(name: str, account: str, digest: str) -> EcrError:
    """A layer that no image refers to (text unverified)."""
    return EcrError(
        "LayerInaccessibleException",
        f"The layer with digest '{digest}' in the repository with name '{name}' "
        f"in registry with id '{account}' is not associated with any image",
    )


def layer_archived(name: str, account: str, digest: str) -> EcrError:
    """A layer that only archived images refer to (code inferred, text unverified)."""
    return EcrError(
        "LayerInaccessibleException",
        f"The layer with digest '{digest}' in the repository with name '{name}' "
        f"in registry with id '{account}' is archived",
    )


def blob_unknown(digest: str) -> EcrError:
    """A blob that this repository does not hold, on the data plane (text unverified)."""
    return EcrError("BlobUnknown", f"The layer with digest '{digest}' does not exist", 404)


def blob_in_use(digest: str) -> EcrError:
    """Deleting a blob that an image of the repository needs; ECR deletes no blobs at all."""
    return EcrError("BlobInUse", f"The layer with digest '{digest}' is part of an image", 405)


def digest_invalid(digest: str) -> EcrError:
    return EcrError("DigestInvalid", f"'{digest[:140]}' is not a sha256 or sha512 digest", 400)


def layer_already_exists(name: str, account: str, digest: str) -> EcrError:
    """The repository holds the layer already (text unverified)."""
    return EcrError(
        "LayerAlreadyExistsException",
        f"Layer with digest '{digest}' already exists in the repository "
        f"with name '{name}' in registry with id '{account}'",
    )


def upload_not_found(name: str, account: str, upload_id: str) -> EcrError:
    return EcrError(
        "UploadNotFoundException",
        f"The upload with id '{upload_id}' in the repository with name '{name}' "
        f"in registry with id '{account}' does not exist",
    )


def empty_upload(name: str, account: str, upload_id: str) -> EcrError:
    return EcrError(
        "EmptyUploadException",
        f"The upload with id '{upload_id}' in the repository with name '{name}' "
        f"in registry with id '{account}' cannot be completed because it does not have any parts",
    )


def layer_part_too_small(limit_bytes: int) -> EcrError:
    """A part that is too small and not the last; AWS says 5MB for 5 MiB."""
    mebibytes, rest = divmod(limit_bytes, 1024 * 1024)
    least = f"{limit_bytes} bytes" if rest else f"{mebibytes}MB"
    return EcrError(
        "LayerPartTooSmallException", f"All layer parts except the last part should be at least {least}"
    )


def invalid_layer() -> EcrError:
    return EcrError(
        "InvalidLayerException", "None of the provided layer digests match the calculated layer digest"
    )


def invalid_layer_part(message: str, members: Mapping[str, object] | None = None) -> EcrError:
    return EcrError("InvalidLayerPartException", message, members=members)


def layer_part_out_of_order(first: int, expected: int) -> EcrError:
    return invalid_layer_part(f"First byte of the layer part is {first} instead of {expected}")


def layer_part_truncated(announced: int, received: int) -> EcrError:
    """The body ended before the bytes that were announced (text unverified)."""
    return EcrError("SizeInvalid", f"The body ended after {received} of {announced} bytes", 400)


def layer_part_too_long(announced: int) -> EcrError:
    """A chunk that goes on behind its Content-Range (text unverified)."""
    return EcrError("SizeInvalid", f"The body is longer than the {announced} bytes of its Content-Range", 400)


def content_range_invalid(value: str) -> EcrError:
    return EcrError("SizeInvalid", f"'{value[:80]}' is not a Content-Range of the form first-last", 400)


def layer_part_limit(upload_id: str, limit: int) -> EcrError:
    """Too many parts (text unverified)."""
    return EcrError(
        "LimitExceededException",
        f"The upload with id '{upload_id}' exceeds the maximum allowed number of layer parts "
        f"which is '{limit}'",
    )


def layer_too_large(upload_id: str, limit_bytes: int) -> EcrError:
    """An upload that would grow larger than a layer may be (text unverified)."""
    return EcrError(
        "LimitExceededException",
        f"The upload with id '{upload_id}' exceeds the maximum allowed layer size which is "
        f"'{limit_bytes}' bytes",
    )


def page_size_invalid(text: str) -> EcrError:
    return EcrError("PageSizeInvalid", f"n must be a number, and is '{text[:40]}'", 400)
