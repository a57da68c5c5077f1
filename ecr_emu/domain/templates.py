"""Repository creation templates: the settings of repositories that ECR makes by itself (ECR user guide)."""

import json
from dataclasses import asdict, dataclass
from typing import Any

CREATE_ON_PUSH = "CREATE_ON_PUSH"
PULL_THROUGH_CACHE = "PULL_THROUGH_CACHE"
REPLICATION = "REPLICATION"


@dataclass(frozen=True, slots=True)
class Template:
    """One template. `applied_for` are the scenarios in which it makes repositories."""

    prefix: str
    applied_for: tuple[str, ...]
    description: str | None = None
    tag_mutability: str = "MUTABLE"
    mutability_filters: tuple[str, ...] = ()
    encryption_type: str = "AES256"
    kms_key: str | None = None
    resource_tags: tuple[tuple[str, str], ...] = ()
    repository_policy: str | None = None
    lifecycle_policy: str | None = None
    role_arn: str | None = None

    @property
    def lacks_role(self) -> bool:
        """True when ECR would need a role of the customer's, and is given none: for tags and for KMS."""
        return self.role_arn is None and (bool(self.resource_tags) or self.encryption_type != "AES256")


# What pull through caches and replications make where no template means the name (ECR user guide).
DEFAULTS = Template("", ())


def read(body: str) -> Template:
    """The template that `write` wrote."""
    members: dict[str, Any] = json.loads(body)
    for name in ("applied_for", "mutability_filters"):
        members[name] = tuple(members[name])
    members["resource_tags"] = tuple((tag, value) for tag, value in members["resource_tags"])
    return Template(**members)


def write(template: Template) -> str:
    return json.dumps(asdict(template))
