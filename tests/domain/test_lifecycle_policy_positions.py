"""Where a lifecycle policy is wrong: what ECR does not say."""

import json
from typing import Any

import orjson
import pytest

from ecr_emu.domain.lifecycle_policy import InvalidLifecyclePolicy, canonical
from tests.domain.test_lifecycle_policy import ARCHIVE, ARCHIVED, rule, since, tagged

UNTAGGED = rule(9, tagStatus="untagged")


def position(*rules: Any, text: str | None = None) -> str:
    """Where a document of these rules is wrong."""
    with pytest.raises(InvalidLifecyclePolicy) as caught:
        canonical(text or json.dumps({"rules": rules}), json.loads)
    return caught.value.position


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("{", "line 1, column 2"),
        ('{"rules": [\n  {"rulePriority": 1,,\n', "line 2, column 22"),
        ("[]", "the top level"),
        ('{"rules": ' + "9" * 5000 + "}", "the top level"),
        ('{"ruels": []}', "ruels"),
        ("{}", "the top level"),
        ('{"rules": {}}', "rules"),
        ('{"rules": []}', "rules"),
    ],
)
def test_the_position_of_what_is_no_policy_at_all(text: str, where: str) -> None:
    assert position(text=text) == where
    if where.startswith("line"):
        with pytest.raises(InvalidLifecyclePolicy) as caught:
            canonical(text, orjson.loads)
        assert caught.value.position.startswith("line")


@pytest.mark.parametrize(
    ("bad", "where"),
    [
        ("x", ""),
        ({"description": "x"}, ""),
        ({**rule(), "x": 1}, ".x"),
        ({**rule(), "not a name": 1}, '["not a name"]'),
        ({**rule(), "description": None}, ".description"),
        (rule(0), ".rulePriority"),
        (rule(2**31), ".rulePriority"),
        (rule(countNumber=0), ".selection.countNumber"),
        (rule(countNumber=2**31), ".selection.countNumber"),
        (rule(drop="tagStatus"), ".selection"),
        (rule(tagStatus="TAGGED"), ".selection.tagStatus"),
        (rule(**tagged(tagPatternList=["a", 1])), ".selection.tagPatternList[1]"),
        (rule(countType="sinceImageDreamt"), ".selection.countType"),
        (rule(countUnit="days"), ".selection.countUnit"),
        (rule(countType="sinceImagePushed"), ".selection"),
        (rule(**since("Transitioned", countNumber=90)), ".selection"),
        (
            rule(**since("Transitioned", countNumber=90, storageClass="standard")),
            ".selection.storageClass",
        ),
        (rule(action="expire"), ".action"),
        (rule(action={"type": "delete"}), ".action.type"),
        (rule(action={"type": "expire", "targetStorageClass": None}), ".action.targetStorageClass"),
        (rule(action={"type": "transition"}), ".action"),
        (rule(**tagged()), ".selection"),
        (rule(**tagged(tagPrefixList=["a"], tagPatternList=["b"])), ".selection"),
        (rule(tagPrefixList=["a"]), ".selection.tagPrefixList"),
        (rule(**tagged(tagPatternList=["a", "*****"])), ".selection.tagPatternList[1]"),
        (rule(storageClass="archive"), ".selection.storageClass"),
        (rule(**since("Pulled")), ".action.type"),
        (rule(action=ARCHIVE, **ARCHIVED), ".action.type"),
        (rule(**{**ARCHIVED, "countNumber": 89}), ".selection.countNumber"),
    ],
)
def test_the_position_of_a_fault_in_a_rule(bad: Any, where: str) -> None:
    assert position(UNTAGGED, bad) == f"rules[1]{where}"


@pytest.mark.parametrize(
    ("rules", "where"),
    [
        (
            [rule(1, tagStatus="untagged"), rule(7, **tagged(tagPrefixList=["a"])), rule(1)],
            "[2].rulePriority",
        ),
        ([rule(1, tagStatus="untagged"), rule(2, tagStatus="untagged")], "[1].selection.tagStatus"),
        ([rule(1), rule(2)], "[1].selection.tagStatus"),
        ([rule(2, tagStatus="untagged"), rule(1)], "[1].rulePriority"),
        ([rule(n, **tagged(tagPrefixList=["a"])) for n in (1, 2)], "[1].selection"),
        ([rule(number, **tagged(tagPrefixList=[f"{number}"])) for number in range(1, 52)], "[50]"),
    ],
)
def test_the_position_of_a_rule_that_does_not_fit_beside_another(rules: list[Any], where: str) -> None:
    assert position(*rules) == f"rules{where}"
