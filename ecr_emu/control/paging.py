"""Paging: `maxResults` and `nextToken` of the listing operations.

A token is where the last page ended, sealed for one listing (operation, registry, repository, filter). It
stays good when rows come and go, and another listing's token is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecr_emu import errors
from ecr_emu.context import Call

DEFAULT_PAGE = 100


@dataclass(frozen=True, slots=True)
class Page:
    """One page of one listing: at most `limit` rows behind `after`."""

    call: Call
    purpose: str
    limit: int
    after: Any

    def cut(self, rows: Sequence[Any]) -> Sequence[Any]:
        """The rows of this page, of `limit + 1` rows that were looked up."""
        return rows[: self.limit]

    def next_token(self, rows: Sequence[Any], position: Any) -> str | None:
        """The token for what follows, or None when `rows`, with their one too many, show the end."""
        if len(rows) <= self.limit:
            return None
        return self.token(position)

    def token(self, position: Any) -> str:
        """The token for what follows a position."""
        return self.call.emulator.keys.seal(self.purpose, position)


def open_page(
    call: Call, request: Mapping[str, Any], start: Any, *listing: object, default: int = DEFAULT_PAGE
) -> Page:
    """The page that a request asks for; `start` is the position before the first row.

    `listing` says which rows are listed. Raises InvalidParameterException for a token of another listing.
    """
    purpose = repr((call.principal.account, *listing))
    after = start
    if token := request.get("nextToken"):
        after = call.emulator.keys.unseal(purpose, token)
        if after is None:
            raise errors.invalid_next_token()
    return Page(call, purpose, request.get("maxResults", default), after)


def refuse_beside(request: Mapping[str, Any], names: str) -> None:
    """Explicit names leave nothing to page through."""
    if names in request:
        for member in ("nextToken", "maxResults"):
            if member in request:
                raise errors.not_allowed_together(names, member)
