"""Uploads, blobs and what the sweeper looks for, on a real folder."""

import errno
import hashlib
import io
import random
import resource
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_emu.blobs import filesystem
from ecr_emu.blobs.filesystem import FileBlobs, UploadLost
from tests.clients import digest_of
from tests.consistency import files_in, side_by_side

LONG_AGO = 1e9


@dataclass
class Interrupted:
    """A source that gives some bytes and then fails, as a client does that goes away."""

    content: bytes

    def read(self, size: int, /) -> bytes:
        chunk, self.content = self.content[:size], self.content[size:]
        if not chunk:
            raise ConnectionError
        return chunk


@pytest.fixture
def blobs(tmp_path: Path) -> FileBlobs:
    return FileBlobs(tmp_path)


def append(blobs: FileBlobs, upload_id: str, start: int, content: bytes, limit: int | None = None) -> int:
    with blobs.upload(upload_id) as upload:
        return upload.append(io.BytesIO(content), start, limit)


def interrupt(blobs: FileBlobs, upload_id: str, start: int, content: bytes) -> None:
    with pytest.raises(ConnectionError), blobs.upload(upload_id) as upload:
        upload.append(Interrupted(content), start)


def digest(blobs: FileBlobs, upload_id: str, size: int, algorithm: str = "sha256") -> str:
    with blobs.upload(upload_id) as upload:
        return upload.digest(algorithm, size)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("durable", [True, False])
