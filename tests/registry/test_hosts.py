"""Which registry a Host header means."""

from dataclasses import replace

import pytest

from tests.clients import DEFAULT_ACCOUNT, Registry, Running
from tests.registry.steps import authorization, path_of, send_raw

ACCOUNT, REGION = "210987654321", "eu-central-1"


@pytest.fixture(scope="module")
def password(emulator: Running) -> str:
    """The login of another account, whose registry in another region holds `other/repo`."""
    emulator.ecr(ACCOUNT, REGION).create_repository(repositoryName="other/repo")
    emulator.ecr().create_repository(repositoryName="default/repo")
    return emulator.password(ACCOUNT, REGION)


@pytest.mark.parametrize(
    "host",
    [
        "{account}.dkr.ecr.{region}.localhost:{port}",
        "{account}.dkr.ecr.{region}.localhost",
        "{account}.dkr.ecr.{region}.amazonaws.com",
        "{account}.dkr.ecr.{region}.amazonaws.com:443",
        "{account}.dkr.ecr.{region}.amazonaws.com.cn",
        "{account}.dkr.ecr.{region}.localhost.localstack.cloud:{port}",
        "{account}.dkr.ecr-fips.{region}.amazonaws.com",
        "{account}.dkr-ecr.{region}.on.aws",
        "{account}.dkr-ecr-fips.{region}.on.aws",
        "{account}.DKR.ECR.EU-Central-1.LocalHost:{port}",
    ],
)
def test_a_registry_host_names_account_and_region(host: str, password: str, emulator: Running) -> None:
    host = host.format(account=ACCOUNT, region=REGION, port=emulator.port)
    registry = Registry(emulator.port, password, host)
    assert registry.request("GET", "/v2/_catalog").json() == {"repositories": ["other/repo"]}
    begun = registry.request("POST", "/v2/other/repo/blobs/uploads/")
    assert begun.headers["location"].startswith(f"http://{host}/v2/other/repo/blobs/uploads/")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:{port}",
        "127.0.0.1:{port}",
        "[::1]:{port}",
        "registry.example.com",
        "{account}.dkr.ecr.{region}",
        "{account}.ecr.{region}.localhost",
        "1{account}.dkr.ecr.{region}.localhost",
        "12345.dkr.ecr.{region}.localhost",
        "x.{account}.dkr.ecr.{region}.localhost",
        "host.docker.internal:{port}",
    ],
)
@pytest.mark.usefixtures("password")
def test_any_other_host_is_the_default_registry(host: str, emulator: Running, registry: Registry) -> None:
    host = host.format(account=ACCOUNT, region=REGION, port=emulator.port)
    reply = replace(registry, host=host).request("GET", "/v2/_catalog")
    assert reply.json() == {"repositories": ["default/repo"]}


def test_the_default_registry_has_a_name_too(emulator: Running, registry: Registry, password: str) -> None:
    named = replace(registry, host=f"{DEFAULT_ACCOUNT}.dkr.ecr.us-east-1.localhost:{emulator.port}")
    assert named.request("GET", "/v2/_catalog").json() == {"repositories": ["default/repo"]}


@pytest.mark.parametrize("host", ["\xe9\xff", 'a"b', "a b", "", "<script>"])
def test_a_strange_host_gets_an_answer(host: str, registry: Registry) -> None:
    head = f"GET /v2/ HTTP/1.1\nHost: {host}\nAuthorization: {authorization(registry)}\nConnection: close\n"
    answer = send_raw(registry.port, head)
    assert answer.split()[1] in (b"200", b"400")


def test_registries_hold_repositories_of_the_same_name_apart(emulator: Running) -> None:
    places = [(DEFAULT_ACCOUNT, "us-east-1"), (DEFAULT_ACCOUNT, "eu-west-1"), ("111111111111", "us-east-1")]
    registries = [emulator.registry(*place) for place in places]
    for (account, region), registry in zip(places, registries, strict=True):
        emulator.ecr(account, region).create_repository(repositoryName="same/name")
        registry.push_image("same/name", f"{account}-{region}", f"layer of {account} {region}".encode())
    for (account, region), registry in zip(places, registries, strict=True):
        assert registry.request("GET", "/v2/same/name/tags/list").json()["tags"] == [f"{account}-{region}"]


def test_an_upload_belongs_to_one_registry(emulator: Running) -> None:
    here, there = emulator.registry(), emulator.registry(region="ap-south-1")
    emulator.ecr().create_repository(repositoryName="upload/repo")
    emulator.ecr(region="ap-south-1").create_repository(repositoryName="upload/repo")
    upload = path_of(here.request("POST", "/v2/upload/repo/blobs/uploads/"))
    assert (here.request("GET", upload).status, there.request("GET", upload).status) == (204, 404)
