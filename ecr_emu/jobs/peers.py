"""Copies to another emulator that plays a region, over the registry's own API.

Every request has a header that says that it is replication (registry/request.py): the other side asks its
registry policy, makes the repository by its templates, and copies nothing further.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import orjson

from ecr_emu.context import Emulator
from ecr_emu.core import push
from ecr_emu.core.replicate import COPY_HEADER, NotCopied, code_of
from ecr_emu.domain import principals as identities
from ecr_emu.domain import sigv4, timestamps
from ecr_emu.domain.manifests import Layer, Manifest
from ecr_emu.domain.registries import Registry
from ecr_emu.domain.signed_requests import Credential, SignedRequest
from ecr_emu.errors import EcrError
from ecr_emu.jobs.carriers import Done, Load, NotNow
from ecr_emu.jobs.peer_requests import NOTHING, SENSELESS, Answer, Content, Line
from ecr_emu.store import images, layers, principals, replications
from ecr_emu.store.deletions import Deletion
from ecr_emu.store.images import Image
from ecr_emu.store.repositories import Repository

TARGET = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
# What the access keys of accounts are signed with that nobody verifies.
UNVERIFIED = "unverified"

FAILED = "DestinationFailed"
# What is there a moment later, or was swept a moment ago, by the code that the registry answers.
_PASSING = {
    "BLOB_UPLOAD_UNKNOWN",
    "MANIFEST_BLOB_UNKNOWN",
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "DIGEST_INVALID",
}
_CODES = {"NAME_UNKNOWN": "RepositoryNotFound", "DENIED": "AccessDenied", "UNAUTHORIZED": "AccessDenied"}
_LOGIN_STATUSES = (401, 403)


@dataclass(frozen=True, slots=True)
class Route:
    """From a registry to a repository at the destination."""

    source: Registry
    destination: Registry
    name: str


@dataclass(slots=True)
class Peer:
    """The emulator that plays a region."""

    emulator: Emulator
    region: str
    url: str
    line: Line = field(init=False)
    # Login headers by the account that replicates.
    logins: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.line = Line(self.url)

    def carry(self, load: Load, done: Done) -> None:
        """Make a copy, children first; what is there already is not sent again."""
        store = self.emulator.store
        with store.snapshot() as connection:
            found = replications.source(connection, load.image_id)
        if found is None:
            return
        repository, image = found
        self._bring(repository, image, load)
        with store.write() as transaction:
            done(transaction)

    def delete(self, deletion: Deletion, done: Done) -> None:
        """Delete what was deleted at the source. What is not there is deleted already."""
        route = Route(deletion.source, deletion.destination, deletion.repository)
        reference = deletion.tag or deletion.digest
        answer = self._ask(route, "DELETE", f"manifests/{quote(reference)}", mark=deletion.digest)
        if answer.status not in (202, 404):
            self._refuse(answer)
        with self.emulator.store.write() as transaction:
            done(transaction)

    def close(self) -> None:
        self.line.close()

    # --- Images ------------------------------------------------------------------------------------------

    def _bring(self, repository: Repository, image: Image, load: Load, *, is_child: bool = False) -> None:
        with self.emulator.store.read() as connection:
            body = images.body(connection, image.digest)
        if not body:
            raise NotCopied("ImageNotFound")
        try:
            manifest = push.parse(body, image.media_type)
        except EcrError as error:
            raise NotCopied(code_of(error)) from None
        self._bring_children(repository, manifest, load)
        route = Route(repository.registry, load.destination, repository.name)
        for layer in {layer.digest: layer for layer in manifest.layers}.values():
            self._bring_layer(repository, layer, route)
        for reference in self._references(image, () if is_child else load.tags):
            self._put(route, reference, image, body)

    def _bring_children(self, repository: Repository, manifest: Manifest, load: Load) -> None:
        codes: list[str] = []
        for digest in dict.fromkeys(manifest.children):
            with self.emulator.store.read() as connection:
                child = images.find(connection, repository, digest)
            try:
                if child is None:
                    raise NotCopied("ImageNotFound")
                self._bring(repository, child, load, is_child=True)
            except NotCopied as reason:
                codes += reason.sub_codes or [reason.code]
        if codes:
            raise NotCopied("ReferencedImagesNotFound", codes)

    def _references(self, image: Image, tags: Sequence[str]) -> Sequence[str]:
        """The tags that are the image's own at this moment, or its digest when there are none."""
        with self.emulator.store.read() as connection:
            held = images.tags_of(connection, image.id)
        return [tag for tag in tags if tag in held] or [image.digest]

    def _put(self, route: Route, reference: str, image: Image, body: bytes) -> None:
        content = Content(len(body), body)
        path = f"manifests/{quote(reference)}"
        answer = self._ask(route, "PUT", path, content, media_type=image.media_type)
        if answer.status != 201:
            self._refuse(answer)
        if answer.headers.get("docker-content-digest", image.digest) != image.digest:
            raise NotNow(SENSELESS, is_general=False)

    def _bring_layer(self, repository: Repository, layer: Layer, route: Route) -> None:
        with self.emulator.store.read() as connection:
            blob = layers.find(connection, repository, layer.digest)
        if blob is None:
            if layer.required:
                raise NotCopied("LayersNotFound")
            return
        answer = self._ask(route, "HEAD", f"blobs/{layer.digest}")
        if answer.status == 200:
            return
        # A refusal of HEAD has no body; the next request says more.
        answer = self._ask(route, "POST", f"blobs/uploads/?mount={layer.digest}")
        if answer.status == 201:
            return
        if answer.status != 202:
            self._refuse(answer)
        upload = _upload_path(answer.headers.get("location", ""), route.name)
        self._send(
            route, f"{upload}digest={layer.digest}", self.emulator.blobs.path(blob.file), blob.size_bytes
        )

    def _send(self, route: Route, path: str, file: Path, size_bytes: int) -> None:
        try:
            opened = file.open("rb")
        except FileNotFoundError:
            # Deleted and swept a moment ago.
            raise NotCopied("LayersNotFound") from None
        with opened:
            answer = self._ask(route, "PUT", path, Content(size_bytes, file=opened))
        if answer.status != 201:
            self._refuse(answer)

    # --- Requests ----------------------------------------------------------------------------------------

    def _ask(
        self,
        route: Route,
        method: str,
        path: str,
        content: Content = NOTHING,
        media_type: str = "application/octet-stream",
        mark: str = "",
    ) -> Answer:
        """One request to the registry, with a new login if the old one is not good any more."""
        place = route.destination
        headers = {
            "Host": f"{place.account}.dkr.ecr.{place.region}.localhost:{self.line.port}",
            "Content-Type": media_type,
            COPY_HEADER: mark or route.source.region,
        }
        whole = path if path.startswith("/") else f"/v2/{route.name}/{path}"
        known = self.logins.get(route.source.account)
        login = known or self._log_in(route.source.account)
        answer = self.line.ask(method, whole, {**headers, "Authorization": login}, content)
        if answer.status in _LOGIN_STATUSES and known is not None:
            # It may have ended, or be of a server that is not there any more.
            login = self._log_in(route.source.account)
            if content.file is not None:
                content.file.seek(0)
            answer = self.line.ask(method, whole, {**headers, "Authorization": login}, content)
        return answer

    def _log_in(self, account: str) -> str:
        """The Authorization header of an account, by GetAuthorizationToken. Raises NotCopied and NotNow."""
        self.logins.pop(account, None)
        answer = self.line.ask("POST", "/", self._signed(account), Content(2, b"{}"))
        content = _object(answer.body)
        if answer.status != 200:
            is_refusal = answer.status in (400, 401, 403) and "__type" in content
            raise NotCopied("AccessDenied") if is_refusal else NotNow(SENSELESS, is_general=True)
        try:
            token = content["authorizationData"][0]["authorizationToken"]
            base64.b64decode(token, validate=True)
        except (LookupError, TypeError, ValueError):
            raise NotNow(SENSELESS, is_general=True) from None
        self.logins[account] = f"Basic {token}"
        return self.logins[account]

    def _signed(self, account: str) -> dict[str, str]:
        """Headers by which the account asks. Where signatures are verified its root needs an access key."""
        key = None
        if self.emulator.settings.auth == "iam":
            with self.emulator.store.read() as connection:
                key = principals.key_of(connection, identities.Name(identities.ROOT, account))
        key_id, secret = key or (account, UNVERIFIED)
        signed_at = timestamps.compact(self.emulator.clock.machine_now())
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "host": f"localhost:{self.line.port}",
            "x-amz-date": signed_at,
            "x-amz-target": TARGET,
        }
        request = SignedRequest("POST", "/", "", headers, hashlib.sha256(b"{}").hexdigest())
        credential = Credential(key_id, signed_at[:8], self.region, "ecr", sigv4.TERMINATOR)
        return {**headers, "authorization": sigv4.authorization(request, credential, signed_at, secret)}

    def _refuse(self, answer: Answer) -> None:
        """Raise what an answer means that is no success."""
        code, message = _error(answer.body)
        if answer.status >= 500 or answer.status in (408, 429):
            raise NotNow(FAILED, is_general=False)
        if code in _PASSING:
            raise NotNow("LayersNotFound" if code == "MANIFEST_BLOB_UNKNOWN" else FAILED, is_general=False)
        if not 400 <= answer.status < 500:
            raise NotNow(SENSELESS, is_general=False)
        if code == "DENIED" and "exceed" in message:
            raise NotCopied("LimitExceeded")
        raise NotCopied(
            _CODES.get(code) or ("AccessDenied" if answer.status in _LOGIN_STATUSES else "DestinationRefused")
        )


def _upload_path(location: str, name: str) -> str:
    """Where the bytes go, up to the parameter that is added: always to the endpoint itself."""
    parts = urlsplit(location)
    if not parts.path.startswith(f"/v2/{name}/blobs/uploads/"):
        raise NotNow(SENSELESS, is_general=False)
    return f"{parts.path}?{parts.query}&" if parts.query else f"{parts.path}?"


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = orjson.loads(body)
    except json.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


def _error(body: bytes) -> tuple[str, str]:
    """Code and message of a registry's error."""
    errors = _object(body).get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    found = first if isinstance(first, dict) else {}
    return str(found.get("code", "")), str(found.get("message", ""))
