"""The examples of the AWS CLI's own documentation of `ecr`, and the state that each of them presumes.

They ship inside the awscli package. What an example leaves to its reader is filled in here: an upload that
has begun, layers whose bytes nobody has, a name that ECR would refuse.
"""

import json
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import awscli

from ecr_emu.domain.manifests import DOCKER_MANIFEST
from tests.clients import digest_of
from tests.control.calls import Repo

FOLDER = Path(awscli.__file__).parent / "examples" / "ecr"
ACCOUNT = "012345678910"
REGION = "us-west-2"
UPLOAD_ID = "6cb64b8a-9378-0e33-2ab1-b780fab8a9e9"
CONFIG_DIGEST = "sha256:6171c7451a50945f8ddd72f7732cc04d7a0d1f48138a426b2e64387fdeb834ed"
SCANNED_DIGEST = "sha256:74b2c688c700ec95a93e478cdb959737c148df3fbf5ea706abe0318726e885e6"
LAYER_FILE = re.compile(r"/var/lib/docker/\S+/layer\.b64")
LAYER_BYTES = 8_323_315

_FILE_BLOCK = re.compile(r"Contents of ``(.+)``::")
_PIPED = re.compile(r"\s*\\\n\|.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Example:
    """One command of an example file, the files that it reads, and the output that the file shows."""

    file: str
    number: int
    command: str
    contents: dict[str, str] = field(default_factory=dict)
    output: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"{self.file.removesuffix('.rst')}-{self.number}"


def examples() -> list[Example]:
    """All examples, in the order of their files."""
    return [example for path in sorted(FOLDER.glob("**/*.rst")) for example in _read(path)]


def _read(path: Path) -> list[Example]:
    found: list[Example] = []
    for intro, block in _blocks(path.read_text()):
        if block.startswith("aws ecr "):
            # What is piped into docker is the engines' to test.
            found.append(Example(path.name, len(found) + 1, _PIPED.sub("", block)))
        elif file := _FILE_BLOCK.search(intro):
            found[-1].contents[file[1]] = block + "\n"
        elif intro.startswith("Output"):
            found[-1].output.append(block)
        else:
            raise ValueError(f"{path.name}: {intro!r} is not understood")
    return found


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """The literal blocks of a document, each with the line that announces it. Notes are none."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not line.endswith("::") or line.startswith((" ", "..")):
            continue
        block = []
        for follower in lines[number + 1 :]:
            if follower.strip() and not follower.startswith(" "):
                break
            block.append(follower)
        yield line, textwrap.dedent("\n".join(block)).strip()


# --- Comparing -------------------------------------------------------------------------------------------


def lacking(documented: Any, got: Any, where: str = "") -> set[str]:
    """Paths that the documented output has and ours has not, or has in another form. Values may differ."""
    if isinstance(documented, dict) and isinstance(got, dict):
        members = documented.items()
        return {
            path
            for member, value in members
            for path in lacking(value, got.get(member), f"{where}.{member}".lstrip("."))
        }
    if isinstance(documented, list) and isinstance(got, list) and len(documented) == len(got):
        pairs = zip(documented, got, strict=True)
        return {path for one, other in pairs for path in lacking(one, other, f"{where}[]")}
    return set() if _kind(documented) is _kind(got) and not isinstance(got, dict | list) else {where}


def _kind(value: object) -> type:
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)


def structure(output: str) -> Any:
    """JSON as it is; of other text the number of words in each line."""
    try:
        return json.loads(output)
    except ValueError:
        return [len(line.split()) for line in output.strip().splitlines()]


# --- What is presumed -------------------------------------------------------------------------------------


@dataclass
class Stage:
    """Where an example runs: a client of the emulator, a working folder, and words to put for others."""

    ecr: Any
    folder: Path
    example: Example
    words: dict[str, str] = field(default_factory=lambda: {"<region>": REGION})

    def repository(self, name: str, **members: Any) -> Repo:
        self.ecr.create_repository(repositoryName=name, **members)
        return Repo(self.ecr, name, ACCOUNT)

    @property
    def command(self) -> str:
        """The example's command with our words; the files that it reads are written."""
        command = self.example.command
        for name, content in self.example.contents.items():
            self.folder.joinpath(name).write_text(self._worded(content))
        return self._worded(command)

    def _worded(self, text: str) -> str:
        for theirs, ours in self.words.items():
            text = text.replace(theirs, ours)
        return text


Setup = Callable[[Stage], Any]


def _nothing(stage: Stage) -> None:
    """The example needs no state."""


def _repository(name: str, **members: Any) -> Setup:
    return lambda stage: stage.repository(name, **members)


def _tagged(stage: Stage) -> None:
    stage.repository("hello-world", tags=[{"Key": "Stage", "Value": "Integ"}])


def _docker_image(stage: Stage) -> None:
    """The image of cluster-autoscaler; its config takes the place of the one in the example."""
    repo = stage.repository("cluster-autoscaler")
    config, layer = b'{"architecture":"amd64","os":"linux"}', b"layer"
    manifest = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": len(config),
            "digest": repo.layer(config),
        },
        "layers": [
            {
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "size": len(layer),
                "digest": repo.layer(layer),
            }
        ],
    }
    repo.put(json.dumps(manifest), "v1.13.6")
    stage.words[CONFIG_DIGEST] = digest_of(config)


def _one_or_two_images(stage: Stage) -> None:
    """Two images for `MyRepository`, which is a name that ECR does not take; one otherwise."""
    if "MyRepository" in stage.example.command:
        stage.words["MyRepository"] = "my-repository"
        repo = stage.repository("my-repository")
        repo.push(b"prod", "prod")
        repo.push(b"team1", "team1")
    elif "ubuntu" in stage.example.command:
        stage.repository("ubuntu").push(b"precise", "precise")
    else:
        _docker_image(stage)


