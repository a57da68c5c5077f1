"""Whether a tag may be moved (reference: PutImageTagMutability in the ECR API reference)."""

from collections.abc import Sequence

MODES = ("MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION")


def is_immutable(mode: str, filters: Sequence[str], tag: str) -> bool:
    """True when `tag` cannot be pointed at another image: the mode, turned over by a matching filter."""
    immutable = mode.startswith("IMMUTABLE")
    if mode.endswith("_WITH_EXCLUSION") and any(matches(pattern, tag) for pattern in filters):
        return not immutable
    return immutable


def matches(pattern: str, tag: str) -> bool:
    """True when the whole tag fits the filter, in which * is any run of characters."""
    first, *others = pattern.split("*")
    if not others:
        return tag == pattern
    *middle, last = others
    # Each part at its earliest place: a regular expression would try every other place too, for hours.
    position = len(first)
    for part in middle:
        found = tag.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return tag.startswith(first) and tag.endswith(last) and position + len(last) <= len(tag)


def check_filters(mode: str, filters: Sequence[str] | None) -> str | None:
    """The constraint that mode and filters break together, in AWS's words, or None."""
    subject = "ImageTagMutabilityExclusionFilters"
    if mode.endswith("_WITH_EXCLUSION"):
        if not filters:
            return f"{subject} can't be null when imageTagMutability is set as {mode}"
    elif filters:
        return f"{subject} are not allowed when imageTagMutability is set as {mode}"
    return None
