"""How much there is, for metrics. Some of it reads a whole table, so no other request asks."""

from sqlite3 import Connection


def repositories(connection: Connection) -> int:
    return _number(connection, "SELECT coalesce(sum(repository_count), 0) FROM registry_counts")


def images(connection: Connection) -> int:
    return _number(connection, "SELECT coalesce(sum(image_count), 0) FROM repositories")


def blobs(connection: Connection) -> tuple[int, int]:
    """How many blobs there are, and their bytes. Reads the whole table."""
    count, size_bytes = connection.execute(
        "SELECT count(*), coalesce(sum(size_bytes), 0) FROM blobs"
    ).fetchone()
    return count, size_bytes


def uploads(connection: Connection) -> tuple[int, int]:
    """How many uploads are under way, and the bytes that have come of them."""
    count, received_bytes = connection.execute(
        "SELECT count(*), coalesce(sum(received_bytes), 0) FROM uploads"
    ).fetchone()
    return count, received_bytes


def database_bytes(connection: Connection) -> int:
    """Bytes of the database file, without its log."""
    return _number(connection, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")


def jobs(connection: Connection) -> list[tuple[str, int, float]]:
    """Kinds of jobs that wait: how many, and when the first is due."""
    rows = connection.execute("SELECT kind, count(*), min(due_at) FROM jobs GROUP BY kind ORDER BY kind")
    return [(row[0], row[1], row[2]) for row in rows]


def _number(connection: Connection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0])
