"""AWS's service model of ECR, vendored: `model.json` is botocore's, with the documentation taken out.

`make model` refreshes it (`python -m ecr_emu.control.model FOLDER_OF_BOTOCORE_DATA`).
"""

import gzip
import json
import sys
from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import orjson

FILE = "model.json"


class Model:
    """Shapes and operations by name."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.target_prefix: str = document["metadata"]["targetPrefix"]
        self.operations: Mapping[str, Any] = document["operations"]
        self.shapes: Mapping[str, Any] = document["shapes"]

    def errors(self, operation: str) -> set[str]:
        """The error codes that an operation's model lists."""
        return {error["shape"] for error in self.operations[operation].get("errors", ())}

    @cached_property
    def operation_names(self) -> dict[str, str]:
        """AWS's name by the name in snake case, `delete_repository` to `DeleteRepository`."""
        return {snake_case(name): name for name in self.operations}


def snake_case(name: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("_")


def load() -> Model:
    """The vendored model."""
    return Model(orjson.loads((resources.files(__package__) / FILE).read_bytes()))


def _without_documentation(node: Any) -> Any:
    if isinstance(node, dict):
        # A member may be called "documentation"; the model's own documentation is always text.
        return {
            key: _without_documentation(value)
            for key, value in node.items()
            if key != "documentation" or not isinstance(value, str)
        }
    return [_without_documentation(value) for value in node] if isinstance(node, list) else node


def refresh(data: Path, target: Path) -> None:
    """Write the vendored file from a botocore data folder."""
    packed = data / "ecr" / "2015-09-21" / "service-2.json.gz"
    document = json.loads(gzip.decompress(packed.read_bytes()))
    kept = {key: _without_documentation(document[key]) for key in ("metadata", "operations", "shapes")}
    target.write_text(json.dumps(kept, indent=1, sort_keys=False) + "\n")


if __name__ == "__main__":
    refresh(Path(sys.argv[1]), Path(__file__).with_name(FILE))
