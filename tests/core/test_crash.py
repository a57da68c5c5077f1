"""A server that is killed at any moment has lost nothing that it acknowledged."""

import http.client
import itertools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ecr_emu.blobs.filesystem import FileBlobs
from ecr_emu.core.sweep import sweep
from ecr_emu.store.database import Database
from tests.clients import Registry, digest_of, image_manifest
from tests.consistency import check_consistency, side_by_side
from tests.processes import serving

ROUNDS = 8
THREADS = 3
PIECE_BYTES = 16 * 1024
SHARED = b"a layer of every image"


@dataclass
class Killer:
    """Counts the steps of all pushes together, and kills the server at one of them."""

    kill: Callable[[], None]
    at: int
    steps: Iterator[int] = field(default_factory=itertools.count)

    def step(self) -> None:
        if next(self.steps) == self.at:
            self.kill()

    def pieces(self, content: bytes) -> Iterator[bytes]:
        """Content as a body whose every piece is a step."""
        for start in range(0, len(content), PIECE_BYTES):
            yield content[start : start + PIECE_BYTES]
            self.step()


@dataclass
class Pusher:
    """Pushes one image after the other into its repository, and remembers what was acknowledged."""

    name: str
    chance: random.Random
    blobs: dict[str, bytes] = field(default_factory=dict)
    images: dict[str, bytes] = field(default_factory=dict)
    layer: bytes = b""

    def push_until_it_dies(self, registry: Registry, killer: Killer) -> None:
        try:
            while True:
                self.push(registry, killer)
        except (OSError, http.client.HTTPException):
            return

    def push(self, registry: Registry, killer: Killer) -> None:
        """Push an image; one that was cut off comes again, byte for byte."""
        self.layer = self.layer or self.chance.randbytes(self.chance.randrange(1, 300_000))
        config = f'{{"os":"linux","number":{len(self.images)}}}'.encode()
        for content in (SHARED, config, self.layer):
            digest = digest_of(content)
            path = f"/v2/{self.name}/blobs/uploads/?digest={digest}"
            assert registry.request("POST", path, killer.pieces(content)).status == 201
            self.blobs[digest] = content
        body = image_manifest(config, SHARED, self.layer)
        tag = f"v{len(self.images)}"
        assert registry.put_manifest(self.name, tag, body).status == 201
        self.images[tag] = body
        self.layer = b""
        killer.step()

    def check(self, registry: Registry) -> None:
        """All that was acknowledged is there, byte for byte."""
        for digest, content in self.blobs.items():
            assert registry.request("GET", f"/v2/{self.name}/blobs/{digest}").body == content
        for tag, body in self.images.items():
            reply = registry.request("GET", f"/v2/{self.name}/manifests/{tag}")
            assert (reply.status, reply.body) == (200, body)


def test_what_was_acknowledged_survives_every_kill(tmp_path: Path) -> None:
    chance = random.Random(4)  # noqa: S311 - not a secret
    pushers = [Pusher(f"team/{n}", random.Random(n)) for n in range(THREADS)]  # noqa: S311 - not a secret
    options = ("--data-dir", tmp_path, "--auth", "open")
    for number in range(ROUNDS):
        with serving(*options) as server:
            registry = server.registry
            for pusher in pushers:
                if number == 0:
                    server.create_repository(pusher.name)
                pusher.check(registry)
            killer = Killer(server.kill, chance.randrange(5, 150))
            side_by_side([partial(pusher.push_until_it_dies, registry, killer) for pusher in pushers])
            assert server.ended()[0] == -9
        check_consistency(tmp_path)
    with serving(*options) as server:
        idle = Killer(server.kill, -1)
        for pusher in pushers:
            pusher.check(server.registry)
            pusher.push(server.registry, idle)
        with closing(Database(tmp_path / "metadata.db")) as store:
            sweep(store, FileBlobs(tmp_path), time.time(), grace_seconds=0)
        for pusher in pushers:
            pusher.check(server.registry)
        check_consistency(tmp_path)
    assert sum(len(pusher.images) for pusher in pushers) > ROUNDS
