"""Which emulator plays which region."""

import pytest

from ecr_emu.domain.region_endpoints import address, parse


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("eu-west-1=http://localhost:4567", (("eu-west-1", "http://localhost:4567"),)),
        (
            "eu-west-1=http://a, us-west-2=https://b.example/ ,eu-west-1=http://[::1]:80",
            (("eu-west-1", "http://[::1]:80"), ("us-west-2", "https://b.example")),
        ),
    ],
)
def test_regions_have_endpoints(text: str, found: object) -> None:
    assert parse(text) == found


@pytest.mark.parametrize(
    "text",
    [
        *("eu-west-1", "=http://a", "EU=http://a", "eu-west-1=", "eu-west-1=a:4567", "eu-west-1=ftp://a"),
        *("eu-west-1=http://a:0", "eu-west-1=http://a:65536", "eu-west-1=http://a/b", "eu-west-1=http://a?b"),
        *("eu-west-1=http://user:secret@a", "secret"),
    ],
)
def test_what_is_no_endpoint_is_refused_without_its_secrets(text: str) -> None:
    with pytest.raises(ValueError, match="must") as refused:
        parse(text)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://localhost:4567", (False, "localhost", 4567)),
        ("https://b.example", (True, "b.example", 443)),
        ("http://[::1]", (False, "::1", 80)),
    ],
)
def test_an_address_is_read_from_the_endpoint(url: str, found: object) -> None:
    assert address(url) == found


def test_no_address_is_in_another_text() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        address("nowhere")
