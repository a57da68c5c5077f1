"""What each condition operator compares (IAM user guide, Condition operators).

An operator reads the values of the policy once and gives a test for one value of the request: True, False, or
None when the policy's value holds a variable that the request cannot fill. A negated operator has the test of
its opposite; `conditions` turns it over.
"""

import base64
import binascii
import ipaddress
import operator
import re
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any

from ecr_emu.domain import timestamps
from ecr_emu.domain.iam import patterns
from ecr_emu.domain.iam.requests import Request

Test = Callable[[str, Request], bool | None]
# From the values of the policy, and whether they may hold variables, to a test. ValueError for bad values.
Operator = Callable[[tuple[str, ...], bool], Test]

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_EPOCH = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_YEAR_AND_MONTH = re.compile(r"\d{4}-\d\d", re.ASCII)


def any_of(results: Iterable[bool | None]) -> bool | None:
    """True if one is; else None if one is; else False."""
    unknown = False
    for result in results:
        if result:
            return True
        unknown = unknown or result is None
    return None if unknown else False


def _equal(fold: Callable[[str], str]) -> Operator:
    """Wildcards mean nothing here: a * is a star."""

    def prepare(wanted: tuple[str, ...], variables: bool) -> Test:
        read = [patterns.read(text, variables=variables, wildcards=False) for text in wanted]
        texts = {fold("".join(map(str, pieces))) for pieces in read if not patterns.has_variable(pieces)}
        templates = [pieces for pieces in read if patterns.has_variable(pieces)]

        def test(value: str, request: Request) -> bool | None:
            folded = fold(value)
            return folded in texts or any_of(same(pieces, folded, request) for pieces in templates)

        def same(pieces: patterns.Pieces, folded: str, request: Request) -> bool | None:
            text = patterns.fill_text(pieces, request)
            return None if text is None else fold(text) == folded

        return test

    return prepare


def _like(wanted: tuple[str, ...], variables: bool) -> Test:
    compiled = [patterns.pattern(text, variables=variables) for text in wanted]
    return lambda value, request: any_of(each.matches(value, request) for each in compiled)


def _arn_like(wanted: tuple[str, ...], variables: bool) -> Test:
    """Each of the six parts by itself: a * does not cross a colon. A lone * is any ARN (inferred)."""
    everything = "*" in wanted
    compiled = [_arn_parts(text, variables) for text in wanted]

    def test(value: str, request: Request) -> bool | None:
        actual = value.split(":", 5)
        if len(actual) < 6:
            return False
        return everything or any_of(
            _all_of(part.matches(text, request) for part, text in zip(parts, actual, strict=True))
            for parts in compiled
            if len(parts) == 6
        )

    return test


def _arn_parts(text: str, variables: bool) -> list[patterns.Pattern]:
    return [
        patterns.from_pieces(part)
        for part in patterns.split(patterns.read(text, variables=variables), ":", 5)
    ]


def _all_of(results: Iterable[bool | None]) -> bool | None:
    unknown = False
    for result in results:
        if result is False:
            return False
        unknown = unknown or result is None
    return None if unknown else True


def _compare(
    read: Callable[[str], Any],
    fits: Callable[[Any, Any], bool],
    read_wanted: Callable[[str], Any] | None = None,
) -> Operator:
    """Values that are read into something else first; one that cannot be read is like nothing."""

    def prepare(wanted: tuple[str, ...], _variables: bool) -> Test:
        others = [(read_wanted or read)(text) for text in wanted]

        def test(value: str, _request: Request) -> bool:
            try:
                actual = read(value)
            except ValueError:
                return False
            for other in others:  # noqa: SIM110 - most requests come through here, and any() takes its time
                if fits(actual, other):
                    return True
            return False

        return test

    return prepare


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"'{text}' is no number")
    return float(text)


def _time(text: str) -> float:
    """Seconds since 1970, given as such or as one of the W3C's forms of ISO 8601."""
    if _EPOCH.fullmatch(text):
        return float(text)
    return timestamps.parse(f"{text}-01" if _YEAR_AND_MONTH.fullmatch(text) else text)


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"'{text}' is not base64") from None


@lru_cache(1024)  # Reading one takes longer than all the rest of a decision, and clients come again.
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """A server that listens to both kinds sees ::ffff:192.0.2.1 where policies say 192.0.2.1 (inferred)."""
    address = ipaddress.ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


_network = partial(ipaddress.ip_network, strict=False)

_EQUAL, _EQUAL_IGNORING_CASE = _equal(str), _equal(str.casefold)
_IP = _compare(_address, lambda address, network: address in network, _network)
_ORDERS = {
    "equals": operator.eq,
    "lessthan": operator.lt,
    "lessthanequals": operator.le,
    "greaterthan": operator.gt,
    "greaterthanequals": operator.ge,
}

# By name in lower case; the flag says whether the operator is negated.
OPERATORS: dict[str, tuple[Operator, bool]] = {
    "stringequals": (_EQUAL, False),
    "stringnotequals": (_EQUAL, True),
    "stringequalsignorecase": (_EQUAL_IGNORING_CASE, False),
    "stringnotequalsignorecase": (_EQUAL_IGNORING_CASE, True),
    "stringlike": (_like, False),
    "stringnotlike": (_like, True),
    **{f"numeric{name}": (_compare(_number, order), False) for name, order in _ORDERS.items()},
    "numericnotequals": (_compare(_number, operator.eq), True),
    **{f"date{name}": (_compare(_time, order), False) for name, order in _ORDERS.items()},
    "datenotequals": (_compare(_time, operator.eq), True),
    "bool": (_compare(str.lower, operator.eq), False),
    "binaryequals": (_compare(_bytes, operator.eq), False),
    "ipaddress": (_IP, False),
    "notipaddress": (_IP, True),
    "arnequals": (_arn_like, False),
    "arnlike": (_arn_like, False),
    "arnnotequals": (_arn_like, True),
    "arnnotlike": (_arn_like, True),
}
