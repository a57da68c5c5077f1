"""The clients: each pushes, pulls, looks and deletes in an order of its own, and checks all that it gets."""

import asyncio
import base64
import hashlib
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from conformance.load.connection import Answer, Connection, Lost
from conformance.load.journal import CLOCK, Image, Journal

MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
TARGET = "AmazonEC2ContainerRegistry_V20150921"
SCOPE = (
    "AWS4-HMAC-SHA256 Credential=test/20250101/us-east-1/ecr/aws4_request, SignedHeaders=host, Signature=0"
)
CONFIG = b'{"architecture":"amd64","os":"linux"}'
# How often a request is sent again that was answered 503 or whose connection broke.
TRIES = 40
# Of ten uploads one is cut, of ten readers one.
CUT_CHANCE = 0.1
STARE_SECONDS = 15


class GaveUp(Exception):
    """The request cannot be done: the server refuses it, rightly or not, or does not come back."""


@dataclass(slots=True)
class Budget:
    """Bytes of layers that may still be pushed: they all stay on the disk."""

    left: int

    def size(self, chance: random.Random) -> int:
        largest = min(self.left // 256, chance.choice((4_000, 60_000, 60_000, 400_000, 2_000_000)))
        size = chance.randrange(16, max(largest, 200))
        self.left -= size
        return size


@dataclass(slots=True)
class Site:
    """What the clients share: where the server is, what is known, who is logged in."""

    port: int
    journal: Journal
    budget: Budget
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    password: str = ""
    pause_seconds: float = 0.3


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Client:
    """One client, with one connection."""

    def __init__(self, site: Site, number: int, *, is_slow: bool) -> None:
        self._site = site
        self._journal = site.journal
        self._number = number
        self._is_slow = is_slow
        self._chance = random.Random(number)  # noqa: S311 - not a secret
        self._connection = Connection(site.port, is_slow=is_slow)
        self._repository = f"load/c{number % 64}"
        self._pushed = 0
        self._mine: list[Image] = []

    async def run(self) -> None:
        """Do one thing after the other until the site stops."""
        deeds: list[Callable[[], Awaitable[None]]] = [self._push, self._pull, self._look, self._list]
        deeds += [self._ask, self._delete, self._stare]
        weights = (20, 30, 25, 8, 12, 3, 1)
        while not self._site.stopping.is_set():
            (deed,) = self._chance.choices(deeds, weights)
            try:
                await deed()
            except GaveUp as reason:
                self._journal.problem(f"client {self._number} gave up: {reason}")
            await asyncio.sleep(self._chance.expovariate(1 / self._site.pause_seconds))
        self.close()

    def close(self) -> None:
        self._connection.close()

    async def verify(self, image: Image) -> None:
        """Everything of an image that was acknowledged is there, byte for byte."""
        path = f"/v2/{image.repository}"
        answer = await self.registry("GET manifest", f"{path}/manifests/{image.tag}")
        self._check(image, answer, image.digest)
        for digest in image.blobs:
            self._check(image, await self.registry("GET blob", f"{path}/blobs/{digest}"), digest)

    async def verify_gone(self, repository: str, tag: str) -> None:
        answer = await self.registry("HEAD manifest", f"/v2/{repository}/manifests/{tag}")
        if answer.status != 404:
            self._journal.problem(f"{repository}:{tag} was deleted and answers {answer.status}")

    # --- requests ----------------------------------------------------------------------------------------

    async def api(self, operation: str, **members: object) -> Answer:
        headers = {
            "X-Amz-Target": f"{TARGET}.{operation}",
            "Content-Type": "application/x-amz-json-1.1",
            "Authorization": SCOPE,
        }
        return await self._send(operation, "POST", "/", headers, json.dumps(members).encode())

    async def registry(
        self,
        kind: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """A request to the registry, logged in; `kind` begins with the method."""
        for _ in range(3):
            sent = {"Authorization": self._login(), **(headers or {})}
            answer = await self._send(kind, kind.partition(" ")[0], path, sent, body)
            if answer.status not in (401, 403):
                return answer
            # The clock has moved past the end of the login.
            await self.log_in()
        raise GaveUp(f"{kind} is refused: {answer.body[:200]!r}")

    async def log_in(self) -> None:
        answer = await self.api("GetAuthorizationToken")
        token = json.loads(answer.body)["authorizationData"][0]["authorizationToken"]
        self._site.password = base64.b64decode(token).decode().partition(":")[2]

    def _login(self) -> str:
        return "Basic " + base64.b64encode(f"AWS:{self._site.password}".encode()).decode()

    async def _send(
        self, kind: str, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Send until there is an answer that is not 503."""
        journal = self._journal
        for _ in range(TRIES):
            began = journal.now()
            try:
                answer = await self._connection.request(method, path, headers, body)
            except Lost as why:
                journal.lost(kind, began, str(why))
                await asyncio.sleep(self._chance.uniform(0.2, 1.0))
                continue
            except TimeoutError:
                raise GaveUp(f"{kind} is not answered") from None
            journal.answered(kind, answer.status, began, is_slow=self._is_slow)
            journal.sent_bytes += len(body)
            journal.read_bytes += answer.size
            if answer.status != 503:
                return answer
            pause = answer.headers.get("retry-after", "")
            if not pause.isdecimal():
                journal.problem(f"{kind}: 503 without Retry-After")
            await asyncio.sleep(int(pause or 1) * self._chance.uniform(0.5, 1.5))
        raise GaveUp(f"{kind} had no answer but 503 or a broken connection {TRIES} times")

    # --- what it does ------------------------------------------------------------------------------------

    async def _push(self) -> None:
        """An image of one to three layers. One that is not acknowledged to the end does not count."""
        layers = [self._layer() for _ in range(self._chance.randrange(1, 4))]
        for content in (CONFIG, *layers):
            await self._push_blob(content)
        self._pushed += 1
        tag = f"c{self._number}-{self._pushed}"
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MEDIA_TYPE,
                "config": _descriptor("application/vnd.oci.image.config.v1+json", CONFIG),
                "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar", one) for one in layers],
                "annotations": {"tag": tag},
            }
        ).encode()
        path = f"/v2/{self._repository}/manifests/{tag}"
        answer = await self.registry("PUT manifest", path, manifest, {"Content-Type": MEDIA_TYPE})
        if answer.status == 404 and CLOCK in self._journal.phases(self._journal.now()):
            # A sweep took the layers: days have passed since they came.
            return
        if answer.status != 201:
            raise GaveUp(f"PUT manifest: {answer.status} {answer.body[:200]!r}")
        blobs = tuple(digest_of(one) for one in (CONFIG, *layers))
        image = Image(self._repository, tag, digest_of(manifest), blobs)
        self._journal.keep(image)
        self._mine.append(image)

    def _layer(self) -> bytes:
        return self._chance.randbytes(self._site.budget.size(self._chance))

    async def _push_blob(self, content: bytes) -> None:
        for _ in range(5):
            if self._chance.random() < 0.3:
                path = f"/v2/{self._repository}/blobs/uploads/?digest={digest_of(content)}"
                answer = await self.registry("POST blob", path, content)
            else:
                answer = await self._upload(content)
            if answer.status == 201:
                return
            # A sweep, when the clock was moved: uploads that are old by now are forgotten.
            if answer.status != 404:
                break
        raise GaveUp(f"a blob is refused: {answer.status} {answer.body[:200]!r}")

    async def _upload(self, content: bytes) -> Answer:
        """In some chunks; the last comes with the digest. Some are cut, and go on where the server says."""
        begun = await self.registry("POST uploads", f"/v2/{self._repository}/blobs/uploads/")
        if begun.status != 202:
            raise GaveUp(f"POST uploads: {begun.status} {begun.body[:200]!r}")
        path = urlsplit(begun.headers["location"]).path
        at, step = 0, max(len(content) // self._chance.randrange(1, 4), 4)
        while len(content) - at > step:
            chunk = content[at : at + step]
            headers = {"Content-Range": f"{at}-{at + len(chunk) - 1}"}
            if self._chance.random() < CUT_CHANCE:
                answer = await self._cut(path, chunk, headers, at)
            else:
                answer = await self.registry("PATCH upload", path, chunk, headers)
            # 416 when it is sent again after the connection broke: the server had it already.
            if answer.status not in (202, 204, 416):
                return answer
            at = _received(answer)
        return await self.registry("PUT upload", f"{path}?digest={digest_of(content)}", content[at:])

    async def _cut(self, path: str, chunk: bytes, headers: Mapping[str, str], at: int) -> Answer:
        """Send a part of a chunk, hang up, and ask where to go on."""
        sent = {"Authorization": self._login(), **headers}
        await self._connection.cut("PATCH", path, sent, chunk, self._chance.randrange(len(chunk) + 1))
        self._journal.cuts += 1
        status = await self.registry("GET upload", path)
        if status.status == 204:
            self._journal.resumed += 1
            # All of the chunk or nothing counts.
            if _received(status) not in (at, at + len(chunk)):
                self._journal.problem(f"an upload cut behind {at} is at {_received(status)}")
        return status

    async def _pull(self) -> None:
        image = await self._look()
        for digest in image.blobs if image else ():
            path = f"/v2/{image.repository}/blobs/{digest}" if image else ""
            answer = await self.registry("GET blob", path)
            self._check(image, answer, digest)

    async def _look(self) -> Image | None:
        """Read a manifest, by tag or digest, or ask for it by HEAD."""
        image = self._journal.any_image(self._chance)
        if image is None:
            return None
        reference = self._chance.choice((image.tag, image.digest))
        kind = self._chance.choice(("GET manifest", "GET manifest", "HEAD manifest"))
        path = f"/v2/{image.repository}/manifests/{reference}"
        answer = await self.registry(kind, path, headers={"Accept": MEDIA_TYPE})
        if kind == "GET manifest" or answer.status != 200:
            self._check(image, answer, image.digest)
        elif answer.headers.get("docker-content-digest") != image.digest:
            self._journal.problem(f"HEAD of {path} names another digest")
        return image if answer.status == 200 else None

    def _check(self, image: Image | None, answer: Answer, digest: str) -> None:
        """The bytes are right; what is not there was deleted."""
        if answer.status == 200:
            if answer.digest != digest:
                self._journal.problem(f"wrong bytes: {answer.digest} in place of {digest}")
        elif image and (image.repository, image.tag) in self._journal.images:
            self._journal.problem(f"{answer.status} for {digest} of {image.repository}:{image.tag}")

    async def _list(self) -> None:
        kind, path = self._chance.choice(
            (
                ("GET tags", f"/v2/{self._repository}/tags/list?n=50"),
                ("GET catalog", "/v2/_catalog?n=50"),
            )
        )
        answer = await self.registry(kind, path)
        if answer.status != 200:
            self._journal.problem(f"{kind}: {answer.status}")

    async def _ask(self) -> None:
        name = {"repositoryName": self._repository}
        image = self._journal.any_image(self._chance)
        calls: list[tuple[str, dict[str, object]]] = [
            ("DescribeImages", {**name, "maxResults": 20}),
            ("ListImages", {**name, "maxResults": 20}),
            ("DescribeRepositories", {"maxResults": 20}),
            ("TagResource", {"resourceArn": self._arn(), "tags": [{"Key": "k", "Value": str(self._pushed)}]}),
        ]
        if image:
            ids = [{"imageTag": image.tag}]
            calls.append(("BatchGetImage", {"repositoryName": image.repository, "imageIds": ids}))
        operation, members = self._chance.choice(calls)
        answer = await self.api(operation, **members)
        if answer.status != 200:
            self._journal.problem(f"{operation}: {answer.status} {answer.body[:200]!r}")

    def _arn(self) -> str:
        return f"arn:aws:ecr:us-east-1:000000000000:repository/{self._repository}"

    async def _delete(self) -> None:
        if not self._mine:
            return
        image = self._mine.pop(self._chance.randrange(len(self._mine)))
        self._journal.forget(image)
        ids = [{"imageDigest": image.digest}]
        answer = await self.api("BatchDeleteImage", repositoryName=image.repository, imageIds=ids)
        if answer.status == 200:
            self._journal.deleted.append((image.repository, image.tag))
        else:
            self._journal.problem(f"BatchDeleteImage: {answer.status} {answer.body[:200]!r}")

    async def _stare(self) -> None:
        """A client that asks for a layer and reads nothing."""
        image = self._journal.any_image(self._chance)
        if image is None:
            return
        path = f"/v2/{image.repository}/blobs/{image.blobs[-1]}"
        self._journal.stares += 1
        await self._connection.stare(path, {"Authorization": self._login()}, STARE_SECONDS)


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def _received(answer: Answer) -> int:
    """How many bytes of an upload count. 0-0 is none here: no chunk has only one byte."""
    last = int(answer.headers["range"].partition("-")[2])
    return last + 1 if last else 0
