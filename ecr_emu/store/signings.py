"""Rows of signings: which profile was to sign an image, and what became of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from sqlite3 import Connection

from ecr_emu.store.images import Image


@dataclass(frozen=True, slots=True)
class Signing:
    """How signing an image with one profile went."""

    profile_arn: str
    status: str
    failure_code: str | None = None
    failure_reason: str | None = None


def put(connection: Connection, image: Image, signings: Iterable[Signing]) -> None:
    """Store how signing went; what is known of a profile already stays."""
    connection.executemany(
        "INSERT INTO image_signings (image_id, profile_arn, status, failure_code, failure_reason) "
        "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [
            (image.id, signing.profile_arn, signing.status, signing.failure_code, signing.failure_reason)
            for signing in signings
        ],
    )


def of_image(connection: Connection, image: Image) -> list[Signing]:
    rows = connection.execute(
        "SELECT profile_arn, status, failure_code, failure_reason FROM image_signings "
        "WHERE image_id = ? ORDER BY profile_arn",
        (image.id,),
    )
    return [Signing(*row) for row in rows]
