"""Prefixes of repository names, as pull through cache rules and creation templates have them.

A slash at the end is always implied: `prod` is `prod/`, and means neither `prod` nor `production/x`.
"""

from collections.abc import Iterator

# Every repository that no other prefix means.
ROOT = "ROOT"


def key(prefix: str) -> str:
    """The prefix without the slash that may end it: two that mean the same are the same."""
    return prefix.removesuffix("/")


def of_name(name: str) -> Iterator[str]:
    """The keys of all prefixes that mean a repository, the longest first and ROOT last."""
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name
    yield ROOT
