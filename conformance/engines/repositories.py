"""A repository as the ECR API shows it, and what the tests ask about the images in it."""

import json
import time
import urllib.request
from typing import Any

from botocore.client import BaseClient

from engines.images import digest_of

# How far `imagePushedAt` may lie from the test's own clock.
CLOCK_SECONDS = 60


class Repository:
    """One repository of the emulator, seen through boto3."""

    def __init__(self, ecr: BaseClient, name: str, **settings: Any) -> None:
        self._ecr = ecr
        self.name = name
        self.uri: str = ecr.create_repository(repositoryName=name, **settings)["repository"]["repositoryUri"]

    def describe(self, **image: str) -> dict[str, Any]:
        """Details of the one image with this imageTag or imageDigest."""
        answer = self._ecr.describe_images(repositoryName=self.name, imageIds=[image])
        [details] = answer["imageDetails"]
        return dict(details)

    def manifest(self, **image: str) -> dict[str, Any]:
        """The manifest as stored, after a check that its digest is the digest of its bytes."""
        answer = self._ecr.batch_get_image(repositoryName=self.name, imageIds=[image])
        assert answer["failures"] == []
        text: str = answer["images"][0]["imageManifest"]
        assert digest_of(text.encode()) == answer["images"][0]["imageId"]["imageDigest"]
        return dict(json.loads(text))

    def download(self, layer_digest: str) -> bytes:
        """Fetch a layer as AWS's own tools do: by a URL that needs no login."""
        answer = self._ecr.get_download_url_for_layer(repositoryName=self.name, layerDigest=layer_digest)
        with urllib.request.urlopen(answer["downloadUrl"], timeout=30) as body:
            content: bytes = body.read()
        return content

    def tags(self) -> set[str]:
        pages = self._ecr.get_paginator("list_images").paginate(repositoryName=self.name)
        identifiers = [image for page in pages for image in page["imageIds"]]
        return {image["imageTag"] for image in identifiers if "imageTag" in image}

    def assert_describes(self, tag: str) -> dict[str, Any]:
        """Check what describe-images says of a fresh image against its manifest; return it."""
        details = self.describe(imageTag=tag)
        manifest = self.manifest(imageTag=tag)
        parts = [manifest["config"], *manifest["layers"]]
        assert details["imageSizeInBytes"] == sum(part["size"] for part in parts)
        assert details["imageTags"] == [tag]
        # An OCI manifest may leave its own media type out, so podman's older ones do not tell.
        assert details["imageManifestMediaType"] == manifest.get(
            "mediaType", "application/vnd.oci.image.manifest.v1+json"
        )
        assert abs(details["imagePushedAt"].timestamp() - time.time()) < CLOCK_SECONDS
        return details
