"""The members of an image record: what each may be, in the words of DescribeImages."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ecr_emu.domain import names, timestamps
from ecr_emu.domain.manifests import MAX_SIZE_BYTES

STATUSES = ("ACTIVE", "ARCHIVED", "ACTIVATING")

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
# Printable, without quotes and backslashes.
_MEDIA_TYPE = re.compile(r"[!#-\[\]-~]{1,255}")
_ARCHITECTURE = re.compile(r"[a-z0-9]{1,32}(/[a-z0-9]{1,32})?")

# What a text must be, and how that is said.
_RULES: Mapping[str, tuple[Callable[[str], object], str]] = {
    "registryId": (_ACCOUNT.fullmatch, "an account of 12 digits"),
    "region": (_REGION.fullmatch, "a region such as us-east-1"),
    "repositoryName": (names.is_repository_name, "the name of a repository"),
    "imageDigest": (names.is_digest, "a sha256 or sha512 digest"),
    "children": (names.is_digest, "a list of sha256 or sha512 digests"),
    "subjectManifestDigest": (names.is_digest, "a sha256 or sha512 digest"),
    "imageTags": (names.is_image_tag, "a list of tags of 1 to 300 letters, digits, '.', '_' and '-'"),
    "architectures": (_ARCHITECTURE.fullmatch, "a list of architectures such as amd64 or arm/v7"),
    "imageStatus": (STATUSES.__contains__, f"one of {', '.join(STATUSES)}"),
    "imageManifestMediaType": (_MEDIA_TYPE.fullmatch, "a media type"),
    "artifactMediaType": (_MEDIA_TYPE.fullmatch, "a media type"),
}


# Of these a record has at least one: a file of something else makes no images.
_MEMBERS = frozenset(
    [
        *_RULES,
        "imageSizeInBytes",
        "imagePushedAt",
        "lastRecordedPullTime",
        "lastArchivedAt",
        "lastActivatedAt",
        "imageManifest",
    ]
)


class InvalidRecord(ValueError):
    """Why records cannot be used; the argument says which one, and what to do."""


def fields(entry: object) -> Mapping[str, Any]:
    """A record's members."""
    if not isinstance(entry, dict):
        raise InvalidRecord("a record must be a JSON object")
    if entry and _MEMBERS.isdisjoint(entry):
        raise InvalidRecord("this is no record of an image; it has no imageTags, imageDigest or the like")
    return entry


def word(entry: Mapping[str, Any], member: str) -> str | None:
    """A text, or None when the member is not there or null."""
    value = entry.get(member)
    if value is None:
        return None
    if not isinstance(value, str) or not _RULES[member][0](value):
        raise InvalidRecord(_refusal(member, value))
    return value


def strings(entry: Mapping[str, Any], member: str, limit: int) -> tuple[str, ...]:
    """A list of texts, each once; empty when the member is not there."""
    values = entry.get(member)
    if values is None:
        return ()
    if not isinstance(values, list):
        raise InvalidRecord(_refusal(member, values))
    is_good = _RULES[member][0]
    for value in values:
        if not isinstance(value, str) or not is_good(value):
            raise InvalidRecord(_refusal(member, value))
    if len(values) > limit:
        raise InvalidRecord(f"{member} has {len(values)} entries, and may have {limit}")
    return tuple(dict.fromkeys(values))


def _refusal(member: str, value: object) -> str:
    shown = repr(value)
    return f"{member} must be {_RULES[member][1]}, and is {shown if len(shown) < 80 else shown[:80] + '…'}"


def size(entry: Mapping[str, Any]) -> int:
    """imageSizeInBytes."""
    value = entry.get("imageSizeInBytes")
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SIZE_BYTES:
        raise InvalidRecord("imageSizeInBytes must be a number of bytes")
    return value


def time(entry: Mapping[str, Any], member: str) -> float | None:
    """Epoch seconds, given as such or in ISO 8601; None when the member is not there."""
    value = entry.get(member)
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = timestamps.parse(value)
        except ValueError as problem:
            raise InvalidRecord(f"{member}: {problem}") from None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= timestamps.MAX_SECONDS:
        raise InvalidRecord(f"{member} must be a time since 1970: seconds, or 2027-01-01T00:00:00Z")
    return float(value)
