"""Every error that either plane can answer, one function each, so that all messages stand on one page.

Texts that were seen on AWS are literal. Those that were never captured are marked unverified; they are
isolated here so that a capture changes one line. `__type` on the JSON API is the code; the registry maps
codes to OCI codes in `registry/errors.py`.
"""

from collections.abc import Mapping, Sequence


class EcrError(Exception):
    """An answer that is an error: AWS's code, the message, the HTTP status, and any modelled members."""

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        members: Mapping[str, object] | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.members = dict(members or {})
        self.headers = list(headers)


# --- Requests -------------------------------------------------------------------------------------------


def invalid_parameter(member: str, constraint: str) -> EcrError:
    return EcrError(
        "InvalidParameterException",
        f"Invalid parameter at '{member}' failed to satisfy constraint: '{constraint}'",
    )


def invalid_next_token() -> EcrError:
    """A token that this server did not make for this listing (text unverified)."""
    return invalid_parameter("nextToken", "Invalid next token")


def not_allowed_together(first: str, second: str) -> EcrError:
    """Paging members beside explicit names (text unverified)."""
    return invalid_parameter(first, f"'{first}' and '{second}' cannot be specified together")


def serialization(message: str) -> EcrError:
    """A body that is not the JSON of the operation's input (text unverified)."""
    return EcrError("SerializationException", message)


def unknown_operation(target: str) -> EcrError:
    """No such operation (AWS sends no text; ours says what was asked)."""
    return EcrError("UnknownOperationException", f"Unknown operation '{target}'")


def not_implemented(operation: str) -> EcrError:
    """501, because SDKs retry 500, 502, 503 and 504 but not this one."""
    return EcrError("NotImplementedException", f"ecr-emu does not implement {operation} yet", 501)


def request_too_large(limit: int) -> EcrError:
    return EcrError("RequestEntityTooLargeException", f"The request body is larger than {limit} bytes", 413)


def missing_authentication_token() -> EcrError:
    return EcrError("MissingAuthenticationTokenException", "Missing Authentication Token")


def incomplete_signature(reason: str) -> EcrError:
    return EcrError("IncompleteSignatureException", reason)


def unsupported_method(method: str) -> EcrError:
    return EcrError("UnsupportedMethod", f"The method {method} is not supported here", 405)


def path_unknown(path: str) -> EcrError:
    return EcrError("PathUnknown", f"No resource at '{path}'", 404)


def internal_failure() -> EcrError:
    return EcrError("ServerException", "ecr-emu failed to answer; its log says why", 500)


# --- Who may ---------------------------------------------------------------------------------------------


def access_denied(principal: str, action: str, resource: str, because: str) -> EcrError:
    return EcrError(
        "AccessDeniedException",
        f"User: {principal} is not authorized to perform: {action} on resource: {resource} {because}",
    )


def not_authenticated(challenge: str) -> EcrError:
    return EcrError("NotAuthenticated", "Not Authorized", 401, headers=[("WWW-Authenticate", challenge)])


def credentials_malformed() -> EcrError:
    """Basic credentials that are not base64 of user:password (status 400 as reported, text unverified)."""
    return EcrError("CredentialsMalformed", "The Authorization header holds no user and password", 400)


def token_expired() -> EcrError:
    return EcrError(
        "TokenExpired", "Your authorization token has expired. Reauthenticate and try again.", 403
    )


def token_invalid() -> EcrError:
    """A token that another server, or nobody, signed (text unverified)."""
    return EcrError("TokenInvalid", "Your authorization token is invalid. Reauthenticate and try again.", 403)


def token_of_other_region(token_region: str, region: str) -> EcrError:
    """A token is bound to one region (status as documented, text unverified)."""
    return EcrError(
        "TokenInvalid",
        f"Your authorization token is for region {token_region}, and this registry is in {region}. "
        "Reauthenticate and try again.",
        403,
    )


def layer_url_forbidden(reason: str) -> EcrError:
    return EcrError("LayerUrlForbidden", reason, 403)


# --- Repositories ----------------------------------------------------------------------------------------


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


def invalid_tag_parameter() -> EcrError:
    return EcrError("InvalidTagParameterException", "Tag parameters are invalid")


def too_many_tags() -> EcrError:
    """More than 50 resource tags (text unverified)."""
    return EcrError("TooManyTagsException", "The number of tags exceeds the limit of 50 for the resource")


# --- Images ----------------------------------------------------------------------------------------------


def image_not_found(name: str, account: str, digest: str | None, tag: str | None) -> EcrError:
    return EcrError(
        "ImageNotFoundException",
        f"The image with imageId {{imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'}} "
        f"does not exist within the repository with name '{name}' in the registry with id '{account}'",
    )


def requested_image_not_found() -> EcrError:
    """The same on the data plane, in the words of BatchGetImage's failure."""
    return EcrError("ImageNotFound", "Requested image not found", 404)


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


def too_many_image_tags(name: str, account: str, tag: str, limit: int) -> EcrError:
    return EcrError(
        "LimitExceededException",
        f"Adding tag '{tag}' to an image in the repository with name '{name}' in registry with id "
        f"'{account}' exceeds the maximum allowed number of tags per image which is '{limit}'",
    )


# --- Layers and uploads -----------------------------------------------------------------------------------


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


def layer_part_too_small() -> EcrError:
    return EcrError(
        "LayerPartTooSmallException", "All layer parts except the last part should be at least 5MB"
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


def page_size_invalid(text: str) -> EcrError:
    return EcrError("PageSizeInvalid", f"n must be a number, and is '{text[:40]}'", 400)
