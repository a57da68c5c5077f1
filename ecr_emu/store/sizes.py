"""How much there is, for metrics. Triggers count, because counting rows takes longer the more there are."""

from sqlite3 import Connection

_TOTAL = "SELECT value FROM totals WHERE name = ?"


def repositories(connection: Connection) -> int:
    return _number(connection, "SELECT coalesce(sum(repository_count), 0) FROM registry_counts")


def images(connection: Connection) -> int:
    return _number(connection, _TOTAL, "images")


def blobs(connection: Connection) -> tuple[int, int]:
    """How many blobs there are, and their bytes."""
    return _number(connection, _TOTAL, "blobs"), _number(connection, _TOTAL, "blob_bytes")


def uploads(connection: Connection) -> tuple[int, int]:
    """How many uploads are under way, and the bytes that have come of them. Reads the table, a short one."""
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


def _number(connection: Connection, query: str, *values: str) -> int:
    row = connection.execute(query, values).fetchone()
    return int(row[0])
