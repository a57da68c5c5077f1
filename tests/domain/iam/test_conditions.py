"""Condition operators: a table of cases, each with what it rests on."""

from typing import Any

import pytest

from ecr_emu.domain.iam import conditions
from tests.domain.iam.samples import request

CONTEXT = {
    "k:text": ("Red",),
    "k:star": ("*",),
    "k:empty": ("",),
    "k:nothing": (),
    "k:many": ("a", "b"),
    "k:number": ("10",),
    "k:time": ("2026-05-01T12:00:00Z",),
    "k:epoch": ("1777636800",),
    "k:yes": ("true",),
    "k:binary": ("aGVsbG8=",),
    "aws:sourceip": ("203.0.113.7",),
    "k:mapped": ("::ffff:203.0.113.7",),
    "k:v6": ("2001:db8:1234:5678::1",),
    "k:arn": ("arn:aws:sns:us-east-2:111122223333:topic:a",),
    "k:garbage": ("?!",),
}
GUIDE = "IAM user guide, Condition operators"
SETS = "IAM user guide, Conditions with multiple context keys or values"
VARIABLES = "IAM user guide, Variables and tags"
INFERRED = "inferred"

CASES: list[tuple[str, str, Any, bool, str]] = [
    # Text.
    ("StringEquals", "k:text", "Red", True, GUIDE),
    ("StringEquals", "K:TEXT", "Red", True, GUIDE),
    ("stringequals", "k:text", "Red", True, INFERRED),
    ("StringEquals", "k:text", "red", False, GUIDE),
    ("StringEquals", "k:text", ["Blue", "Red"], True, SETS),
    ("StringEquals", "k:text", "R*", False, GUIDE),
    ("StringEquals", "k:star", "*", True, GUIDE),
    ("StringEquals", "k:star", "${*}", True, VARIABLES),
    ("StringEquals", "k:empty", "", True, INFERRED),
    ("StringEquals", "k:absent", "Red", False, GUIDE),
    ("StringEquals", "k:nothing", "", False, INFERRED),
    ("StringEquals", "k:text", [], False, INFERRED),
    ("StringNotEquals", "k:text", "Blue", True, GUIDE),
    ("StringNotEquals", "k:text", ["Blue", "Red"], False, SETS),
    ("StringNotEquals", "k:absent", "Red", True, GUIDE),
    ("StringEqualsIgnoreCase", "k:text", "rED", True, GUIDE),
    ("StringNotEqualsIgnoreCase", "k:text", "rED", False, GUIDE),
    ("StringLike", "k:text", "R?d", True, GUIDE),
    ("StringLike", "k:text", "r*", False, GUIDE),
    ("StringLike", "k:text", ["B*", "*d"], True, SETS),
    ("StringNotLike", "k:text", ["B*", "*d"], False, SETS),
    ("StringNotLike", "k:absent", "*", True, GUIDE),
    # Several values without a set operator: one has to fit.
    ("StringEquals", "k:many", "b", True, INFERRED),
    ("StringEquals", "k:many", "c", False, INFERRED),
    ("StringNotEquals", "k:many", "b", False, INFERRED),
    ("StringNotEquals", "k:many", "c", True, INFERRED),
    # Variables, and those without a value: the statement is invalid.
    ("StringEquals", "k:text", "${k:text}", True, VARIABLES),
    ("StringEquals", "k:many", ["${k:number}", "b"], True, VARIABLES),
    ("StringEqualsIgnoreCase", "k:text", "${k:absent, 'RED'}", True, VARIABLES),
    ("StringEquals", "k:text", "${k:absent}", False, VARIABLES),
    ("StringEquals", "k:text", ["${k:absent}", "Red"], True, INFERRED),
    ("StringNotEquals", "k:text", "${k:absent}", False, VARIABLES),
    ("StringNotEquals", "k:text", "${k:number}", True, VARIABLES),
    ("StringLike", "k:text", "${k:absent}*", False, VARIABLES),
    ("StringNotLike", "k:text", ["${k:absent}*", "B*"], False, VARIABLES),
    ("NumericEquals", "k:number", "10", True, GUIDE),
    # Numbers.
    ("NumericEquals", "k:number", 10, True, GUIDE),
    ("NumericEquals", "k:number", "10.0", True, INFERRED),
    ("NumericEquals", "k:garbage", "10", False, INFERRED),
    ("NumericNotEquals", "k:number", "1e1", False, INFERRED),
    ("NumericNotEquals", "k:garbage", "10", True, INFERRED),
    ("NumericNotEquals", "k:absent", "10", True, GUIDE),
    ("NumericLessThan", "k:number", "10", False, GUIDE),
    ("NumericLessThan", "k:number", ["1", "11"], True, SETS),
    ("NumericLessThanEquals", "k:number", "10", True, GUIDE),
    ("NumericGreaterThan", "k:number", "-3", True, GUIDE),
    ("NumericGreaterThan", "k:number", ".5", True, INFERRED),
    ("NumericGreaterThanEquals", "k:number", "11", False, GUIDE),
    ("NumericGreaterThan", "k:absent", "1", False, GUIDE),
    # Times: forms of ISO 8601 that the W3C lists, and seconds since 1970.
    ("DateEquals", "k:time", "1777636800", True, GUIDE),
    ("DateEquals", "k:epoch", "2026-05-01T14:00:00+02:00", True, GUIDE),
    ("DateNotEquals", "k:time", "2026-05-01T12:00Z", False, GUIDE),
    ("DateLessThan", "k:time", "2026-05-02", True, GUIDE),
    ("DateLessThan", "k:time", "2026-05", False, GUIDE),
    ("DateLessThanEquals", "k:time", "2026-05-01T12:00:00Z", True, GUIDE),
    ("DateGreaterThan", "k:time", "2026-05-01T12:00:00Z", False, GUIDE),
    ("DateGreaterThanEquals", "k:time", 1777636800, True, GUIDE),
    ("DateGreaterThan", "k:garbage", "2026-05-01", False, INFERRED),
    ("DateGreaterThan", "k:absent", "2026-05-01", False, GUIDE),
    # Yes and no, bytes.
    ("Bool", "k:yes", "true", True, GUIDE),
    ("Bool", "k:yes", True, True, GUIDE),
    ("Bool", "k:yes", "TRUE", True, INFERRED),
    ("Bool", "k:yes", "false", False, GUIDE),
    ("Bool", "k:absent", "false", False, GUIDE),
    ("BinaryEquals", "k:binary", "aGVsbG8=", True, GUIDE),
    ("BinaryEquals", "k:binary", "aGVsbG8h", False, GUIDE),
    ("BinaryEquals", "k:garbage", "aGVsbG8h", False, INFERRED),
    # Addresses.
    ("IpAddress", "aws:SourceIp", "203.0.113.0/24", True, GUIDE),
    ("IpAddress", "aws:SourceIp", "203.0.113.9/24", True, INFERRED),
    ("IpAddress", "aws:SourceIp", "203.0.113.7", True, GUIDE),
    ("IpAddress", "aws:SourceIp", "203.0.114.0/24", False, GUIDE),
    ("IpAddress", "aws:SourceIp", ["203.0.114.0/24", "203.0.113.7/32"], True, SETS),
    ("IpAddress", "k:v6", ["203.0.113.0/24", "2001:DB8:1234:5678::/64"], True, GUIDE),
    ("IpAddress", "k:mapped", "203.0.113.0/24", True, INFERRED),
    ("IpAddress", "aws:SourceIp", "2001:DB8:1234:5678::/64", False, GUIDE),
    ("IpAddress", "k:garbage", "0.0.0.0/0", False, INFERRED),
    ("IpAddress", "k:absent", "0.0.0.0/0", False, GUIDE),
    ("NotIpAddress", "aws:SourceIp", "203.0.113.0/24", False, GUIDE),
    ("NotIpAddress", "aws:SourceIp", ["198.51.100.0/24", "192.0.2.0/24"], True, SETS),
    ("NotIpAddress", "k:absent", "203.0.113.0/24", True, GUIDE),
    ("NotIpAddress", "k:garbage", "203.0.113.0/24", True, INFERRED),
    # ARNs, part by part.
    ("ArnEquals", "k:arn", "arn:aws:sns:*:111122223333:topic:?", True, GUIDE),
    ("ArnLike", "k:arn", "arn:aws:sns:*:111122223333:*", True, GUIDE),
    ("ArnLike", "k:arn", "arn:aws:sns:*:topic:a", False, GUIDE),
    ("ArnLike", "k:arn", "arn:aws:sns:*:topic:*:a", False, GUIDE),
    ("StringLike", "k:arn", "arn:aws:sns:*:topic:a", True, GUIDE),
    ("ArnLike", "k:arn", "arn:aws:sns", False, INFERRED),
    ("ArnLike", "k:arn", "*", True, INFERRED),
    ("ArnLike", "k:text", "*", False, INFERRED),
    ("ArnLike", "k:arn", "arn:aws:sns:*:*:${k:topic, 'topic:a'}", True, VARIABLES),
    ("ArnLike", "k:arn", "arn:aws:sns:*:*:${k:absent}", False, VARIABLES),
    ("ArnNotLike", "k:arn", "arn:aws:sns:*:*:${k:absent}", False, VARIABLES),
    ("ArnNotLike", "k:arn", "arn:aws:sqs:*:*:${k:absent}", True, INFERRED),
    ("ArnNotEquals", "k:arn", "arn:aws:sns:*:111122223333:*", False, GUIDE),
    ("ArnNotLike", "k:absent", "arn:aws:sns:*:111122223333:*", True, GUIDE),
    # There or not.
    ("Null", "k:absent", "true", True, GUIDE),
    ("Null", "k:absent", "false", False, GUIDE),
    ("Null", "k:nothing", "true", True, INFERRED),
    ("Null", "k:text", False, True, GUIDE),
    ("Null", "k:text", "true", False, GUIDE),
    ("StringEqualsIfExists", "k:absent", "Red", True, GUIDE),
    ("StringEqualsIfExists", "k:text", "Blue", False, GUIDE),
    ("StringNotEqualsIfExists", "k:absent", "Red", True, GUIDE),
    ("StringNotEqualsIfExists", "k:text", "Red", False, GUIDE),
    ("IpAddressIfExists", "k:absent", "203.0.113.0/24", True, GUIDE),
    # Sets.
    ("ForAllValues:StringEquals", "k:many", ["a", "b", "c"], True, SETS),
    ("ForAllValues:StringEquals", "k:many", ["a"], False, SETS),
    ("ForAllValues:StringEquals", "k:absent", "a", True, SETS),
    ("ForAllValues:StringEquals", "k:empty", "a", True, SETS),
    ("ForAllValues:StringNotEquals", "k:many", ["c"], True, SETS),
    ("ForAllValues:StringNotEquals", "k:many", ["a"], False, SETS),
    ("ForAllValues:StringNotEquals", "k:many", ["${k:absent}"], False, INFERRED),
    ("ForAnyValue:StringLike", "k:many", ["b*", "x*"], True, SETS),
    ("ForAnyValue:StringLike", "k:many", ["x*"], False, SETS),
    ("ForAnyValue:StringEquals", "k:absent", "a", False, SETS),
    ("ForAnyValue:StringEquals", "k:empty", "", False, SETS),
    ("ForAnyValue:StringNotEquals", "k:many", ["a"], True, SETS),
    ("ForAnyValue:StringNotEquals", "k:absent", ["a"], False, SETS),
    ("ForAnyValue:StringEqualsIfExists", "k:absent", "a", True, INFERRED),
    ("ForAllValues:StringEqualsIfExists", "k:absent", "a", True, INFERRED),
]


