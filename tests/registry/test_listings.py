"""Listing tags and repositories, page by page."""

from collections.abc import Callable
from typing import Any

import pytest

from ecr_emu.domain.manifests import OCI_INDEX
from tests.clients import Registry, Running, digest_of, image_index
from tests.registry.steps import flat, next_page, pages

# In the order of their bytes, which is the one that a listing has.
TAGS = ["0", "1.0", "10", "9", "A", "Z", "_", "a", "a-b", "a.b", "a0", "aa", "b", "z"]


def push_tags(registry: Registry, repo: str, tags: list[str], **members: Any) -> None:
    """Tag an image, in an order of no meaning."""
    body = image_index(**members)
    for first in range(0, len(tags), 50):
        query = "&".join(f"tag={tag}" for tag in reversed(tags[first : first + 50]))
        reply = registry.put_manifest(repo, f"{digest_of(body)}?{query}", body, OCI_INDEX)
        assert reply.status == 201


@pytest.fixture(scope="module")
def tagged(ecr: Any, registry: Registry) -> str:
    """A repository that has TAGS."""
    ecr.create_repository(repositoryName="with/tags")
    push_tags(registry, "with/tags", TAGS)
    return "with/tags"


def test_a_new_repository_has_no_tags(registry: Registry, repo: str) -> None:
    reply = registry.request("GET", f"/v2/{repo}/tags/list")
    assert (reply.status, reply.json()) == (200, {"name": repo, "tags": []})
    assert reply.headers["content-type"] == "application/json"
    assert next_page(reply) is None


@pytest.mark.parametrize(
    ("query", "expected", "more"),
    [
        ("", TAGS, False),
        ("?n=1", TAGS[:1], True),
        ("?n=3", TAGS[:3], True),
        (f"?n={len(TAGS) - 1}", TAGS[:-1], True),
        (f"?n={len(TAGS)}", TAGS, False),
        ("?n=1000", TAGS, False),
        ("?n=1001", TAGS, False),
        ("?n=" + "9" * 5000, TAGS, False),
        ("?n=0", [], False),
        ("?n=00002", TAGS[:2], True),
        ("?last=A", TAGS[5:], False),
        ("?last=a&n=2", TAGS[8:10], True),
        ("?n=2&last=b", TAGS[13:], False),
        ("?n=0&last=a", [], False),
        ("?last=z", [], False),
        # What was deleted, or never was, is a place in the order all the same.
        ("?last=B&n=1", ["Z"], True),
        ("?last=", TAGS, False),
        ("?last=%F0%9F%98%80", [], False),
        ("?last=%ff%00", [], False),
        ("?n=2&n=bad", TAGS[:2], True),
    ],
)
def test_a_page_of_tags(query: str, expected: list[str], more: bool, tagged: str, registry: Registry) -> None:
    reply = registry.request("GET", f"/v2/{tagged}/tags/list{query}")
    assert (reply.status, reply.json()) == (200, {"name": tagged, "tags": expected})
    assert (next_page(reply) is not None) == more


BAD_SIZES = ["", "-1", "x", "1.5", "1e3", "%2B1", "0x10", "1 ", "%C2%B2", "%D9%A3"]


@pytest.mark.parametrize("size", BAD_SIZES)
@pytest.mark.parametrize("path", ["/v2/with/tags/tags/list", "/v2/_catalog"])
@pytest.mark.usefixtures("tagged")
def test_a_page_size_is_a_number(path: str, size: str, registry: Registry) -> None:
    reply = registry.request("GET", f"{path}?n={size.replace(' ', '%20')}")
    assert (reply.status, reply.error[0]) == (400, "UNSUPPORTED")


@pytest.mark.parametrize("size", [1, 2, 3, 5, len(TAGS) - 1, len(TAGS)])
def test_the_links_lead_to_every_tag_once(size: int, tagged: str, registry: Registry) -> None:
    found = [page.json()["tags"] for page in pages(registry, f"/v2/{tagged}/tags/list?n={size}")]
    assert flat(found) == TAGS
    assert {len(page) for page in found[:-1]} <= {size}


def test_a_page_has_a_hundred_tags_and_never_more_than_a_thousand(registry: Registry, repo: str) -> None:
    tags = sorted(f"t{number}" for number in range(1001))
    push_tags(registry, repo, tags[:500])
    push_tags(registry, repo, tags[500:], annotations={"a": "b"})
    for query, sizes in (("", [100] * 10 + [1]), ("?n=5000", [1000, 1]), ("?n=1000", [1000, 1])):
        found = [page.json()["tags"] for page in pages(registry, f"/v2/{repo}/tags/list{query}")]
        assert [len(page) for page in found] == sizes
        assert flat(found) == tags


def test_a_link_names_the_host_that_was_asked(emulator: Running) -> None:
    registry = emulator.registry("123123123123", "eu-west-3")
    for name in ("link/a", "link/b"):
        emulator.ecr("123123123123", "eu-west-3").create_repository(repositoryName=name)
    reply = registry.request("GET", "/v2/_catalog?n=1")
    assert reply.headers["link"] == f'<http://{registry.host}/v2/_catalog?last=link%2Fa&n=1>; rel="next"'
    found = [page.json()["repositories"] for page in pages(registry, "/v2/_catalog?n=1")]
    assert found == [["link/a"], ["link/b"]]


def test_the_catalog_lists_the_registrys_repositories_in_order(start: Callable[..., Running]) -> None:
    emulator = start()
    names = sorted(
        ["zz", "aa", "aa/bb", "aa-b", "aa/b.c", "00", "b_c", *(f"n/{number}" for number in range(98))]
    )
    ecr = emulator.ecr()
    for name in reversed(names):
        ecr.create_repository(repositoryName=name)
    registry = emulator.registry()
    assert registry.request("GET", "/v2/_catalog?n=0").json() == {"repositories": []}
    assert registry.request("GET", "/v2/_catalog?last=zz").json() == {"repositories": []}
    assert registry.request("GET", "/v2/_catalog/?n=1").json() == {"repositories": names[:1]}
    for query, sizes in (
        ("", [100, 5]),
        ("?n=40", [40, 40, 25]),
        ("?n=5000", [105]),
        ("?last=n/95&n=2", [2, 1]),
    ):
        found = [page.json()["repositories"] for page in pages(registry, f"/v2/_catalog{query}")]
        assert [len(page) for page in found] == sizes
        assert flat(found) == names[-sum(sizes) :]
