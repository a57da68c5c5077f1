"""What a round of requests knows of the emulator that it asks: constants, and what the answers told."""

import json
import random
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from conformance.fuzz.asks import CONTROL, DATA, Ask, Said
from ecr_emu.domain.manifests import OCI_ARTIFACT, OCI_INDEX, OCI_MANIFEST
from tests.clients import digest_of, image_manifest
from tests.seeded import GOOD, INDEX, LAYER, LOOSE_LAYER, MANIFEST, OTHER_MANIFEST, SIGNATURE
from tests.steps import CONFIG, TARGET_PREFIX, basic

ACCOUNT, OTHER_ACCOUNT = "000000000000", "222222222222"
REGION = "us-east-1"
MODES = ("token", "open", "iam")
# A layer of a few pieces.
LARGE = random.Random(0).randbytes(300_000)  # noqa: S311 - not a secret
BLOBS = (b"", CONFIG, LAYER, LOOSE_LAYER, b"x" * 5000, LARGE)
ARTIFACT = json.dumps({"mediaType": OCI_ARTIFACT, "artifactType": "a/b", "blobs": []}).encode()
DOCKER = image_manifest(CONFIG, LAYER).replace(
    OCI_MANIFEST.encode(), b"application/vnd.docker.distribution.manifest.v2+json"
)
MANIFESTS = (MANIFEST, OTHER_MANIFEST, INDEX, SIGNATURE, DOCKER, ARTIFACT)
MEDIA_TYPES = (OCI_MANIFEST, OCI_MANIFEST, OCI_INDEX, OCI_ARTIFACT, json.loads(DOCKER)["mediaType"])
DIGESTS = tuple(digest_of(each) for each in (*BLOBS, *MANIFESTS))
# The first one has the images; of the last there is none.
NAMES = ("team/app",) * 11 + ("team/idle", "team/new", "quay/lib/base", "quay/lib/base", "empty", "none/such")
TAGS = ("v1", "v2", "multi", "latest", "v3", "v4")
# Keys that the emulators of --auth iam have from the beginning: id and secret.
ROOT = ("AKIAROOT", "secret-of-root")
READER = ("AKIAREADER", "secret-of-reader")
BUILDER = ("AKIABUILDER", "secret-of-builder")
MOST_KNOWN = 40


def _known() -> "deque[Any]":
    return deque(maxlen=MOST_KNOWN)


@dataclass(slots=True)
class World:
    """One round: a mode, a source of chance for the step that is next, and what is known so far."""

    mode: str
    chance: random.Random
    now: Any
    host: str
    passwords: "deque[str]" = field(default_factory=_known)
    # Of an upload its repository, its id and the bytes that it has.
    uploads: "deque[tuple[str, str, bytes]]" = field(default_factory=_known)
    tokens: "deque[str]" = field(default_factory=_known)
    urls: "deque[str]" = field(default_factory=_known)
    # Key, secret and token of temporary keys.
    sessions: "deque[tuple[str, str, str]]" = field(default_factory=_known)
    request_ids: "deque[str]" = field(default_factory=_known)
    # The clock was moved since the last login.
    is_moved: bool = False

    def of(self, known: "deque[Any]", other: Any) -> Any:
        """One of what is known, or `other`."""
        return self.chance.choice(known) if known else other

    def login(self) -> tuple[str, str]:
        """The header of a login."""
        return ("Authorization", basic(self.of(self.passwords, "none")))

    def date(self) -> str:
        return datetime.fromtimestamp(self.now(), UTC).strftime("%Y%m%dT%H%M%SZ")

    def learn(self, ask: Ask, said: Said) -> None:
        """Take from an answer what later requests can use."""
        if ask.plane == DATA:
            self._learn_upload(ask, said)
        elif ask.plane == CONTROL and said.status == 200:
            self._learn_members(ask, said)
        elif b"<SessionToken>" in said.body:
            text = said.body.decode()
            key, secret, token = (
                text.partition(f"<{name}>")[2].partition("<")[0]
                for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")
            )
            self.sessions.append((key, secret, token))
        if self.chance.random() < 0.05 and (request_id := said.header("x-amzn-requestid")):
            self.request_ids.append(request_id)

    def _learn_upload(self, ask: Ask, said: Said) -> None:
        upload_id = said.header("docker-upload-uuid")
        if upload_id is None:
            return
        name = ask.target.removeprefix("/v2/").partition("/blobs/")[0]
        for known in list(self.uploads):
            if known[1] == upload_id:
                self.uploads.remove(known)
                received = known[2] + (ask.body if ask.method == "PATCH" and said.status == 202 else b"")
                self.uploads.append((known[0], upload_id, received))
                return
        self.uploads.append((name, upload_id, b""))

    def _learn_members(self, ask: Ask, said: Said) -> None:
        if ask.operation == "GetAuthorizationToken":
            import base64

            data = json.loads(said.body)["authorizationData"][0]
            text = base64.b64decode(data["authorizationToken"]).decode()
            self.passwords.append(text.removeprefix("AWS:"))
        elif ask.operation == "InitiateLayerUpload":
            name = json.loads(ask.body)["repositoryName"]
            self.uploads.append((name, json.loads(said.body)["uploadId"], b""))
        elif ask.operation == "GetDownloadUrlForLayer":
            url = json.loads(said.body)["downloadUrl"]
            self.urls.append("/" + url.split("/", 3)[3])
        elif b'"nextToken":"' in said.body:
            self.tokens.append(json.loads(said.body)["nextToken"])


