"""Which profiles sign the images of which repositories (Amazon ECR user guide, Managed signing)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ecr_emu.domain.wildcards import matches

# A signature is pushed as an image too, and is not signed again.
SIGNATURE_TYPE = "application/vnd.cncf.notary.signature"


@dataclass(frozen=True, slots=True)
class Rule:
    """A profile, and the wildcard filters of the repositories it signs; None means every repository."""

    profile_arn: str
    filters: tuple[str, ...] | None = None

    @property
    def region(self) -> str:
        return self.profile_arn.split(":")[3]

    def matches(self, name: str) -> bool:
        return self.filters is None or any(matches(pattern, name) for pattern in self.filters)


def profiles(rules: Sequence[Rule], name: str, artifact_type: str | None) -> list[str]:
    """The profiles that sign an image of this type in the repository `name`, each once."""
    if artifact_type == SIGNATURE_TYPE:
        return []
    return list(dict.fromkeys(rule.profile_arn for rule in rules if rule.matches(name)))


def check(region: str, rules: Sequence[Rule]) -> str | None:
    """The constraint that the rules break in a registry of this region, or None."""
    if any(rule.region != region for rule in rules):
        return "Signing profile must be in the same region as the registry"
    return None


def write(rules: Sequence[Rule]) -> str:
    """The rules as they are stored."""
    return json.dumps([[rule.profile_arn, rule.filters] for rule in rules])


def read(text: str | None) -> tuple[Rule, ...]:
    """What `write` wrote; no rules for None."""
    return tuple(
        Rule(profile_arn, None if filters is None else tuple(filters))
        for profile_arn, filters in json.loads(text or "[]")
    )
