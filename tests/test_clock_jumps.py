"""The machine's clock jumps, back and ahead: logins may end with it, data may not."""

from typing import Any

import pytest

from tests.clients import Clock, Registry, Running, digest_of
from tests.consistency import check_consistency

NAME = "team/app"
LAYER = b"a layer in two pieces"
YEAR = 365 * 86_400.0


@pytest.mark.parametrize("seconds", [-10 * YEAR, -86_400.0, -1.0, 1.0, 86_400.0, 10 * YEAR, 200 * YEAR])
def test_whatever_the_clock_does_requests_are_answered(
    emulator: Running, ecr: Any, registry: Registry, clock: Clock, seconds: float
) -> None:
    ecr.create_repository(repositoryName=NAME)
    registry.push_image(NAME, "v1", b"before")
    location = registry.request("POST", f"/v2/{NAME}/blobs/uploads/").headers["location"]
    path = location.partition(f":{emulator.port}")[2]
    assert registry.request("PATCH", path, LAYER[:5]).status == 202
    clock.advance(seconds)
    reply = registry.request("GET", f"/v2/{NAME}/manifests/v1")
    assert reply.status in (200, 401, 403)
    # After a new login all is as it was.
    again = emulator.registry()
    assert again.request("GET", f"/v2/{NAME}/manifests/v1").status == 200
    assert again.request("GET", path).headers["range"] == "0-4"
    assert again.request("PUT", f"{path}?digest={digest_of(LAYER)}", LAYER[5:]).status == 201
    again.push_image(NAME, "v2", LAYER)
    assert again.request("GET", f"/v2/{NAME}/tags/list").json()["tags"] == ["v1", "v2"]
    assert len(ecr.describe_images(repositoryName=NAME)["imageDetails"]) == 2
    url = ecr.get_download_url_for_layer(repositoryName=NAME, layerDigest=digest_of(LAYER))["downloadUrl"]
    assert again.request("GET", url.partition(f":{emulator.port}")[2]).body == LAYER
    emulator.application.runner.run_due()
    clock.advance(-seconds)
    assert emulator.registry().request("GET", f"/v2/{NAME}/manifests/v2").status == 200
    check_consistency(emulator.application.emulator.settings.data_dir)
