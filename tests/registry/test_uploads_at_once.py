"""Several clients that work on one upload, or one blob, at the same time."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.clients import Registry, Running, digest_of
from tests.consistency import check_consistency, files_in, side_by_side
from tests.registry.steps import CONTENT, begin, check_stored, chunk, finish, in_pieces, pulled, received


@pytest.mark.parametrize("last", [b"", CONTENT], ids=["empty", "bytes"])
def test_of_clients_that_complete_one_upload_one_succeeds(last: bytes, registry: Registry, repo: str) -> None:
    for _ in range(10):
        upload = begin(registry, repo)
        before = b"" if last else CONTENT
        registry.request("PATCH", upload, before)
        replies = side_by_side([partial(finish, registry, upload, digest_of(CONTENT), last)] * 4)
        assert sorted(reply.status for reply in replies) == [201, 404, 404, 404]
        assert pulled(registry, repo, digest_of(CONTENT)) == CONTENT


def test_of_clients_that_send_the_same_chunk_one_succeeds(registry: Registry, repo: str) -> None:
    for _ in range(10):
        upload = begin(registry, repo)
        replies = side_by_side(
            [partial(chunk, registry, upload, bytes([number]) * 999, 0) for number in range(4)]
        )
        assert sorted(reply.status for reply in replies) == [202, 416, 416, 416]
        assert received(registry, upload) == "0-998"
        (winner,) = [number for number, reply in enumerate(replies) if reply.status == 202]
        assert finish(registry, upload, digest_of(bytes([winner]) * 999)).status == 201


def test_streams_that_arrive_at_once_are_not_mixed(registry: Registry, repo: str) -> None:
    upload = begin(registry, repo)
    streams = [bytes([number]) * 300_000 for number in range(3)]
    replies = side_by_side(
        [partial(registry.request, "PATCH", upload, in_pieces(stream)) for stream in streams]
    )
    order = sorted(range(3), key=lambda number: int(replies[number].headers["range"].removeprefix("0-")))
    whole = b"".join(streams[number] for number in order)
    check_stored(finish(registry, upload, digest_of(whole)), registry, repo, digest_of(whole), whole)


def test_the_same_blob_pushed_by_many_is_stored_once(start: Callable[..., Running], folder: Path) -> None:
    emulator = start(data_dir=folder)
    names = [f"many/repo-{number}" for number in range(6)]
    for name in names:
        emulator.ecr().create_repository(repositoryName=name)
    registry = emulator.registry()
    digest = digest_of(CONTENT)
    assert side_by_side([partial(registry.push_blob, name, CONTENT) for name in names]) == [digest] * 6
    assert [pulled(registry, name, digest) for name in names] == [CONTENT] * 6
    assert len(files_in(folder / "blobs")) == 1
    emulator.stop()
    check_consistency(folder)


def test_cancelling_and_completing_at_once_ends_in_one_of_both(registry: Registry, repo: str) -> None:
    for _ in range(10):
        upload = begin(registry, repo)
        completing = partial(finish, registry, upload, digest_of(CONTENT), CONTENT)
        replies = side_by_side([partial(registry.request, "DELETE", upload), completing])
        assert sorted(reply.status for reply in replies) in ([201, 404], [204, 404])
