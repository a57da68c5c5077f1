"""The model's regular expressions are kept to, and none of them can be made to work for long."""

import re
import time
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.control import model, wording
from tests.clients import Running
from tests.control.calls import Api, invalid

SHAPES = model.load().shapes
PATTERNS = {name: shape["pattern"] for name, shape in SHAPES.items() if "pattern" in shape}
FILTERS = ("RepositoryFilterValue", "ScanningRepositoryFilterValue", "SigningRepositoryFilterValue")
# One of each kind of letter that a filter's pattern knows, and one that none knows.
ALPHABET = "a0*._-/!A"

HOSTILE = ("a", "*", "0", ".", "-", "/", "a-", "a.", "a_", "a/", "*/", "--", "aa/", "a:", "arn:aws-a", "a--")


def accepts(name: str, text: str) -> tuple[bool, bool]:
    """Whether the model's pattern and ours take a string."""
    ours = wording.pattern(name, PATTERNS[name])
    return bool(re.fullmatch(PATTERNS[name], text)), bool(ours.fullmatch(text))


@pytest.mark.parametrize("name", FILTERS)
def test_our_patterns_take_the_same_short_strings_as_the_models(name: str) -> None:
    for length in range(5):
        for letters in product(ALPHABET, repeat=length):
            models, ours = accepts(name, "".join(letters))
            assert models == ours, "".join(letters)


@pytest.mark.parametrize("name", FILTERS)
@given(text=st.text(ALPHABET + "\n", max_size=14))
def test_our_patterns_take_the_same_strings_as_the_models(name: str, text: str) -> None:
    models, ours = accepts(name, text)
    assert models == ours


@pytest.mark.parametrize("name", PATTERNS)
def test_no_string_keeps_a_pattern_busy(name: str) -> None:
    length = min(SHAPES[name].get("max", 4096), 4096)
    pattern = wording.pattern(name, PATTERNS[name])
    begun = time.perf_counter()
    for piece in HOSTILE:
        for last in "!A\n":
            pattern.fullmatch((piece * length)[: length - 1] + last)
    assert time.perf_counter() - begun < 1


def scanning(text: str) -> Any:
    filters = [{"filter": text, "filterType": "WILDCARD"}]
    return {"rules": [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": filters}]}


def replication(text: str) -> Any:
    filters = [{"filter": text, "filterType": "PREFIX_MATCH"}]
    destinations = [{"region": "eu-west-1", "registryId": "000000000000"}]
    rules = [{"destinations": destinations, "repositoryFilters": filters}]
    return {"replicationConfiguration": {"rules": rules}}


def signing(text: str) -> Any:
    arn = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/release"
    filters = [{"filter": text, "filterType": "WILDCARD_MATCH"}]
    return {"signingConfiguration": {"rules": [{"signingProfileArn": arn, "repositoryFilters": filters}]}}


@pytest.mark.parametrize("piece", ["a", "*", "a-", "a/", "*."])
def test_hostile_filters_are_refused_at_once(emulator: Running, piece: str) -> None:
    api = Api(emulator)
    calls = [
        ("PutRegistryScanningConfiguration", scanning, "rules.1.member", 255, FILTERS[1]),
        (
            "PutReplicationConfiguration",
            replication,
            "replicationConfiguration.rules.1.member",
            256,
            FILTERS[0],
        ),
        ("PutSigningConfiguration", signing, "signingConfiguration.rules.1.member", 256, FILTERS[2]),
    ]
    for operation, request, path, length, shape in calls:
        text = (piece * length)[: length - 1] + "!"
        begun = time.perf_counter()
        refusal = api.refusal(operation, request(text))
        assert time.perf_counter() - begun < 1
        constraint = f"Member must satisfy regular expression pattern: {PATTERNS[shape]}"
        assert refusal == invalid(f"{path}.repositoryFilters.1.member.filter", constraint)