def api(operation: str, members: object) -> Ask:
    """A request of the JSON API, not signed yet."""
    headers = (
        ("X-Amz-Target", f"{TARGET_PREFIX}.{operation}"),
        ("Content-Type", "application/x-amz-json-1.1"),
    )
    body = members if isinstance(members, bytes) else json.dumps(members).encode()
    return Ask(CONTROL, operation, "POST", "/", headers, body, sign="ecr", operation=operation)


def v2(kind: str, method: str, path: str, body: bytes = b"", *headers: tuple[str, str]) -> Ask:
    """A request of the registry, without a login; the path begins behind /v2/."""
    return Ask(DATA, kind, method, f"/v2/{path}", headers, body)


def beginning(world: World) -> list[Ask]:
    """What fills an emulator: one of most things. All of it succeeds on one that is empty."""
    asks = [api("GetAuthorizationToken", {})]
    for name in ("team/app", "team/idle", "empty"):
        asks.append(api("CreateRepository", {"repositoryName": name}))
    return asks


def filling(world: World) -> list[Ask]:
    """The rest of it, for which a login is needed."""
    asks = []
    for blob in (CONFIG, LAYER, LOOSE_LAYER):
        asks.append(v2("push blob", "POST", f"team/app/blobs/uploads/?digest={digest_of(blob)}", blob))
    for tag, manifest in (("v1", MANIFEST), ("v2", OTHER_MANIFEST), ("multi", INDEX), ("sig", SIGNATURE)):
        media_type = ("Content-Type", json.loads(manifest)["mediaType"])
        asks.append(v2("put manifest", "PUT", f"team/app/manifests/{tag}", manifest, media_type))
    asks.append(v2("start upload", "POST", "team/app/blobs/uploads/"))
    asks = [ask.having(world.login()) for ask in asks]
    app = {"repositoryName": "team/app"}
    policy = {"policyText": GOOD["RepositoryPolicyText"][0]}
    lifecycle = {"lifecyclePolicyText": GOOD["LifecyclePolicyText"][0]}
    asks += [
        api("CreatePullThroughCacheRule", {"ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"}),
        api("SetRepositoryPolicy", {**app, **policy}),
        api("PutLifecyclePolicy", {**app, **lifecycle}),
        api("InitiateLayerUpload", app),
        api("GetDownloadUrlForLayer", {**app, "layerDigest": digest_of(LAYER)}),
        api("CreateRepositoryCreationTemplate", {"prefix": "team", "appliedFor": ["CREATE_ON_PUSH"]}),
    ]
    return asks
