"""Which upstream registries there are."""

import pytest

from ecr_emu.domain import pull_through
from ecr_emu.domain.pull_through import Rule
from ecr_emu.domain.registries import Registry

UPSTREAMS = [
    ("public.ecr.aws", "ecr-public", False),
    ("registry.k8s.io", "k8s", False),
    ("quay.io", "quay", False),
    ("registry-1.docker.io", "docker-hub", True),
    ("ghcr.io", "github-container-registry", True),
    ("registry.gitlab.com", "gitlab-container-registry", True),
    ("mine.azurecr.io", "azure-container-registry", True),
    ("cgr.dev", "chainguard", True),
    ("111111111111.dkr.ecr.eu-west-1.amazonaws.com", "ecr", False),
    ("111111111111.dkr-ecr.eu-west-1.on.aws", "ecr", False),
]
SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/hub-a1b2c3"


@pytest.mark.parametrize(("url", "upstream", "closed"), UPSTREAMS)
def test_url_means_an_upstream(url: str, upstream: str, closed: bool) -> None:
    assert pull_through.upstream_of(url) == upstream
    assert Rule("p", url, upstream).lacks_credentials is closed
    assert not Rule("p", url, upstream, credential_arn=SECRET).lacks_credentials


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "docker.io",
        "https://quay.io",
        "quay.io/",
        "azurecr.io",
        "a.b.azurecr.io",
        "quay.io\n",
    ],
)
def test_other_urls_mean_none(url: str) -> None:
    assert pull_through.upstream_of(url) is None


@pytest.mark.parametrize(
    ("account", "region", "own"),
    [
        ("000000000000", "us-east-1", True),
        ("000000000000", "eu-west-1", False),
        ("111111111111", "us-east-1", False),
    ],
)
def test_secret_is_read_in_its_own_account_and_region(account: str, region: str, own: bool) -> None:
    assert pull_through.is_secret_of(Registry(account, region), SECRET) is own


def test_rule_is_read_as_it_was_written() -> None:
    rule = Rule("hub", "registry-1.docker.io", "docker-hub", "library", SECRET, "arn:aws:iam::1:role/x")
    assert pull_through.read(pull_through.write(rule)) == rule


@pytest.mark.parametrize(
    ("prefix", "upstream_prefix", "name", "asked"),
    [
        ("quay", "ROOT", "quay/a/b", "a/b"),
        ("quay/", "ROOT", "quay/a/b", "a/b"),
        ("quay", "ROOT", "quay/quay/b", "quay/b"),
        ("ROOT", "ROOT", "a/b", "a/b"),
        ("a", "a", "a/b", "a/b"),
        ("a/b", "c/", "a/b/d/e", "c/d/e"),
    ],
)
def test_name_at_the_upstream(prefix: str, upstream_prefix: str, name: str, asked: str) -> None:
    assert Rule(prefix, "quay.io", "quay", upstream_prefix).upstream_name(name) == asked


def test_registry_that_is_the_upstream() -> None:
    url = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
    assert Rule("a", url, "ecr").upstream == Registry("111122223333", "eu-west-1")
    assert Rule("a", "quay.io", "quay").upstream is None


def test_names_of_a_secret() -> None:
    assert pull_through.secret_names(SECRET) == [
        SECRET,
        "ecr-pullthroughcache/hub-a1b2c3",
        "ecr-pullthroughcache/hub",
    ]


@pytest.mark.parametrize(
    ("name", "may"),
    [("docker-hub", True), ("ecr", True), ("quay.io", True), ("mine.azurecr.io", True), ("x", False)],
)
def test_names_that_an_address_may_be_for(name: str, may: bool) -> None:
    assert pull_through.may_be_named(name) is may
