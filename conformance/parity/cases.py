"""Reading the case files: what is no case is refused before anything is played."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from conformance.parity.values import BadCase, fill
from ecr_emu.control.model import Model, load

FOLDER = Path(__file__).with_name("cases")
EVIDENCE = ("observed", "documented", "inferred")
# Cases about the HTTP request itself stand under this heading.
PROTOCOL = "(protocol)"

_EXPECTED = {"error", "status", "message", "error_has", "answer", "answer_has", "any_order", "within"}
_REQUEST = {"call", "with", "raw", "as", "region"}
_STEP = _EXPECTED | _REQUEST | {"save", "repeat"}
_CASE = _EXPECTED | _REQUEST | {"name", "source", "evidence", "checked", "given"}
_VERBS = {
    "call": _STEP,
    "raw": _STEP,
    "push": {"push", "save", "as", "region", "repeat"},
    "upload": {"upload", "save", "as", "region", "repeat"},
}
_PUSH = {"repositoryName", "tag", "tags", "layers", "config", "members", "index"}
_UPLOAD = {"repositoryName", "content"}
_RAW = {"target", "body", "signed", "authorization"}


@dataclass(frozen=True, slots=True)
class Case:
    """One case as it was written, with its `each` worked out."""

    file: str
    document: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.document["name"])

    @property
    def evidence(self) -> str:
        return str(self.document["evidence"])

    @property
    def operation(self) -> str:
        return str(self.document.get("call", PROTOCOL))


def load_cases(folder: Path = FOLDER) -> list[Case]:
    """All cases, or BadCase for the first one that is not well formed."""
    return [case for path in sorted(folder.glob("*.yaml")) for case in load_file(path)]


def load_file(path: Path) -> list[Case]:
    model = load()
    cases = [Case(path.name, entry) for entry in _entries(path)]
    names: set[str] = set()
    for case in cases:
        try:
            _check(case.document, model)
            if case.name in names:
                raise BadCase("another case has the same name")
        except BadCase as reason:
            raise BadCase(f"{path.name}, '{case.document.get('name', case.document)}': {reason}") from None
        names.add(case.name)
    return cases


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    """The cases of a file. `define` holds anchors only; `each` makes a case of every entry of its list."""
    for entry in yaml.safe_load(path.read_text()) or ():
        if not isinstance(entry, dict):
            raise BadCase(f"{path.name}: {entry!r} is not a case")
        if entry.keys() == {"define"}:
            continue
        template = {member: value for member, value in entry.items() if member != "each"}
        for names in entry.get("each", [{}]):
            yield fill(template, names, partly=True)


def _check(case: Mapping[str, Any], model: Model) -> None:
    for member in ("name", "source", "evidence", "checked"):
        if not case.get(member):
            raise BadCase(f"{member} is missing")
    if case["evidence"] not in EVIDENCE:
        raise BadCase(f"evidence is {case['evidence']}, and must be one of {', '.join(EVIDENCE)}")
    if not isinstance(case["checked"], datetime.date):
        raise BadCase("checked must be a date")
    _check_members(case, _CASE, "the case")
    _check_step(case, model)
    if not case.keys() & {"error", "answer", "answer_has"}:
        raise BadCase("nothing is expected: it needs error, answer or answer_has")
    for step in case.get("given", ()):
        verbs = step.keys() & _VERBS
        if len(verbs) != 1:
            raise BadCase(f"a given step must have one of {', '.join(_VERBS)}: {step}")
        _check_members(step, _VERBS[verbs.pop()], "a given step")
        _check_step(step, model)


def _check_step(step: Mapping[str, Any], model: Model) -> None:
    if "push" in step or "upload" in step:
        verb = "push" if "push" in step else "upload"
        _check_members(step[verb], _PUSH if verb == "push" else _UPLOAD, verb)
        return
    if ("call" in step) == ("raw" in step):
        raise BadCase("it must have either call or raw")
    if len(step.keys() & {"error", "answer", "answer_has"}) > 1:
        raise BadCase("it can have only one of error, answer and answer_has")
    if "error" in step and "message" not in step:
        raise BadCase("an error needs its message (<any> where none is known)")
    if "raw" in step:
        _check_members(step["raw"], _RAW, "raw")
        return
    if step["call"] not in model.operations:
        raise BadCase(f"the model has no operation {step['call']}")
    operation = model.operations[step["call"]]
    for part in parts(step.get("with", {})):
        _check_shape(part, operation["input"]["shape"], model, "with")
    answer = step.get("answer", step.get("answer_has", {}))
    _check_shape(answer, operation["output"]["shape"], model, "the answer")


def parts(given: Any) -> Iterator[Any]:
    """The mappings that a request is put together from, in their order."""
    if isinstance(given, list):
        for part in given:
            yield from parts(part)
    else:
        yield given


def _check_members(value: Any, allowed: set[str], where: str) -> None:
    if not isinstance(value, dict):
        raise BadCase(f"{where} must be a mapping")
    if unknown := value.keys() - allowed:
        raise BadCase(f"{where} has the unknown member {', '.join(sorted(map(str, unknown)))}")


def _check_shape(value: Any, shape_name: str, model: Model, where: str) -> None:
    """Members must be the model's; what has another type on purpose is not looked into."""
    shape = model.shapes[shape_name]
    if isinstance(value, dict) and value.keys() & {"$list", "$text", "$bytes"}:
        return
    if shape["type"] == "structure" and isinstance(value, dict):
        _check_members(value, set(shape["members"]), where)
        for member, entry in value.items():
            _check_shape(entry, shape["members"][member]["shape"], model, f"{where}.{member}")
    elif shape["type"] == "list" and isinstance(value, list):
        for entry in value:
            _check_shape(entry, shape["member"]["shape"], model, where)
