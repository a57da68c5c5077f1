"""Programs that say what they were built from: Go's build information and Rust's audit data, in ELF files.

Go: cmd/link and debug/buildinfo (section .go.buildinfo). Rust: rust-secure-code/cargo-auditable, PARSING.md
(section .dep-v0). A program without a table of sections (sstrip, UPX) says nothing.
"""

import json
import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from ecr_emu.domain.inventory import Package
from ecr_emu.scanner.layers import Budget
from ecr_emu.scanner.packages.elf import MAGIC as ELF_MAGIC
from ecr_emu.scanner.packages.elf import Program, is_program
from ecr_emu.scanner.packages.item import MIB, Broken, text

__all__ = ["ELF_MAGIC", "read_program"]

_GO_SECTION, _RUST_SECTION = ".go.buildinfo", ".dep-v0"
# Bytes of what a program says of itself, as it is and unpacked; a hundred times what large programs have.
_LONGEST_INFO = 4 * MIB

_GO_MAGIC = b"\xff Go buildinf:"
_GO_VERSION = re.compile(r"go(\d[\w.+-]*)")
# 16 bytes before and after Go's list of modules, by which its runtime finds it.
_GO_SENTINEL = 16


def read_program(file: BinaryIO, budget: Budget) -> Iterator[Package]:
    """The modules or crates that a program says it consists of."""
    if not is_program(file.read(64)):
        return
    program = Program(file)
    for section in program.sections((_GO_SECTION, _RUST_SECTION)):
        budget.check_time()
        if section.size > _LONGEST_INFO:
            raise Broken(f"has {section.size} bytes in {section.name}, more than {_LONGEST_INFO}")
        content = program.read(section.offset, section.size)
        if section.name == _GO_SECTION:
            yield from _go_packages(program, content)
        else:
            yield from _rust_packages(content)


def _go_packages(program: Program, info: bytes) -> Iterator[Package]:
    """The standard library, and the modules with what replaces them."""
    if len(info) < 32 or not info.startswith(_GO_MAGIC):
        raise Broken("has Go build information of an unknown form")
    inline = info[15] & 2
    version, modules = _inline_strings(info) if inline else _pointed_strings(program, info)
    release = _GO_VERSION.match(text(version))
    if release:
        yield Package("golang", "stdlib", release[1])
    yield from _go_modules(text(modules[_GO_SENTINEL:-_GO_SENTINEL]))


def _inline_strings(info: bytes) -> tuple[bytes, bytes]:
    """Version and modules since Go 1.18: after 32 bytes, each with its length as a varint before it."""
    version, at = _inline_string(info, 32)
    return version, _inline_string(info, at)[0]


def _inline_string(info: bytes, at: int) -> tuple[bytes, int]:
    length = shift = 0
    while True:
        byte = info[at]
        length |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80 or shift > 63:
            return info[at : at + length], at + length


def _pointed_strings(program: Program, info: bytes) -> tuple[bytes, bytes]:
    """Version and modules before Go 1.18: addresses of two string headers, of address and length each."""
    width, order = info[14], ">" if info[15] & 1 else "<"
    if width not in (4, 8):
        raise Broken("has Go build information of an unknown form")
    pair = struct.Struct(order + ("II" if width == 4 else "QQ"))
    found = []
    for address in pair.unpack_from(info, 16):
        pointer, length = pair.unpack(_at(program, address, pair.size))
        found.append(_at(program, pointer, length))
    return found[0], found[1]


def _at(program: Program, address: int, size: int) -> bytes:
    """Bytes that the running program would have at an address."""
    if size > _LONGEST_INFO:
        raise Broken(f"has Go build information of {size} bytes, more than {_LONGEST_INFO}")
    return program.address(address, size)


def _go_modules(lines: str) -> Iterator[Package]:
    """The modules of "mod" and "dep" lines, or what a "=>" line gives instead, unless that is a folder."""
    module = None
    for line in [*lines.split("\n"), "\t"]:
        kind, *fields = line.split("\t")
        if kind == "=>" and len(fields) >= 2 and not fields[0].startswith((".", "/")):
            module = Package("golang", fields[0], fields[1])
        if kind == "=>":
            continue
        if module is not None and module.name and module.version:
            yield module
        module = Package("golang", *fields[:2]) if kind in ("mod", "dep") and len(fields) >= 2 else None


def _rust_packages(section: bytes) -> Iterator[Package]:
    """The crates that are in the program; those that only helped to build it are not."""
    unpacker = zlib.decompressobj()
    content = json.loads(unpacker.decompress(section, _LONGEST_INFO))
    packages = content.get("packages") if isinstance(content, dict) else None
    if not isinstance(packages, list):
        raise Broken("has audit data of an unknown form")
    for package in packages:
        name, version = package["name"], package["version"]
        if package.get("kind") != "build" and isinstance(name, str) and isinstance(version, str):
            yield Package("cargo", name, version)
