"""The docs cannot fall behind."""

import re
from pathlib import Path

import pytest

from ecr_emu.domain.limits import LIMITS
from ecr_emu.settings import SETTINGS
from tests.generate_docs import DOCS, PAGES, commands

ROOT = DOCS.parent
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
PAGES_OF_TEXT = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("name", PAGES)
def test_generated_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "run `make docs`"


@pytest.mark.parametrize("page", PAGES_OF_TEXT, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    missing = [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()]
    assert missing == []


def test_every_setting_command_and_limit_is_documented() -> None:
    text = (DOCS / "settings.md").read_text()
    assert [s.name for s in SETTINGS if s.flag not in text or s.variable not in text] == []
    names = [name for name, _ in commands()]
    assert "ecr-emu serve" in names
    assert [name for name in names if f"`{name}`" not in text] == []
    assert [limit.name for limit in LIMITS if f"`{limit.name}` | {limit.default}" not in text] == []


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = re.findall(r"`?\bmake ([a-z]+)", (ROOT / "README.md").read_text())
    assert [target for target in named if f"\n{target}:" not in makefile] == []
