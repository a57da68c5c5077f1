"""The shape of the code: who imports whom, names of files, where errors are made (style, section 2)."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ecr_emu

ROOT = Path(ecr_emu.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
MAX_LINES = 400
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "service", "misc"}

# What each part may import of ours; a part is a folder, or a file beside the folders.
BELOW_CORE = {
    "access",
    "decisions",
    "domain",
    "store",
    "blobs",
    "errors",
    "clock",
    "context",
    "metrics",
    "settings",
    "upstream",
    "waiting",
}
ENTRANCE = BELOW_CORE | {"core", "wsgi"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "settings": set(),
    "domain": set(),
    "store": {"domain", "errors", "waiting"},
    "blobs": {"domain", "errors"},
    "scanner": {"domain"},
    "upstream": {"domain", "waiting"},
    "clock": {"store"},
    "decisions": {"domain", "waiting"},
    "waiting": set(),
    "threads": set(),
    "request_body": set(),
    "connections": set(),
    "file_sender": {"connections", "wsgi"},
    "gateway": {"file_sender", "request_body", "threads", "waiting", "wsgi"},
    "metrics": set(),
    "logs": {"metrics", "wsgi"},
    "access": {"decisions", "domain", "store", "errors"},
    "context": {
        "access",
        "clock",
        "decisions",
        "domain",
        "metrics",
        "store",
        "blobs",
        "errors",
        "settings",
        "upstream",
    },
    "wsgi": {"errors", "context"},
    "core": BELOW_CORE,
    "control": ENTRANCE,
    "registry": ENTRANCE,
    "jobs": ENTRANCE | {"scanner"},
    "console": ENTRANCE,
    "delivery": ENTRANCE,
}
ANYTHING = {"__init__", "__main__", "app", "cli", "server", "pytest_plugin"}

# A rule says what is so: it does not look at the clock or at files, and writes nothing.
IMPURE = {"io", "os", "pathlib", "random", "secrets", "shutil", "socket", "sqlite3", "tempfile"}
IMPURE |= {"http", "logging", "subprocess", "sys", "threading", "time", "urllib", "uuid"}


def part_of(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def imports(node: ast.AST) -> Iterator[str]:
    """Full names of what is imported at run time, in functions too; imports for types do not count."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from (name.name for name in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            yield from (f"{child.module}.{name.name}" for name in child.names)
        else:
            yield from imports(child)


def our_parts(file: Path) -> set[str]:
    found = {name.split(".")[1] for name in imports(tree_of(file)) if name.startswith("ecr_emu.")}
    return found - {"__version__"}


def outside(file: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(tree_of(file))} - {"ecr_emu"}


def names(files: list[Path]) -> list[str]:
    return [str(file.relative_to(ROOT)) for file in files]


def test_every_part_has_a_rule() -> None:
    assert {part_of(file) for file in FILES} - set(ALLOWED) - ANYTHING == set()


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_only_what_is_below_it(part: str) -> None:
    wrong = {
        str(file.relative_to(ROOT)): extra
        for file in FILES
        if part_of(file) == part and (extra := our_parts(file) - ALLOWED[part] - {part})
    }
    assert wrong == {}


def test_the_rules_need_the_standard_library_only_and_no_clock_or_files() -> None:
    rules = [file for file in FILES if part_of(file) == "domain"]
    assert [name for file in rules for name in outside(file) - sys.stdlib_module_names] == []
    assert [name for file in rules for name in outside(file) & IMPURE] == []
    calls = [node for file in rules for node in ast.walk(tree_of(file)) if isinstance(node, ast.Call)]
    called = {ast.unparse(call.func) for call in calls}
    assert called & {"open", "print", "input", "exec", "eval"} == set()
    # datetime may turn times into text and back, but not say what time it is.
    assert {name.rpartition(".")[2] for name in called} & {"now", "today", "utcnow", "localtime"} == set()


def test_only_the_console_uses_flask() -> None:
    users = {part_of(file) for file in FILES if outside(file) & {"flask", "werkzeug", "jinja2"}}
    assert users == {"console"}


def test_no_file_is_longer_than_a_sitting() -> None:
    assert names([file for file in FILES if len(file.read_text().splitlines()) > MAX_LINES]) == []


def test_files_and_folders_are_called_after_what_they_hold() -> None:
    assert names([file for file in FILES if {file.stem, file.parent.name} & VAGUE]) == []


def test_every_module_says_what_it_is_for() -> None:
    assert names([file for file in FILES if not ast.get_docstring(tree_of(file))]) == []


def test_errors_are_made_in_one_place() -> None:
    makers = {
        part_of(file)
        for file in FILES
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "EcrError"
    }
    assert makers == {"errors"}
