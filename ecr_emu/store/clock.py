"""The row of the user's clock."""

from sqlite3 import Connection


def get(connection: Connection) -> tuple[float, float | None]:
    """Seconds that the clock is ahead of the machine's, and the time it stands still at, if it does."""
    row: tuple[float, float | None] | None = connection.execute(
        "SELECT ahead_seconds, frozen_at FROM clock"
    ).fetchone()
    return row or (0.0, None)


def put(connection: Connection, ahead_seconds: float, frozen_at: float | None) -> None:
    connection.execute(
        "INSERT INTO clock (id, ahead_seconds, frozen_at) VALUES (1, ?, ?) "
        "ON CONFLICT (id) DO UPDATE "
        "SET ahead_seconds = excluded.ahead_seconds, frozen_at = excluded.frozen_at",
        (ahead_seconds, frozen_at),
    )


def delete(connection: Connection) -> None:
    connection.execute("DELETE FROM clock")
