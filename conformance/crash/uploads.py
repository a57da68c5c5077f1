"""The ways in which a client brings a blob, each of which may end at any byte."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from conformance.crash.oracle import Changes, Key, Ledger
from conformance.crash.wire import Wire, digest_of, encoded

# More than one byte each: a Range of 0-0 says both that there is one byte and that there is none.
MIN_CHUNK_BYTES = 2


class NotMounted(Exception):
    """The repository that was named does not hold the blob."""


@dataclass(slots=True)
class Uploads:
    """What a client uploads. `contents` are the bytes of what it has begun, by id."""

    ledger: Ledger
    random: random.Random
    wire: Wire = field(init=False)
    contents: dict[str, bytes] = field(default_factory=dict)

    def push(self, repository: str, content: bytes, own: str, sources: Iterable[str]) -> None:
        """Bring a whole blob in one of the ways."""
        way = self.random.choice(("post", "put", "chunks", "stream", "api", "mount"))
        if way == "post":
            path = f"/v2/{repository}/blobs/uploads/?digest={digest_of(content)}"
            with self.ledger.promise("blob, one POST", self._layer(repository, content)):
                self.wire.ask("POST", path, content, (201,))
            return
        if way == "mount":
            self._mount(repository, content, self.random.choice([own, *sources]))
            return
        key = self._begin(repository, content, is_api=way == "api")
        if way == "chunks":
            self._chunk(key, self._cut(len(content)))
        if way == "stream":
            self._stream(key)
        if way == "api":
            self._part(key)
            self._complete_by_api(key)
        else:
            self._complete(key)

    def begin_and_leave(self, repository: str, content: bytes) -> None:
        key = self._begin(repository, content, is_api=self.random.random() < 0.3)
        self._chunk(key, self._cut(len(content)))

    def go_on(self, key: Key) -> None:
        """Finish what was begun, or give it up."""
        if self.random.random() < 0.2:
            with self.ledger.promise("upload cancelled", {key: None}):
                self.wire.ask("DELETE", _path(key), b"", (204,))
            return
        if self.ledger.facts[key] < len(self.contents[key[2]]) and self.random.random() < 0.5:
            self._chunk(key, len(self.contents[key[2]]))
        if self.random.random() < 0.3 and self.ledger.facts[key] == len(self.contents[key[2]]):
            self._complete_by_api(key)
        else:
            self._complete(key)

    def _cut(self, size: int) -> int:
        return self.random.randint(MIN_CHUNK_BYTES, size)

    def _begin(self, repository: str, content: bytes, *, is_api: bool) -> Key:
        with self.ledger.promise("upload begun", {}):
            if is_api:
                upload_id = self.wire.call("InitiateLayerUpload", repositoryName=repository)["uploadId"]
            else:
                path = f"/v2/{repository}/blobs/uploads/"
                upload_id = self.wire.ask("POST", path, b"", (202,)).headers["Docker-Upload-UUID"]
        key = ("upload", repository, upload_id)
        self.contents[upload_id] = content
        self.ledger.apply({key: 0})
        return key

    def _chunk(self, key: Key, end: int) -> None:
        start = self.ledger.facts[key]
        if end - start < MIN_CHUNK_BYTES:
            return
        piece = self.contents[key[2]][start:end]
        with self.ledger.promise("upload chunk", {key: end}):
            self.wire.ask("PATCH", _path(key), piece, (202,), Content_Range=f"{start}-{end - 1}")

    def _stream(self, key: Key) -> None:
        content = self.contents[key[2]]
        middle = len(content) // 2
        with self.ledger.promise("upload stream", {key: len(content)}):
            self.wire.ask("PATCH", _path(key), iter((content[:middle], content[middle:])), (202,))

    def _part(self, key: Key) -> None:
        content = self.contents[key[2]]
        with self.ledger.promise("UploadLayerPart", {key: len(content)}):
            self.wire.call(
                "UploadLayerPart",
                repositoryName=key[1],
                uploadId=key[2],
                partFirstByte=0,
                partLastByte=len(content) - 1,
                layerPartBlob=encoded(content),
            )

    def _complete(self, key: Key) -> None:
        """With the bytes that are still to come, be it all of them."""
        content = self.contents[key[2]]
        rest = content[self.ledger.facts[key] :]
        changes = {key: None, **self._layer(key[1], content)}
        with self.ledger.promise("blob, last PUT", changes):
            self.wire.ask("PUT", f"{_path(key)}?digest={digest_of(content)}", rest, (201,))

    def _complete_by_api(self, key: Key) -> None:
        content = self.contents[key[2]]
        with self.ledger.promise("CompleteLayerUpload", {key: None, **self._layer(key[1], content)}):
            self.wire.call(
                "CompleteLayerUpload",
                "LayerAlreadyExistsException",
                repositoryName=key[1],
                uploadId=key[2],
                layerDigests=[digest_of(content)],
            )

    def _mount(self, repository: str, content: bytes, source: str) -> None:
        path = f"/v2/{repository}/blobs/uploads/?mount={digest_of(content)}&from={source}"
        try:
            with self.ledger.promise("blob, mount", self._layer(repository, content)):
                answer = self.wire.ask("POST", path, b"", (201, 202))
                if answer.status == 202:
                    raise NotMounted
        except NotMounted:
            # It has begun an ordinary upload instead.
            key = ("upload", repository, answer.headers["Docker-Upload-UUID"])
            self.contents[key[2]] = content
            self.ledger.apply({key: 0})
            self._complete(key)

    @staticmethod
    def _layer(repository: str, content: bytes) -> Changes:
        """In a shared repository another client may take it away again."""
        return {("layer", repository, digest_of(content)): True} if repository.startswith("own/") else {}


def _path(key: Key) -> str:
    return f"/v2/{key[1]}/blobs/uploads/{key[2]}"
