"""Host names, templates and ARNs of registries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain.registries import HostNames, Registry, check_template, parse_repository_arn

HOME = Registry("000000000000", "us-east-1")
OTHER = Registry("123456789012", "eu-west-1")
# Digits, but not those of an account.
ARABIC = "\u0661" * 12
REGISTRIES = st.builds(
    Registry,
    st.text("0123456789", min_size=12, max_size=12),
    st.sampled_from(["us-east-1", "cn-north-1", "us-gov-west-1", "eu-central-2"]),
)


def hosts(template: str | None = None) -> HostNames:
    return HostNames(HOME, template, 4566)


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("us-east-1", "aws"),
        ("us-gov-west-1", "aws-us-gov"),
        ("cn-northwest-1", "aws-cn"),
        ("ca-central-1", "aws"),
        ("us-governed-1", "aws"),
    ],
)
def test_a_region_is_in_its_partition(region: str, partition: str) -> None:
    registry = Registry("123456789012", region)
    assert registry.partition == partition
    assert registry.repository_arn("a/b") == f"arn:{partition}:ecr:{region}:123456789012:repository/a/b"


def test_the_default_registry_is_localhost_and_others_have_their_account_and_region() -> None:
    assert hosts().host(HOME) == "localhost:4566"
    assert hosts().endpoint(HOME) == "http://localhost:4566"
    assert hosts().host(OTHER) == "123456789012.dkr.ecr.eu-west-1.localhost:4566"
    assert hosts().host(Registry(HOME.account, "eu-west-1")).startswith("000000000000.dkr.ecr.eu-west-1.")


@pytest.mark.parametrize(
    ("template", "host", "endpoint"),
    [
        ("ecr.test:{port}", "ecr.test:4566", "http://ecr.test:4566"),
        ("{account}.{region}.test", "123456789012.eu-west-1.test", "http://123456789012.eu-west-1.test"),
        ("https://{account}.test", "123456789012.test", "https://123456789012.test"),
        ("http://x.test:80", "x.test:80", "http://x.test:80"),
    ],
)
def test_a_template_names_every_registry(template: str, host: str, endpoint: str) -> None:
    names = hosts(template)
    assert (names.host(OTHER), names.endpoint(OTHER)) == (host, endpoint)


@pytest.mark.parametrize(
    "host",
    [
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com.cn",
        "123456789012.dkr.ecr-fips.eu-west-1.amazonaws.com",
        "123456789012.dkr-ecr.eu-west-1.on.aws",
        "123456789012.dkr-ecr-fips.eu-west-1.on.aws",
        "123456789012.dkr.ecr.eu-west-1.localhost:4566",
        "123456789012.DKR.ECR.EU-West-1.AmazonAWS.com",
    ],
)
def test_a_registry_host_means_its_registry(host: str) -> None:
    assert hosts().registry(host) == OTHER


@pytest.mark.parametrize(
    "host",
    [
        *("", "localhost", "localhost:4566", "127.0.0.1:4566", "[::1]:4566", "ecr", "amazonaws.com"),
        *("12345678901.dkr.ecr.eu-west-1.localhost", "1234567890123.dkr.ecr.eu-west-1.localhost"),
        *("123456789012.dkr.ecr.eu-west-1", "123456789012.dkr.ecr.eu_west.localhost"),
        *("x.123456789012.dkr.ecr.eu-west-1.localhost", "123456789012.dkr.ecr..localhost"),
        *("123456789012.dkr.ecr.eu-west-1.a/b", f"{ARABIC}.dkr.ecr.eu-west-1.localhost"),
    ],
)
def test_any_other_host_means_the_default_registry(host: str) -> None:
    assert hosts().registry(host) == HOME


@given(REGISTRIES, st.sampled_from([None, "{account}.dkr.ecr.{region}.test:{port}"]))
def test_a_registry_is_found_under_the_host_it_is_given(registry: Registry, template: str | None) -> None:
    names = hosts(template)
    assert names.registry(names.host(registry)) == registry


@pytest.mark.parametrize("template", ["localhost:{port}", "{account}.{region}.x", "https://a-b.c", "x:1"])
def test_a_template_of_known_parts_is_good(template: str) -> None:
    assert check_template(template) is None


@pytest.mark.parametrize(
    "template",
    [
        "{name}.test",
        "{}.test",
        "{0}.test",
        "{account",
        "account}",
        "{account.real}.test",
        "{account.nothing}.test",
        "{account:d}.test",
        "{port!x}.test",
        "{account[x]}",
    ],
)
def test_a_template_with_other_parts_is_refused(template: str) -> None:
    assert check_template(template) is not None


@pytest.mark.parametrize(
    "template", ["", "UPPER.test", "a b", "host/path", "ftp://x", "x:port", "x:", "user@host", "[::1]:{port}"]
)
def test_a_template_that_gives_no_host_is_refused(template: str) -> None:
    assert check_template(template) == "it must give a lower-case host name, with or without a port"


@given(st.text(max_size=30))
def test_checking_a_template_never_fails(template: str) -> None:
    problem = check_template(template)
    assert problem is not None or hosts(template).host(OTHER)


@given(REGISTRIES, st.text("ab0._-/", min_size=1))
def test_an_arn_leads_back_to_its_repository(registry: Registry, name: str) -> None:
    assert parse_repository_arn(registry.repository_arn(name)) == (registry, name)


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "team/app",
        "arn:aws:ecr:us-east-1:123456789012:repository/",
        "arn:aws:ecr:us-east-1:123456789012:registry/app",
        "arn:aws:ecr:us-east-1:12345:repository/app",
        "arn:aws:ecr::123456789012:repository/app",
        "arn:aws:ecs:us-east-1:123456789012:repository/app",
        "arn:aws-cn:ecr:us-east-1:123456789012:repository/app",
        "arn:aws:ecr:cn-north-1:123456789012:repository/app",
        f"arn:aws:ecr:us-east-1:{ARABIC}:repository/app",
    ],
)
def test_what_is_no_repository_arn_is_refused(arn: str) -> None:
    assert parse_repository_arn(arn) is None
