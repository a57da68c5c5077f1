"""Emptying an emulator."""

from ecr_emu.context import Emulator


def reset(emulator: Emulator) -> None:
    """Forget every repository with all that belongs to it, and delete all bytes. Login tokens stay good."""
    with emulator.store.write() as transaction:
        for table in ("repositories", "uploads", "layers", "blobs"):
            transaction.execute(f"DELETE FROM {table}")  # noqa: S608 - names from this line
    emulator.blobs.clear()
