"""The real advisories that conformance tests compare with: OSV zips that the project does not ship."""

import json
import os
import random
import zipfile
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "ECR_EMU_ADVISORIES"
NAMES = ("Alpine", "Debian", "PyPI")


def folder() -> Path:
    """The folder with the zips. It has to be there: a run without them would say nothing about findings."""
    path = Path(os.environ.get(VARIABLE) or "none")
    missing = [name for name in NAMES if not (path / f"{name}.zip").is_file()]
    if missing:
        told = f"{VARIABLE} names no folder with {', '.join(f'{name}.zip' for name in missing)}"
        pytest.fail(f"{told}; docs/conformance.md says where they come from", pytrace=False)
    return path


@cache
def records(name: str) -> list[dict[str, Any]]:
    """All records of one zip, as the JSON that they are."""
    with zipfile.ZipFile(folder() / f"{name}.zip") as archive:
        return [json.loads(archive.read(entry)) for entry in archive.namelist() if entry.endswith(".json")]


def named_packages(records: list[dict[str, Any]], ecosystem: str, count: int) -> list[tuple[str, str]]:
    """Names of packages that advisories are about, each with a version that one of them names."""
    versions: dict[str, set[str]] = defaultdict(set)
    for entry in (entry for one in records for entry in one["affected"]):
        if entry["package"]["ecosystem"] == ecosystem:
            events = [event for one in entry.get("ranges", []) for event in one["events"]]
            told = {version for event in events for version in event.values()}
            versions[entry["package"]["name"]] |= told - {"0"}
    some = [name for name in sorted(versions) if versions[name]]
    chance = random.Random(11)  # noqa: S311 - the same packages every time
    picked = chance.sample(some, min(count, len(some)))
    return [(name, chance.choice(sorted(versions[name]))) for name in picked]
