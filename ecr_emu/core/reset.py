"""Emptying an emulator."""

import math

from ecr_emu.context import Emulator
from ecr_emu.store import events, jobs, layers, uploads


def reset(emulator: Emulator) -> None:
    """Forget all repositories and settings of registries, and delete all bytes; the clock is right again.

    Principals stay, and their login tokens stay good.
    """
    with emulator.store.write() as transaction:
        begun = uploads.delete_untouched(transaction, math.inf)
        for table in ("repositories", "registry_documents", "replication_backfills", "replicated_deletions"):
            transaction.execute(f"DELETE FROM {table}")  # noqa: S608 - names from this line
        for kind in (jobs.SWEEP, jobs.LIFECYCLE, jobs.SIGN):
            jobs.delete_all(transaction, kind)
        events.delete_all(transaction)
        dropped = layers.drop_all_unheld(transaction)
    emulator.clock.reset()
    # Only the files of those rows: others may be on their way in again.
    for upload_id in begun:
        emulator.blobs.discard(upload_id)
    for blob in dropped:
        emulator.blobs.delete(blob.file)