def _listed_images(stage: Stage) -> None:
    repo = stage.repository("cluster-autoscaler")
    repo.push(b"old", "v1.13.6")
    repo.push(b"new", "v1.13.7", "v1.13.8")


def _ubuntu_with_an_image(stage: Stage) -> None:
    stage.repository("ubuntu").push(b"precise", "precise")


def _two_repositories(stage: Stage) -> None:
    stage.repository("ubuntu")
    stage.repository("test")


def _layers_of_the_manifest(stage: Stage) -> None:
    """Layers of our own in the place of those that the example's manifest lists, and the image untagged."""
    repo = stage.repository("hello-world")
    manifest = json.loads(stage.example.contents["hello-world.manifest.json"])
    for entry in (manifest["config"], *manifest["layers"]):
        stage.words[entry["digest"]] = repo.layer(entry["digest"].encode())
    assert stage.command
    repo.put((stage.folder / "hello-world.manifest.json").read_text())


def _upload(stage: Stage) -> Repo:
    """An upload that has begun; its id takes the place of the example's."""
    repo = stage.repository("layer-test")
    stage.words[UPLOAD_ID] = stage.ecr.initiate_layer_upload(repositoryName="layer-test")["uploadId"]
    return repo


def _upload_with_a_part(stage: Stage) -> None:
    repo = _upload(stage)
    # The example's digest begins with the upload's id, and is of no algorithm that is compared.
    upload_id = stage.words[UPLOAD_ID]
    stage.words = {f"{UPLOAD_ID}:": "other:", UPLOAD_ID: upload_id}
    repo.part(upload_id, 0, b"layer")


def _upload_and_a_file(stage: Stage) -> None:
    """The CLI of the first generation sends a file's text as it is, so the text is the layer."""
    _upload(stage)
    (stage.folder / "layer").write_text("a" * LAYER_BYTES)
    found = LAYER_FILE.search(stage.example.command)
    assert found is not None
    stage.words[found[0]] = str(stage.folder / "layer")


def _scannable_image(stage: Stage) -> str:
    stage.words[SCANNED_DIGEST] = stage.repository("sample-repo").push(b"layer", "latest")
    return stage.words[SCANNED_DIGEST]


def _scanned_image(stage: Stage) -> None:
    digest = _scannable_image(stage)
    stage.ecr.start_image_scan(repositoryName="sample-repo", imageId={"imageDigest": digest})


def _repository_policy(stage: Stage) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGetImage"]}
    policy = json.dumps({"Version": "2008-10-17", "Statement": [statement]})
    stage.repository("cluster-autoscaler")
    stage.ecr.set_repository_policy(repositoryName="cluster-autoscaler", policyText=policy)


def _lifecycle_policy(name: str) -> Setup:
    selection = {
        "tagStatus": "untagged",
        "countType": "sinceImagePushed",
        "countUnit": "days",
        "countNumber": 14,
    }
    rule = {"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}

    def set_up(stage: Stage) -> None:
        stage.repository(name)
        stage.ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps({"rules": [rule]}))

    return set_up


def _preview(stage: Stage) -> None:
    name = "project-a/amazon-ecs-sample"
    _lifecycle_policy(name)(stage)
    stage.ecr.start_lifecycle_policy_preview(repositoryName=name)
    waiter = stage.ecr.get_waiter("lifecycle_policy_preview_complete")
    waiter.wait(repositoryName=name, WaiterConfig={"Delay": 1})


SETUPS: dict[str, Setup] = {
    "batch-check-layer-availability.rst": _docker_image,
    "batch-delete-image.rst": _one_or_two_images,
    "batch-get-image.rst": _one_or_two_images,
    "complete-layer-upload.rst": _upload_with_a_part,
    "create-repository.rst": _nothing,
    "delete-lifecycle-policy.rst": _lifecycle_policy("hello-world"),
    "delete-repository-policy.rst": _repository_policy,
    "delete-repository.rst": _ubuntu_with_an_image,
    "describe-image-scan-findings.rst": _scanned_image,
    "describe-images.rst": _docker_image,
    "describe-repositories.rst": _two_repositories,
    "get-authorization-token.rst": _nothing,
    "get-download-url-for-layer.rst": _docker_image,
    "get-lifecycle-policy-preview.rst": _preview,
    "get-lifecycle-policy.rst": _lifecycle_policy("project-a/amazon-ecs-sample"),
    "get-login-password.rst": _nothing,
    "get-login.rst": _nothing,
    "get-repository-policy.rst": _repository_policy,
    "initiate-layer-upload.rst": _repository("layer-test"),
    "list-images.rst": _listed_images,
    "list-tags-for-resource.rst": _tagged,
    "put-image-scanning-configuration.rst": _repository("sample-repo"),
    "put-image-tag-mutability.rst": _repository("hello-repository"),
    "put-image.rst": _layers_of_the_manifest,
    "put-lifecycle-policy.rst": _repository("project-a/amazon-ecs-sample"),
    "set-repository-policy.rst": _repository("cluster-autoscaler"),
    "start-image-scan.rst": _scannable_image,
    "start-lifecycle-policy-preview.rst": _repository("project-a/amazon-ecs-sample"),
    "tag-resource.rst": _repository("hello-world"),
    "untag-resource.rst": _tagged,
    "upload-layer-part.rst": _upload_and_a_file,
}

# What ours cannot answer yet, and why. A test fails when it can.
LACKING: dict[str, set[str]] = {
    # The example's image has no packages and no advisories are loaded, so its scan finds nothing out.
    "describe-image-scan-findings.rst": {"imageScanFindings"},
}
