"""What CloudTrail keeps of a run of a lifecycle policy: the serviceEventDetails of a PolicyExecutionEvent
(ECR user guide, Logging Amazon ECR actions with AWS CloudTrail; sample: reference, data plane 9.3).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from ecr_emu.domain.lifecycle import Decision
from ecr_emu.domain.lifecycle_rules import Rule

# A run of more images makes several events. How AWS divides them is not documented: "10 or more images".
IMAGES_PER_EVENT = 10
# So many tags of an image are named.
MAX_TAGS = 100

# The first is in AWS's sample, the others are made like it.
_COUNT_TYPES = {
    "imageCountMoreThan": "Image count more than",
    "sinceImagePushed": "Since image pushed",
    "sinceImagePulled": "Since image pulled",
    "sinceImageTransitioned": "Since image transitioned",
}

Shape = dict[str, Any]


def details(
    name: str, rules: Sequence[Rule], evaluated_at: float | None, policy_id: str, done: Sequence[Decision]
) -> Iterator[Shape]:
    """One for each event that a run makes. `done` are the decisions that were carried out."""
    policy = {
        "lifecycleEventRules": [_rule(rule) for rule in rules],
        "lastEvaluatedAt": _milliseconds(evaluated_at or 0),
        # Versions are not counted here.
        "policyVersion": 1,
        "policyId": policy_id,
    }
    for start in range(0, len(done), IMAGES_PER_EVENT):
        actions = [_image_action(decision) for decision in done[start : start + IMAGES_PER_EVENT]]
        yield {
            "repositoryName": name,
            "lifecycleEventPolicy": policy,
            "lifecycleEventImageActions": actions,
        }


def _rule(rule: Rule) -> Shape:
    described = {} if rule.description is None else {"description": rule.description}
    patterns = {"tagPatternList": list(rule.tag_patterns)} if rule.tag_patterns else {}
    return {
        "rulePriority": rule.priority,
        **described,
        "lifecycleEventSelection": {
            "tagStatus": rule.tag_status.capitalize(),
            "tagPrefixList": list(rule.tag_prefixes),
            **patterns,
            "countType": _COUNT_TYPES[rule.count_type],
            "countNumber": rule.count_number,
        },
        "action": rule.action.lower(),
    }


def _image_action(decision: Decision) -> Shape:
    image = decision.image
    described = {
        "digest": image.digest,
        "tagStatus": "Tagged" if image.tags else "Untagged",
        "tagList": list(image.tags[:MAX_TAGS]),
        "pushedAt": _milliseconds(image.pushed_at),
    }
    priority = {} if decision.rule is None else {"rulePriority": decision.rule.priority}
    return {"lifecycleEventImage": described, **priority}


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
