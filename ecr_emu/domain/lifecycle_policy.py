"""What a lifecycle policy may say, and the one way to write it down.

ECR checks in three stages: the JSON schema, the mapping into its own objects, the rules beside each other
(Amazon ECR user guide, Lifecycle policy properties; the order of the stages is inferred).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ecr_emu.domain.json_schema import violation

MAX_RULES = 50
MAX_WILDCARDS = 4
# An archived image is stored for 90 days at least (Amazon ECR user guide, Archiving an image).
MIN_ARCHIVE_DAYS = 90

_LARGEST_INTEGER = 2**31 - 1
_TAG_LISTS = ("tagPatternList", "tagPrefixList")
# Members in the order in which ECR hands them out.
_SELECTION = ("tagStatus", *_TAG_LISTS, "storageClass", "countType", "countUnit", "countNumber")


def _word(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": sorted(values)}


def _counting(count_type: str, needed: Sequence[str] = (), **members: Any) -> dict[str, Any]:
    """The choice for one countType: it has a unit only when it needs one."""
    others: dict[str, Any] = {name: {} for name in _SELECTION if name != "countUnit" or name in needed}
    return {
        "additionalProperties": False,
        "required": ["countType", *needed],
        "properties": {**others, "countType": _word(count_type), **members},
    }


_STRINGS = {"type": "array", "items": {"type": "string"}}
_POSITIVE = {"type": "integer", "minimum": 1}
_SELECTION_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["countNumber", "countType", "tagStatus"],
    "oneOf": [
        _counting("imageCountMoreThan"),
        _counting("sinceImagePushed", ["countUnit"]),
        _counting("sinceImagePulled", ["countUnit"]),
        _counting("sinceImageTransitioned", ["countUnit", "storageClass"], storageClass=_word("archive")),
    ],
    "properties": {
        "tagStatus": _word("any", "tagged", "untagged"),
        "tagPatternList": _STRINGS,
        "tagPrefixList": _STRINGS,
        "storageClass": _word("archive", "standard"),
        "countType": {"type": "string"},
        "countUnit": _word("days"),
        "countNumber": _POSITIVE,
    },
}
_ACTION_SCHEMA = {
    "type": "object",
    "required": ["type"],
    "properties": {"type": _word("expire", "transition")},
    "oneOf": [
        {"additionalProperties": False, "properties": {"type": _word("expire")}},
        {
            "additionalProperties": False,
            # A missing class is found by the mapping (seen on AWS).
            "properties": {"type": _word("transition"), "targetStorageClass": _word("archive")},
        },
    ],
}
_RULE_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["action", "rulePriority", "selection"],
    "properties": {
        "action": _ACTION_SCHEMA,
        "description": {"type": "string"},
        "rulePriority": _POSITIVE,
        "selection": _SELECTION_SCHEMA,
    },
}
_SCHEMA = {
    "additionalProperties": False,
    "required": ["rules"],
    "properties": {"rules": {"type": "array", "minItems": 1, "maxItems": MAX_RULES, "items": _RULE_SCHEMA}},
}


class InvalidLifecyclePolicy(ValueError):
    """Not a lifecycle policy; the argument is the constraint it breaks, in ECR's words."""


def canonical(text: str, loads: Callable[[str], Any]) -> str:
    """The policy as ECR stores it: compact, rules by priority, members in one order.

    `loads` reads JSON. Raises InvalidLifecyclePolicy.
    """
    try:
        document = loads(text)
    except ValueError:
        raise _unmapped() from None
    if not isinstance(document, dict):
        raise _unmapped()
    if problem := violation(document, _SCHEMA):
        raise _invalid(problem)
    rules = document["rules"]
    if any(_is_unmappable(rule) for rule in rules):
        raise _unmapped()
    for problem in _problems(rules):
        raise _invalid(problem)
    ordered = [_ordered(rule) for rule in sorted(rules, key=lambda rule: rule["rulePriority"])]
    return json.dumps({"rules": ordered}, separators=(",", ":"), ensure_ascii=False)


def _unmapped() -> InvalidLifecyclePolicy:
    return InvalidLifecyclePolicy(
        "Lifecycle policy parsing failure: Could not map policyString into LifecyclePolicy."
    )


def _invalid(problem: str) -> InvalidLifecyclePolicy:
    return InvalidLifecyclePolicy(f"Lifecycle policy validation failure: {problem}")


