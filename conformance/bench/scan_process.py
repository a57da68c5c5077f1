"""One reading of layers in a process of its own: python -m conformance.bench.scan_process HOW LAYER...

`pipe` sends the layers through their decompressor and throws away what comes out; `read` is what a scan does.
Tells seconds, packages and peak memory in MB as JSON.
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
from ecr_emu.scanner import image
from ecr_emu.scanner.layers import BLOCK_BYTES, Layer


def pipe(paths: list[Path]) -> int:
    """Decompress the layers, in the blocks in which the scanner reads them."""
    for path in paths:
        unpack = (
            zstd.ZstdDecompressor() if path.name.startswith("zstd") else zlib.decompressobj(wbits=31)
        ).decompress
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                unpack(block)
    return 0


def read(paths: list[Path]) -> int:
    """How many packages a scan finds in the layers."""
    layers = [
        Layer(f"sha256:{path.name}", MEDIA_TYPE + "gzip", functools.partial(_open, path)) for path in paths
    ]
    return len(image.read(layers, languages=True).packages)


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def main(how: str, *names: str) -> None:
    paths = [Path(name) for name in names]
    for path in paths:
        # From the page cache in either way.
        path.read_bytes()
    before = process.peak_mb(os.getpid())
    began = time.perf_counter()
    packages = {"pipe": pipe, "read": read}[how](paths)
    seconds = time.perf_counter() - began
    told = {
        "seconds": seconds,
        "packages": packages,
        "peak_mb": process.peak_mb(os.getpid()),
        "before_mb": before,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
