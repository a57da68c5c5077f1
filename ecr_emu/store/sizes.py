"""How much there is, for metrics. Counting reads a whole index, so no request asks."""

from sqlite3 import Connection


def repositories(connection: Connection) -> int:
    return _number(connection, "SELECT count(*) FROM repositories")


def images(connection: Connection) -> int:
    return _number(connection, "SELECT count(*) FROM images")


def blobs(connection: Connection) -> int:
    return _number(connection, "SELECT count(*) FROM blobs")


def blob_bytes(connection: Connection) -> int:
    return _number(connection, "SELECT coalesce(sum(size_bytes), 0) FROM blobs")


def uploads(connection: Connection) -> int:
    return _number(connection, "SELECT count(*) FROM uploads")


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
