"""Lengths of time as people write them: 90d, 12h, 1d12h."""

import re

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
# Largest unit first, each at most once.
_DURATION = re.compile(
    "".join(rf"(?:(?P<{unit}>\d{{1,12}}(?:\.\d{{1,9}})?){unit})?" for unit in _UNITS), re.ASCII
)
MAX_SECONDS = 1000 * 365 * 86_400


def seconds(text: str) -> float:
    """The seconds in "45d", "12h" or "1d12h"; or ValueError with one line that says what to write."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or match.lastgroup is None:
        raise ValueError(f"'{text}' is no duration; write it as 90d, 12h, 30m, 45s or 1d12h")
    total = sum(float(number) * _UNITS[unit] for unit, number in match.groupdict("0").items())
    if total > MAX_SECONDS:
        raise ValueError(f"'{text}' is longer than 1000 years")
    return total
