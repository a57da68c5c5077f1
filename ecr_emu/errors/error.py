"""What an error is."""

from collections.abc import Mapping, Sequence


class EcrError(Exception):
    """An answer that is an error: AWS's code, the message, the HTTP status, and any modelled members."""

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        members: Mapping[str, object] | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.members = dict(members or {})
        self.headers = list(headers)
