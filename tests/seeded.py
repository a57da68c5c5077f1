"""An emulator that has one of everything, and what requests to it may say: for tests of all operations."""

import base64
import io
import json
from typing import Any

from ecr_emu.app import Application
from ecr_emu.core import reset
from ecr_emu.domain.registries import Registry
from ecr_emu.domain.replication import Backfill
from ecr_emu.store import backfills, repositories, uploads
from tests.clients import DEFAULT_ACCOUNT, Reply, digest_of, image_index, image_manifest
from tests.control.calls import CONFIG, TARGET_PREFIX, authorization

HOME = Registry(DEFAULT_ACCOUNT, "us-east-1")
WEST, NORTH = Registry(DEFAULT_ACCOUNT, "us-west-2"), Registry(DEFAULT_ACCOUNT, "eu-north-1")
UPLOAD_ID = "0f0e0d0c-0b0a-4908-8706-050403020100"
BACKFILL_ID = "1f0e0d0c-0b0a-4908-8706-050403020100"
LAYER = b"layer"
LOOSE_LAYER = b"loose layer"
MANIFEST = image_manifest(CONFIG, LAYER)
OTHER_MANIFEST = image_manifest(CONFIG, LAYER, annotations={"a": "b"})
OLD_MANIFEST = image_manifest(CONFIG, LAYER, annotations={"age": "old"})
INDEX = image_index(MANIFEST)
SIGNATURE = image_manifest(
    CONFIG,
    artifactType="application/x.signature",
    subject={
        "mediaType": json.loads(MANIFEST)["mediaType"],
        "digest": digest_of(MANIFEST),
        "size": len(MANIFEST),
    },
)
IMAGES = {"v1": MANIFEST, "v2": OTHER_MANIFEST, "multi": INDEX, "old": OLD_MANIFEST, None: SIGNATURE}

ARN = "arn:aws:ecr:us-east-1:000000000000:repository/"
SCANNER, BUILDER = (f"arn:aws:iam::{DEFAULT_ACCOUNT}:role/{name}" for name in ("scanner", "team/builder"))
SECRET = f"arn:aws:secretsmanager:us-east-1:{DEFAULT_ACCOUNT}:secret:ecr-pullthroughcache/login"
PROFILE = f"arn:aws:signer:us-east-1:{DEFAULT_ACCOUNT}:/signing-profiles/release"


def _policy(*statement: tuple[str, Any]) -> str:
    granted = {"Sid": "one", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**granted, **dict(statement)}]})


REPOSITORY_POLICY = _policy(("Action", ["ecr:BatchGetImage"]))
REGISTRY_POLICY = _policy(("Action", ["ecr:ReplicateImage"]), ("Resource", [ARN + "*"]))


def _lifecycle_policy(action: Any, **selection: Any) -> str:
    rule = {"rulePriority": 1, "description": "one", "selection": selection, "action": action}
    return json.dumps({"rules": [rule]})


LIFECYCLE_POLICIES = [
    _lifecycle_policy(
        {"type": "expire"},
        tagStatus="untagged",
        countType="sinceImagePushed",
        countUnit="days",
        countNumber=14,
    ),
    _lifecycle_policy(
        {"type": "transition", "targetStorageClass": "archive"},
        tagStatus="tagged",
        tagPatternList=["v*"],
        countType="imageCountMoreThan",
        countNumber=1,
    ),
]

