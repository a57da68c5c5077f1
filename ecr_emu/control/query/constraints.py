"""What the service model says about the members of a form, in the words of AWS's framework.

moto checks little of it, and fails on some of what it does not check.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from botocore.model import ListShape, Shape, StructureShape

from ecr_emu import errors
from ecr_emu.control.query.forms import Form

# A value that is shown is cut here.
SHOWN_CHARACTERS = 300
# More parts than the name of any member has.
MAX_DEPTH = 10
_INTEGER = re.compile(r"-?[0-9]{1,9}")
_BOOLEANS = ("true", "false", "True", "False")


@dataclass(frozen=True, slots=True)
class _Given:
    """A form, and the names of all that is in it, of lists and structures too."""

    form: Form
    names: set[str]


def check(shape: StructureShape | None, form: Form) -> None:
    """Raise ValidationError with all that is wrong with a form."""
    if shape is None:
        return
    # Tags.member.1.Key says that Tags, Tags.member and Tags.member.1 are there.
    named = (key.split(".", MAX_DEPTH)[:MAX_DEPTH] for key in form)
    there = {".".join(parts[:depth]) for parts in named for depth in range(1, len(parts) + 1)}
    problems = list(_structure(shape, "", "", _Given(form, there)))
    if problems:
        raise errors.invalid_query_member(problems)


def _structure(shape: StructureShape, name: str, path: str, given: _Given) -> Iterator[str]:
    """`name` is where the form has it, such as Tags.member.1; `path` is how AWS calls it: tags.1.member."""
    for member, inner in shape.members.items():
        inner_name = f"{name}.{member}" if name else member
        shown = member[0].lower() + member[1:]
        inner_path = f"{path}.{shown}" if path else shown
        if inner_name in given.names:
            yield from _value(inner, inner_name, inner_path, given)
        elif member in shape.required_members:
            yield f"Value null at '{inner_path}' failed to satisfy constraint: Member must not be null"


def _value(shape: Shape, name: str, path: str, given: _Given) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        yield from _structure(shape, name, path, given)
    elif isinstance(shape, ListShape):
        yield from _list(shape, name, path, given)
    elif name in given.form:
        yield from _scalar(shape, given.form[name], path)


def _list(shape: ListShape, name: str, path: str, given: _Given) -> Iterator[str]:
    number = 1
    while f"{name}.member.{number}" in given.names:
        yield from _value(shape.member, f"{name}.member.{number}", f"{path}.{number}.member", given)
        number += 1


def _scalar(shape: Shape, value: str, path: str) -> Iterator[str]:
    constraint = _broken(shape, value)
    if constraint:
        is_secret = shape.metadata.get("sensitive") or "password" in path.lower()
        shown = "" if is_secret else f" '{value[:SHOWN_CHARACTERS]}'"
        yield f"Value{shown} at '{path}' failed to satisfy constraint: Member must {constraint}"


def _broken(shape: Shape, value: str) -> str:
    """The first constraint that a value breaks, or ""."""
    if shape.type_name in ("integer", "long"):
        return _broken_number(shape, value)
    if shape.type_name == "boolean":
        return "" if value in _BOOLEANS else "be true or false"
    return _broken_text(shape, value)


def _broken_number(shape: Shape, value: str) -> str:
    if not _INTEGER.fullmatch(value):
        return "be a number"
    lowest, highest = shape.metadata.get("min"), shape.metadata.get("max")
    if lowest is not None and int(value) < lowest:
        return f"have value greater than or equal to {lowest}"
    if highest is not None and int(value) > highest:
        return f"have value less than or equal to {highest}"
    return ""


def _broken_text(shape: Shape, value: str) -> str:
    lowest, highest = shape.metadata.get("min"), shape.metadata.get("max")
    if lowest is not None and len(value) < lowest:
        return f"have length greater than or equal to {lowest}"
    if highest is not None and len(value) > highest:
        return f"have length less than or equal to {highest}"
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        return f"satisfy enum value set: [{', '.join(allowed)}]"
    written = shape.metadata.get("pattern")
    if written and (pattern := _pattern(written)) and not pattern.fullmatch(value):
        return f"satisfy regular expression pattern: {written}"
    return ""


@lru_cache(maxsize=256)
def _pattern(written: str) -> re.Pattern[str] | None:
    """None for those of tags, whose classes of letters Python does not know; moto checks tags."""
    return None if r"\p{" in written else re.compile(written, re.ASCII)
