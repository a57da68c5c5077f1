"""Times as people and the AWS CLI write them: ISO 8601. Inside, they are epoch seconds in UTC."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The first and the last second that can be written: of the years 1 and 9999.
MIN_SECONDS, MAX_SECONDS = -62_135_596_800.0, 253_402_300_799.0


def parse(text: str) -> float:
    """Epoch seconds of an ISO 8601 time; or ValueError with one line. A time without a zone is in UTC."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"'{text}' is no time; write it as 2027-01-01T00:00:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = (moment - _EPOCH) / timedelta(seconds=1)
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise ValueError(f"'{text}' is outside of the years 1 to 9999 in UTC")
    return seconds


def moment(seconds: float) -> datetime:
    """The time in UTC, to the second; what is added to the end of the calendar leads no further."""
    return _EPOCH + timedelta(seconds=min(max(seconds, MIN_SECONDS), MAX_SECONDS) // 1)


def text(seconds: float) -> str:
    """The time in UTC, to the second: 2027-01-01T00:00:00Z."""
    return moment(seconds).isoformat().replace("+00:00", "Z")


def compact(seconds: float) -> str:
    """A time as signatures have it: 20150830T123600Z."""
    return moment(seconds).strftime("%Y%m%dT%H%M%SZ")
