"""Manifests: /v2/<name>/manifests/<reference>."""

from dataclasses import replace
from urllib.parse import quote

from ecr_emu import errors
from ecr_emu.core import delete as deleting
from ecr_emu.core import pull, push, replicate
from ecr_emu.domain import names
from ecr_emu.domain.manifests import MAX_MANIFEST_BYTES
from ecr_emu.registry.request import Request
from ecr_emu.store import images
from ecr_emu.wsgi import Response, read_body

# OCI distribution-spec: at least 10 tags in one push must work; no client sends more than a few. Each comes
# back in a header of its own, and Python's http.client reads no more than 100 headers.
MAX_TAG_PARAMETERS = 50


def get(request: Request) -> Response:
    """The exact bytes that were pushed; nothing is converted."""
    if ":" in request.reference:
        request.digest()
    call = request.call
    is_pull = request.method != "HEAD"
    content = pull.manifest(call, call.registry, request.name, request.reference, is_pull=is_pull)
    headers = [
        ("Content-Type", content.media_type),
        ("Content-Length", str(len(content.body))),
        ("Docker-Content-Digest", content.digest),
        ("ETag", f'"{content.digest}"'),
    ]
    return Response(200, headers, content.body)


def put(request: Request) -> Response:
    """Store an image; `?tag=` adds tags to a push by digest (OCI distribution-spec, main branch)."""
    repository = request.repository_for_push()
    is_by_digest = ":" in request.reference
    extra_tags = request.query.get("tag", [])
    if len(extra_tags) > MAX_TAG_PARAMETERS:
        raise errors.too_many_tag_parameters(MAX_TAG_PARAMETERS)
    tags = extra_tags if is_by_digest else [request.reference, *extra_tags]
    for tag in tags:
        if not names.is_oci_tag(tag):
            raise errors.tag_invalid(tag)
    incoming = push.read(
        repository,
        read_body(request.environ, MAX_MANIFEST_BYTES),
        request.content_type,
        request.digest() if is_by_digest else None,
        tags,
    )
    pushed = push.put(request.call, repository, replace(incoming, source=request.copy_source))
    digest = pushed.image.digest
    headers = [
        ("Location", request.url(f"{request.name}/manifests/{quote(request.reference)}")),
        ("Docker-Content-Digest", digest),
        *(("OCI-Tag", tag) for tag in extra_tags),
    ]
    if pushed.manifest.subject:
        headers.append(("OCI-Subject", pushed.manifest.subject))
    return Response(201, headers)


def delete(request: Request) -> Response:
    """By digest: the image with all its tags. By tag: the tag alone, as OCI has it."""
    repository = request.repository()
    if request.is_copy:
        return _delete_copy(request)
    is_by_digest = ":" in request.reference
    with request.call.store.write() as transaction:
        if is_by_digest:
            image = images.find(transaction, repository, request.digest())
        else:
            image = images.find_tagged(transaction, repository, request.reference)
        if image is None:
            raise errors.requested_image_not_found()
        if is_by_digest:
            deleting.delete_image(transaction, repository, image, request.call.now)
        else:
            deleting.untag(transaction, repository, image, request.reference, request.call.now)
    request.call.emulator.wake.set()
    return Response(202)


def _delete_copy(request: Request) -> Response:
    """A deletion that replication brings. Of a tag, the header says which image it was taken from."""
    is_by_digest = ":" in request.reference
    digest, tag = request.reference, ""
    if not is_by_digest:
        digest, tag = request.header(replicate.COPY_HEADER) or "", request.reference
    call = request.call
    with call.store.write() as transaction:
        replicate.delete_copy(transaction, call.registry, request.name, digest, tag, call.now)
    return Response(202)