def _is_unmappable(rule: Any) -> bool:
    """True for numbers that no Java integer holds, and a transition to nowhere."""
    action, numbers = rule["action"], (rule["rulePriority"], rule["selection"]["countNumber"])
    return max(numbers) > _LARGEST_INTEGER or (
        action["type"] == "transition" and "targetStorageClass" not in action
    )


def _problems(rules: Sequence[Any]) -> Iterator[str]:
    """What the rules break, each by itself and then together; the order is inferred."""
    for rule in rules:
        yield from _tag_problems(rule["selection"])
        yield from _class_problems(rule["selection"], rule["action"]["type"])
    priorities = [rule["rulePriority"] for rule in rules]
    if len(set(priorities)) < len(priorities):
        yield "Duplicate priority in multiple rules"
    for storage_class in ("standard", "archive"):
        yield from _beside([rule for rule in rules if _class_of(rule["selection"]) == storage_class])


def _class_of(selection: Any) -> str:
    return str(selection.get("storageClass", "standard"))


def _tag_problems(selection: Any) -> Iterator[str]:
    status = selection["tagStatus"]
    given = [name for name in _TAG_LISTS if selection.get(name)]
    if status != "tagged":
        yield from (f"Cannot specify {name} with tagStatus {status}" for name in reversed(given))
    elif not given:
        yield "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED."
    elif len(given) > 1:
        yield "If policy has a tagged rule, it must specify only one of tagPrefixList or tagPatternList"
    elif any(pattern.count("*") > MAX_WILDCARDS for pattern in selection.get("tagPatternList", ())):
        yield f"Invalid tag pattern provided. Total number of * must not exceed {MAX_WILDCARDS}"


def _class_problems(selection: Any, action: str) -> Iterator[str]:
    """Which count goes with which storage class and action (all texts but the first are unverified)."""
    count_type = selection["countType"]
    if count_type != "sinceImageTransitioned":
        if _class_of(selection) == "archive":
            yield (
                "SINCE_IMAGE_PUSHED, SINCE_IMAGE_PULLED and IMAGE_COUNT_MORE_THAN support the STANDARD "
                "storage class only"
            )
        if count_type == "sinceImagePulled" and action == "expire":
            yield "SINCE_IMAGE_PULLED supports the TRANSITION action only"
    elif action == "transition":
        yield "SINCE_IMAGE_TRANSITIONED supports the EXPIRE action only"
    elif selection["countNumber"] < MIN_ARCHIVE_DAYS:
        yield f"countNumber must be at least {MIN_ARCHIVE_DAYS} for SINCE_IMAGE_TRANSITIONED"


def _beside(rules: Sequence[Any]) -> Iterator[str]:
    """What rules of one storage class may not do beside each other."""
    by_status: dict[str, list[Any]] = {"untagged": [], "any": [], "tagged": []}
    for rule in rules:
        by_status[rule["selection"]["tagStatus"]].append(rule)
    if len(by_status["untagged"]) > 1:
        yield "Only one rule can select Untagged images per storage class."
    if len(by_status["any"]) > 1:
        yield "Only one rule can specify tagStatus=ANY per storage class."
    last = max((rule["rulePriority"] for rule in rules), default=0)
    if any(rule["rulePriority"] < last for rule in by_status["any"]):
        yield "Rule for tagStatus=ANY must have the lowest priority per storage class"
    lists = [_tag_set(rule["selection"]) for rule in by_status["tagged"]]
    if len(set(lists)) < len(lists):
        # Documented, the text unverified.
        yield "Tag prefixes and tag patterns must be unique across rules per storage class"


def _tag_set(selection: Any) -> tuple[str, frozenset[str]]:
    name = next(name for name in _TAG_LISTS if selection.get(name))
    return name, frozenset(selection[name])


def _ordered(rule: Any) -> dict[str, Any]:
    """A rule with its members in ECR's order; empty lists say nothing and go."""
    selection = rule["selection"]
    return {
        "rulePriority": rule["rulePriority"],
        **({"description": rule["description"]} if "description" in rule else {}),
        "selection": {name: selection[name] for name in _SELECTION if selection.get(name)},
        "action": {
            name: rule["action"][name] for name in ("type", "targetStorageClass") if name in rule["action"]
        },
    }
