"""What a lifecycle policy may say, in which words it is refused, and how it is written down."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain.lifecycle_policy import InvalidLifecyclePolicy, canonical

UNMAPPED = "Lifecycle policy parsing failure: Could not map policyString into LifecyclePolicy."
NO_SCHEMA = "instance failed to match exactly one schema (matched 0 out of 4)"
NO_ACTION = "instance failed to match exactly one schema (matched 0 out of 2)"


def rule(priority: Any = 1, action: Any = None, drop: str = "", **selection: Any) -> dict[str, Any]:
    """A rule that expires all but 10 images, with other members of the selection."""
    chosen = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10, **selection}
    return {
        "rulePriority": priority,
        "selection": {name: value for name, value in chosen.items() if name != drop},
        "action": {"type": "expire"} if action is None else action,
    }


def since(event: str = "Pushed", **selection: Any) -> dict[str, Any]:
    return {"countType": f"sinceImage{event}", "countUnit": "days", **selection}


def tagged(**selection: Any) -> dict[str, Any]:
    return {"tagStatus": "tagged", **selection}


ARCHIVE = {"type": "transition", "targetStorageClass": "archive"}
ARCHIVED = since("Transitioned", storageClass="archive", countNumber=90)


def written(*rules: Any) -> str:
    return canonical(json.dumps({"rules": rules}), json.loads)


def problem(document: Any) -> str:
    """The words in which a document is refused."""
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(InvalidLifecyclePolicy) as caught:
        canonical(text, json.loads)
    return str(caught.value)


def rules_problem(*rules: Any) -> str:
    failure, _, detail = problem({"rules": rules}).partition(": ")
    assert failure == "Lifecycle policy validation failure"
    return detail


@pytest.mark.parametrize(
    "rules",
    [
        [rule()],
        [rule(**since())],
        [rule(action=ARCHIVE)],
        [rule(action=ARCHIVE, **since())],
        [rule(action=ARCHIVE, **since("Pulled"))],
        [rule(**ARCHIVED)],
        [rule(storageClass="standard")],
        [rule(countNumber=2**31 - 1)],
        [rule(**tagged(tagPrefixList=["a", "b"]))],
        [rule(**tagged(tagPatternList=["*a*b*c*"]))],
        [rule(**tagged(tagPatternList=["*test*1*2*3", "test*1*2*3*"]))],
        [rule(**tagged(tagPrefixList=["*****"]))],
        [rule(1, **tagged(tagPrefixList=["a"])), rule(2, **tagged(tagPatternList=["a"]))],
        [rule(1, **tagged(tagPrefixList=["a"])), rule(2, **tagged(tagPrefixList=["a", "b"]))],
        [rule(7), rule(3, tagStatus="untagged")],
        [rule(1, ARCHIVE, **since("Pulled", countNumber=90)), rule(2, **{**ARCHIVED, "countNumber": 365})],
        [rule(1, tagStatus="untagged"), rule(2, tagStatus="untagged", **ARCHIVED)],
        [rule(1, **ARCHIVED), rule(2, tagStatus="untagged")],
        [rule(number, **tagged(tagPatternList=[f"v{number}*"])) for number in range(1, 51)],
    ],
)
def test_a_policy_is_taken(rules: list[Any]) -> None:
    assert {entry["rulePriority"] for entry in json.loads(written(*rules))["rules"]} == {
        entry["rulePriority"] for entry in rules
    }


@pytest.mark.parametrize("text", ["", "x", "{", "[]", '"rules"', "null", "1", '{"rules": [}'])
def test_what_is_no_object_cannot_be_mapped(text: str) -> None:
    assert problem(text) == UNMAPPED


@pytest.mark.parametrize("selection", [{"countNumber": 2**31}, {"countNumber": 10**30}])
def test_a_number_beyond_an_integer_cannot_be_mapped(selection: Any) -> None:
    assert problem({"rules": [rule(**selection)]}) == UNMAPPED
    assert problem({"rules": [rule(2**31)]}) == UNMAPPED


def test_a_transition_to_nowhere_cannot_be_mapped() -> None:
    assert problem({"rules": [rule(action={"type": "transition"}, **since(countNumber=30))]}) == UNMAPPED


@pytest.mark.parametrize(
    ("document", "detail"),
    [
        ({}, 'object has missing required properties (["rules"])'),
        (
            {"rules": [], "x": 1},
            'object instance has properties which are not allowed by the schema: (["x"])',
        ),
        (
            {"rules": {}},
            'instance type (object) does not match any allowed primitive type (allowed: ["array"])',
        ),
        ({"rules": []}, "array is too short: must have at least 1 elements but instance has 0 elements"),
        (
            {"rules": [{}] * 51},
            "array is too long: must have at most 50 elements but instance has 51 elements",
        ),
        (
            {"rules": ["x"]},
            'instance type (string) does not match any allowed primitive type (allowed: ["object"])',
        ),
        (
            {"rules": [{"description": "x"}]},
            'object has missing required properties (["action","rulePriority","selection"])',
        ),
    ],
)
def test_a_document_is_held_against_the_schema(document: Any, detail: str) -> None:
    assert problem(document) == f"Lifecycle policy validation failure: {detail}"


WRONG_TYPE = 'instance type ({}) does not match any allowed primitive type (allowed: ["{}"])'
NOT_IN_ENUM = 'instance value ("{}") not found in enum (possible values: {})'


@pytest.mark.parametrize(
    ("bad", "detail"),
    [
        ({**rule(), "x": 1}, 'object instance has properties which are not allowed by the schema: (["x"])'),
        ({**rule(), "description": None}, WRONG_TYPE.format("null", "string")),
        ({**rule(), "description": 1}, WRONG_TYPE.format("integer", "string")),
        (rule("1"), WRONG_TYPE.format("string", "integer")),
        (rule(1.5), WRONG_TYPE.format("number", "integer")),
        (rule(True), WRONG_TYPE.format("boolean", "integer")),
        (rule(0), "numeric instance is lower than the required minimum (minimum: 1, found: 0)"),
        (rule(countNumber=0), "numeric instance is lower than the required minimum (minimum: 1, found: 0)"),
        (rule(countNumber=-5), "numeric instance is lower than the required minimum (minimum: 1, found: -5)"),
        (rule(countNumber="9"), WRONG_TYPE.format("string", "integer")),
        ({**rule(), "selection": []}, WRONG_TYPE.format("array", "object")),
        (rule(drop="tagStatus"), 'object has missing required properties (["tagStatus"])'),
        (rule(drop="countType"), 'object has missing required properties (["countType"])'),
        (rule(drop="countNumber"), 'object has missing required properties (["countNumber"])'),
        (rule(since=1), 'object instance has properties which are not allowed by the schema: (["since"])'),
        (rule(tagStatus="TAGGED"), NOT_IN_ENUM.format("TAGGED", '["any","tagged","untagged"]')),
        (rule(tagStatus=None), WRONG_TYPE.format("null", "string")),
        (rule(storageClass="glacier"), NOT_IN_ENUM.format("glacier", '["archive","standard"]')),
        (rule(**since(countUnit="hours")), NOT_IN_ENUM.format("hours", '["days"]')),
        (rule(**since(countUnit=None)), WRONG_TYPE.format("null", "string")),
        (rule(**tagged(tagPrefixList="a")), WRONG_TYPE.format("string", "array")),
        (rule(**tagged(tagPatternList=[1])), WRONG_TYPE.format("integer", "string")),
        (rule(tagPrefixList=None), WRONG_TYPE.format("null", "array")),
        # The choice between the four counts.
        (rule(countType="sinceImageDreamt"), NO_SCHEMA),
        (rule(countType=None), NO_SCHEMA),
        (rule(countUnit="days"), NO_SCHEMA),
        (rule(countUnit=None), NO_SCHEMA),
        (rule(countType="sinceImagePushed"), NO_SCHEMA),
        (rule(countType="sinceImagePulled"), NO_SCHEMA),
        (rule(**since("Transitioned", countNumber=90)), NO_SCHEMA),
        (rule(**since("Transitioned", countNumber=90, storageClass="standard")), NO_SCHEMA),
        # The choice between the two actions.
        ({**rule(), "action": "expire"}, WRONG_TYPE.format("string", "object")),
        (rule(action={}), 'object has missing required properties (["type"])'),
        (rule(action={"type": "delete"}), NOT_IN_ENUM.format("delete", '["expire","transition"]')),
        (rule(action={"type": None}), WRONG_TYPE.format("null", "string")),
        (rule(action={"type": "expire", "targetStorageClass": None}), NO_ACTION),
        (rule(action={"type": "expire", "x": 1}), NO_ACTION),
        (rule(action={"type": "expire", "targetStorageClass": "archive"}), NO_ACTION),
        (rule(action={"type": "transition", "targetStorageClass": "standard"}), NO_ACTION),
        (rule(action={"type": "transition", "targetStorageClass": None}), NO_ACTION),
        (rule(action={**ARCHIVE, "x": 1}), NO_ACTION),
    ],
)
def test_a_rule_is_held_against_the_schema(bad: Any, detail: str) -> None:
    assert rules_problem(rule(9, tagStatus="untagged"), bad) == detail


@pytest.mark.parametrize(
    ("bad", "detail"),
    [
        (rule(**tagged()), "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED."),
        (
            rule(**tagged(tagPrefixList=[])),
            "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.",
        ),
        (
            rule(**tagged(tagPrefixList=["a"], tagPatternList=["b"])),
            "If policy has a tagged rule, it must specify only one of tagPrefixList or tagPatternList",
        ),
        (
            rule(tagStatus="untagged", tagPrefixList=["a"]),
            "Cannot specify tagPrefixList with tagStatus untagged",
        ),
        (rule(tagPatternList=["a"]), "Cannot specify tagPatternList with tagStatus any"),
        (
            rule(**tagged(tagPatternList=["a", "test*1*2*3*4*5*6"])),
            "Invalid tag pattern provided. Total number of * must not exceed 4",
        ),
        (
            rule(storageClass="archive"),
            "SINCE_IMAGE_PUSHED, SINCE_IMAGE_PULLED and IMAGE_COUNT_MORE_THAN support the STANDARD "
            "storage class only",
        ),
        (rule(**since("Pulled")), "SINCE_IMAGE_PULLED supports the TRANSITION action only"),
        (rule(action=ARCHIVE, **ARCHIVED), "SINCE_IMAGE_TRANSITIONED supports the EXPIRE action only"),
        (
            rule(**{**ARCHIVED, "countNumber": 89}),
            "countNumber must be at least 90 for SINCE_IMAGE_TRANSITIONED",
        ),
    ],
)
def test_the_members_of_a_rule_must_fit_together(bad: Any, detail: str) -> None:
    assert rules_problem(bad) == detail


ONE_UNTAGGED = "Only one rule can select Untagged images per storage class."
ONE_ANY = "Only one rule can specify tagStatus=ANY per storage class."
ANY_LAST = "Rule for tagStatus=ANY must have the lowest priority per storage class"
UNIQUE_TAGS = "Tag prefixes and tag patterns must be unique across rules per storage class"


@pytest.mark.parametrize(
    ("rules", "detail"),
    [
        ([rule(1, tagStatus="untagged", **since()), rule(1)], "Duplicate priority in multiple rules"),
        ([rule(1, tagStatus="untagged"), rule(2, tagStatus="untagged", **since())], ONE_UNTAGGED),
        ([rule(n, tagStatus="untagged", **ARCHIVED) for n in (1, 2)], ONE_UNTAGGED),
        ([rule(1), rule(2)], ONE_ANY),
        ([rule(1), rule(2, tagStatus="untagged")], ANY_LAST),
        ([rule(2, **tagged(tagPrefixList=["a"])), rule(1)], ANY_LAST),
        ([rule(1, **ARCHIVED), rule(2, tagStatus="untagged", **ARCHIVED)], ANY_LAST),
        (
            [rule(n, **tagged(tagPrefixList=tags)) for n, tags in enumerate([["a", "b"], ["b", "a"]], 1)],
            UNIQUE_TAGS,
        ),
        ([rule(n, **tagged(tagPatternList=["*"])) for n in (1, 2)], UNIQUE_TAGS),
    ],
)
def test_rules_must_fit_beside_each_other(rules: list[Any], detail: str) -> None:
    assert rules_problem(*rules) == detail


def test_the_schema_comes_before_the_rules_and_the_mapping_between() -> None:
    twice = [rule(1), rule(1)]
    assert rules_problem(*twice, rule(0)).startswith("numeric instance")
    assert problem({"rules": [*twice, rule(action={"type": "transition"})]}) == UNMAPPED


def test_a_policy_is_written_compactly_with_its_members_in_order() -> None:
    text = """
    {"rules": [
      {"action": {"targetStorageClass": "archive", "type": "transition"}, "rulePriority": 20,
       "selection": {"countNumber": 5, "countUnit": "days", "countType": "sinceImagePushed",
                     "storageClass": "standard", "tagStatus": "any", "tagPrefixList": []}},
      {"selection": {"countNumber": 3, "countType": "imageCountMoreThan", "tagPatternList": ["b*", "a*"],
                     "tagStatus": "tagged"},
       "description": "größe \\u00e9 / \\"x\\"", "action": {"type": "expire"}, "rulePriority": 3}
    ]}"""
    assert canonical(text, json.loads) == (
        '{"rules":[{"rulePriority":3,"description":"größe é / \\"x\\"","selection":{"tagStatus":"tagged",'
        '"tagPatternList":["b*","a*"],"countType":"imageCountMoreThan","countNumber":3},'
        '"action":{"type":"expire"}},'
        '{"rulePriority":20,"selection":{"tagStatus":"any","storageClass":"standard",'
        '"countType":"sinceImagePushed","countUnit":"days","countNumber":5},'
        '"action":{"type":"transition","targetStorageClass":"archive"}}]}'
    )


@given(
    st.lists(st.integers(1, 2**31 - 1), min_size=1, max_size=50, unique=True),
    st.text(st.characters(exclude_categories=["Cs"])),
)
def test_what_was_written_is_taken_again_and_stays_the_same(priorities: list[int], description: str) -> None:
    rules = [
        {**rule(number, **tagged(tagPrefixList=[f"v{number}"])), "description": description}
        for number in priorities
    ]
    text = written(*rules)
    assert canonical(text, json.loads) == text
    assert [entry["rulePriority"] for entry in json.loads(text)["rules"]] == sorted(priorities)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["rules", "rulePriority", "selection", "action", "type", "tagStatus", "countType"]
            ),
            inner,
            max_size=7,
        )
    ),
)


@given(JSON)
def test_any_json_is_taken_or_refused_in_words(document: Any) -> None:
    assert problem(document).startswith("Lifecycle policy ")
