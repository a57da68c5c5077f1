"""The requests whose cost is measured as a repository grows, and a client that adds little of its own."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from conformance.bench import scale_data as data
from conformance.bench.client import MANIFEST_TYPE, BenchFailed
from conformance.bench.peers import SIGNATURE, TARGET

RECEIVE_BYTES = 1 << 20
ANSWER_SECONDS = 600
IDLE_SECONDS = 5
PAGE = 100
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Link:
    """One keep-alive connection that sends texts made beforehand."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._host = f"127.0.0.1:{port}"
        self.socket = self._connect()
        self._used_at = time.monotonic()
        self._is_head = False

    def close(self) -> None:
        self.socket.close()

    def _connect(self) -> socket.socket:
        link = socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_SECONDS)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return link

    def rouse(self) -> None:
        """Connect anew where the server may have hung up on a silent client."""
        if time.monotonic() - self._used_at > IDLE_SECONDS:
            self.socket.close()
            self.socket = self._connect()
        self._used_at = time.monotonic()

    def text(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
        """A request as it goes over the wire."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._host}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def ask(self, text: bytes) -> tuple[int, bytes]:
        """Send a request; status and body of the answer."""
        self.send(text)
        return self.finish()

    def send(self, text: bytes) -> None:
        self._is_head = text.startswith(b"HEAD")
        self._used_at = time.monotonic()
        self.socket.sendall(text)

    def finish(self) -> tuple[int, bytes]:
        """Status and body of the answer to what was sent."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, body = received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        missing = int(length[1]) - len(body) if length and not self._is_head else 0
        chunks = [body]
        while missing > 0:
            chunks.append(self._receive())
            missing -= len(chunks[-1])
        return int(head[9:12]), b"".join(chunks)

    def _receive(self) -> bytes:
        received = self.socket.recv(RECEIVE_BYTES)
        if not received:
            raise BenchFailed("the server closed a connection")
        return received


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it goes over the wire, and the status that it is to be answered with."""

    text: bytes
    expected: int


@dataclass(slots=True)
class Client:
    """Asks one server. `count` is how many images (or repositories) it has."""

    link: Link
    count: int
    login: dict[str, str] = field(default_factory=dict)
    pushes: int = 0

    def log_in(self) -> None:
        token = self.answer("GetAuthorizationToken")["authorizationData"][0]["authorizationToken"]
        self.login = {"Authorization": f"Basic {token}", "Accept": MANIFEST_TYPE}

    def api(self, operation: str, **members: Any) -> Request:
        """A call of the JSON API."""
        headers = {
            "X-Amz-Target": f"{TARGET}.{operation}",
            "Authorization": SIGNATURE,
            "Content-Type": "application/x-amz-json-1.1",
        }
        return Request(self.link.text("POST", "/", headers, json.dumps(members).encode()), HTTPStatus.OK)

    def answer(self, operation: str, **members: Any) -> Any:
        """What a call of the JSON API is answered."""
        return json.loads(self.ask(self.api(operation, **members)))

    def raw(
        self, method: str, target: str, expected: int = HTTPStatus.OK, body: bytes = b"", media_type: str = ""
    ) -> Request:
        """A request to the registry."""
        more = {"Content-Type": media_type} if media_type else {}
        return Request(self.link.text(method, target, {**self.login, **more}, body), expected)

    def ask(self, request: Request) -> bytes:
        """The body of the answer, or BenchFailed when it has another status."""
        self.link.rouse()
        status, body = self.link.ask(request.text)
        if status != request.expected:
            raise BenchFailed(f"{request.text[:80]!r} was answered {status}: {body[:300]!r}")
        return body


Next = Callable[[], Request]


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table. `prepare` gives what makes the next request, which is not counted.

    `calls` is how often it is asked. With `skips_one` a server with a single repository is left out: its
    answer is shorter.
    """

    name: str
    prepare: Callable[[Client], Next]
    calls: int = 200
    skips_one: bool = False


NAME = {"repositoryName": data.REPOSITORY}
PATH = f"/v2/{data.REPOSITORY}"


def _same(make: Callable[[Client], Request]) -> Callable[[Client], Next]:
    """The same request again and again."""

    def prepare(client: Client) -> Next:
        request = make(client)
        return lambda: request

    return prepare


def _api(name: str, operation: str, calls: int = 200, **members: Any) -> Case:
    return Case(name, _same(lambda client: client.api(operation, **NAME, **members)), calls)


def _middle(name: str, operation: str, member: Callable[[int], dict[str, Any]]) -> Case:
    return Case(name, _same(lambda client: client.api(operation, **NAME, **member(client.count // 2))))


def _ids(key: str, of: Callable[[int], str], many: int) -> Callable[[int], dict[str, Any]]:
    return lambda middle: {"imageIds": [{key: of(middle + number)} for number in range(many)]}


def _middle_page(name: str, operation: str, **members: Any) -> Case:
    """A page in the middle. Its token is found by asking for the pages before it."""

    def make(client: Client) -> Request:
        left, more = client.count // 2, {}
        while left:
            size = min(left, 1000)
            answer = client.answer(operation, **NAME, **members, maxResults=size, **more)
            left, more = left - size, {"nextToken": answer["nextToken"]}
        return client.api(operation, **NAME, **members, maxResults=PAGE, **more)

    return Case(name, _same(make))


def _get(name: str, path: Callable[[int], str], method: str = "GET") -> Case:
    return Case(name, _same(lambda client: client.raw(method, PATH + path(client.count // 2))))


def _next_manifest(client: Client) -> tuple[bytes, str]:
    """Another manifest, whose config and layer are there."""
    client.pushes += 1
    return data.pushed_manifest(client.pushes), f"pushed-{client.pushes:07}"


def _push_blob(client: Client) -> Next:
    def make() -> Request:
        client.pushes += 1
        body = b"blob %09d" % client.pushes
        target = f"{PATH}/blobs/uploads/?digest={data.digest_of(body)}"
        return client.raw("POST", target, HTTPStatus.CREATED, body)

    return make


def _push_manifest(client: Client) -> Next:
    def make() -> Request:
        body, tag = _next_manifest(client)
        return client.raw("PUT", f"{PATH}/manifests/{tag}", HTTPStatus.CREATED, body, MANIFEST_TYPE)

    return make


def _put_image(client: Client) -> Next:
    def make() -> Request:
        body, tag = _next_manifest(client)
        return client.api("PutImage", **NAME, imageManifest=body.decode(), imageTag=tag)

    return make


def _move_tag(client: Client) -> Next:
    """One tag that goes from image to image and back."""
    bodies = [data.manifest(client.count // 2 + side) for side in (0, 1)]

    def make() -> Request:
        bodies.reverse()
        return client.raw("PUT", f"{PATH}/manifests/moving", HTTPStatus.CREATED, bodies[0], MANIFEST_TYPE)

    return make


def _of_each(share: float, make: Callable[[Client, Iterator[int]], Request]) -> Callable[[Client], Next]:
    """Each request about other images: those behind this share of all."""

    def prepare(client: Client) -> Next:
        numbers = iter(range(int(client.count * share), client.count))
        return lambda: make(client, numbers)

    return prepare


def _delete(client: Client, numbers: Iterator[int], many: int = 1) -> Request:
    ids = [{"imageDigest": data.digest(next(numbers))} for _ in range(many)]
    return client.api("BatchDeleteImage", **NAME, imageIds=ids)


def _delete_manifest(client: Client, numbers: Iterator[int]) -> Request:
    return client.raw("DELETE", f"{PATH}/manifests/{data.digest(next(numbers))}", HTTPStatus.ACCEPTED)


def _archive(client: Client, numbers: Iterator[int]) -> Request:
    image_id = {"imageDigest": data.digest(next(numbers))}
    return client.api("UpdateImageStorageClass", **NAME, imageId=image_id, targetStorageClass="ARCHIVE")


def _by_name(name: str) -> Callable[[Client], Request]:
    return lambda client: client.api("DescribeRepositories", repositoryNames=[name])


def _policy(client: Client) -> Request:
    client.answer("PutLifecyclePolicy", **NAME, lifecyclePolicyText=data.POLICY)
    return client.api("GetLifecyclePolicy", **NAME)


def _preview(client: Client) -> Next:
    """Of a policy that nearly all images match. The one before has ended when the next is asked for."""

    def make() -> Request:
        while _preview_status(client) == "IN_PROGRESS":
            time.sleep(0.1)
        return client.api("StartLifecyclePolicyPreview", **NAME)

    return make


def _preview_status(client: Client) -> str:
    client.link.rouse()
    status, body = client.link.ask(client.api("GetLifecyclePolicyPreview", **NAME, maxResults=1).text)
    return str(json.loads(body)["status"]) if status == HTTPStatus.OK else ""


def _blob(client: Client) -> Request:
    body = b"a blob with bytes"
    digest = data.digest_of(body)
    client.ask(client.raw("POST", f"{PATH}/blobs/uploads/?digest={digest}", HTTPStatus.CREATED, body))
    return client.raw("HEAD", f"{PATH}/blobs/{digest}")


_UNTAGGED, _TAGGED = {"tagStatus": "UNTAGGED"}, {"tagStatus": "TAGGED"}
_ARCHIVED = {"imageStatus": "ARCHIVED"}

# Those that change nothing come first.
IMAGES = (
    _api("DescribeImages, first 100", "DescribeImages", maxResults=PAGE),
    _middle_page("DescribeImages, 100 in the middle", "DescribeImages"),
    _middle("DescribeImages, by tag", "DescribeImages", _ids("imageTag", data.tag, 1)),
    _middle("DescribeImages, by digest", "DescribeImages", _ids("imageDigest", data.digest, 1)),
    _middle("DescribeImages, 100 digests", "DescribeImages", _ids("imageDigest", data.digest, 100)),
    _api("DescribeImages, tagged", "DescribeImages", maxResults=PAGE, filter=_TAGGED),
    _api("DescribeImages, untagged", "DescribeImages", 20, maxResults=PAGE, filter=_UNTAGGED),
    _api("DescribeImages, archived", "DescribeImages", 20, maxResults=PAGE, filter=_ARCHIVED),
    _api("ListImages, first 100", "ListImages", maxResults=PAGE),
    _middle_page("ListImages, 100 in the middle", "ListImages"),
    _api("ListImages, tagged", "ListImages", maxResults=PAGE, filter=_TAGGED),
    _api("ListImages, untagged", "ListImages", 20, maxResults=PAGE, filter=_UNTAGGED),
    _api("ListImages, archived", "ListImages", 20, maxResults=PAGE, filter=_ARCHIVED),
    _middle("BatchGetImage, by tag", "BatchGetImage", _ids("imageTag", data.tag, 1)),
    _middle("BatchGetImage, by digest", "BatchGetImage", _ids("imageDigest", data.digest, 1)),
    _middle(
        "BatchCheckLayerAvailability",
        "BatchCheckLayerAvailability",
        lambda middle: {"layerDigests": [data.config(middle), data.BASE_LAYER]},
    ),
    _api("GetDownloadUrlForLayer, of all", "GetDownloadUrlForLayer", 20, layerDigest=data.BASE_LAYER),
    _get("tags/list, first 100", lambda middle: f"/tags/list?n={PAGE}"),
    _get("tags/list, 100 in the middle", lambda middle: f"/tags/list?n={PAGE}&last={data.tag(middle)}"),
    _get("referrers", lambda middle: f"/referrers/{data.digest(data.SUBJECT)}"),
    _get("manifest GET, by tag", lambda middle: f"/manifests/{data.tag(middle)}"),
    _get("manifest GET, by digest", lambda middle: f"/manifests/{data.digest(middle)}"),
    _get("manifest HEAD, by tag", lambda middle: f"/manifests/{data.tag(middle)}", "HEAD"),
    Case("blob HEAD", _same(_blob)),
    Case("DescribeRepositories, by name", _same(_by_name(data.REPOSITORY))),
    Case("/_emu/metrics", _same(lambda client: client.raw("GET", "/_emu/metrics")), 20),
    Case("blob push, 14 bytes", _push_blob),
    Case("manifest PUT, new tag", _push_manifest),
    Case("PutImage", _put_image),
    Case("manifest PUT, moves a tag", _move_tag),
    Case("BatchDeleteImage, 1", _of_each(0.60, _delete), 50),
    Case("BatchDeleteImage, 20", _of_each(0.70, lambda c, numbers: _delete(c, numbers, 20)), 10),
    Case("manifest DELETE, by digest", _of_each(0.90, _delete_manifest), 50),
    Case("UpdateImageStorageClass", _of_each(0.95, _archive), 45),
    Case("GetLifecyclePolicy", _same(_policy)),
    Case("StartLifecyclePolicyPreview", _preview, 3),
)

_ONE = data.repository_name(0)


def _middle_repositories(client: Client) -> Request:
    left, more = client.count // 2, {}
    while left:
        size = min(left, 1000)
        answer = client.answer("DescribeRepositories", maxResults=size, **more)
        left, more = left - size, {"nextToken": answer["nextToken"]}
    return client.api("DescribeRepositories", maxResults=50, **more)


def _catalog(client: Client) -> Request:
    return client.raw("GET", f"/v2/_catalog?n=50&last={data.repository_name(client.count // 2)}")


def _create(client: Client) -> Next:
    def make() -> Request:
        client.pushes += 1
        return client.api("CreateRepository", repositoryName=f"new/{client.pushes:07}")

    return make


def _drop(client: Client) -> Next:
    def make() -> Request:
        name = f"gone/{client.pushes:07}"
        client.pushes += 1
        client.answer("CreateRepository", repositoryName=name)
        return client.api("DeleteRepository", repositoryName=name)

    return make


REPOSITORIES = (
    Case("DescribeRepositories, by name", _same(_by_name(_ONE))),
    Case(
        "DescribeRepositories, first 50",
        _same(lambda client: client.api("DescribeRepositories", maxResults=50)),
        skips_one=True,
    ),
    Case("DescribeRepositories, 50 in the middle", _same(_middle_repositories), skips_one=True),
    Case("_catalog, first 50", _same(lambda client: client.raw("GET", "/v2/_catalog?n=50")), skips_one=True),
    Case("_catalog, 50 in the middle", _same(_catalog), skips_one=True),
    Case("manifest GET", _same(lambda client: client.raw("GET", f"/v2/{_ONE}/manifests/{data.tag(0)}"))),
    Case("DescribeRegistry", _same(lambda client: client.api("DescribeRegistry"))),
    Case("DescribePullThroughCacheRules", _same(lambda client: client.api("DescribePullThroughCacheRules"))),
    Case("/_emu/metrics", _same(lambda client: client.raw("GET", "/_emu/metrics")), 20),
    Case("CreateRepository", _create),
    Case("DeleteRepository", _drop),
)
