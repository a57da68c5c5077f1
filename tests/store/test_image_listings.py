"""Pages of images and tags: what they show, whatever happened to the images, and what they cost."""

import itertools
import random
from sqlite3 import Connection

import pytest

from ecr_emu.domain.manifests import OCI_MANIFEST, Manifest
from ecr_emu.store import image_listings, images, sizes
from ecr_emu.store.database import Database
from ecr_emu.store.images import Content, Filter, Image
from ecr_emu.store.repositories import Repository
from tests.store.test_counts import fill, steps_of

MANIFEST = Manifest(OCI_MANIFEST, (), (), None, None)
NOW = 100.0
Row = tuple[int, str, str | None]
FILTERS = [
    Filter(NOW, status, tags)
    for status in ("ACTIVE", "ARCHIVED", "ACTIVATING", "ANY")
    for tags in ("TAGGED", "UNTAGGED", "ANY")
]


def add(connection: Connection, repository: Repository, number: int) -> Image:
    content = Content(f"sha256:{number:064x}", OCI_MANIFEST, b"{}")
    return images.insert(connection, repository, content, MANIFEST, 1, 1.0)


def everything(connection: Connection, repository: Repository) -> list[Image]:
    """All images in the order of their ids, read without a listing."""
    digests = connection.execute(
        "SELECT digest FROM images WHERE repository_id = ? ORDER BY id", (repository.id,)
    ).fetchall()
    found = [images.find(connection, repository, digest) for (digest,) in digests]
    return [image for image in found if image is not None]


def is_wanted(image: Image, wanted: Filter) -> bool:
    is_of_tags = wanted.tags == "ANY" or bool(image.tags) == (wanted.tags == "TAGGED")
    return is_of_tags and wanted.status in ("ANY", image.status_at(wanted.now))


def act(chance: random.Random, connection: Connection, repository: Repository, number: int) -> None:
    """Something that can happen to images and tags."""
    present = everything(connection, repository)
    image = chance.choice(present) if present else add(connection, repository, number + 5000)
    match chance.randrange(8):
        case 0 | 1:
            add(connection, repository, number)
        case 2 | 3:
            images.put_tag(connection, repository, f"t{chance.randrange(12):02}", image)
        case 4:
            images.delete_tag(connection, repository, f"t{chance.randrange(12):02}")
        case 5:
            images.archive(connection, image, NOW)
        case 6:
            images.restore(connection, image, NOW + chance.choice((-1, 0, 1)))
        case _ if chance.random() < 0.3:
            images.delete(connection, image)


def page_through_images(connection: Connection, repository: Repository, wanted: Filter) -> list[Image]:
    found: list[Image] = []
    while page := image_listings.page(connection, repository, wanted, found[-1].id if found else 0, 3):
        found += page
    return found


def page_through_ids(connection: Connection, repository: Repository, wanted: Filter) -> list[Row]:
    found: list[Row] = []
    after = (0, "")
    while page := image_listings.page_of_ids(connection, repository, wanted, after, 3):
        found += page
        after = (page[-1][0], page[-1][2] or "")
    return found


def page_through_tags(connection: Connection, repository: Repository) -> list[str]:
    found: list[str] = []
    while page := image_listings.page_of_tags(connection, repository, NOW, found[-1] if found else "", 3):
        found += page
    return found


@pytest.mark.parametrize("seed", range(12))
def test_pages_show_what_the_filter_says_whatever_happened(
    store: Database, repository: Repository, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test, to be repeated
    with store.write() as transaction:
        other = fill(transaction, "other", 2)
        for number in range(120):
            act(chance, transaction, chance.choice((repository, other)), 1000 + number)
        for place in (repository, other):
            present = everything(transaction, place)
            for wanted in FILTERS:
                expected = [image for image in present if is_wanted(image, wanted)]
                assert page_through_images(transaction, place, wanted) == expected
                assert page_through_ids(transaction, place, wanted) == [
                    (image.id, image.digest, tag) for image in expected for tag in image.tags or (None,)
                ]
            active = [image.tags for image in present if image.status_at(NOW) == "ACTIVE"]
            assert page_through_tags(transaction, place) == sorted(itertools.chain(*active))
        (count,) = transaction.execute("SELECT count(*) FROM images").fetchone()
        assert sizes.images(transaction) == count


def instructions(connection: Connection, repository: Repository) -> dict[object, int]:
    """What pages cost, but for a thing or two that depend on the depth of an index."""
    return {
        **{wanted: _instructions(connection, repository, wanted) for wanted in FILTERS},
        "tags": steps_of(connection, lambda: image_listings.page_of_tags(connection, repository, NOW, "", 5)),
    }


def _instructions(connection: Connection, repository: Repository, wanted: Filter) -> int:
    return steps_of(connection, lambda: image_listings.page(connection, repository, wanted, 0, 5)) + steps_of(
        connection, lambda: image_listings.page_of_ids(connection, repository, wanted, (0, ""), 5)
    )


@pytest.mark.parametrize("kind", ["tagged", "untagged", "archived", "archived and tagged"])
def test_a_page_costs_the_same_however_much_it_leaves_out(
    store: Database, repository: Repository, kind: str
) -> None:
    """The page has what is rare, behind a crowd of another kind."""

    def crowd(connection: Connection, number: int) -> None:
        image = add(connection, repository, number)
        if "untagged" not in kind and "tagged" in kind:
            images.put_tag(connection, repository, f"a{number}", image)
        if "archived" in kind:
            images.archive(connection, image, NOW)

    with store.write() as transaction:
        for number in range(20):
            crowd(transaction, number)
        few = instructions(transaction, repository)
        for number in range(20, 1500):
            crowd(transaction, number)
        assert instructions(transaction, repository) == few