# What the seeded emulator knows, by the name of the shape: requests of these are likely to be answered.
DIGESTS = [digest_of(blob) for blob in (MANIFEST, OTHER_MANIFEST, INDEX, CONFIG, LOOSE_LAYER, b"none")]
GOOD: dict[str, list[Any]] = {
    "RegistryId": [DEFAULT_ACCOUNT],
    "RepositoryName": ["team/app", "team/app", "team/idle", "team/new"],
    "ImageTag": ["v1", "v2", "multi"],
    "ImageDigest": [digest_of(MANIFEST), digest_of(OTHER_MANIFEST)],
    "ImageManifest": [
        MANIFEST.decode(),
        INDEX.decode(),
        image_manifest(CONFIG, LAYER, artifactType="x/y").decode(),
    ],
    "MediaType": [json.loads(MANIFEST)["mediaType"]],
    "LayerDigest": [digest_of(LAYER), "sha512:00"],
    "UploadId": [UPLOAD_ID],
    "PartSize": [5, 9],
    "LayerPartBlob": ["bW9yZSE="],
    "Arn": [ARN + "team/app"],
    "TagKey": ["team", "stage"],
    "TagValue": ["red", ""],
    "RepositoryPolicyText": [REPOSITORY_POLICY],
    "RegistryPolicyText": [REGISTRY_POLICY],
    "LifecyclePolicyText": LIFECYCLE_POLICIES,
    "LifecyclePolicyTextForRepositoryCreationTemplate": [*LIFECYCLE_POLICIES, ""],
    "Prefix": ["team", "new", "ROOT"],
    "CustomRoleArn": [BUILDER],
    "KmsKey": [f"arn:aws:kms:us-east-1:{DEFAULT_ACCOUNT}:key/0a-1b"],
    "KmsKeyForRepositoryCreationTemplate": ["", f"arn:aws:kms:us-east-1:{DEFAULT_ACCOUNT}:key/0a-1b"],
    "PullThroughCacheRuleRepositoryPrefix": ["quay", "new", "ROOT"],
    "Url": ["quay.io", "public.ecr.aws"],
    "UpstreamRegistry": ["quay", "ecr-public"],
    "CredentialArn": [SECRET],
    "PrincipalArn": [SCANNER, BUILDER],
    "Region": [WEST.region, NORTH.region],
    "ReplicationBackfillId": [BACKFILL_ID],
    "RepositoryFilterValue": ["team", "team/app"],
    "AccountSettingName": ["BLOB_MOUNTING", "BASIC_SCAN_TYPE_VERSION"],
    "AccountSettingValue": ["ENABLED", "AWS_NATIVE"],
    "ScanningRepositoryFilterValue": ["*", "team/*"],
    "SigningProfileArn": [PROFILE],
    "SigningRepositoryFilterValue": ["*", "team/*"],
    "ArtifactType": ["application/x.signature"],
}
# And neighbours of that: shapes alone would hardly ever hit them.
ODD: dict[str, list[Any]] = {
    "RegistryId": ["222222222222", "1"],
    "RepositoryName": ["empty", "none/such", "Bad_Name!"],
    "ImageTag": ["old", "none", "a/b"],
    "ImageDigest": [*DIGESTS, digest_of(OLD_MANIFEST), digest_of(SIGNATURE), "sha256:00", "latest"],
    "ImageManifest": [image_manifest(CONFIG, b"never pushed").decode(), "{}", "[]", "not JSON"],
    "MediaType": ["text/plain", ""],
    "LayerDigest": DIGESTS,
    "BatchedOperationLayerDigest": [*DIGESTS, "", "latest"],
    "UploadId": [UPLOAD_ID.upper(), "00000000-0000-0000-0000-000000000000"],
    "PartSize": [0, 4, 2**63 - 1],
    "LayerPartBlob": ["", "AA=="],
    "Arn": [ARN + "none/such", ARN, "arn:aws:s3:::bucket", ""],
    "TagKey": ["aws:x", "", "~"],
    "TagValue": ["~", "x" * 257],
    "NextToken": ["", "x", "a.b"],
    "RepositoryPolicyText": ["", "{}", "not JSON", "[" * 5000, REGISTRY_POLICY, "1e999"],
    "RegistryPolicyText": ["", "{}", "not JSON", "[" * 5000, REPOSITORY_POLICY],
    "LifecyclePolicyText": [" " * 100, "[" * 5000, '{"rules": []}' + " " * 100, REPOSITORY_POLICY, "{}"],
    "LifecyclePolicyTextForRepositoryCreationTemplate": ["not JSON", "[" * 5000, '{"rules": []}'],
    "Prefix": ["team/", "none", "Team", "team/app/"],
    "CustomRoleArn": ["", "x"],
    "KmsKey": ["", "alias/aws/ecr", f"arn:aws:kms:eu-west-1:{DEFAULT_ACCOUNT}:key/0a-1b"],
    "PullThroughCacheRuleRepositoryPrefix": ["none", "quay/", "x" * 31],
    "Url": ["ghcr.io", "registry-1.docker.io", "x.azurecr.io", "https://quay.io", ""],
    "CredentialArn": [SECRET.replace("us-east-1", "eu-west-1"), SECRET + "!"],
    "PrincipalArn": [SCANNER + "x", SCANNER.replace("role", "user"), "arn:aws:iam::1:root"],
    "Region": [HOME.region, "cn-north-1", "none", "us_east"],
    "ReplicationBackfillId": [BACKFILL_ID.upper(), UPLOAD_ID, "x"],
    "AccountSettingName": ["REGISTRY_POLICY_SCOPE", "x"],
    "AccountSettingValue": ["DISABLED", "CLAIR", "V1", ""],
    "ScanningRepositoryFilterValue": ["**", "-", "t*a*"],
    "SigningProfileArn": [PROFILE.replace("us-east-1", "eu-west-1"), PROFILE[:-6]],
    "SigningRepositoryFilterValue": ["**", "/"],
    "ArtifactType": ["x/y", ""],
}
# Texts that are JSON: one part of them may be anything at all.
DOCUMENTS = {
    "ImageManifest",
    "LifecyclePolicyText",
    "LifecyclePolicyTextForRepositoryCreationTemplate",
    "RegistryPolicyText",
    "RepositoryPolicyText",
}
# Members that a request had better not have: no token is good, and names leave nothing to page through.
LEFT_OUT = {"nextToken", "maxResults"}


