"""Pages of images and tags. What a page costs depends on its length, not on what the filter leaves out."""

from sqlite3 import Connection

from ecr_emu.store import images
from ecr_emu.store.images import Filter, Image
from ecr_emu.store.repositories import Repository

# Conditions on a row of images: for each, what the index images_by_kind is asked for.
_TAGGED = {"TAGGED": (1,), "UNTAGGED": (0,), "ANY": (0, 1)}
_NOW_ACTIVE = "status = 'ACTIVATING' AND activated_at <= :now"
_STATUSES = {
    "ACTIVE": ("status = 'ACTIVE'", _NOW_ACTIVE),
    "ARCHIVED": ("status = 'ARCHIVED'",),
    # An image that has come back keeps the word.
    "ACTIVATING": ("status = 'ACTIVATING' AND activated_at > :now",),
    "ANY": ("status = 'ACTIVE'", "status = 'ACTIVATING'", "status = 'ARCHIVED'"),
}


def page(
    connection: Connection, repository: Repository, wanted: Filter, after: int, limit: int
) -> list[Image]:
    """Up to `limit` images in the order of their pushes, behind the image with the id `after`."""
    sql = f"{images.SELECT} WHERE i.id IN ({_ids(wanted, '>')}) ORDER BY i.id"
    values = {"repository": repository.id, "after": after, "now": wanted.now, "limit": limit}
    return [images.from_row(row) for row in connection.execute(sql, values)]


def page_of_ids(
    connection: Connection, repository: Repository, wanted: Filter, after: tuple[int, str], limit: int
) -> list[tuple[int, str, str | None]]:
    """Up to `limit` of (image id, digest, tag): one for each tag, and one for each image without a tag."""
    image_id, tag = after
    # The image where the last page ended may have nothing left to show.
    values = {"repository": repository.id, "after": image_id, "now": wanted.now, "limit": limit + 1}
    sql = (
        "SELECT i.id, i.digest, t.tag FROM images i LEFT JOIN image_tags t ON t.image_id = i.id "
        f"WHERE i.id IN ({_ids(wanted, '>=')}) AND (i.id > :after OR coalesce(t.tag, '') > :tag) "
        "ORDER BY i.id, t.tag LIMIT :limit - 1"
    )
    return connection.execute(sql, {**values, "tag": tag}).fetchall()


def _ids(wanted: Filter, behind: str) -> str:
    """SQL for the first of the ids that a filter lets through, in order: each kind has its own in order."""
    kinds = [
        f"SELECT id FROM images WHERE repository_id = :repository AND is_tagged = {is_tagged} "
        f"AND {status} AND id {behind} :after"
        for is_tagged in _TAGGED[wanted.tags]
        for status in _STATUSES[wanted.status]
    ]
    return f"SELECT id FROM ({' UNION ALL '.join(kinds)} ORDER BY id LIMIT :limit)"


def page_of_tags(
    connection: Connection, repository: Repository, now: float, after: str, limit: int
) -> list[str]:
    """Up to `limit` tags of images that can be pulled, in lexical order, behind `after`."""
    rows = connection.execute(
        "SELECT t.tag FROM image_tags t INDEXED BY image_tags_listed JOIN images i ON i.id = t.image_id "
        "WHERE t.repository_id = ? AND t.tag > ? AND t.is_archived = 0 "
        "AND (i.status <> 'ACTIVATING' OR i.activated_at <= ?) ORDER BY t.tag LIMIT ?",
        (repository.id, after, now, limit),
    )
    return [row[0] for row in rows]
