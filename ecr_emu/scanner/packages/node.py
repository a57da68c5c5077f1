"""Node modules: package.json of what is installed below node_modules (docs.npmjs.com, "package.json")."""

import json
from collections.abc import Iterator
from typing import BinaryIO

from ecr_emu.domain.inventory import Package
from ecr_emu.scanner.layers import Budget
from ecr_emu.scanner.packages.item import Broken

_MODULES = b"node_modules"


def is_module(path: bytes) -> bool:
    """Whether a package.json is a module's own: node_modules/NAME/ or node_modules/@SCOPE/NAME/."""
    folders = path.split(b"/")[-4:-1]
    if folders[-2:-1] == [_MODULES]:
        return not folders[-1].startswith(b"@")
    return len(folders) == 3 and folders[0] == _MODULES and folders[1].startswith(b"@")


def read_package_json(file: BinaryIO, budget: Budget) -> Iterator[Package]:
    """The module, if it has a name and a version; those that have none were not installed from a registry."""
    budget.check_time()
    content = json.loads(file.read())
    if not isinstance(content, dict):
        raise Broken("is no JSON object")
    name, version = content.get("name"), content.get("version")
    if isinstance(name, str) and isinstance(version, str) and name and version:
        yield Package("npm", name, version.strip().removeprefix("="))
