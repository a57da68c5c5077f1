"""Which profiles sign what."""

import pytest

from ecr_emu.domain import signing
from ecr_emu.domain.signing import Rule

IMAGE = "application/vnd.oci.image.config.v1+json"


def profile(name: str, region: str = "us-east-1") -> str:
    return f"arn:aws:signer:{region}:000000000000:/signing-profiles/{name}"


ALL, TEAM = Rule(profile("all")), Rule(profile("team"), ("myapp/*", "*/production"))
AGAIN = Rule(profile("all"), ("*prod*",))


@pytest.mark.parametrize(
    ("rules", "name", "expected"),
    [
        ([], "myapp/web", []),
        ([ALL], "anything", ["all"]),
        ([TEAM], "myapp/web", ["team"]),
        ([TEAM], "my/production", ["team"]),
        ([TEAM], "myapp", []),
        ([TEAM], "not-myapp/web", []),
        ([ALL, TEAM], "myapp/web", ["all", "team"]),
        ([ALL, AGAIN], "my/production", ["all"]),
    ],
)
def test_profiles_are_those_of_all_matching_rules(rules: list[Rule], name: str, expected: list[str]) -> None:
    assert signing.profiles(rules, name, IMAGE) == [profile(entry) for entry in expected]


def test_signatures_are_not_signed() -> None:
    for kind in (
        signing.SIGNATURE_TYPE,
        "application/vnd.dev.cosign.artifact.sig.v1+json",
        "application/vnd.dev.sigstore.bundle.v0.3+json",
    ):
        assert signing.profiles([ALL], "app", kind) == []
    assert signing.profiles([ALL], "app", "application/vnd.dev.cosign.artifact.sbom.v1+json") != []
    assert signing.profiles([ALL], "app", None) == [profile("all")]


def test_a_profile_is_of_the_region_of_the_registry() -> None:
    assert signing.check("us-east-1", [ALL, TEAM]) is None
    refusal = "Signing profile must be in the same region as the registry"
    assert signing.check("us-east-1", [ALL, Rule(profile("far", "eu-west-1"))]) == refusal


def test_stored_rules_read_as_they_were() -> None:
    assert signing.read(signing.write([ALL, TEAM, Rule(profile("x"), ())])) == (
        ALL,
        TEAM,
        Rule(profile("x"), ()),
    )
    assert signing.read(None) == ()


def test_a_certificate_names_region_account_and_profile() -> None:
    assert signing.subject(profile("release")) == {
        "C": "XX",
        "ST": "us-east-1",
        "O": "000000000000",
        "CN": "release",
    }
    assert signing.identity(profile("release")) == (
        "x509.subject: C=XX, ST=us-east-1, O=000000000000, CN=release"
    )
    # A name of X.509 has 64 characters.
    long, other = (signing.subject(profile(letter * 100))["CN"] for letter in "ab")
    assert len(long) == len(other) == 64
    assert long != other
