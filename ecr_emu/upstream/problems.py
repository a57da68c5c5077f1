"""Why an upstream registry did not give what was asked of it."""

# ImageFailureCode, BatchGetImage; the first is no failure of the upstream's.
NOT_FOUND = "NotFound"
ACCESS_DENIED = "UpstreamAccessDenied"
TOO_MANY_REQUESTS = "UpstreamTooManyRequests"
UNAVAILABLE = "UpstreamUnavailable"
# Nothing was asked: the secret cannot be read, or what an import needs on this side is missing.
NOT_ASKED = "NotAsked"


class UpstreamProblem(Exception):
    """One of the codes above, and a reason in our own words: nothing in it is secret."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def not_found(what: str) -> UpstreamProblem:
    return UpstreamProblem(NOT_FOUND, f"the upstream registry has no {what}")


def unavailable(reason: str) -> UpstreamProblem:
    return UpstreamProblem(UNAVAILABLE, reason)


def denied(reason: str) -> UpstreamProblem:
    return UpstreamProblem(ACCESS_DENIED, reason)


def of_status(status: int, what: str) -> UpstreamProblem:
    """What an answer that is no success means."""
    if status == 404:
        return not_found(what)
    if status in (401, 403):
        return denied(f"the upstream registry answered {status} when asked for {what}")
    if status == 429:
        return UpstreamProblem(
            TOO_MANY_REQUESTS, f"the upstream registry answered 429 when asked for {what}: too many requests"
        )
    return unavailable(f"the upstream registry answered {status} when asked for {what}")
