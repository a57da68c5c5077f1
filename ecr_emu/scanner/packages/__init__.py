"""Which files of an image say what is installed, and what reads each kind."""

from ecr_emu.scanner.packages.apk import read_installed
from ecr_emu.scanner.packages.binary import ELF_MAGIC, read_program
from ecr_emu.scanner.packages.dpkg import read_control, read_status
from ecr_emu.scanner.packages.item import MIB, Reader
from ecr_emu.scanner.packages.java import ARCHIVES, read_archive
from ecr_emu.scanner.packages.node import is_module, read_package_json
from ecr_emu.scanner.packages.os_release import read_os_release
from ecr_emu.scanner.packages.python import read_metadata
from ecr_emu.scanner.packages.rpm import read_bdb, read_journal, read_ndb, read_sqlite
from ecr_emu.scanner.packages.ruby import read_gemspec

_OS_RELEASE = Reader(read_os_release, system=True, longest=MIB // 4)
_SQLITE, _NDB, _BDB = (Reader(parse, system=True) for parse in (read_sqlite, read_ndb, read_bdb))
_JOURNAL = Reader(read_journal)
_APK = Reader(read_installed, system=True)

# The files of the operating system. Of os-release, the first that is there counts (os-release(5)).
SYSTEM_FILES = {
    b"etc/os-release": _OS_RELEASE,
    b"usr/lib/os-release": _OS_RELEASE,
    b"var/lib/dpkg/status": Reader(read_status, system=True),
    b"lib/apk/db/installed": _APK,
    b"usr/lib/apk/db/installed": _APK,
    b"var/lib/rpm/rpmdb.sqlite": _SQLITE,
    b"var/lib/rpm/rpmdb.sqlite-wal": _JOURNAL,
    b"var/lib/rpm/Packages.db": _NDB,
    b"var/lib/rpm/Packages": _BDB,
    b"usr/lib/sysimage/rpm/rpmdb.sqlite": _SQLITE,
    b"usr/lib/sysimage/rpm/rpmdb.sqlite-wal": _JOURNAL,
    b"usr/lib/sysimage/rpm/Packages.db": _NDB,
    b"usr/lib/sysimage/rpm/Packages": _BDB,
}
# Folders of which every file is one of the operating system's.
SYSTEM_FOLDERS = {b"var/lib/dpkg/status.d": Reader(read_control, system=True)}

_METADATA = Reader(read_metadata, longest=16 * MIB)
_PACKAGE_JSON = Reader(read_package_json, longest=4 * MIB)
_GEMSPEC = Reader(read_gemspec, longest=MIB)
_ARCHIVE = Reader(read_archive)
PROGRAM = Reader(read_program, magic=ELF_MAGIC)

_ARCHIVE_ENDINGS = tuple(ending.encode() for ending in ARCHIVES)
_ENDINGS = (*_ARCHIVE_ENDINGS, b".egg-info", b".gemspec")
_ANY_EXECUTE_BIT = 0o111


def is_checksum(path: bytes) -> bool:
    """Whether a file of a system folder is one of the checksums that distroless puts beside the packages."""
    return path.endswith(b".md5sums")


def language_reader(path: bytes, mode: int) -> Reader | None:
    """What reads a file for the packages of a language, by its path and its permissions."""
    folder, _, name = path.rpartition(b"/")
    if name == b"METADATA":
        return _METADATA if folder.endswith(b".dist-info") else None
    if name == b"PKG-INFO":
        return _METADATA if folder.endswith((b".egg-info", b"EGG-INFO")) else None
    if name == b"package.json":
        return _PACKAGE_JSON if is_module(path) else None
    by_ending = _by_ending(folder, name) if name.endswith(_ENDINGS) else None
    return by_ending or (PROGRAM if mode & _ANY_EXECUTE_BIT else None)


def _by_ending(folder: bytes, name: bytes) -> Reader | None:
    if name.endswith(_ARCHIVE_ENDINGS):
        return _ARCHIVE
    if name.endswith(b".egg-info"):
        return _METADATA
    if name.endswith(b".gemspec") and folder.endswith((b"specifications", b"specifications/default")):
        return _GEMSPEC
    return None
