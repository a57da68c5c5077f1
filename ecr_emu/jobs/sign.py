"""The job that signs images, and stores each signature as a referrer, as a push would."""

import hashlib
import io
import logging
import uuid
from collections.abc import Callable, Sequence
from sqlite3 import Connection

from ecr_emu import __version__
from ecr_emu.blobs.filesystem import FileBlobs
from ecr_emu.clock import UserClock
from ecr_emu.context import Call, Emulator
from ecr_emu.core import certificates, push
from ecr_emu.core.keys import load_keys
from ecr_emu.domain import signing
from ecr_emu.domain.iam.requests import Principal
from ecr_emu.domain.registries import HostNames, Registry
from ecr_emu.domain.signing import Target
from ecr_emu.errors import EcrError
from ecr_emu.settings import Settings
from ecr_emu.store import images, jobs, layers, repositories, signings
from ecr_emu.store.database import Database
from ecr_emu.store.jobs import Job
from ecr_emu.store.layers import Blob
from ecr_emu.store.repositories import Repository
from ecr_emu.store.signings import Due, Failure

log = logging.getLogger(__name__)

# The codes and the words are ours: AWS documents none.
NO_LIBRARY = "The image was not signed: {name} is not installed; pip install 'ecr-emu[sign]'"
NO_ROOM = "The signature could not be stored: {reason}"
BROKE = "Making the signature failed; the server's log says why."


def run(
    store: Database, blobs: FileBlobs, settings: Settings, job: Job, until: float
) -> dict[str, object] | None:
    """Make the signature that has waited longest, and let the job be due for the next one."""
    with store.snapshot() as connection:
        due = signings.first_due(connection, until)
        repository = repositories.of_id(connection, due.repository_id) if due else None
    if due is None or repository is None:
        _leave(store, job, None, None)
        return None
    hosts = HostNames(Registry(settings.account, settings.region), settings.registry_host, settings.port)
    keys = load_keys(settings.data_dir, durable=settings.is_durable)
    emulator = Emulator(settings, store, blobs, hosts, keys, UserClock(store))
    signer = Principal("signer.amazonaws.com", repository.registry.account, "service")
    call = Call(emulator, signer, repository.registry, "", due.due_at)
    failure = _sign(call, repository, due)
    _leave(store, job, due, failure)
    return {
        "at": due.due_at,
        "repository": repository.name,
        "digest": due.digest,
        "profile": due.profile_arn,
        "status": "FAILED" if failure else "COMPLETE",
    }


def _leave(store: Database, job: Job, due: Due | None, failure: Failure | None) -> None:
    with store.write() as transaction:
        if due is not None:
            signings.finish(transaction, due, failure)
        jobs.take(transaction, job, signings.next_due_at(transaction))


def _sign(call: Call, repository: Repository, due: Due) -> Failure | None:
    """Make and store a signature, or say why there is none."""
    try:
        _store(call, repository, due)
    except ImportError as error:
        return Failure("SignerNotInstalled", NO_LIBRARY.format(name=error.name))
    except EcrError as error:
        return Failure(error.code, error.message)
    except OSError as error:
        return Failure("InternalFailure", NO_ROOM.format(reason=error.strerror))
    except Exception:
        # Whatever it was, nobody shall wait for this signature, nor for those behind it.
        log.exception("signing %s with %s failed", due.digest, due.profile_arn)
        return Failure("InternalFailure", BROKE)
    return None


def _store(call: Call, repository: Repository, due: Due) -> None:
    with call.store.snapshot() as connection:
        if due.signature_digest and images.find(connection, repository, due.signature_digest):
            # It was stored just before the process died.
            return
        image = images.find(connection, repository, due.digest)
        size_bytes = len(images.body(connection, due.digest)) if image else 0
    if image is None:
        return
    target = Target(image.media_type, image.digest, size_bytes)
    profile = certificates.profile(call.store, due.profile_arn)
    signed = profile.sign(target, call.now, f"ecr-emu/{__version__}")
    body = signing.manifest(target, signed, profile.thumbprints, call.now)
    digest = _digest(body)
    _put_blobs(call, repository, [signing.CONFIG, signed], lambda tx: signings.announce(tx, due, digest))
    push.put_image(call, repository, body, None, digest, [])


def _put_blobs(
    call: Call, repository: Repository, contents: Sequence[bytes], also: Callable[[Connection], None]
) -> None:
    """Put bytes in place and let the repository serve them; what is also written, is in one transaction."""
    blobs = [_place(call, content) for content in contents]
    needless = blobs
    try:
        with call.store.write() as transaction:
            repositories.confirm(transaction, repository)
            known = [blob for blob in blobs if not layers.put_blob(transaction, blob)]
            for blob in blobs:
                layers.add(transaction, repository, blob.digest, call.now)
            also(transaction)
        needless = known
    finally:
        for blob in needless:
            call.blobs.delete(blob.file)


def _place(call: Call, content: bytes) -> Blob:
    """A file of the blob store that no row names yet."""
    digest, upload_id = _digest(content), str(uuid.uuid4())
    with call.blobs.upload(upload_id) as file:
        file.append(io.BytesIO(content), 0)
        blob = Blob(digest, call.blobs.place(upload_id, digest), len(content))
    call.blobs.discard(upload_id)
    return blob


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
