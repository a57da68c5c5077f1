"""Pushing an image with boto3 alone."""

from botocore.client import BaseClient

from engines.images import Image, digest_of

# The smallest part that ECR takes before the last one.
PART_SIZE = 5 * 1024 * 1024


def upload_layer(ecr: BaseClient, repository: str, blob: bytes) -> str:
    """Upload a blob in parts and return its digest."""
    upload_id = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    for first in range(0, len(blob), PART_SIZE):
        part = blob[first : first + PART_SIZE]
        last = first + len(part) - 1
        answer = ecr.upload_layer_part(
            repositoryName=repository,
            uploadId=upload_id,
            partFirstByte=first,
            partLastByte=last,
            layerPartBlob=part,
        )
        assert answer["lastByteReceived"] == last
    answer = ecr.complete_layer_upload(
        repositoryName=repository, uploadId=upload_id, layerDigests=[digest_of(blob)]
    )
    assert answer["layerDigest"] == digest_of(blob)
    return digest_of(blob)


def put_image(ecr: BaseClient, repository: str, image: Image, tag: str) -> str:
    """Push a whole image and return the digest that ECR gives it."""
    upload_layer(ecr, repository, image.layer)
    upload_layer(ecr, repository, image.config)
    answer = ecr.put_image(repositoryName=repository, imageManifest=image.manifest.decode(), imageTag=tag)
    digest: str = answer["image"]["imageId"]["imageDigest"]
    return digest
