"""What a lifecycle policy may say, and the one way to write it down.

ECR checks in three stages: the JSON schema, the mapping into its own objects, the rules beside each other
(Amazon ECR user guide, Lifecycle policy properties; the order of the stages is inferred).
"""

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

from ecr_emu.domain.json_schema import Path, Violation, position, violation

MAX_RULES = 50
MAX_WILDCARDS = 4
# An archived image is stored for 90 days at least (Amazon ECR user guide, Archiving an image).
MIN_ARCHIVE_DAYS = 90

_LARGEST_INTEGER = 2**31 - 1
_TAG_LISTS = ("tagPatternList", "tagPrefixList")
# A rule with its number in the document.
_Numbered = tuple[int, Any]
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
    "discriminator": "countType",
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
    "discriminator": "type",
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
    """Not a lifecycle policy; the text is the constraint it breaks, in ECR's words.

    `position` is where, which ECR does not say: a path such as rules[1].selection.countNumber, or the line
    and column for what is no JSON.
    """

    def __init__(self, text: str, position: str) -> None:
        super().__init__(text)
        self.position = position


def canonical(text: str, loads: Callable[[str], Any]) -> str:
    """The policy as ECR stores it: compact, rules by priority, members in one order.

    `loads` reads JSON. Raises InvalidLifecyclePolicy.
    """
    document = _document(text, loads)
    if found := violation(document, _SCHEMA):
        raise _invalid(found)
    rules = document["rules"]
    for path in _unmappable(rules):
        raise _unmapped(position(path))
    for found in _problems(rules):
        raise _invalid(found)
    ordered = [_ordered(rule) for rule in sorted(rules, key=_priority)]
    return json.dumps({"rules": ordered}, separators=(",", ":"), ensure_ascii=False)


def _document(text: str, loads: Callable[[str], Any]) -> dict[str, Any]:
    """The parsed object."""
    try:
        document = loads(text)
    except json.JSONDecodeError as problem:
        raise _unmapped(f"line {problem.lineno}, column {problem.colno}") from None
    except ValueError:
        raise _unmapped(position(())) from None
    if not isinstance(document, dict):
        raise _unmapped(position(()))
    return document


def _unmapped(where: str) -> InvalidLifecyclePolicy:
    return InvalidLifecyclePolicy(
        "Lifecycle policy parsing failure: Could not map policyString into LifecyclePolicy.", where
    )


def _invalid(found: Violation) -> InvalidLifecyclePolicy:
    text = f"Lifecycle policy validation failure: {found.problem}"
    return InvalidLifecyclePolicy(text, position(found.path))


def _unmappable(rules: Sequence[Any]) -> Iterator[Path]:
    """Where numbers are that no Java integer holds, and transitions to nowhere."""
    for number, rule in enumerate(rules):
        if rule["rulePriority"] > _LARGEST_INTEGER:
            yield "rules", number, "rulePriority"
        if rule["selection"]["countNumber"] > _LARGEST_INTEGER:
            yield "rules", number, "selection", "countNumber"
        if rule["action"]["type"] == "transition" and "targetStorageClass" not in rule["action"]:
            yield "rules", number, "action"


def _problems(rules: Sequence[Any]) -> Iterator[Violation]:
    """What the rules break, each by itself and then together; the order is inferred."""
    numbered = list(enumerate(rules))
    for number, rule in numbered:
        for found in (*_tag_problems(rule["selection"]), *_class_problems(rule)):
            yield found._replace(path=("rules", number, *found.path))
    for number in _repeated(numbered, _priority):
        yield Violation("Duplicate priority in multiple rules", ("rules", number, "rulePriority"))
    for storage_class in ("standard", "archive"):
        yield from _beside([entry for entry in numbered if _class_of(entry[1]["selection"]) == storage_class])


def _repeated(rules: Iterable[_Numbered], key: Callable[[Any], Hashable]) -> Iterator[int]:
    """The numbers of rules that are like an earlier one."""
    seen = set()
    for number, rule in rules:
        if key(rule) in seen:
            yield number
        seen.add(key(rule))


def _priority(rule: Any) -> int:
    return int(rule["rulePriority"])


def _class_of(selection: Any) -> str:
    return str(selection.get("storageClass", "standard"))


def _tag_problems(selection: Any) -> Iterator[Violation]:
    status = selection["tagStatus"]
    given = [name for name in _TAG_LISTS if selection.get(name)]
    if status != "tagged":
        for name in reversed(given):
            yield Violation(f"Cannot specify {name} with tagStatus {status}", ("selection", name))
    elif not given:
        problem = "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED."
        yield Violation(problem, ("selection",))
    elif len(given) > 1:
        problem = "If policy has a tagged rule, it must specify only one of tagPrefixList or tagPatternList"
        yield Violation(problem, ("selection",))
    for number, pattern in enumerate(selection.get("tagPatternList", ())):
        if pattern.count("*") > MAX_WILDCARDS:
            problem = f"Invalid tag pattern provided. Total number of * must not exceed {MAX_WILDCARDS}"
            yield Violation(problem, ("selection", "tagPatternList", number))


def _class_problems(rule: Any) -> Iterator[Violation]:
    """Which count goes with which storage class and action (all texts but the first are unverified)."""
    selection, action = rule["selection"], rule["action"]["type"]
    count_type = selection["countType"]
    if count_type != "sinceImageTransitioned":
        if _class_of(selection) == "archive":
            problem = (
                "SINCE_IMAGE_PUSHED, SINCE_IMAGE_PULLED and IMAGE_COUNT_MORE_THAN support the STANDARD "
                "storage class only"
            )
            yield Violation(problem, ("selection", "storageClass"))
        if count_type == "sinceImagePulled" and action == "expire":
            yield Violation("SINCE_IMAGE_PULLED supports the TRANSITION action only", ("action", "type"))
    elif action == "transition":
        yield Violation("SINCE_IMAGE_TRANSITIONED supports the EXPIRE action only", ("action", "type"))
    elif selection["countNumber"] < MIN_ARCHIVE_DAYS:
        problem = f"countNumber must be at least {MIN_ARCHIVE_DAYS} for SINCE_IMAGE_TRANSITIONED"
        yield Violation(problem, ("selection", "countNumber"))


def _beside(rules: Sequence[_Numbered]) -> Iterator[Violation]:
    """What rules of one storage class may not do beside each other."""
    by_status: dict[str, list[_Numbered]] = {"untagged": [], "any": [], "tagged": []}
    for number, rule in rules:
        by_status[rule["selection"]["tagStatus"]].append((number, rule))
    for number, _ in by_status["untagged"][1:]:
        problem = "Only one rule can select Untagged images per storage class."
        yield Violation(problem, ("rules", number, "selection", "tagStatus"))
    for number, _ in by_status["any"][1:]:
        problem = "Only one rule can specify tagStatus=ANY per storage class."
        yield Violation(problem, ("rules", number, "selection", "tagStatus"))
    last = max((_priority(rule) for _, rule in rules), default=0)
    for number, rule in by_status["any"]:
        if _priority(rule) < last:
            problem = "Rule for tagStatus=ANY must have the lowest priority per storage class"
            yield Violation(problem, ("rules", number, "rulePriority"))
    for number in _repeated(by_status["tagged"], _tag_set):
        # Documented, the text unverified.
        problem = "Tag prefixes and tag patterns must be unique across rules per storage class"
        yield Violation(problem, ("rules", number, "selection"))


def _tag_set(rule: Any) -> tuple[str, frozenset[str]]:
    selection = rule["selection"]
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
