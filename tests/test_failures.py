"""When the machine is in trouble: a clear 503 on every plane, nothing half done, and all well afterwards."""

import errno
import resource
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ecr_emu import app
from ecr_emu.cli.serve import _start
from ecr_emu.domain.manifests import OCI_MANIFEST
from tests.clients import Registry, Reply, Running, digest_of, image_manifest
from tests.consistency import check_consistency, side_by_side
from tests.processes import Served, serving

NAME = "team/app"
LAYER = b"a layer that was here before"
LARGE = bytes(2_000_000)
ONCE = Config(retries={"total_max_attempts": 1})


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Another program holds the write lock, as a backup or a shell does."""
    with closing(sqlite3.connect(folder / "metadata.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def full(running: Running) -> Iterator[None]:
    """The database cannot grow. SQLite keeps the limit in a connection; one is enough for one client."""
    with running.application.emulator.store.read() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")
    yield
    with running.application.emulator.store.read() as connection:
        connection.execute("PRAGMA max_page_count=1000000")


@contextmanager
def limited(served: Served, kind: int, limit: int) -> Iterator[None]:
    """A server in its process with less of something than it needs."""
    before = resource.prlimit(served.process.pid, kind)
    resource.prlimit(served.process.pid, kind, (limit, before[1]))
    yield
    resource.prlimit(served.process.pid, kind, before)


def check_unavailable(reply: Reply, reason: str) -> None:
    """The answer of a registry that cannot go on for now."""
    assert reply.status == 503, reply.body
    code, message = reply.error
    assert (code, message) == ("UNAVAILABLE", f"{reason}; try again")
    assert int(reply.headers["retry-after"]) > 0
    assert len(reply.headers["x-amzn-requestid"]) == 32


@pytest.fixture
def impatient(start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch) -> Running:
    monkeypatch.setattr(app, "PATIENCE_SECONDS", 0.2)
    running = start()
    running.ecr().create_repository(repositoryName=NAME)
    running.registry().push_image(NAME, "v1", LAYER)
    return running


@pytest.fixture
def folder(impatient: Running) -> Path:
    return impatient.application.emulator.settings.data_dir


BUSY = "Another program has locked the database"
FULL = "The disk is full"


def test_a_locked_database_is_503_on_the_registry_and_hurts_no_reader(
    impatient: Running, folder: Path
) -> None:
    registry = impatient.registry()
    with locked(folder):
        check_unavailable(registry.request("POST", f"/v2/{NAME}/blobs/uploads/"), BUSY)
        check_unavailable(registry.put_manifest(NAME, "v2", image_manifest(b"{}", LAYER)), BUSY)
        assert registry.request("GET", f"/v2/{NAME}/manifests/v1").status == 200
        assert registry.request("GET", f"/v2/{NAME}/blobs/{digest_of(LAYER)}").body == LAYER
        assert impatient.ecr().describe_images(repositoryName=NAME)["imageDetails"]
    registry.push_image(NAME, "v2", b"new")
    check_consistency(folder)


def test_a_locked_database_is_503_on_the_api_and_on_the_pages(impatient: Running, folder: Path) -> None:
    with locked(folder):
        with pytest.raises(ClientError) as caught:
            impatient.ecr(config=ONCE).create_repository(repositoryName="other")
        page = impatient.registry().request("POST", "/_emu/clock", b'{"freeze": true}')
    answer = caught.value.response
    assert answer["Error"] == {"Code": "ServiceUnavailable", "Message": f"{BUSY}; try again"}
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "2"
    assert (page.status, page.headers["retry-after"]) == (503, "2")
    assert page.json() == {"error": "ServiceUnavailable", "message": f"{BUSY}; try again"}


def test_an_sdk_comes_back_by_itself(impatient: Running, folder: Path) -> None:
    """A client that knows nothing of it has its repository in the end."""

    def lock() -> None:
        with locked(folder):
            is_locked.set()
            time.sleep(0.5)

    ecr, is_locked = impatient.ecr(), threading.Event()
    locking = threading.Thread(target=lock)
    locking.start()
    assert is_locked.wait(10)
    answer = ecr.create_repository(repositoryName="other")
    locking.join()
    assert answer["ResponseMetadata"]["RetryAttempts"] > 0


def test_many_writers_give_up_together(impatient: Running, folder: Path) -> None:
    """Nobody waits for all those in front."""
    registry = impatient.registry()

    def write() -> int:
        return registry.request("POST", f"/v2/{NAME}/blobs/uploads/").status

    with locked(folder):
        began = time.monotonic()
        statuses = side_by_side([write] * 20)
        seconds = time.monotonic() - began
    assert statuses == [503] * 20
    # In turn they would take 20 times 0.2 seconds.
    assert seconds < 3
    assert write() == 202


def test_an_upload_goes_on_where_it_was_after_the_database_was_locked(
    impatient: Running, folder: Path
) -> None:
    registry = impatient.registry()
    where = registry.request("POST", f"/v2/{NAME}/blobs/uploads/").headers["location"]
    path = where.partition(f":{impatient.port}")[2]
    assert registry.request("PATCH", path, LARGE[:1000]).status == 202
    with locked(folder):
        check_unavailable(registry.request("PATCH", path, b"x" * 500), BUSY)
        for _ in range(2):
            last = registry.request("PUT", f"{path}?digest={digest_of(LARGE)}", LARGE[1000:])
            check_unavailable(last, BUSY)
    assert registry.request("GET", path).headers["range"] == "0-999"
    assert registry.request("PUT", f"{path}?digest={digest_of(LARGE)}", LARGE[1000:]).status == 201
    assert registry.request("GET", f"/v2/{NAME}/blobs/{digest_of(LARGE)}").body == LARGE
    check_consistency(folder)


def test_a_database_that_cannot_grow_is_503_and_keeps_what_it_has(impatient: Running, folder: Path) -> None:
    registry = impatient.registry()
    manifest = image_manifest(b"{}", LAYER, annotations={"a": "x" * 200_000})
    registry.push_blob(NAME, b"{}")
    with full(impatient):
        check_unavailable(registry.put_manifest(NAME, "large", manifest), FULL)
        with pytest.raises(ClientError, match=r"ServiceUnavailable.*The disk is full"):
            impatient.ecr(config=ONCE).put_image(
                repositoryName=NAME, imageManifest=manifest.decode(), imageTag="large"
            )
        assert registry.request("GET", f"/v2/{NAME}/manifests/v1").status == 200
    assert registry.request("GET", f"/v2/{NAME}/manifests/large").status == 404
    assert registry.put_manifest(NAME, "large", manifest, OCI_MANIFEST).status == 201
    check_consistency(folder)


def uploaded_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in (folder / "uploads").iterdir())


def test_a_blob_that_does_not_fit_is_503_and_leaves_nothing(tmp_path: Path) -> None:
    """The kernel refuses the bytes behind the first million, as it does on a full disk."""
    with serving("--data-dir", tmp_path, "--auth", "open") as served:
        served.create_repository(NAME)
        registry = served.registry
        where = registry.request("POST", f"/v2/{NAME}/blobs/uploads/").headers["location"]
        path = where.partition(f":{served.port}")[2]
        assert registry.request("PATCH", path, LARGE[:1000]).status == 202
        with limited(served, resource.RLIMIT_FSIZE, 1_000_000):
            digest = digest_of(LARGE)
            check_unavailable(registry.request("PATCH", path, LARGE[1000:]), FULL)
            assert uploaded_bytes(tmp_path) == 1000
            whole = registry.request("POST", f"/v2/{NAME}/blobs/uploads/?digest={digest}", LARGE)
            check_unavailable(whole, FULL)
            assert uploaded_bytes(tmp_path) == 1000
            assert registry.push_blob(NAME, LAYER) == digest_of(LAYER)
        assert registry.request("PUT", f"{path}?digest={digest}", LARGE[1000:]).status == 201
        assert registry.request("GET", f"/v2/{NAME}/blobs/{digest}").body == LARGE
    check_consistency(tmp_path)


def without_files(served: Served, path: str) -> Reply:
    """What a server answers that can open nothing: not even a connection, so there is one before."""
    with served.registry.connection() as connection:
        connection.request("GET", "/v2/")
        connection.getresponse().read()
        with limited(served, resource.RLIMIT_NOFILE, 3):
            connection.request("GET", path, headers={"Host": f"localhost:{served.port}"})
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, headers, response.read())


def test_too_many_open_files_is_503_and_passes(tmp_path: Path) -> None:
    with serving("--data-dir", tmp_path, "--auth", "open") as served:
        served.create_repository(NAME)
        path = f"/v2/{NAME}/blobs/{served.registry.push_blob(NAME, LARGE)}"
        check_unavailable(without_files(served, path), "Too many files are open")
        assert served.registry.request("GET", path).body == LARGE


def test_pages_that_cannot_even_be_loaded_are_503(tmp_path: Path) -> None:
    with serving("--data-dir", tmp_path) as served:
        reply = without_files(served, "/_emu/health")
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert reply.json()["__type"] == "ServiceUnavailable"
        assert served.registry.request("GET", "/_emu/health").status == 200


def test_a_server_takes_as_many_open_files_as_it_may(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = min(256, soft)
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    try:
        with serving("--data-dir", tmp_path) as served:
            limit, _ = resource.prlimit(served.process.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    # granian sees to it.
    assert limit == hard


def test_a_layer_url_says_503_too(tmp_path: Path) -> None:
    with serving("--data-dir", tmp_path, "--auth", "open") as served, served.ecr() as ecr:
        served.create_repository(NAME)
        served.registry.push_image(NAME, "v1", LARGE)
        url = ecr.get_download_url_for_layer(repositoryName=NAME, layerDigest=digest_of(LARGE))
        path = url["downloadUrl"].partition(f":{served.port}")[2]
        reply = without_files(served, path)
        assert (reply.status, reply.error[0]) == (503, "UNAVAILABLE")
        assert served.registry.request("GET", path).body == LARGE


def test_what_is_no_trouble_of_the_machine_is_500(
    emulator: Running, registry: Registry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*given: Any) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(emulator.application.emulator.hosts.__class__, "registry", broken)
    reply = registry.request("GET", "/v2/")
    assert (reply.status, reply.error[0]) == (500, "UNKNOWN")
    assert "retry-after" not in reply.headers
    (logged,) = [record for record in caplog.records if record.exc_info]
    assert reply.headers["x-amzn-requestid"] in logged.getMessage()


def test_what_works_between_requests_is_started_when_the_machine_lets_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is imported and started after the first requests may have come, and taken the last open file."""
    monkeypatch.setattr("ecr_emu.cli.serve.RETRY_SECONDS", 0.01)
    refusals = [OSError(errno.EMFILE, "Too many open files"), RuntimeError("can't start new thread")]

    class Worker:
        def start(self) -> None:
            if refusals:
                raise refusals.pop()

    class Parts:
        runner = Worker()

    class Never:
        is_set = False

        def wait(self, seconds: float) -> None:
            time.sleep(seconds)

    parts: Any = Parts()
    never: Any = Never()
    assert _start(("runner",), parts, never) == [parts.runner]
    assert caplog.text.count("the runner could not be started, and is tried again") == 2


def test_a_server_that_is_stopped_before_all_of_it_started_ends(tmp_path: Path) -> None:
    with serving("--data-dir", tmp_path) as served:
        resource.prlimit(served.process.pid, resource.RLIMIT_NOFILE, (3, 3))
        served.process.terminate()
        assert served.process.wait(30) == 0
