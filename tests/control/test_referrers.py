"""ListImageReferrers."""

import json
from typing import Any

import pytest

from ecr_emu.domain.manifests import OCI_MANIFEST
from tests.clients import Registry, Running, digest_of
from tests.control.calls import Repo, refusal

SBOM, SIGNATURE = "application/spdx+json", "application/vnd.example.signature"
NOBODY = "sha256:" + "0" * 64


def attach(app: Repo, subject: str, number: int, artifact_type: str = SBOM, **members: Any) -> str:
    """Store a referrer and return its digest."""
    descriptor = {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1}
    content = b"referrer %d" % number
    return app.put(app.image(content, subject=descriptor, artifactType=artifact_type, **members))


def referrers(app: Repo, subject: str, **request: Any) -> list[Any]:
    answer = app.ecr.list_image_referrers(
        repositoryName=app.name, subjectId={"imageDigest": subject}, **request
    )
    found = answer["referrers"]
    assert isinstance(found, list)
    return found


@pytest.fixture
def subject(app: Repo) -> str:
    return app.push(b"layer", "v1")


def test_referrer_is_described(app: Repo, subject: str) -> None:
    digest = attach(app, subject, 1, annotations={"by": "ann"})
    body = app.ecr.batch_get_image(repositoryName=app.name, imageIds=[{"imageDigest": digest}])
    assert referrers(app, subject) == [
        {
            "digest": digest,
            "mediaType": OCI_MANIFEST,
            "artifactType": SBOM,
            "size": len(body["images"][0]["imageManifest"]),
            "annotations": {"by": "ann"},
            "artifactStatus": "ACTIVE",
        }
    ]


def test_referrer_without_annotations_has_none(app: Repo, subject: str) -> None:
    attach(app, subject, 1)
    assert "annotations" not in referrers(app, subject)[0]


def test_subject_that_is_not_there_has_none(app: Repo, subject: str) -> None:
    attach(app, subject, 1)
    assert referrers(app, NOBODY) == []


def test_subject_need_not_be_there(app: Repo) -> None:
    digest = attach(app, NOBODY, 1)
    assert [found["digest"] for found in referrers(app, NOBODY)] == [digest]


@pytest.mark.parametrize(
    ("types", "numbers"),
    [([SBOM], [1, 3]), ([SIGNATURE], [2]), ([SBOM, SIGNATURE], [1, 2, 3]), ([], [1, 2, 3]), (["x/y"], [])],
)
def test_types_are_chosen(app: Repo, subject: str, types: list[str], numbers: list[int]) -> None:
    digests = [attach(app, subject, 1), attach(app, subject, 2, SIGNATURE), attach(app, subject, 3)]
    found = referrers(app, subject, filter={"artifactTypes": types})
    assert [entry["digest"] for entry in found] == [digests[number - 1] for number in numbers]


def test_archived_referrers_are_listed_only_when_asked_for(
    registry: Registry, app: Repo, subject: str
) -> None:
    gone, here = attach(app, subject, 1), attach(app, subject, 2)
    app.ecr.update_image_storage_class(
        repositoryName=app.name, imageId={"imageDigest": gone}, targetStorageClass="ARCHIVE"
    )
    for status, digests in {None: [here], "ACTIVE": [here], "ARCHIVED": [gone], "ANY": [gone, here]}.items():
        request = {"filter": {"artifactStatus": status}} if status else {}
        assert [entry["digest"] for entry in referrers(app, subject, **request)] == digests
    (archived,) = referrers(app, subject, filter={"artifactStatus": "ARCHIVED"})
    assert archived["artifactStatus"] == "ARCHIVED"
    index = json.loads(registry.request("GET", f"/v2/team/app/referrers/{subject}").body)
    assert [entry["digest"] for entry in index["manifests"]] == [here]


def test_pages_hold_everything_once(app: Repo, subject: str) -> None:
    digests = [attach(app, subject, number) for number in range(23)]
    request: dict[str, Any] = {"repositoryName": app.name, "subjectId": {"imageDigest": subject}}
    first = app.ecr.list_image_referrers(**request)
    assert len(first["referrers"]) == 20
    rest = app.ecr.list_image_referrers(**request, nextToken=first["nextToken"])
    assert "nextToken" not in rest
    assert [entry["digest"] for entry in first["referrers"] + rest["referrers"]] == digests
    whole = app.ecr.list_image_referrers(**request, maxResults=23)
    assert "nextToken" not in whole


def test_token_is_good_for_one_listing(app: Repo, subject: str) -> None:
    for number in range(2):
        attach(app, subject, number)
    request: dict[str, Any] = {"repositoryName": app.name, "maxResults": 1}
    token = app.ecr.list_image_referrers(**request, subjectId={"imageDigest": subject})["nextToken"]
    code, _ = refusal(
        app.ecr.list_image_referrers, **request, subjectId={"imageDigest": NOBODY}, nextToken=token
    )
    assert code == "InvalidParameterException"


def test_at_most_fifty_a_page(app: Repo) -> None:
    got = refusal(
        app.ecr.list_image_referrers,
        repositoryName=app.name,
        subjectId={"imageDigest": digest_of(b"")},
        maxResults=51,
    )
    assert got[1].endswith("'Member must have value less than or equal to 50'")


def test_repository_must_be_there_and_be_the_caller_s(emulator: Running, app: Repo) -> None:
    request: dict[str, Any] = {"subjectId": {"imageDigest": NOBODY}}
    code, _ = refusal(app.ecr.list_image_referrers, repositoryName="no/where", **request)
    assert code == "RepositoryNotFoundException"
    other = emulator.ecr("222222222222")
    code, message = refusal(
        other.list_image_referrers, registryId="000000000000", repositoryName=app.name, **request
    )
    assert code == "AccessDeniedException"
    assert "ecr:BatchGetImage" in message
