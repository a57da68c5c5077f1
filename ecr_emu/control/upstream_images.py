"""Images that BatchGetImage is asked for and an upstream registry has."""

from collections.abc import Sequence
from typing import Any

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.core import imports
from ecr_emu.domain import names
from ecr_emu.domain.registries import Registry
from ecr_emu.store.images import Content
from ecr_emu.upstream.problems import NOT_ASKED, UpstreamProblem


class Refused(Exception):
    """Why the upstream did not give one image: an ImageFailureCode, and a reason where the code has none."""

    def __init__(self, code: str, reason: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason


def fetch(
    call: Call, registry: Registry, name: str, image_id: Any, accepted: Sequence[str] | None
) -> Content | None:
    """What the upstream has; None when the store has the answer, which may be that there is nothing.

    Raises Refused, and UnableToGetUpstreamImageException when the upstream could not even be asked.
    """
    digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
    reference = tag or digest
    if not reference or not (names.is_oci_tag(reference) or names.is_digest(reference)):
        return None
    try:
        content = imports.manifest(call, registry, name, reference, is_pull=True)
    except UpstreamProblem as problem:
        if problem.code == NOT_ASKED:
            raise errors.unable_to_get_upstream_image(problem.reason) from None
        raise Refused(problem.code, problem.reason) from None
    if content is None:
        return None
    if digest not in (None, content.digest):
        raise Refused("ImageTagDoesNotMatchDigest")
    # Nothing is converted, so another type is not to be had.
    if accepted is not None and content.media_type not in accepted:
        raise Refused("ImageNotFound")
    return content
