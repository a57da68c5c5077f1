"""One reading of layers in a process of its own: python -m conformance.bench.scan_process HOW LAYER...

`pipe` sends the layers through their decompressor and throws away what comes out; `read` is what a scan does.
Tells seconds, packages and peak memory in MB as JSON. A scan writes an SBOM of what it has read: that is not
in the seconds, but in the memory.
"""

import functools
import json
import os
import sys
import time
import zlib
from pathlib import Path
from typing import BinaryIO

from conformance.bench import process
from conformance.bench.scan_image import MEDIA_TYPE, zstd
from ecr_emu.domain.inventory import Inventory
from ecr_emu.scanner import image, sbom
from ecr_emu.scanner.layers import BLOCK_BYTES, Layer


def pipe(paths: list[Path]) -> Inventory:
    """Decompress the layers, in the blocks in which the scanner reads them."""
    for path in paths:
        unpack = (
            zstd.ZstdDecompressor() if path.name.startswith("zstd") else zlib.decompressobj(wbits=31)
        ).decompress
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                unpack(block)
    return Inventory(None, ())


def read(paths: list[Path]) -> Inventory:
    """What a scan finds in the layers."""
    layers = [
        Layer(f"sha256:{path.name}", MEDIA_TYPE + "gzip", functools.partial(_open, path)) for path in paths
    ]
    return image.read(layers, languages=True)


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def main(how: str, *names: str) -> None:
    paths = [Path(name) for name in names]
    for path in paths:
        # From the page cache in either way; not at once, which would be the peak of the memory.
        with path.open("rb") as file:
            while file.read(BLOCK_BYTES):
                pass
    before = process.peak_mb(os.getpid())
    began = time.perf_counter()
    inventory = {"pipe": pipe, "read": read}[how](paths)
    seconds = time.perf_counter() - began
    sbom.write(inventory, name="bench", digest="sha256:0", at=began)
    told = {
        "seconds": seconds,
        "packages": len(inventory.packages),
        "peak_mb": process.peak_mb(os.getpid()),
        "before_mb": before,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