def ask(application: Application, operation: str, request: object) -> Reply:
    """One request to the WSGI function, without a server between."""
    body = json.dumps(request).encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "HTTP_X_AMZ_TARGET": f"{TARGET_PREFIX}.{operation}",
        "HTTP_AUTHORIZATION": authorization(),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    started: list[tuple[str, list[tuple[str, str]]]] = []
    chunks = application(environ, lambda status, headers: started.append((status, headers)))
    ((status, headers),) = started
    return Reply(int(status.split()[0]), {name.lower(): text for name, text in headers}, b"".join(chunks))


def succeed(application: Application, operation: str, **request: Any) -> Any:
    reply = ask(application, operation, request)
    assert reply.status == 200, reply.body
    return reply.json()


def seed(application: Application) -> None:
    """Make it have one of everything and nothing else."""
    reset.reset(application.emulator)
    _set_up_registry(application)
    _push(application)
    _set_up_repository(application)
    _begin(application, UPLOAD_ID)
    part = {"partFirstByte": 0, "partLastByte": 4, "layerPartBlob": "c3RhcnQ="}
    succeed(application, "UploadLayerPart", repositoryName="team/app", uploadId=UPLOAD_ID, **part)


def _set_up_registry(application: Application) -> None:
    """Before anything is pushed, so that pushes set going what they shall."""
    places = [{"region": place.region, "registryId": place.account} for place in (WEST, NORTH)]
    for operation, request in {
        "PutRegistryPolicy": {"policyText": REGISTRY_POLICY},
        "PutReplicationConfiguration": {"replicationConfiguration": {"rules": [{"destinations": places}]}},
        "PutSigningConfiguration": {"signingConfiguration": {"rules": [{"signingProfileArn": PROFILE}]}},
        "CreatePullThroughCacheRule": {"ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"},
        "CreateRepositoryCreationTemplate": {"prefix": "team", "appliedFor": ["REPLICATION"]},
        "RegisterPullTimeUpdateExclusion": {"principalArn": SCANNER},
    }.items():
        succeed(application, operation, **request)
    emulator = application.emulator
    # With an id that is known beforehand, so that an example that fails can be run again.
    backfill = Backfill(BACKFILL_ID, HOME, WEST, "PREPARING", emulator.clock())
    with emulator.store.write() as transaction:
        backfills.put(transaction, backfill)


def _push(application: Application) -> None:
    tags = [{"Key": "team", "Value": "red"}]
    succeed(application, "CreateRepository", repositoryName="team/app", tags=tags)
    for name in ("team/idle", "empty"):
        succeed(application, "CreateRepository", repositoryName=name)
    for number, content in enumerate((CONFIG, LAYER, LOOSE_LAYER)):
        _push_layer(application, content, UPLOAD_ID[:-1] + str(number + 1))
    for tag, manifest in IMAGES.items():
        members = {"imageManifest": manifest.decode(), **({"imageTag": tag} if tag else {})}
        succeed(application, "PutImage", repositoryName="team/app", **members)


def _set_up_repository(application: Application) -> None:
    """Policies, a preview, a scan and an archived image."""
    for operation, request in {
        "SetRepositoryPolicy": {"policyText": REPOSITORY_POLICY},
        "PutLifecyclePolicy": {"lifecyclePolicyText": LIFECYCLE_POLICIES[0]},
        "StartLifecyclePolicyPreview": {},
        "StartImageScan": {"imageId": {"imageTag": "v1"}},
        "UpdateImageStorageClass": {"imageId": {"imageTag": "old"}, "targetStorageClass": "ARCHIVE"},
    }.items():
        succeed(application, operation, repositoryName="team/app", **request)


def _push_layer(application: Application, content: bytes, upload_id: str) -> None:
    place = {"repositoryName": "team/app", "uploadId": upload_id}
    part = {"partFirstByte": 0, "partLastByte": len(content) - 1}
    blob = base64.b64encode(content).decode()
    _begin(application, upload_id)
    succeed(application, "UploadLayerPart", **place, **part, layerPartBlob=blob)
    succeed(application, "CompleteLayerUpload", **place, layerDigests=[digest_of(content)])


def _begin(application: Application, upload_id: str) -> None:
    """An upload whose id is known beforehand, so that an example that fails can be run again."""
    with application.emulator.store.write() as transaction:
        repository = repositories.get(transaction, HOME, "team/app")
        uploads.insert(transaction, repository, upload_id, application.emulator.clock())
