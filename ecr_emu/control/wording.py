"""How AWS words a broken constraint of a parameter.

Two phrasings live side by side in ECR: the framework's, `Member must …`, and the hand-written `must …` of a
few members. Those members stand in the tables here (seen on AWS; reference, control plane 1.6).
"""

import re
from collections.abc import Sequence

from ecr_emu.domain import names
from ecr_emu.errors import EcrError, invalid_parameter

_HAND_WRITTEN = frozenset({"repositoryName"})

# Members whose regular expression is worded, and sometimes written, differently from the model's.
_PATTERNS = {
    "repositoryName": f"must satisfy regular expression '{names.REPOSITORY_NAME_PATTERN}'",
    "imageTag": f"must satisfy regular expression '{names.IMAGE_TAG_PATTERN}'",
    "registryId": "must satisfy regular expression [0-9]{12}",
}

# AWS's own order of values, where it was seen and is not the model's.
_ENUMS = {
    "imageTagMutability": ["IMMUTABLE", "MUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"],
}

# Regular expressions of the model that try the same letters in many ways, for hours on a hostile string, and
# what accepts the same strings in one pass (tests/control/test_patterns.py). Error texts name the model's.
_ONE_PASS = {
    "RepositoryFilterValue": r"(?:[a-z0-9][a-z0-9._-]*/)*[a-z0-9._-]*",
    "ScanningRepositoryFilterValue": r"[a-z0-9*]+(?:[._\-/][a-z0-9*]+)*",
    "SigningRepositoryFilterValue": r"[a-z0-9*]+(?:[._\-/][a-z0-9*]+)*",
}


def pattern(shape_name: str, model_pattern: str) -> re.Pattern[str]:
    """What the strings of a shape must match as a whole."""
    return re.compile(_ONE_PASS.get(shape_name, model_pattern))


def _member(path: str) -> str:
    return "" if path in _HAND_WRITTEN else "Member "


def missing(path: str) -> EcrError:
    return invalid_parameter(path, f"{_member(path)}must not be null")


def too_short(path: str, lowest: int) -> EcrError:
    return invalid_parameter(path, f"{_member(path)}must have length greater than or equal to {lowest}")


def too_long(path: str, highest: int) -> EcrError:
    return invalid_parameter(path, f"{_member(path)}must have length less than or equal to {highest}")


def too_small(path: str, lowest: int) -> EcrError:
    return invalid_parameter(path, f"Member must have value greater than or equal to {lowest}")


def too_large(path: str, highest: int) -> EcrError:
    return invalid_parameter(path, f"Member must have value less than or equal to {highest}")


def no_match(path: str, model_pattern: str) -> EcrError:
    default = f"Member must satisfy regular expression pattern: {model_pattern}"
    return invalid_parameter(path, _PATTERNS.get(path, default))


def not_in_enum(path: str, values: Sequence[str]) -> EcrError:
    return invalid_parameter(
        path, f"Member must satisfy enum value set: [{', '.join(_ENUMS.get(path, values))}]"
    )


def of_element(path: str, problem: EcrError) -> EcrError:
    """A list of plain values reports its element's problem as its own."""
    constraint = problem.message.partition("constraint: '")[2].removesuffix("'")
    return invalid_parameter(path, f"Member must satisfy constraint: [{constraint}]")
