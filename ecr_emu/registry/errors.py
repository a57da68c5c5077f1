"""How an error looks on the registry: its OCI code and status (reference, data plane 2.10).

Where ECR's own code breaks the OCI specification, the specification wins; docs/differences.md lists it.
"""

import orjson

from ecr_emu.errors import EcrError
from ecr_emu.wsgi import Response

# Our code to (HTTP status, OCI code). Statuses marked inferred in the reference are the ones OCI gives.
_CODES = {
    "RepositoryNotFoundException": (404, "NAME_UNKNOWN"),
    "NameInvalid": (400, "NAME_INVALID"),
    "ImageNotFound": (404, "MANIFEST_UNKNOWN"),
    "ImageReferencedByManifestList": (405, "UNSUPPORTED"),
    # ECR answers 405 to a manifest it dislikes; OCI has a code for it.
    "InvalidParameterException": (400, "MANIFEST_INVALID"),
    "ImageTagAlreadyExistsException": (400, "TAG_INVALID"),
    "TagNotATag": (400, "TAG_INVALID"),
    "TooManyTagParameters": (414, "TAG_INVALID"),
    "LayersNotFoundException": (404, "MANIFEST_BLOB_UNKNOWN"),
    "ReferencedImagesNotFoundException": (404, "MANIFEST_BLOB_UNKNOWN"),
    "ImageDigestDoesNotMatchException": (400, "DIGEST_INVALID"),
    "DigestInvalid": (400, "DIGEST_INVALID"),
    "InvalidLayerException": (400, "DIGEST_INVALID"),
    "InvalidLayerPartException": (416, "BLOB_UPLOAD_INVALID"),
    "UploadNotFoundException": (404, "BLOB_UPLOAD_UNKNOWN"),
    "BlobUnknown": (404, "BLOB_UNKNOWN"),
    "BlobInUse": (405, "UNSUPPORTED"),
    "SizeInvalid": (400, "SIZE_INVALID"),
    "SerializationException": (400, "SIZE_INVALID"),
    "RequestEntityTooLargeException": (413, "SIZE_INVALID"),
    "LimitExceededException": (403, "DENIED"),
    "AccessDeniedException": (403, "DENIED"),
    "TokenExpired": (403, "DENIED"),
    "TokenInvalid": (403, "DENIED"),
    "LayerUrlForbidden": (403, "DENIED"),
    "CredentialsMalformed": (400, "UNAUTHORIZED"),
    "NotAuthenticated": (401, "UNAUTHORIZED"),
    # What ECR answers when an upstream refuses is 403; the others are inferred.
    "UpstreamAccessDenied": (403, "DENIED"),
    "UpstreamTooManyRequests": (429, "TOOMANYREQUESTS"),
    "UpstreamUnavailable": (503, "UNAVAILABLE"),
    "PageSizeInvalid": (400, "UNSUPPORTED"),
    "PathUnknown": (404, "UNSUPPORTED"),
    "UnsupportedMethod": (405, "UNSUPPORTED"),
    "ServerException": (500, "UNKNOWN"),
    # What registries answer that cannot go on for now; not in the OCI list.
    "ServiceUnavailable": (503, "UNAVAILABLE"),
}


def render(error: EcrError) -> Response:
    """The error as the registry sends it."""
    status, code = _CODES[error.code]
    body = orjson.dumps({"errors": [{"code": code, "message": error.message}]})
    return Response(status, [("Content-Type", "application/json"), *error.headers], body)
