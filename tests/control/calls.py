"""Requests to the JSON API: written by hand, or through boto3 where only the refusal matters."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.clients import DEFAULT_ACCOUNT, Registry, Reply, Running, image_index, image_manifest

TARGET_PREFIX = "AmazonEC2ContainerRegistry_V20150921"
CONFIG = b'{"architecture":"amd64","os":"linux"}'


def authorization(access_key: str = "test", region: str = "us-east-1") -> str:
    """An Authorization header as the SDKs make it; nobody checks the signature."""
    scope = f"{access_key}/20250615/{region}/ecr/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=00"


@dataclass
class Api:
    """The JSON API, which gets exactly the bytes and headers that a test writes."""

    emulator: Running

    def send(self, body: bytes, headers: Mapping[str, str], method: str = "POST") -> Reply:
        return Registry(self.emulator.port, None).request(method, "/", body, headers)

    def post(self, operation: str, request: object, authorized: str | None = None) -> Reply:
        """An operation with a request that need not fit it; bytes go as they are, all else as JSON."""
        body = request if isinstance(request, bytes) else json.dumps(request).encode()
        target = f"{TARGET_PREFIX}.{operation}"
        return self.send(body, {"X-Amz-Target": target, "Authorization": authorized or authorization()})

    def refusal(self, operation: str, request: object, authorized: str | None = None) -> tuple[str, str]:
        """Code and message of a request that is refused with 400, as every client error of ECR is."""
        reply = self.post(operation, request, authorized)
        assert reply.status == 400, reply.body
        content = reply.json()
        return content["__type"], content["message"]


def refusal(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    """Code and message of the error that a boto3 call ends in."""
    response = refused(call, **request)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return response["Error"]["Code"], response["Error"]["Message"]


def refused(call: Callable[..., Any], **request: Any) -> Any:
    """The whole error response that a boto3 call ends in."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    return caught.value.response


def invalid(member: str, constraint: str) -> tuple[str, str]:
    """The refusal of a broken constraint."""
    message = f"Invalid parameter at '{member}' failed to satisfy constraint: '{constraint}'"
    return "InvalidParameterException", message


def no_repository(name: str, account: str = DEFAULT_ACCOUNT) -> tuple[str, str]:
    """The refusal of a repository that is not there."""
    message = f"The repository with name '{name}' does not exist in the registry with id '{account}'"
    return "RepositoryNotFoundException", message


def no_tagged_image(name: str, tag: str, account: str = DEFAULT_ACCOUNT) -> tuple[str, str]:
    """The refusal of a tag that is not there."""
    return (
        "ImageNotFoundException",
        f"The image with imageId {{imageDigest:'null', imageTag:'{tag}'}} does not exist within the "
        f"repository with name '{name}' in the registry with id '{account}'",
    )


def tampered(sealed: str) -> str:
    """The same text with another letter in its middle."""
    middle = len(sealed) // 2
    return sealed[:middle] + ("A" if sealed[middle] != "A" else "B") + sealed[middle + 1 :]


@dataclass
class Repo:
    """A repository of the JSON API, and short ways to fill it through that API."""

    ecr: Any
    name: str
    account: str = "000000000000"
    layers: set[bytes] = field(default_factory=set)

    def layer(self, *parts: bytes) -> str:
        """Upload a layer in these parts and return its digest."""
        upload_id = self.ecr.initiate_layer_upload(repositoryName=self.name)["uploadId"]
        first = 0
        for part in parts:
            self.part(upload_id, first, part)
            first += len(part)
        return str(self.complete(upload_id)["layerDigest"])

    def part(self, upload_id: str, first: int, content: bytes, last: int | None = None) -> Any:
        return self.ecr.upload_layer_part(
            repositoryName=self.name,
            uploadId=upload_id,
            partFirstByte=first,
            partLastByte=first + len(content) - 1 if last is None else last,
            layerPartBlob=content,
        )

    def complete(self, upload_id: str, digest: str = "sha512:00") -> Any:
        """Finish an upload; the digest is by default one that ECR does not compare."""
        return self.ecr.complete_layer_upload(
            repositoryName=self.name, uploadId=upload_id, layerDigests=[digest]
        )

    def image(self, *layers: bytes, **members: Any) -> str:
        """The manifest of an image whose blobs the repository holds."""
        for blob in (CONFIG, *layers):
            if blob not in self.layers:
                self.layer(blob)
                self.layers.add(blob)
        return image_manifest(CONFIG, *layers, **members).decode()

    def put(self, manifest: str, tag: str | None = None, **members: str) -> str:
        """Store a manifest and return its digest."""
        if tag is not None:
            members["imageTag"] = tag
        answer = self.ecr.put_image(repositoryName=self.name, imageManifest=manifest, **members)
        return str(answer["image"]["imageId"]["imageDigest"])

    def push(self, content: bytes, *tags: str) -> str:
        """Store an image with one layer under these tags, or under none, and return its digest."""
        manifest = self.image(content)
        return [self.put(manifest, tag) for tag in tags or (None,)][-1]

    def push_index(self, *manifests: str, tag: str | None = None) -> str:
        return self.put(image_index(*(manifest.encode() for manifest in manifests)).decode(), tag)

    def tags(self) -> dict[str, str]:
        """The digest behind each tag."""
        answer = self.ecr.list_images(repositoryName=self.name, filter={"tagStatus": "TAGGED"})
        return {entry["imageTag"]: entry["imageDigest"] for entry in answer["imageIds"]}

    def details(self, **request: Any) -> list[Any]:
        """The images as DescribeImages has them."""
        details = self.ecr.describe_images(repositoryName=self.name, **request)["imageDetails"]
        assert isinstance(details, list)
        return details

    def digests(self) -> set[str]:
        return {image["imageDigest"] for image in self.details()}
