"""Orders of versions: what the projects publish as examples, and what holds for every order."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain.inventory import LANGUAGE_KINDS, SYSTEM_KINDS
from ecr_emu.scanner.versions import MAX_LENGTH, InvalidVersion, compare

# deb-version(7), and versions of Debian's; conformance/test_dpkg_versions.py asks dpkg itself.
DEB = """
1.0~rc1 < 1.0 | 1.0~~ < 1.0~ | 1.0a < 1.0+ | 1.10 > 1.9 | 1:1.0 > 2.0 | 1.0-1 > 1.0 | 1.0-0 = 1.0
0:1.0 = 1.0 | 1.0-1-2 > 1.0-1-1 | 2.36-9+deb12u4 > 2.36-9+deb12u3 | 1.1.1n-0+deb11u3 < 1.1.1n-0+deb11u4
1:1.2.15-7+deb6u1 > 1.2.16-1 | 97aa-0 = 97aa0 | 00 > 0~
"""
# apk-tools, test/version.data: pairs as they stand there, those with a comment left out.
APK = """
2.34 > 0.1.0_alpha | 0.1.0_alpha = 0.1.0_alpha | 0.1.0_alpha < 0.1.3_alpha | 0.1.0_alpha2 > 0.1.0_alpha
0.1.0_alpha < 2.2.39-r1 | 1.0.4-r3 < 1.0.4-r4 | 1.0.4-r4 < 1.6 | 1.0.2 > 0.7-r1 | 1.0.1 < 1.1
1.1 > 1.1_alpha1 | 1.1_alpha1 < 1.2.1 | 1.2 < 1.3_alpha | 1.3_alpha2 < 1.3_alpha3 | 0.7.0 < 0.8_beta1
4.8-r1 > 3.10.18-r1 | 3.10.18-r1 > 2.3.0b-r1 | 2.3.0b-r1 < 2.3.0b-r2 | 2.3.0b-r4 > 0.12.1 | 0.12.3 > 0.12
0.13_beta5 > 0.9.12 | 2.1.15-r3 > 1.2.11 | 1.2.11 < 1.2.12.1 | 0.2.0-r1 < 3.1_p16 | 3.1_p16 < 3.1_p17
3.1_p17 > 1.06-r6 | 1.06-r6 < 006 | 006 > 1.0.0 | 1.2.2-r1 > 1.2.2 | 2.59 < 20050718-r1
20050718-r2 > 3.9.8-r5 | 3.9.8-r5 > 2.01.01_alpha10 | 2.01.01_alpha10 > 0.94 | 1.0 > 0.99.3.20040818
1.39 > 1.00_beta2 | 1.00_beta2 > 0.9.2 | 7.15.1-r1 > 1.02 | 1.02 < 1.03-r1 | 4.2.52_p2-r1 < 4.2.52_p4-r2
4.2.52_p4-r2 > 1.02.07 | 1.02.07 < 1.02.10-r1 | 2.18.3-r10 > 1.05-r18 | 0.98 < 1.00 | 6b-r7 > 1.12-r7
2.12r-r4 < 2.12r-r5 | 2.5.1-r8 < 2.5.1a-r1 | 1.7 < 1.7b | 1.7b < 1.8.4-r3 | 1.8.5 < 1.8.5_p2
0.9.8c-r1 < 0.9.8d | 3.0.0-r2 < 021109-r3 | 021109-r3 < 20060512 | 2.02.06 < 2.02.10 | 1.6d > 1.2.07.8
1.2.07.8 < 1.2.12.04 | 1.2.12.04 < 1.2.12.05 | 0.1_pre20060810 < 0.1_pre20060817 | 0.15.1b-r2 > 0.15.1b
2.0.0_rc3-r1 > 1.5 | 3.9_pre20060124 > 0.01 | 0.10.0 < 0.10.1_rc1 | 0.3.1_rc8 < 22.2 | 013 < 014-r1
1.6.8_p12-r1 > 1.6.8_p9-r2 | 2.9.11_pre20051101-r3 > 2.9.11_pre20051101 | 087-r1 < 103 | 104-r11 > 104-r9
0.20070118 < 0.20070207_rc1 | 4.5_p1-r1 > 4.5_p1 | 7.0.174 > 7.0.17 | 1.2.9.1-r1 > 1.2.9.1 | 1.3-r0 < 1.3.1-r0
1.3_pre1-r1 < 1.3.2 | 1.0_p10-r0 > 1.0_p9-r0 | 0.1.0_alpha_pre2 < 0.1.0_alpha
1.0.0_pre20191002222144-r0 < 1.0.0_pre20210530193627-r0 | 1.0_git2019 > 1.0 | 1.0_git2019-r0 < 1.0_git2020-r0
"""
# rpm, tests/rpmvercmp.at.
RPM = """
1.0 = 1.0 | 1.0 < 2.0 | 2.0.1 > 2.0 | 2.0.1a > 2.0.1 | 5.5p1 < 5.5p2 | 5.5p1 < 5.5p10 | 10xyz < 10.1xyz
xyz10 < xyz10.1 | xyz.4 < 8 | xyz.4 < 2 | 5.5p2 < 5.6p1 | 5.6p1 < 6.5p1 | 6.0.rc1 > 6.0 | 10b2 > 10a1
10a2 < 10b2 | 1.0a < 1.0aa | 10.0001 = 10.1 | 10.0001 < 10.0039 | 4.999.9 < 5.0 | 20101121 < 20101122
2_0 = 2.0 | a+ = a_ | +a = _a | + = _ | 1.0~rc1 < 1.0 | 1.0~rc1 < 1.0~rc2 | 1.0~rc1~git123 < 1.0~rc1
1.0^ > 1.0 | 1.0^git1 > 1.0 | 1.0^git1 < 1.0.1
1.0^git1 < 1.01 | 1.0^20160101 < 1.0.1 | 1.0~rc1^git1 > 1.0~rc1
1.0^git1~pre < 1.0^git1 | 1b.fc17 < 1.fc17 | 1g.fc17 > 1.fc17
1:1.0-1 > 2.0-1 | 1.0-1.el9 < 1.0-2.el9 | 0:1.0-1 = 1.0-1
"""
# peps.python.org/pep-0440.
PYPI = """
1.0.dev456 < 1.0a1 | 1.0a1 < 1.0a2.dev456 | 1.0a2.dev456 < 1.0a12.dev456 | 1.0a12.dev456 < 1.0a12
1.0a12 < 1.0b1.dev456 | 1.0b1.dev456 < 1.0b2
1.0b2 < 1.0b2.post345.dev456 | 1.0b2.post345.dev456 < 1.0b2.post345
1.0b2.post345 < 1.0rc1.dev456 | 1.0rc1.dev456 < 1.0rc1
1.0rc1 < 1.0 | 1.0 < 1.0+abc.5 | 1.0+abc.5 < 1.0+abc.7
1.0+abc.7 < 1.0+5 | 1.0+5 < 1.0.post456.dev34 | 1.0.post456.dev34 < 1.0.post456 | 1.0.post456 < 1.0.15
1.0.15 < 1.1.dev1 | 1.1 = 1.1.0 | 1.1RC1 = 1.1rc1 | v1.0 = 1.0 | 1!0.1 > 2.0
"""
# semver.org, 11; build metadata (10) does not count. Go: pkg.go.dev/golang.org/x/mod/semver, pseudo-versions.
SEMVER = """
1.0.0-alpha < 1.0.0-alpha.1 | 1.0.0-alpha.1 < 1.0.0-alpha.beta | 1.0.0-alpha.beta < 1.0.0-beta
1.0.0-beta < 1.0.0-beta.2 | 1.0.0-beta.2 < 1.0.0-beta.11 | 1.0.0-beta.11 < 1.0.0-rc.1 | 1.0.0-rc.1 < 1.0.0
1.0.0 < 2.0.0 | 2.0.0 < 2.1.0 | 2.1.0 < 2.1.1 | 1.0.0+a = 1.0.0+b | 1.0.0+a = 1.0.0 | v1.2.3 = 1.2.3
2.0.0+incompatible > 1.9.9 | 0.0.0-20190101000000-abcdefabcdef < 0.0.0-20200101000000-abcdefabcdef
0.0.0-20190101000000-abcdefabcdef < 0.0.1 | 1.2 = 1.2.0 | 1 = 1.0.0
"""
# Maven, ComparableVersionTest, and maven.apache.org/pom.html#Version_Order_Specification.
MAVEN = """
1 = 1.0 | 1..2 = 1.0.2 | 1--2 < 1.2 | 1 = 1.0.0 | 1 = 1-0
1.0 = 1.0-0 | 1a = 1-a | 1a = 1.0-a | 1a = 1.0.0-a | 1x = 1-x | 1ga = 1
1final = 1 | 1release = 1 | 1cr = 1rc | 1a1 = 1-alpha-1
1b2 = 1-beta-2 | 1m3 = 1-milestone-3 | 1X = 1x | 1GA = 1
1-0.ga = 1.0 | 1 < 2 | 1.5 < 2 | 1.0.0 < 1.1 | 1.0-alpha-1 < 1.0 | 1.0-alpha-1 < 1.0-beta-1
1.0-beta-1 < 1.0-SNAPSHOT | 1.0-SNAPSHOT < 1.0
1.0-alpha-1-SNAPSHOT < 1.0-alpha-1 | 1.0 < 1.0-1 | 1.0-1 < 1.0-2
2.0-1 < 2.0.1 | 2.0.1-klm < 2.0.1-lmn | 2.0.1 < 2.0.1-xyz | 2.0.1-xyz < 2.0.1-123 | 2.0.1 < 2.0.1-123
1.0.RC2 < 1.0-RC3 | 1.0-RC3 < 1.0.1 | 1-0.alpha < 1-0.beta | 1-0.beta < 1 | 1-sp > 1-ga | 1-sp.1 > 1-ga.1
1-foo2 < 1-foo10 | 1.foo < 1-1 | 1-1 < 1.1 | 6.1.0rc3 < 6.1.0 | 6.1.0 < 6.1H.5-beta
20190126.230843 < 1234567890.12345 | 5.3.20.RELEASE = 5.3.20
4.1.9.Final < 4.1.10.Final | 31.0-jre < 32.0-android
"""
MAVEN_ASCENDING = (
    "1-alpha2snapshot 1-alpha2 1-alpha-123 1-beta-2 1-beta123 1-m2 1-m11 1-rc 1-cr2 1-rc123 1-SNAPSHOT 1 1-sp"
    " 1-sp2 1-sp123 1-abc 1-def 1-pom-1 1-1-snapshot 1-1 1-2 1-123",
    "2.0 2-1 2.0.2 2.0.123 2.1.0 2.1-a 2.1b 2.1-c 2.1-1 2.1.0.1 2.2 2.123 11.a2 11.a11 11.b2 11.b11 11.m2"
    " 11.m11 11 11.a 11b 11c 11m",
)
# docs.ruby-lang.org, Gem::Version, and rubygems' test_gem_version.rb.
GEM = """
1.0 = 1.0.0 | 1.0 > 1.0.a | 1.8.2 > 0.0.0 | 1.8.2 > 1.8.2.a | 1.8.2.b > 1.8.2.a | 1.8.2.a10 > 1.8.2.a9
0.beta.1 = 0.0.beta.1 | 0.0.beta < 0.0.beta.1 | 5.a < 5.0.0.rc2 | 5.x > 5.0.0.rc2 | 1.9.3 > 1.9.2.99
1.9.3 < 1.9.3.1 | 3.0.0.pre1 < 3.0.0 | 1.0.0-1 < 1.0.0
"""
PUBLISHED = {
    "deb": DEB,
    "apk": APK,
    "rpm": RPM,
    "pypi": PYPI,
    "npm": SEMVER,
    "golang": SEMVER,
    "cargo": SEMVER,
    "maven": MAVEN,
    "gem": GEM,
}
SIGNS = {"<": -1, "=": 0, ">": 1}


def vectors(text: str) -> list[tuple[str, int, str]]:
    """Left, order and right of "a < b | c = d"."""
    found = [one.split() for line in text.strip().splitlines() for one in line.split("|")]
    return [(left, SIGNS[sign], right) for left, sign, right in found]


@pytest.mark.parametrize("kind", PUBLISHED)
def test_published_examples(kind: str) -> None:
    wrong = [
        (left, right)
        for left, sign, right in vectors(PUBLISHED[kind])
        if compare(kind, left, right) != sign or compare(kind, right, left) != -sign
    ]
    assert wrong == []


@pytest.mark.parametrize("versions", MAVEN_ASCENDING)
def test_mavens_lists_are_in_order(versions: str) -> None:
    pairs = itertools.combinations(versions.split(), 2)
    assert [pair for pair in pairs if compare("maven", *pair) != -1] == []


def test_apk_takes_what_the_distributions_write() -> None:
    assert compare("apk", "1.1", "1.1_rc1") == 1
    assert compare("apk", "1.1~c0ffee-r0", "1.1-r0") == 1
    assert compare("apk", "1.010", "1.02") == -1


@pytest.mark.parametrize("kind", [*SYSTEM_KINDS, *LANGUAGE_KINDS])
@pytest.mark.parametrize("text", ["", " ", "1" * (MAX_LENGTH + 1)])
def test_what_is_no_version_of_any_kind(kind: str, text: str) -> None:
    with pytest.raises(InvalidVersion, match=f"is no version of kind {kind}"):
        compare(kind, text, "1.0.0")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("deb", "a:1"),
        ("deb", "1.0-"),
        ("deb", "1 0"),
        ("deb", "-1"),
        ("deb", "1.0é"),
        ("apk", "1.0bc"),
        ("apk", "1.0_foo"),
        ("apk", "1.0-1"),
        ("apk", "x"),
        ("rpm", "x:1.0"),
        ("rpm", "1 0"),
        ("rpm", "1.é"),
        ("pypi", "1.0-foo"),
        ("pypi", "latest"),
        ("npm", "latest"),
        ("npm", "1.2.3.4"),
        ("golang", "(devel)"),
        ("cargo", "01.2.3"),
        ("gem", "1.0 beta?"),
        ("maven", "-" * 500),
        ("maven", "a1" * 250),
    ],
)
def test_what_is_no_version_of_its_kind(kind: str, text: str) -> None:
    with pytest.raises(InvalidVersion):
        compare(kind, text, "1.0")


def test_a_kind_that_nobody_knows_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        compare("conan", "1", "2")


PARTS = st.sampled_from(
    [*"0123456789", ".", "-", "~", "+", "_", "^", ":", "a", "b", "rc", "alpha", "-r", "00"]
)
VERSIONS = st.lists(PARTS, min_size=1, max_size=8).map("".join) | st.text(max_size=12)
KINDS = st.sampled_from([*SYSTEM_KINDS, *LANGUAGE_KINDS])


def order(kind: str, left: str, right: str) -> int | None:
    try:
        return compare(kind, left, right)
    except InvalidVersion:
        return None


@given(KINDS, VERSIONS, VERSIONS)
def test_any_two_texts_are_in_order_or_no_versions(kind: str, left: str, right: str) -> None:
    answer = order(kind, left, right)
    assert answer in (None, -1, 0, 1)
    if answer is not None:
        assert order(kind, right, left) == -answer
        assert order(kind, left, left) == 0


@given(st.sampled_from(["deb", "apk", "pypi", "npm"]), st.lists(VERSIONS, min_size=3, max_size=3))
def test_the_order_is_total(kind: str, versions: list[str]) -> None:
    first, second, third = versions
    if (
        (order(kind, first, second) or 0) <= 0
        and (order(kind, second, third) or 0) <= 0
        and None not in (order(kind, first, second), order(kind, second, third))
    ):
        assert order(kind, first, third) in (-1, 0)


NUMBERS = st.lists(st.integers(0, 20), min_size=3, max_size=3)


@given(KINDS, NUMBERS, NUMBERS)
def test_plain_numbers_are_in_the_same_order_everywhere(kind: str, left: list[int], right: list[int]) -> None:
    texts = (".".join(map(str, numbers)) for numbers in (left, right))
    # An apk's later part of 0 is a fraction, and that of 0 alone is still the least.
    assert compare(kind, *texts) == (left > right) - (left < right)


def test_the_server_imports_no_order_before_it_needs_one() -> None:
    code = (
        "import sys, ecr_emu.scanner.matching, ecr_emu.scanner.severity;"
        "print([name for name in ('univers', 'cvss', 'semver', 'packaging') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout == "[]\n"
