"""Accounts inside access keys, and credential scopes."""

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain.credentials import (
    Scope,
    account_of_access_key,
    parse_scope,
    scope_of_credential,
    session_key_of,
)

ACCOUNTS = st.integers(0, 10**12 - 1)
PREFIXES = st.sampled_from(["AKIA", "ASIA"])


def access_key(prefix: str, account: int, rest: int, *, is_new: bool = True) -> str:
    """A key as AWS makes them: a bit for the kind, 40 bits of account, 39 bits of something else."""
    bits = (is_new << 79) | (account << 39) | rest
    return prefix + base64.b32encode(bits.to_bytes(10, "big")).decode()


@given(PREFIXES, ACCOUNTS, st.integers(0, 2**39 - 1))
def test_the_account_in_a_key_is_found(prefix: str, account: int, rest: int) -> None:
    assert account_of_access_key(access_key(prefix, account, rest)) == f"{account:012d}"


@given(PREFIXES, ACCOUNTS, st.integers(0, 2**39 - 1))
def test_an_old_key_holds_no_account(prefix: str, account: int, rest: int) -> None:
    assert account_of_access_key(access_key(prefix, account, rest, is_new=False)) is None


@given(ACCOUNTS, st.integers(0, 2**40))
def test_a_key_of_a_session_holds_its_account(account: int, rest: int) -> None:
    key = session_key_of(f"{account:012d}", rest)
    assert key == access_key("ASIA", account, rest % 2**39)
    assert account_of_access_key(key) == f"{account:012d}"


@given(st.integers(10**12, 2**40 - 1))
def test_a_number_of_thirteen_digits_is_no_account(number: int) -> None:
    assert account_of_access_key(access_key("AKIA", number, 0)) is None


@given(st.text("0123456789", min_size=12, max_size=12))
def test_a_key_of_twelve_digits_is_an_account(account: str) -> None:
    assert account_of_access_key(account) == account


@pytest.mark.parametrize(
    "key",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        *("", "test", "12345678901", "1234567890123", "\u0661" * 12, "000000000000\n", "00000000000a"),
        *("AKIA", "AKIAQYLPMN5HFIQR7XY", "AKIAQYLPMN5HFIQR7XYAB", "AIDAQYLPMN5HFIQR7XYA"),
        *("akiaqylpmn5hfiqr7xya", "AKIA1YLPMN5HFIQR7XYA", "AKIAQYLPMN5HFIQR7XY="),
    ],
)
def test_any_other_key_names_no_account(key: str) -> None:
    assert account_of_access_key(key) is None


@given(st.text(string.ascii_uppercase + "234567", min_size=16, max_size=16), PREFIXES)
def test_a_key_names_twelve_digits_or_nothing(letters: str, prefix: str) -> None:
    account = account_of_access_key(prefix + letters)
    assert account is None or (
        len(account) == 12 and account.isdecimal() and letters[0] in "QRSTUVWXYZ234567"
    )


@pytest.mark.parametrize(
    ("credential", "scope"),
    [
        ("KEY/20250101/us-east-1/ecr/aws4_request", Scope("KEY", "us-east-1")),
        ("my/own/key/20250101/eu-west-1/ecr/aws4_request", Scope("my/own/key", "eu-west-1")),
        ("KEY/20250101/us-east-1/ecr/aws3_request", None),
        ("/20250101/us-east-1/ecr/aws4_request", None),
        ("20250101/us-east-1/ecr/aws4_request", None),
        ("KEY/20250101//ecr/aws4_request", None),
        ("KEY/20250101/US EAST/ecr/aws4_request", None),
        ("KEY/20250101/" + "a" * 65 + "/ecr/aws4_request", None),
        ("", None),
    ],
)
def test_a_credential_names_a_key_and_a_region(credential: str, scope: Scope | None) -> None:
    assert scope_of_credential(credential) == scope


@pytest.mark.parametrize("end", [", SignedHeaders=host, Signature=0", "", " SignedHeaders=host"])
def test_the_scope_of_a_signed_header_is_found(end: str) -> None:
    header = f"AWS4-HMAC-SHA256 Credential=KEY/20250101/us-east-1/ecr/aws4_request{end}"
    assert parse_scope(header) == Scope("KEY", "us-east-1")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic QVdTOng=",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=KEY",
        "Bearer Credential=KEY/20250101/us-east-1/ecr/aws4_request",
    ],
)
def test_a_header_without_a_whole_scope_names_nobody(header: str) -> None:
    assert parse_scope(header) is None


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1))
def test_any_key_of_a_header_comes_back(key: str) -> None:
    header = f"AWS4-HMAC-SHA256 Credential={key}/20250101/us-east-1/ecr/aws4_request, SignedHeaders=host"
    assert parse_scope(header) == Scope(key, "us-east-1")