def test_an_upload_becomes_a_blob(tmp_path: Path, durable: bool, algorithm: str) -> None:
    blobs = FileBlobs(tmp_path, durable=durable)
    content = random.Random(1).randbytes(3 * filesystem.CHUNK_BYTES + 1)  # noqa: S311 - not a secret
    middle = filesystem.CHUNK_BYTES + 5
    assert append(blobs, "u", 0, content[:middle]) == middle
    assert append(blobs, "u", middle, content[middle:]) == len(content) - middle
    assert digest(blobs, "u", len(content), algorithm) == digest_of(content, algorithm)
    file = blobs.place("u", digest_of(content, algorithm))
    assert blobs.path(file).read_bytes() == content
    assert file.startswith(f"{algorithm}/{digest_of(content, algorithm)[7:9]}/")
    # Until somebody knows the blob, a client that is not answered can ask again.
    assert files_in(tmp_path) == {f"blobs/{file}", "uploads/u"}
    blobs.discard("u")
    assert files_in(tmp_path) == {f"blobs/{file}"}
    assert blobs.path(file).read_bytes() == content


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.EIO])
def test_where_files_have_one_name_only_it_is_changed(
    blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*names: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    append(blobs, "u", 0, b"abc")
    if number == errno.EIO:
        with pytest.raises(OSError, match="no"):
            blobs.place("u", digest_of(b"abc"))
        return
    file = blobs.place("u", digest_of(b"abc"))
    assert blobs.path(file).read_bytes() == b"abc"
    assert blobs.upload_size_bytes("u") == 0


def test_a_limit_leaves_the_rest_of_the_source(blobs: FileBlobs) -> None:
    source = io.BytesIO(b"0123456789")
    with blobs.upload("u") as upload:
        assert upload.append(source, 0, 4) == 4
        assert upload.append(source, 4, 0) == 0
        assert upload.append(source, 4, 100) == 6
    assert digest(blobs, "u", 10) == digest_of(b"0123456789")


def test_after_an_interruption_the_upload_goes_on_from_the_acknowledged_byte(blobs: FileBlobs) -> None:
    append(blobs, "u", 0, b"first ")
    interrupt(blobs, "u", 6, b"lost on the way")
    assert append(blobs, "u", 6, b"second") == 6
    assert digest(blobs, "u", 12) == digest_of(b"first second")


def test_bytes_behind_the_acknowledged_ones_never_count(blobs: FileBlobs) -> None:
    append(blobs, "u", 0, b"acknowledged and more")
    assert digest(blobs, "u", 12) == digest_of(b"acknowledged")
    assert blobs.path(blobs.place("u", digest_of(b"acknowledged"))).read_bytes() == b"acknowledged"


def test_after_a_full_disk_the_same_bytes_can_come_again(blobs: FileBlobs) -> None:
    """A file that may not grow fails in the middle of a write, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            append(blobs, "u", 0, b"x" * 150)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert append(blobs, "u", 0, b"x" * 150) == 150
    assert digest(blobs, "u", 150) == digest_of(b"x" * 150)


def test_an_upload_survives_a_restart(tmp_path: Path, blobs: FileBlobs) -> None:
    append(blobs, "u", 0, b"before ")
    again = FileBlobs(tmp_path)
    append(again, "u", 7, b"after")
    assert digest(again, "u", 12) == digest_of(b"before after")


def test_an_empty_upload_has_the_digest_of_nothing(blobs: FileBlobs) -> None:
    assert digest(blobs, "u", 0) == digest_of(b"")
    assert blobs.path(blobs.place("u", digest_of(b""))).read_bytes() == b""


@pytest.mark.parametrize("keep", [None, 3])
def test_an_upload_that_lost_bytes_is_lost(tmp_path: Path, blobs: FileBlobs, keep: int | None) -> None:
    append(blobs, "u", 0, b"acknowledged")
    file = tmp_path / "uploads" / "u"
    file.write_bytes(file.read_bytes()[:keep]) if keep else file.unlink()
    with pytest.raises(UploadLost):
        append(blobs, "u", 12, b"more")
    with pytest.raises(UploadLost):
        digest(blobs, "u", 12)


def test_a_discarded_upload_cannot_be_placed(blobs: FileBlobs, tmp_path: Path) -> None:
    append(blobs, "u", 0, b"x")
    blobs.discard("u")
    blobs.discard("u")
    with pytest.raises(UploadLost):
        blobs.place("u", digest_of(b"x"))
    assert files_in(tmp_path) == set()


CONTENT = st.binary(max_size=40)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), CONTENT),
        st.tuples(st.just("fail"), CONTENT),
        st.tuples(st.just("rewind"), st.integers(0, 40)),
        st.tuples(st.just("digest"), st.sampled_from(["sha256", "sha512"])),
        st.tuples(st.just("other upload"), CONTENT),
    ),
    max_size=12,
)


@given(STEPS, st.booleans())
@settings(deadline=None)
def test_only_the_bytes_that_count_are_hashed(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, object]], is_crowded: bool
) -> None:
    """Against a plain bytes object; in a crowd, other uploads push the hash out of memory."""
    blobs = FileBlobs(tmp_path_factory.mktemp("blobs"), durable=False)
    content = b""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filesystem, "MAX_OPEN_UPLOADS", 1 if is_crowded else 4096)
        for step in steps:
            content = do(blobs, content, step)
        assert digest(blobs, "u", len(content)) == digest_of(content)


def do(blobs: FileBlobs, content: bytes, step: tuple[str, object]) -> bytes:
    """One step on the upload u, of which `content` counts; returns what counts afterwards."""
    match step:
        case "append", bytes(more):
            assert append(blobs, "u", len(content), more) == len(more)
            return content + more
        case "fail", bytes(more):
            interrupt(blobs, "u", len(content), more)
        case "rewind", int(size):
            return content[:size]
        case "digest", str(algorithm):
            assert digest(blobs, "u", len(content), algorithm) == digest_of(content, algorithm)
        case _, bytes(more):
            append(blobs, "other", 0, more)
    return content


def test_one_writer_at_a_time_even_in_a_crowd(
    blobs: FileBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filesystem, "MAX_OPEN_UPLOADS", 1)
    received = {"a": 0, "b": 0}

    def write(upload_id: str) -> None:
        for _ in range(200):
            with blobs.upload(upload_id) as upload:
                received[upload_id] += upload.append(io.BytesIO(b"xyz"), received[upload_id])

    side_by_side([partial(write, name) for name in "ababab"])
    assert received == {"a": 1800, "b": 1800}
    for upload_id in received:
        assert digest(blobs, upload_id, 1800) == digest_of(b"xyz" * 600)
        assert (tmp_path / "uploads" / upload_id).read_bytes() == b"xyz" * 600


def test_hashes_in_progress_are_kept_for_some_uploads_only(
    blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filesystem, "MAX_OPEN_UPLOADS", 3)
    for number in range(20):
        append(blobs, f"u{number}", 0, b"x")
    assert len(blobs._progress) == 3
    assert digest(blobs, "u0", 1) == digest_of(b"x")


def test_every_placing_gives_a_new_name(blobs: FileBlobs) -> None:
    files = set()
    for number in range(20):
        append(blobs, f"u{number}", 0, b"same")
        files.add(blobs.place(f"u{number}", digest_of(b"same")))
    assert len(files) == 20
    assert {blobs.path(file).read_bytes() for file in files} == {b"same"}


def test_deleting_a_blob_twice_is_no_error(blobs: FileBlobs) -> None:
    append(blobs, "u", 0, b"x")
    file = blobs.place("u", digest_of(b"x"))
    blobs.delete(file)
    blobs.delete(file)
    assert not blobs.path(file).exists()


def test_unknown_files_are_forgotten_when_they_are_old_enough(blobs: FileBlobs) -> None:
    append(blobs, "placed", 0, b"12345")
    file = blobs.place("placed", digest_of(b"12345", "sha512"))
    blobs.discard("placed")
    append(blobs, "waiting", 0, b"123")
    asked = []

    def is_known(name: str, its_digest: str) -> bool:
        asked.append((name, its_digest))
        return False

    assert list(blobs.forgotten_files(0, is_known)) == [(blobs.path(file), 5)]
    assert asked == [(file, digest_of(b"12345", "sha512"))]
    ((upload, size),) = blobs.forgotten_uploads(0, lambda upload_id: False)
    assert (upload.name, size) == ("waiting", 3)


def test_known_and_young_files_are_left_alone(blobs: FileBlobs) -> None:
    append(blobs, "placed", 0, b"12345")
    blobs.place("placed", digest_of(b"12345"))
    append(blobs, "waiting", 0, b"123")
    assert list(blobs.forgotten_files(LONG_AGO, lambda file, its_digest: False)) == []
    assert list(blobs.forgotten_uploads(LONG_AGO, lambda upload_id: False)) == []
    assert list(blobs.forgotten_files(0, lambda file, its_digest: True)) == []
    assert list(blobs.forgotten_uploads(0, lambda upload_id: True)) == []


def test_a_file_that_goes_while_it_is_looked_at_is_no_error(blobs: FileBlobs, tmp_path: Path) -> None:
    for upload_id in ("one", "two"):
        append(blobs, upload_id, 0, b"x")
    found = blobs.forgotten_uploads(0, lambda upload_id: False)
    next(found)
    for file in (tmp_path / "uploads").iterdir():
        file.unlink()
    assert list(found) == []


def test_two_stores_in_one_process_do_not_meet(tmp_path: Path) -> None:
    one, two = FileBlobs(tmp_path / "1"), FileBlobs(tmp_path / "2")
    append(one, "u", 0, b"one")
    append(two, "u", 0, b"two")
    assert digest(one, "u", 3) == "sha256:" + hashlib.sha256(b"one").hexdigest()
    assert digest(two, "u", 3) == digest_of(b"two")
