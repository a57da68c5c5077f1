"""Every member of the service model is read or written by the operation that has it, or is known not to be.

Which names an operation's code knows is found without running it: string constants in its function, and in
the functions, classes and constants of ours that are named there, and so on.
"""

import ast
import copy
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import ecr_emu
from ecr_emu.control import model as vendored
from ecr_emu.control import operations
from ecr_emu.control.model import Model

ROOT = Path(ecr_emu.__file__).parent.parent
MODEL = vendored.load()

# Findings are written by background work, and the operation reads them as they are.
WRITERS = {
    "describe_image_scan_findings": [
        ("ecr_emu.domain.scan_findings", "basic"),
        ("ecr_emu.domain.scan_findings", "enhanced"),
        ("ecr_emu.domain.scan_findings", "about_image"),
    ],
}

# Members that are rightly without an answer, and why; what is inside of them is not looked at.
UNANSWERED = {
    "AwsEcrContainerImageDetails.inUseCount": "no cluster runs the image here",
    "EnhancedImageScanFinding.exploitAvailable": "no advisory says it",
    "Recommendation.url": "sourceUrl has the advisory's address",
    "CvssScoreAdjustment.metric": "scores are not adjusted",
    "CvssScoreAdjustment.reason": "scores are not adjusted",
}


# --- What the code knows ---------------------------------------------------------------------------------


def _file(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


@cache
def _names(module: str) -> tuple[dict[str, ast.stmt], dict[str, tuple[str, str]]]:
    """What a module defines, and what of ours it imports: the module and the name there."""
    defined: dict[str, ast.stmt] = {}
    imported: dict[str, tuple[str, str]] = {}
    file = _file(module)
    assert file is not None
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            defined.update((ast.unparse(target), node) for target in targets)
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("ecr_emu"):
            imported.update((name.asname or name.name, (str(node.module), name.name)) for name in node.names)
    return defined, imported


def strings(module: str, name: str, seen: set[tuple[str, str]]) -> Iterator[str]:
    """String constants in a definition, and in all that it names."""
    if (module, name) in seen:
        return
    seen.add((module, name))
    defined, imported = _names(module)
    if name not in defined:
        if name in imported:
            yield from strings(*imported[name], seen)
        return
    for node in ast.walk(defined[name]):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Name) and node.id in defined:
            yield from strings(module, node.id, seen)
        elif isinstance(node, ast.Name) and node.id in imported and not _file(".".join(imported[node.id])):
            yield from strings(*imported[node.id], seen)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in imported:
            there = ".".join(imported[ast.unparse(node.value)])
            if _file(there):
                yield from strings(there, node.attr, seen)


@cache
def known(snake: str) -> frozenset[str]:
    """String constants in the code of an operation, and in what writes that which it only reads."""
    function = operations.implemented()[snake]
    seen: set[tuple[str, str]] = set()
    roots = [(function.__module__, function.__name__), *WRITERS.get(snake, [])]
    return frozenset(text for root in roots for text in strings(*root, seen))


# --- What the model has ----------------------------------------------------------------------------------


def members(model: Model, shape_name: str, inside: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """All structure members below a shape, but for those inside of what is without an answer."""
    shape = model.shapes[shape_name]
    if shape_name in inside:
        return
    if shape["type"] == "structure":
        for name, entry in shape["members"].items():
            yield shape_name, name
            if f"{shape_name}.{name}" not in UNANSWERED:
                yield from members(model, entry["shape"], (*inside, shape_name))
    elif shape["type"] in ("list", "map"):
        inner = shape["member" if shape["type"] == "list" else "value"]
        yield from members(model, inner["shape"], inside)


def unanswered(model: Model) -> set[str]:
    """The members whose names the code of their operation does not know, each as Shape.member."""
    found = set()
    for snake in operations.implemented():
        operation: Mapping[str, Any] = model.operations[model.operation_names[snake]]
        for side in ("input", "output"):
            for shape, name in members(model, operation[side]["shape"]):
                if name not in known(snake):
                    found.add(f"{shape}.{name}")
    return found


def test_every_member_has_an_answer_or_a_reason_to_have_none() -> None:
    missing = sorted(unanswered(MODEL) - set(UNANSWERED))
    assert not missing, f"no code of their operation reads or writes these members: {missing}"


def test_what_has_an_answer_by_now_is_no_exception_any_more() -> None:
    assert sorted(set(UNANSWERED) - unanswered(MODEL)) == []


@pytest.mark.parametrize(
    ("shape", "member"),
    [
        ("CreateRepositoryRequest", "colour"),
        ("ImageScanningConfiguration", "depth"),
        ("Repository", "colour"),
        ("ImageIdentifier", "imageNickname"),
        ("DescribeRegistryResponse", "colour"),
        # Names that other operations know are missed where they are new.
        ("InitiateLayerUploadRequest", "layerDigest"),
        ("Repository", "imageTags"),
        ("GetAuthorizationTokenRequest", "repositoryName"),
    ],
)
def test_a_member_that_is_new_is_named(shape: str, member: str) -> None:
    shapes = copy.deepcopy(dict(MODEL.shapes))
    shapes[shape]["members"][member] = {"shape": "ForceFlag"}
    metadata = {"targetPrefix": MODEL.target_prefix}
    doctored = Model({"metadata": metadata, "operations": MODEL.operations, "shapes": shapes})
    assert unanswered(doctored) - unanswered(MODEL) == {f"{shape}.{member}"}
