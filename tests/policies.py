"""Lifecycle policies for tests."""

import json
from typing import Any


def rule(priority: int = 1, *, action: str = "expire", days: int | None = None, **selection: Any) -> Any:
    """A rule: `days` since the push, or what `selection` says in the document's own names."""
    if days is not None:
        selection = {"countType": "sinceImagePushed", "countNumber": days, **selection}
    if selection["countType"] != "imageCountMoreThan":
        selection["countUnit"] = "days"
    target = {"targetStorageClass": "archive"} if action == "transition" else {}
    return {
        "rulePriority": priority,
        "description": f"Rule {priority} of a policy that a test has written, long enough for ECR",
        "selection": {"tagStatus": "any", **selection},
        "action": {"type": action, **target},
    }


def keep_newest(count: int, priority: int = 1, **selection: Any) -> Any:
    """A rule that keeps so many images."""
    return rule(priority, countType="imageCountMoreThan", countNumber=count, **selection)


def policy(*rules: Any) -> str:
    return json.dumps({"rules": rules})
