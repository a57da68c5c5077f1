"""The only place where the parts meet: `build` makes an emulator, `Application` is its WSGI function."""

import contextlib
import fcntl
import os
import threading
import time
import uuid
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecr_emu import logs
from ecr_emu.blobs.filesystem import FileBlobs, sync
from ecr_emu.clock import Clock, UserClock
from ecr_emu.context import Emulator
from ecr_emu.core.keys import load_keys
from ecr_emu.domain.registries import LAYER_URLS, HostNames, Registry
from ecr_emu.metrics import OPERATION, UNKNOWN
from ecr_emu.settings import Settings
from ecr_emu.store.database import BUSY_TIMEOUT_SECONDS, Database, ForeignSchema, NewerSchema
from ecr_emu.wsgi import REQUEST_ID, Environ, StartResponse, announced, content_length, fail

if TYPE_CHECKING:
    from ecr_emu.control.wire import Control
    from ecr_emu.jobs.runner import Runner

DATABASE_FILE = "metadata.db"
# How the names of operations begin that change nothing.
READING = ("BatchCheck", "BatchGet", "Describe", "Get", "List")

# How long a request waits for its turn to write, and then for other programs: SDKs give up after a minute,
# and would rather be told to come back.
PATIENCE_SECONDS = 10.0


class CannotStart(RuntimeError):
    """Why the emulator cannot start, in one line that says what to do."""


def is_quick(environ: Environ) -> bool:
    """Whether a request only reads what is in the database, as a rule (waiting.py)."""
    method: str = environ["REQUEST_METHOD"]
    path: str = environ["PATH_INFO"]
    if method == "POST":
        target: str = environ.get("HTTP_X_AMZ_TARGET", "")
        return path == "/" and target.rpartition(".")[2].startswith(READING)
    return method in ("GET", "HEAD") and path.startswith(("/v2", LAYER_URLS))


class Application:
    """One emulator behind one WSGI function."""

    def __init__(self, emulator: Emulator, lock: int) -> None:
        self.emulator = emulator
        self._lock = lock
        self._making = threading.Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, and count it."""
        began = time.perf_counter()
        answer: list[int] = []

        def start(status: str, headers: list[tuple[str, str]]) -> object:
            answer[:] = (int(status[:3]), announced(headers) or 0)
            return start_response(status, headers)

        try:
            body = self._answer(environ, start)
        except Exception as problem:  # noqa: BLE001 - of_failure logs it
            # Every plane answers its own failures; this one could not even be loaded.
            body = fail(problem, environ, start)
        seconds = time.perf_counter() - began
        sent = answer[1] if environ["REQUEST_METHOD"] != "HEAD" else 0
        operation = environ.get(OPERATION, UNKNOWN)
        self.emulator.metrics.count(operation, answer[0], seconds, content_length(environ) or 0, sent)
        logs.answered(environ, answer[0], seconds, sent)
        return body

    def _answer(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Hand a request to its plane: /v2/ is the registry, /_emu/ the pages, the rest AWS's APIs."""
        path = environ["PATH_INFO"]
        if path.startswith("/v2/") or path == "/v2":
            registry: Iterable[bytes] = self._registry.handle(self.emulator, environ, start_response)
            return registry
        if path.startswith(LAYER_URLS):
            layer: Iterable[bytes] = self._registry.handle_layer_url(self.emulator, environ, start_response)
            return layer
        if path.startswith(("/_emu/", "/moto-api/")):
            environ[OPERATION], environ[REQUEST_ID] = "page", str(uuid.uuid4())
            pages: Iterable[bytes] = self._pages(environ, start_response)
            return pages
        if self._forms.is_query(environ):
            environ[OPERATION] = "IAM and STS"
            answer: Iterable[bytes] = self._query(self.emulator, environ, start_response)
            return answer
        return self.control.handle(environ, start_response)

    # Each part is imported when it is first asked for: a start needs none of them.

    @cached_property
    def control(self) -> "Control":
        from ecr_emu.control.wire import Control

        return Control(self.emulator)

    @cached_property
    def runner(self) -> "Runner":
        from ecr_emu.jobs.runner import Runner

        # One alone, whoever asks first: it knows which jobs are under way.
        with self._making:
            made: Runner = self.__dict__.setdefault("runner", Runner(self.emulator))
            return made

    @cached_property
    def _registry(self) -> Any:
        from ecr_emu.registry import wire

        return wire

    @cached_property
    def _forms(self) -> Any:
        from ecr_emu.control.query import forms

        return forms

    @cached_property
    def _query(self) -> Any:
        # IAM and STS: most servers are never asked.
        from ecr_emu.control.query import wire

        return wire.handle

    @cached_property
    def _pages(self) -> Any:
        # Flask takes longer to import than everything else together; most runs never ask for a page.
        from ecr_emu.console.admin import Admin
        from ecr_emu.console.pages import create

        total = len(self.control.model.operations)
        implemented = len(self.control.implemented)
        return create(Admin(self.emulator, self.runner, implemented, total, self.control.read_findings))

    @cached_property
    def deliverer(self) -> Any:
        """What carries events to the targets of --events."""
        from ecr_emu.delivery.deliverer import Deliverer

        return Deliverer(self.emulator)

    def close(self) -> None:
        """Let go of the data folder."""
        self.emulator.flights.close()
        self.emulator.store.close()
        os.close(self._lock)


