"""Whether a tag may be moved (reference: PutImageTagMutability in the ECR API reference)."""

from collections.abc import Sequence

from ecr_emu.domain.wildcards import matches

MODES = ("MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION")


def is_immutable(mode: str, filters: Sequence[str], tag: str) -> bool:
    """True when `tag` cannot be pointed at another image: the mode, turned over by a matching filter."""
    immutable = mode.startswith("IMMUTABLE")
    if mode.endswith("_WITH_EXCLUSION") and any(matches(pattern, tag) for pattern in filters):
        return not immutable
    return immutable


def check_filters(mode: str, filters: Sequence[str] | None) -> str | None:
    """The constraint that mode and filters break together, in AWS's words, or None."""
    subject = "ImageTagMutabilityExclusionFilters"
    if mode.endswith("_WITH_EXCLUSION"):
        if not filters:
            return f"{subject} can't be null when imageTagMutability is set as {mode}"
    elif filters:
        return f"{subject} are not allowed when imageTagMutability is set as {mode}"
    return None
