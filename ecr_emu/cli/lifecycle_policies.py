"""Lifecycle policies in files."""

import orjson

from ecr_emu.cli import files, options
from ecr_emu.domain import lifecycle_policy
from ecr_emu.domain.lifecycle import Rule, read
from ecr_emu.domain.lifecycle_policy import InvalidLifecyclePolicy

# PutLifecyclePolicy takes no longer text.
MAX_CHARACTERS = 30_720


def load(name: str) -> tuple[Rule, ...]:
    """The rules in a file: a policy, or what `aws ecr get-lifecycle-policy` prints."""
    text = _policy_text(files.read_text(name))
    if len(text) > MAX_CHARACTERS:
        raise options.failure(
            f"{name}: the policy has {len(text):,} characters; AWS takes {MAX_CHARACTERS:,}, so shorten it"
        )
    try:
        return read(lifecycle_policy.canonical(text, orjson.loads), orjson.loads)
    except InvalidLifecyclePolicy as problem:
        raise options.failure(f"{name}: {problem} (at {problem.position})") from None


def _policy_text(text: str) -> str:
    try:
        document = orjson.loads(text)
    except ValueError:
        return text
    inside = document.get("lifecyclePolicyText") if isinstance(document, dict) else None
    return inside if isinstance(inside, str) else text