def build(settings: Settings, clock: Clock = time.time) -> Application:
    """An emulator on the data folder of the settings. Raises CannotStart."""
    folder = settings.data_dir
    durable = settings.is_durable
    lock = claim(folder, durable=durable)
    try:
        blobs, keys = FileBlobs(folder, durable=durable), load_keys(folder, durable=durable)
        hosts = HostNames(Registry(settings.account, settings.region), settings.registry_host, settings.port)
        # The last that can fail: nobody would close it again.
        store = open_database(folder, durable=durable, patience_seconds=PATIENCE_SECONDS)
        if settings.auth == "iam":
            _load_principals(store, settings)
        emulator = Emulator(settings, store, blobs, hosts, keys, UserClock(store, clock))
        if settings.secrets_file or settings.cassette_record or settings.cassette_replay:
            _prepare_upstreams(emulator)
        return Application(emulator, lock)
    except BaseException as error:
        os.close(lock)
        if isinstance(error, OSError):
            raise _unwritable(folder, error) from None
        raise


def _load_principals(store: Database, settings: Settings) -> None:
    """What the file of principals says, or that there is none any more."""
    from ecr_emu.core.principals import load_file

    try:
        load_file(store, Path(settings.iam_file) if settings.iam_file else None, settings.account)
    except ValueError as problem:
        store.close()
        raise CannotStart(f"--iam-file {problem}") from None


def _prepare_upstreams(emulator: Emulator) -> None:
    """The file of secrets, and the cassette."""
    from ecr_emu.core.upstreams import prepare

    try:
        prepare(emulator)
    except ValueError as problem:
        emulator.store.close()
        raise CannotStart(f"upstream registries: {problem}") from None


def open_database(
    folder: Path, *, durable: bool = True, patience_seconds: float = BUSY_TIMEOUT_SECONDS
) -> Database:
    """The metadata database of a data folder. Raises CannotStart when it cannot be used."""
    import sqlite3

    file = folder / DATABASE_FILE
    # A new one would know none of the layers, and the next sweep would delete them all.
    if (not file.exists() or not file.stat().st_size) and any((folder / "blobs").glob("*/*/*")):
        raise CannotStart(
            f"{folder} has layers and {DATABASE_FILE} is empty or gone; put it back or use another --data-dir"
        )
    try:
        return Database(file, durable=durable, patience_seconds=patience_seconds)
    except NewerSchema:
        raise CannotStart(
            f"a newer version of ecr-emu wrote {folder}; use that version, or another --data-dir"
        ) from None
    except (sqlite3.DatabaseError, ForeignSchema) as error:
        raise CannotStart(f"{file} cannot be used ({error}); use another --data-dir") from None


def _unwritable(folder: Path, error: OSError) -> CannotStart:
    return CannotStart(f"cannot write to {folder} ({error.strerror}); give another folder with --data-dir")


def claim(folder: Path, *, durable: bool = True) -> int:
    """Make the folder and lock it: two servers on one folder would not see each other's uploads."""
    try:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        if durable:
            for path in missing:
                sync(path.parent)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unwritable(folder, error) from None
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotStart(
                f"another ecr-emu serves {folder}; stop it, or give another folder with --data-dir"
            ) from None
        undo.pop_all()
    return lock
