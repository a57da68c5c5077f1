"""One function for each operation; its name is its registration: delete_repository, DeleteRepository."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from ecr_emu.context import Call

Answer = Mapping[str, Any]
Operation = Callable[[Call, Any], Answer]


def implemented() -> dict[str, Operation]:
    """The operations that are built, by their name in snake case."""
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    return {
        name: function
        for module in modules
        for name, function in vars(module).items()
        if getattr(function, "is_operation", False)
    }


def operation(function: Operation) -> Operation:
    """Mark a function as the answer to the operation of its name."""
    function.is_operation = True  # type: ignore[attr-defined]
    return function
