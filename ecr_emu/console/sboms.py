"""/_emu/scans: how the scans of a repository went. /_emu/sbom: what is installed in an image."""

from collections.abc import Sequence
from sqlite3 import Connection
from typing import Any

from flask import Flask, Response, abort, jsonify, request
from flask.typing import ResponseReturnValue

from ecr_emu.console.admin import Admin, refuse
from ecr_emu.console.scans import registry_of
from ecr_emu.context import Call, root_principal
from ecr_emu.core import sboms
from ecr_emu.domain.registries import Registry
from ecr_emu.errors import EcrError
from ecr_emu.store import images, repositories, scans
from ecr_emu.store.images import Image
from ecr_emu.store.repositories import Repository
from ecr_emu.store.scans import Scan


def add(pages: Flask, admin: Admin) -> None:
    store = admin.emulator.store

    @pages.get("/_emu/sbom")
    def get_sbom() -> ResponseReturnValue:
        _, _, content = _sbom(admin)
        return Response(content, mimetype=sboms.ARTIFACT_TYPE)

    @pages.post("/_emu/sbom")
    def attach_sbom() -> ResponseReturnValue:
        repository, image, content = _sbom(admin)
        emulator, registry = admin.emulator, repository.registry
        call = Call(emulator, root_principal(registry.account), registry, "", emulator.clock())
        try:
            pushed = sboms.attach(call, repository, image, content)
        except EcrError as error:
            abort(error.status, error.message)
        return jsonify(digest=pushed.image.digest, subject=image.digest, isNew=pushed.is_news)

    @pages.get("/_emu/scans")
    def list_scans() -> ResponseReturnValue:
        name = request.args.get("repositoryName")
        if name is None:
            refuse("say which repository is meant, as in ?repositoryName=team/app")
        with store.read() as connection:
            repository = _repository(connection, registry_of(admin, request.args, "registryId"), name)
            found = [
                _describe_scan(digest, scan, images.tags_of(connection, image_id))
                for image_id, digest, scan in scans.of_repository(connection, repository)
            ]
        return jsonify(scans=found)


def _describe_scan(digest: str, scan: Scan, tags: Sequence[str]) -> dict[str, Any]:
    """How the last scan of an image went, and whether its findings are the user's own."""
    return {
        "imageDigest": digest,
        "imageTags": list(tags),
        "status": scan.status,
        "description": scan.description,
        "scanType": scan.scan_type,
        "injected": scan.is_injected,
        "scanner": "injected" if scan.is_injected else scan.engine,
        "startedAt": scan.started_at,
        "completedAt": scan.completed_at,
        "findingSeverityCounts": dict(scan.counts),
    }


def _repository(connection: Connection, registry: Registry, name: str) -> Repository:
    try:
        return repositories.get(connection, registry, name)
    except EcrError as error:
        abort(404, error.message)


def _sbom(admin: Admin) -> tuple[Repository, Image, bytes]:
    """The image that the query means, and its SBOM."""
    said = {name: request.args.get(name) for name in ("repositoryName", "imageTag", "imageDigest")}
    name, tag, digest = said.values()
    if name is None or (tag is None) == (digest is None):
        refuse("say which image is meant, as in ?repositoryName=team/app&imageTag=v1, or &imageDigest=")
    with admin.emulator.store.read() as connection:
        repository = _repository(connection, registry_of(admin, request.args, "registryId"), name)
        if digest is not None:
            image = images.find(connection, repository, digest)
        else:
            image = images.find_tagged(connection, repository, tag or "")
        content = scans.sbom(connection, image.id) if image else None
    if image is None or content is None:
        what = "has not been read; start a scan of it" if image else "does not exist"
        abort(404, f"the image {digest or tag} of {name} {what}")
    return repository, image, content
