"""What a resource tag may be (Amazon ECR user guide, Tagging a private repository)."""

import re
from collections.abc import Iterable

_KEY = re.compile(r"[\w\s+\-=._:/@]{1,128}")
_VALUE = re.compile(r"[\w\s+\-=._:/@]{0,256}")


def are_valid(tags: Iterable[tuple[str, str]]) -> bool:
    """True when every key and value has a legal length and alphabet, no key is AWS's own or said twice."""
    seen: set[str] = set()
    for key, value in tags:
        if not _KEY.fullmatch(key) or not _VALUE.fullmatch(value):
            return False
        if key.lower().startswith("aws:") or key in seen:
            return False
        seen.add(key)
    return True