def holds(block: Any, variables: bool = True) -> bool:
    asked = request(context=CONTEXT)
    return all(condition.holds(asked) for condition in conditions.parse(block, variables=variables))


@pytest.mark.parametrize(("operator", "key", "wanted", "expected", "source"), CASES)
def test_an_operator_holds_as_the_guide_says(
    operator: str, key: str, wanted: Any, expected: bool, source: str
) -> None:
    assert holds({operator: {key: wanted}}) is expected, source


def test_all_operators_and_all_keys_have_to_hold() -> None:
    """IAM user guide, Conditions with multiple context keys or values: joined by AND."""
    first, second = {"k:text": "Red"}, {"k:yes": "true"}
    assert holds({"StringEquals": first, "Bool": second})
    assert not holds({"StringEquals": first | {"k:number": "9"}, "Bool": second})
    assert not holds({"StringEquals": first, "Bool": {"k:yes": "false"}})
    assert holds({})


def test_the_older_language_compares_a_variable_as_text() -> None:
    assert not holds({"StringEquals": {"k:text": "${k:text}"}}, variables=False)


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ([], "Condition is not an object"),
        ({"Bool": "true"}, "Condition Bool is not an object"),
        ({"StringEqual": {"k:a": "x"}}, "Condition StringEqual k:a: there is no such operator"),
        ({"NullIfExists": {"k:a": "true"}}, "Condition NullIfExists k:a: there is no such operator"),
        ({"ForAnyValue:Null": {"k:a": "true"}}, "Condition ForAnyValue:Null k:a: there is no such operator"),
        ({"ForSome:Bool": {"k:a": "true"}}, "Condition ForSome:Bool k:a: there is no such operator"),
        ({"Null": {"k:a": "maybe"}}, "Condition Null k:a: Null takes true or false"),
        ({"Bool": {"a": "true"}}, "condition key a has no vendor"),
        ({"Bool": {"k:a": {}}}, "a condition's value is text, a number or a boolean"),
        ({"Bool": {"k:a": [None]}}, "a condition's value is text, a number or a boolean"),
        ({"NumericEquals": {"k:a": "ten"}}, "Condition NumericEquals k:a: 'ten' is no number"),
        ({"NumericEquals": {"k:a": "NaN"}}, "Condition NumericEquals k:a: 'NaN' is no number"),
        ({"BinaryEquals": {"k:a": "%"}}, "Condition BinaryEquals k:a: '%' is not base64"),
        ({"BinaryEquals": {"k:a": "é"}}, "Condition BinaryEquals k:a: 'é' is not base64"),
        (
            {"DateEquals": {"k:a": "soon"}},
            "Condition DateEquals k:a: 'soon' is no time; write it as 2027-01-01T00:00:00Z",
        ),
        (
            {"IpAddress": {"k:a": "10.0.0.0/40"}},
            "Condition IpAddress k:a: '10.0.0.0/40' does not appear to be an IPv4 or IPv6 network",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(block: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z") as refusal:
        conditions.parse(block, variables=True)
    assert str(refusal.value) == problem
