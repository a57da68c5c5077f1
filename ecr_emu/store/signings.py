"""Rows of signings: which profile is to sign an image, and what became of it; and the keys of profiles."""

from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import NamedTuple

from ecr_emu.store.images import Image

# The name of the key that the certificates of all profiles are signed with.
ROOT = ""


class Failure(NamedTuple):
    """Why there is no signature: failureCode and failureReason of the API."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Signing:
    """How signing an image with one profile went."""

    profile_arn: str
    status: str
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A signature that is to be made: of which image, since when.

    `signature_digest` is that of the manifest that was about to be stored when the process died.
    """

    image_id: int
    repository_id: int
    digest: str
    profile_arn: str
    due_at: float
    signature_digest: str | None


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and its certificate, both as PEM."""

    private_key: str
    certificate: str


def put(connection: Connection, image: Image, signings: Sequence[Signing], now: float) -> bool:
    """Let an image be signed, or store why it will not be. True when there is something to sign.

    A signature that is there, or on its way, stays as it is; one that failed is tried again.
    """
    cursor = connection.executemany(
        "INSERT INTO image_signings (image_id, profile_arn, status, failure_code, failure_reason, due_at) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET status = excluded.status, "
        "failure_code = excluded.failure_code, failure_reason = excluded.failure_reason, "
        "due_at = excluded.due_at WHERE image_signings.status = 'FAILED'",
        [
            (
                *(image.id, signing.profile_arn, signing.status, *(signing.failure or (None, None))),
                now if signing.status == "IN_PROGRESS" else None,
            )
            for signing in signings
        ],
    )
    return cursor.rowcount > 0 and any(signing.status == "IN_PROGRESS" for signing in signings)


def of_image(connection: Connection, image: Image) -> list[Signing]:
    rows = connection.execute(
        "SELECT profile_arn, status, failure_code, failure_reason FROM image_signings "
        "WHERE image_id = ? ORDER BY profile_arn",
        (image.id,),
    )
    return [
        Signing(profile_arn, status, Failure(code, reason) if code is not None else None)
        for profile_arn, status, code, reason in rows
    ]


def first_due(connection: Connection, until: float) -> Due | None:
    """The signature that has waited longest."""
    row = connection.execute(
        "SELECT s.image_id, i.repository_id, i.digest, s.profile_arn, s.due_at, s.signature_digest "
        "FROM image_signings s JOIN images i ON i.id = s.image_id WHERE s.due_at <= ? "
        "ORDER BY s.due_at, s.image_id, s.profile_arn LIMIT 1",
        (until,),
    ).fetchone()
    return Due(*row) if row else None


def next_due_at(connection: Connection) -> float | None:
    (due_at,) = connection.execute(
        "SELECT min(due_at) FROM image_signings WHERE due_at IS NOT NULL"
    ).fetchone()
    return None if due_at is None else float(due_at)


def announce(connection: Connection, due: Due, signature_digest: str) -> None:
    """Write down which manifest is about to be stored, so that a crash in between makes no second one."""
    connection.execute(
        "UPDATE image_signings SET signature_digest = ? WHERE image_id = ? AND profile_arn = ?",
        (signature_digest, due.image_id, due.profile_arn),
    )


def finish(connection: Connection, due: Due, failure: Failure | None) -> None:
    """Store what became of a signature; nothing, if the image went meanwhile."""
    connection.execute(
        "UPDATE image_signings SET status = ?, failure_code = ?, failure_reason = ?, due_at = NULL "
        "WHERE image_id = ? AND profile_arn = ?",
        ("FAILED" if failure else "COMPLETE", *(failure or (None, None)), due.image_id, due.profile_arn),
    )


def find_key(connection: Connection, name: str) -> KeyPair | None:
    """The key of a profile, by its ARN, or ROOT."""
    row = connection.execute(
        "SELECT private_key, certificate FROM signing_keys WHERE name = ?", (name,)
    ).fetchone()
    return KeyPair(*row) if row else None


def put_key(connection: Connection, name: str, pair: KeyPair) -> None:
    connection.execute(
        "INSERT INTO signing_keys (name, private_key, certificate) VALUES (?, ?, ?)",
        (name, pair.private_key, pair.certificate),
    )


def profiles(connection: Connection) -> list[tuple[str, str]]:
    """Those that have signed: ARN and certificate as PEM."""
    return connection.execute(
        "SELECT name, certificate FROM signing_keys WHERE name <> ? ORDER BY name", (ROOT,)
    ).fetchall()
