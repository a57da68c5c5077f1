"""Byte ranges: what a Range header asks for and what a Content-Range header announces."""

import re

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
_CONTENT_RANGE = re.compile(r"(?:bytes[ =])?(\d{1,19})-(\d{1,19})(?:/(?:\d+|\*))?", re.ASCII)


class Unsatisfiable(ValueError):
    """No byte of the blob is in the range."""


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte, inclusive, that a Range header asks for of `size` bytes.

    None where the header is to be ignored (RFC 9110 14.2): another unit, several ranges, bad syntax.
    Raises Unsatisfiable for a range beyond the end or backwards, which is answered with 416.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match[0] == "bytes=-":
        return None
    if not match[1]:
        length = min(_number(match[2]), size)
        if length == 0:
            raise Unsatisfiable(header)
        return size - length, size - 1
    first = _number(match[1])
    last = min(_number(match[2]), size - 1) if match[2] else size - 1
    if first >= size or last < first:
        raise Unsatisfiable(header)
    return first, last


def _number(digits: str) -> int:
    # 20 digits are more bytes than there are; int() refuses some thousands of them.
    return int(digits.lstrip("0")[:20] or "0")


def parse_content_range(header: str) -> tuple[int, int] | None:
    """First and last byte, inclusive, of a chunk; None when the header is not first-last."""
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None or int(match[2]) < int(match[1]):
        return None
    return int(match[1]), int(match[2])
