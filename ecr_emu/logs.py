"""Lines of the log: as text for people, or as JSON for programs that collect them.

A line about a request carries the id that the client got. Queries and headers are never in it: they can hold
secrets.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

from ecr_emu.metrics import OPERATION, UNKNOWN
from ecr_emu.wsgi import ACCOUNT, REQUEST_ID, Environ, content_length

TEXT, JSON = "text", "json"
# The attribute of a record with what a line in JSON has besides the common members.
MEMBERS = "members"

log = logging.getLogger("ecr_emu.requests")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the members of the record."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, MEMBERS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # A path of bytes that are no UTF-8 shall not cost the line.
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def configure(level: str, form: str) -> None:
    """Send what is logged from `level` on to stderr, in one of the two forms."""
    handler = logging.StreamHandler(sys.stderr)
    if form == JSON:
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    # granian's own lines about its workers mean nothing to a user.
    logging.getLogger("_granian").setLevel(logging.WARNING)


def answered(environ: Environ, status: int, seconds: float, sent_bytes: int) -> None:
    """Write down a request whose answer begins: at debug, and at warning when the server could not answer it.

    Costs nothing worth measuring when such lines are not wanted.
    """
    level = logging.WARNING if status >= 500 else logging.DEBUG
    if not log.isEnabledFor(level):
        return
    members = {
        "request_id": environ.get(REQUEST_ID, ""),
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"],
        "operation": environ.get(OPERATION, UNKNOWN),
        "status": status,
        "milliseconds": round(seconds * 1000, 1),
        "received_bytes": content_length(environ) or 0,
        "sent_bytes": sent_bytes,
        "account": environ.get(ACCOUNT, ""),
    }
    log.log(
        level,
        "%(method)s %(path)s (%(operation)s) %(status)s, %(milliseconds)s ms, %(received_bytes)s bytes in, "
        "%(sent_bytes)s out, account %(account)s, request %(request_id)s",
        members,
        extra={MEMBERS: members},
    )
