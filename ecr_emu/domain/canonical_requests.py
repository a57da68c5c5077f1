"""The parts of a request in the one form that Signature Version 4 signs.

IAM user guide, "Create a signed AWS API request", step 1, for every service but S3: paths are normalised and
encoded once more than they were sent. Texts are as WSGI has them: each character stands for a byte.
"""

import re

_RESERVED = re.compile(rb"[^A-Za-z0-9._~-]")
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_SPACES = re.compile("[ \t\r\n]+")


def as_bytes(text: str) -> bytes:
    """The bytes of a WSGI text. Whatever else comes in is no text that anybody signed."""
    return text.encode("latin-1", "backslashreplace")


def encode(value: bytes) -> str:
    """Percent-encoded, all but RFC 3986's unreserved letters, in capitals."""
    return _RESERVED.sub(lambda match: b"%%%02X" % ord(match[0]), value).decode()


def decode(text: str) -> bytes:
    """The opposite. A percent sign that begins nothing is itself, and so is a plus."""
    return _ENCODED.sub(lambda match: bytes([int(match[1], 16)]), as_bytes(text))


def canonical_path(raw_path: str) -> str:
    """Without empty and dot segments (RFC 3986, 5.2.4), and encoded over what the client encoded."""
    segments: list[str] = []
    for segment in raw_path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(encode(as_bytes(segment)))
    end = "/" if segments and raw_path.endswith("/") else ""
    return "/" + "/".join(segments) + end


def parameters(query_string: str) -> list[tuple[bytes, bytes]]:
    """The names and values of a query string, decoded."""
    pairs = (pair.partition("=") for pair in query_string.split("&") if pair)
    return [(decode(name), decode(value)) for name, _, value in pairs]


def canonical_query(query_string: str, without: bytes = b"") -> str:
    """All parameters but one, encoded in the same way whatever the client did, in order."""
    kept = ((encode(name), encode(value)) for name, value in parameters(query_string) if name != without)
    return "&".join(f"{name}={value}" for name, value in sorted(kept))


def canonical_header(value: str) -> str:
    """Trimmed, and every run of spaces as one."""
    return _SPACES.sub(" ", value).strip(" ")
