"""What is a repository name, a tag, a digest."""

import re

# The pattern of the service model; the OCI specification has the same one for <name>.
REPOSITORY_NAME_PATTERN = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
IMAGE_TAG_PATTERN = r"[a-zA-Z0-9-_.]+"
DIGEST_PATTERN = r"[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+"

_REPOSITORY_NAME = re.compile(REPOSITORY_NAME_PATTERN)
_IMAGE_TAG = re.compile(r"[a-zA-Z0-9_.-]{1,300}")
_OCI_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_ANY_DIGEST = re.compile(r"[a-zA-Z0-9_+.-]+:[a-fA-F0-9]+")
_STORED_DIGEST = re.compile(r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}")

MIN_REPOSITORY_NAME = 2
MAX_REPOSITORY_NAME = 256


def is_repository_name(name: str) -> bool:
    """True for 2 to 256 characters of the model's grammar."""
    # Length first: it bounds what the pattern has to look at.
    return MIN_REPOSITORY_NAME <= len(name) <= MAX_REPOSITORY_NAME and bool(_REPOSITORY_NAME.fullmatch(name))


def is_image_tag(tag: str) -> bool:
    """True for a tag that the AWS API takes: up to 300 characters, any of them first."""
    return bool(_IMAGE_TAG.fullmatch(tag))


def is_oci_tag(tag: str) -> bool:
    """True for a tag that the OCI specification takes: up to 128 characters, no leading dot or dash."""
    return bool(_OCI_TAG.fullmatch(tag))


def looks_like_digest(text: str) -> bool:
    """True for algorithm:hex as the AWS API checks it, whatever the algorithm."""
    return bool(_ANY_DIGEST.fullmatch(text))


def is_digest(text: str) -> bool:
    """True for a sha256 or sha512 digest, the two that a registry here stores under."""
    return bool(_STORED_DIGEST.fullmatch(text))
