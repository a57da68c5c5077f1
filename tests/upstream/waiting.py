"""Waiting for what the emulator does behind its answer."""

import time
from collections.abc import Callable
from typing import Any

SECONDS = 20


def wait_for(look: Callable[[], Any]) -> Any:
    """The first true thing that `look` returns; an assertion when there is none in time."""
    deadline = time.monotonic() + SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return found


def images_of(ecr: Any, name: str) -> dict[str, tuple[str, ...]]:
    """Tags of the images of a repository, by digest; none when there is no repository."""
    try:
        details = ecr.describe_images(repositoryName=name)["imageDetails"]
    except ecr.exceptions.RepositoryNotFoundException:
        return {}
    return {detail["imageDigest"]: tuple(detail.get("imageTags", ())) for detail in details}
