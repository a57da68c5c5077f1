"""URLs of upstreams, and which addresses are private."""

import pytest

from ecr_emu.upstream import addresses


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - nobody binds to it
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:10.0.0.1",
        "2002:a00:1::",
        "64:ff9b::a00:1",
    ],
)
def test_private_addresses(address: str) -> None:
    assert addresses.is_private(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::"])
def test_addresses_of_the_open_internet(address: str) -> None:
    assert not addresses.is_private(address)


@pytest.mark.parametrize(
    ("text", "origin", "target"),
    [
        ("http://localhost:5000", "http://localhost:5000", "/"),
        ("https://Quay.io/v2/?a=b#c", "https://quay.io", "/v2/?a=b"),
        ("https://quay.io:443/x", "https://quay.io", "/x"),
        ("http://[::1]:5000/p", "http://[::1]:5000", "/p"),
    ],
)
def test_urls(text: str, origin: str, target: str) -> None:
    url = addresses.parse(text)
    assert (url.origin, url.target) == (origin, target)
    assert str(url) == origin + target.partition("?")[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quay.io",
        "ftp://x",
        "http://",
        "http://u:p@x",
        "http://x:99999",
        "http://x/\r\nX: y",
        "http://\u00e4",
    ],
)
def test_texts_that_are_no_url(text: str) -> None:
    with pytest.raises(ValueError, match=r"URL|hostname|netloc|port|Port|characters"):
        addresses.parse(text)


def test_settings() -> None:
    given = ["docker-hub=http://localhost:5000/,quay=https://mirror/quay", "k8s=http://x"]
    assert addresses.parse_all(given) == (
        ("docker-hub", "http://localhost:5000"),
        ("quay", "https://mirror/quay"),
        ("k8s", "http://x"),
    )
