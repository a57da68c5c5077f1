"""The whole story of a lifecycle policy, with a real server: boto3, and /_emu/clock to let time pass."""

import json
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.clients import digest_of, image_manifest
from tests.consistency import files_in
from tests.policies import keep_newest, policy, rule
from tests.processes import Served, serving

NAME = {"repositoryName": "team/app"}
CONFIG = b'{"architecture":"amd64","os":"linux"}'


def post(server: Served, path: str, **members: Any) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{path}", json.dumps(members).encode(), method="POST"
    )
    with closing(urllib.request.urlopen(request, timeout=60)) as response:
        return json.load(response)


def push(ecr: Any, tag: str, layer: bytes) -> str:
    """Push an image through the AWS API alone."""
    asked = ecr.batch_check_layer_availability(**NAME, layerDigests=[digest_of(CONFIG), digest_of(layer)])
    held = {one["layerDigest"] for one in asked["layers"] if one["layerAvailability"] == "AVAILABLE"}
    for blob in [blob for blob in (CONFIG, layer) if digest_of(blob) not in held]:
        upload = ecr.initiate_layer_upload(**NAME)["uploadId"]
        place = {**NAME, "uploadId": upload}
        ecr.upload_layer_part(**place, partFirstByte=0, partLastByte=len(blob) - 1, layerPartBlob=blob)
        ecr.complete_layer_upload(**place, layerDigests=[digest_of(blob)])
    manifest = image_manifest(CONFIG, layer).decode()
    answer = ecr.put_image(**NAME, imageManifest=manifest, imageTag=tag)
    digest: str = answer["image"]["imageId"]["imageDigest"]
    return digest


def tags(ecr: Any) -> list[str]:
    images = ecr.describe_images(**NAME, filter={"imageStatus": "ANY"})["imageDetails"]
    return sorted(tag for image in images for tag in image["imageTags"])


def test_push_put_nothing_happens_advance_and_the_right_images_are_gone(tmp_path: Path) -> None:
    text = policy(
        keep_newest(1, 1, tagStatus="tagged", tagPatternList=["release-*"]),
        rule(2, days=30),
    )
    with serving("--data-dir", tmp_path) as server, server.ecr() as ecr:
        ecr.create_repository(**NAME)
        layers = {name: name.encode() * 100 for name in ("release-1", "release-2", "build-1", "build-2")}
        digests = {name: push(ecr, name, layer) for name, layer in list(layers.items())[:3]}
        ecr.put_lifecycle_policy(**NAME, lifecyclePolicyText=text)
        assert tags(ecr) == ["build-1", "release-1", "release-2"]

        post(server, "/_emu/clock", advance="23h")
        assert tags(ecr) == ["build-1", "release-1", "release-2"]
        assert ecr.get_lifecycle_policy(**NAME)["lastEvaluatedAt"].timestamp() == 0

        ecr.start_lifecycle_policy_preview(**NAME)
        ecr.get_waiter("lifecycle_policy_preview_complete").wait(**NAME, WaiterConfig={"Delay": 1})
        (said,) = ecr.get_lifecycle_policy_preview(**NAME)["previewResults"]
        assert said["imageDigest"] == digests["release-1"]

        before = len(files_in(tmp_path / "blobs"))
        jobs = post(server, "/_emu/clock", advance="2h")["jobs"]
        assert [job["kind"] for job in jobs] == ["lifecycle", "sweep"]
        assert tags(ecr) == ["build-1", "release-2"]
        assert len(files_in(tmp_path / "blobs")) == before - 1
        assert ecr.get_lifecycle_policy(**NAME)["lastEvaluatedAt"].timestamp() > 0

        # An image that is pushed now is not thirty days old when the other is.
        push(ecr, "build-2", layers["build-2"])
        post(server, "/_emu/clock", advance="30d")
        assert tags(ecr) == ["build-2", "release-2"]
        assert len(files_in(tmp_path / "blobs")) == before - 1

        # The server may be killed at any time: neither the images nor the time come back.
        server.kill()
        server.ended()
    with serving("--data-dir", tmp_path) as server, server.ecr() as ecr:
        assert tags(ecr) == ["build-2", "release-2"]
        post(server, "/_emu/clock", advance="2d")
        assert tags(ecr) == ["release-2"]
