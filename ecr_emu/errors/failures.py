"""What it means to a client when the machine or the code fails: try again later, or nothing that helps.

A full disk, a database that another program has locked, no file descriptor left: all of that passes. It is
answered with 503 and Retry-After, which SDKs and docker heed, and nothing of the request has happened.
Everything else is a mistake of ours: 500, with a traceback in the log.
"""

import errno
import logging
import os
import sqlite3

from ecr_emu.errors.error import EcrError

__all__ = ["internal_failure", "is_passing", "is_undone", "of_failure", "service_unavailable"]

log = logging.getLogger(__name__)

# What to tell the client, and when to come back, in seconds. A disk is not emptied in a moment.
_FULL = ("The disk is full", 5)
_BUSY = ("Another program has locked the database", 2)
_FILES = ("Too many files are open", 1)
_MEMORY = ("Memory is short", 2)
_DISK = ("The disk cannot be read or written", 5)

_BY_ERRNO = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.ENOMEM: _MEMORY,
    errno.EIO: _DISK,
    errno.EROFS: _DISK,
}

# Primary result codes of SQLite (sqlite.org/rescode.html).
_BY_SQLITE_CODE = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_PROTOCOL: _BUSY,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_READONLY: _DISK,
    # It does not say why; no descriptor left is the reason that passes.
    sqlite3.SQLITE_CANTOPEN: ("The database cannot be opened", 2),
}


def internal_failure() -> EcrError:
    return EcrError("ServerException", "ecr-emu failed to answer; its log says why", 500)


def service_unavailable(reason: str, retry_after_seconds: int) -> EcrError:
    """503, of AWS's common errors; SDKs try again by themselves (text unverified)."""
    headers = [("Retry-After", str(retry_after_seconds))]
    return EcrError("ServiceUnavailable", f"{reason}; try again", 503, headers=headers)


def of_failure(problem: Exception, request_id: str) -> EcrError:
    """The answer to a request that this has ended; it is logged here."""
    known = _cause(problem)
    if known is None:
        log.error("request %s failed", request_id, exc_info=problem, extra=_members(request_id))
        return internal_failure()
    log.warning("request %s: %s (%s)", request_id, known[0], problem, extra=_members(request_id))
    return service_unavailable(*known)


def is_passing(problem: Exception) -> bool:
    """Whether it is trouble of the machine, which passes."""
    return _cause(problem) is not None


def is_undone(problem: sqlite3.Error) -> bool:
    """Whether it is sure that nothing of a transaction is in the database, now or after a crash."""
    code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL)


def _members(request_id: str) -> dict[str, object]:
    return {"members": {"request_id": request_id}}


def _cause(problem: Exception) -> tuple[str, int] | None:
    """Reason and seconds to wait, when it is something that passes."""
    if isinstance(problem, MemoryError):
        return _MEMORY
    if isinstance(problem, OSError):
        return _BY_ERRNO.get(problem.errno or 0)
    if isinstance(problem, ImportError) and os.strerror(errno.EMFILE) in str(problem):
        # A compiled module that could not be opened; the linker gives no number.
        return _FILES
    if isinstance(problem, sqlite3.Error):
        # The higher bytes say more than is needed here.
        return _BY_SQLITE_CODE.get(getattr(problem, "sqlite_errorcode", 0) & 0xFF)
    return None
