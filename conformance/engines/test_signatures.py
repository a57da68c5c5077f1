"""Signatures: those that the emulator makes, before notation's eyes; those that notation and cosign push."""

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.client import BaseClient

from engines.images import Image, digest_of, make_image
from engines.registry import Registry
from engines.repositories import Repository
from engines.server import Emulator, clean_environment
from engines.signers import Cosign, Notation

SIGNATURE = "application/vnd.cncf.notary.signature"
COSIGN_SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PROFILE = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/release"
IDENTITY = "x509.subject: C=XX, ST=us-east-1, O=000000000000, CN=release"
STORE = "ecr-emu"
PATIENCE_SECONDS = 30


@pytest.fixture
def image(content: bytes) -> Image:
    return make_image("payload", content)


@pytest.fixture
def registry(emulator: Emulator, repository: Repository, password: str) -> Registry:
    return Registry(emulator.host, repository.name, password)


@pytest.fixture
def notation(tmp_path: Path, password: str) -> Notation:
    home = tmp_path / "notation"
    home.mkdir()
    return Notation(home, password)


@pytest.fixture
def cosign(tmp_path: Path, password: str) -> Cosign:
    home = tmp_path / "cosign"
    home.mkdir()
    return Cosign(home, password)


@pytest.fixture
def trusting(notation: Notation, emulator: Emulator, tmp_path: Path) -> Notation:
    """notation that believes the profile `release` of the emulator."""
    file = tmp_path / "ecr-emu.pem"
    command = [sys.executable, "-m", "ecr_emu", "signing", "certificates", "--endpoint-url", emulator.url]
    file.write_bytes(
        subprocess.run(command, env=clean_environment(), stdout=subprocess.PIPE, check=True).stdout
    )
    notation.run("cert", "add", "--type", "ca", "--store", STORE, str(file))
    notation.trust(IDENTITY, store=STORE)
    return notation


@pytest.fixture
def managed(ecr: BaseClient) -> Iterator[None]:
    """The profile signs everything."""
    ecr.put_signing_configuration(signingConfiguration={"rules": [{"signingProfileArn": PROFILE}]})
    yield
    ecr.delete_signing_configuration()


def referrers(ecr: BaseClient, repository: Repository, digest: str, *types: str) -> list[Any]:
    members = {"filter": {"artifactTypes": list(types)}} if types else {}
    answer = ecr.list_image_referrers(
        repositoryName=repository.name, subjectId={"imageDigest": digest}, **members
    )
    return list(answer["referrers"])


def signed(ecr: BaseClient, repository: Repository, digest: str) -> str:
    """Wait for the emulator's signature, and return its digest."""
    members = {"repositoryName": repository.name, "imageId": {"imageDigest": digest}}
    for _ in range(PATIENCE_SECONDS * 20):
        (found,) = ecr.describe_image_signing_status(**members)["signingStatuses"]
        if found["status"] != "IN_PROGRESS":
            break
        time.sleep(0.05)
    assert found == {"signingProfileArn": PROFILE, "status": "COMPLETE"}
    (referrer,) = referrers(ecr, repository, digest, SIGNATURE)
    return str(referrer["digest"])


def changed(content: bytes, place: int) -> bytes:
    """The same with one byte changed, which still is base64 where it was."""
    other = b"A" if content[place : place + 1] != b"A" else b"B"
    return content[:place] + other + content[place + 1 :]


def envelope_of(registry: Registry, signature: str) -> tuple[Any, bytes]:
    manifest = registry.json(f"manifests/{signature}")
    return manifest, registry.get(f"blobs/{manifest['layers'][0]['digest']}")


def attach(registry: Registry, manifest: Any, envelope: bytes, subject: Any) -> None:
    """Push an envelope as a signature of something."""
    layer = {**manifest["layers"][0], **registry.push_blob(envelope)}
    registry.push_manifest(json.dumps({**manifest, "layers": [layer], "subject": subject}).encode())


@pytest.mark.usefixtures("managed")
class TestManaged:
    def test_notation_verifies_what_the_emulator_signed(
        self, ecr: BaseClient, repository: Repository, registry: Registry, trusting: Notation, image: Image
    ) -> None:
        reference = registry.push(image, "v1")
        signature = signed(ecr, repository, image.digest)
        assert "Successfully verified" in trusting.verify(reference)
        assert trusting.signatures(reference) == {signature}

    def test_notation_refuses_another_profile(
        self, ecr: BaseClient, repository: Repository, registry: Registry, trusting: Notation, image: Image
    ) -> None:
        reference = registry.push(image)
        signed(ecr, repository, image.digest)
        trusting.trust(IDENTITY.replace("release", "other"), store=STORE)
        trusting.refuse(reference)

    @pytest.mark.parametrize("member", ["payload", "protected", "signature", "x5c"])
    def test_notation_refuses_a_signature_with_one_byte_changed(
        self,
        ecr: BaseClient,
        repository: Repository,
        registry: Registry,
        trusting: Notation,
        image: Image,
        member: str,
    ) -> None:
        reference = registry.push(image)
        signature = signed(ecr, repository, image.digest)
        manifest, envelope = envelope_of(registry, signature)
        content = json.loads(envelope)
        part = content["header"]["x5c"][0] if member == "x5c" else content[member]
        place = envelope.index(part.encode()) + len(part) // 2
        attach(registry, manifest, changed(envelope, place), manifest["subject"])
        ecr.batch_delete_image(repositoryName=repository.name, imageIds=[{"imageDigest": signature}])
        trusting.refuse(reference)
        # It is this byte, and nothing else.
        attach(registry, manifest, envelope, manifest["subject"])
        trusting.verify(reference)

    def test_notation_refuses_an_image_with_one_byte_changed(
        self, ecr: BaseClient, repository: Repository, registry: Registry, trusting: Notation, image: Image
    ) -> None:
        registry.push(image)
        manifest, envelope = envelope_of(registry, signed(ecr, repository, image.digest))
        ecr.put_signing_configuration(signingConfiguration={"rules": []})
        other = image.manifest.replace(b" ", b"\t", 1)
        assert len(other) == len(image.manifest)
        reference = registry.push_manifest(other)
        subject = {**manifest["subject"], "digest": digest_of(other)}
        attach(registry, manifest, envelope, subject)
        assert trusting.signatures(reference) != set()
        trusting.refuse(reference)

    def test_the_clock_of_the_emulator_may_be_years_away(
        self, ecr: BaseClient, repository: Repository, trusting: Notation, emulator: Emulator, image: Image
    ) -> None:
        """notation goes by the machine's clock."""
        command = [sys.executable, "-m", "ecr_emu", "clock", "--endpoint-url", emulator.url]
        try:
            subprocess.run([*command, "advance", "9000d"], env=clean_environment(), check=True)
            token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
            password = base64.b64decode(token).decode().removeprefix("AWS:")
            reference = Registry(emulator.host, repository.name, password).push(image)
            signed(ecr, repository, image.digest)
            trusting.environment["NOTATION_PASSWORD"] = password
            trusting.verify(reference)
        finally:
            subprocess.run([*command, "reset"], env=clean_environment(), check=True)


class TestNotation:
    """What notation signs with a key of its own."""

    @pytest.fixture
    def owner(self, notation: Notation) -> Notation:
        notation.run("cert", "generate-test", "--default", "mine")
        notation.trust("*", store="mine")
        return notation

    @pytest.mark.parametrize(
        "signing",
        [(envelope, place) for envelope in ("jws", "cose") for place in ("true", "false")],
        ids=["jws by tag", "jws by referrers", "cose by tag", "cose by referrers"],
    )
    def test_its_signatures_are_referrers(
        self,
        ecr: BaseClient,
        repository: Repository,
        registry: Registry,
        owner: Notation,
        image: Image,
        signing: tuple[str, str],
    ) -> None:
        envelope, place = signing
        reference = registry.push(image)
        how = ("--signature-format", envelope, f"--force-referrers-tag={place}")
        owner.run("sign", "--insecure-registry", *how, reference)
        owner.verify(reference)
        (found,) = referrers(ecr, repository, image.digest, SIGNATURE)
        assert (found["artifactType"], found["artifactStatus"]) == (SIGNATURE, "ACTIVE")
        assert "io.cncf.notary.x509chain.thumbprint#S256" in found["annotations"]
        assert referrers(ecr, repository, image.digest, COSIGN_SIGNATURE) == []
        listed = registry.json(f"referrers/{image.digest}?artifactType={quote(SIGNATURE)}")["manifests"]
        assert [one["digest"] for one in listed] == [found["digest"]]
        assert owner.signatures(reference) == {found["digest"]}
        tag = f"sha256-{image.digest.removeprefix('sha256:')}"
        assert (tag in repository.tags()) is (place == "true")


class TestCosign:
    """What cosign signs with a key of its own."""

    def test_a_signature_by_tag_is_verified(
        self, ecr: BaseClient, repository: Repository, registry: Registry, cosign: Cosign, image: Image
    ) -> None:
        reference = registry.push(image)
        assert "no signatures found" in cosign.refuse(reference)
        cosign.sign(reference)
        assert image.digest in cosign.verify(reference)
        tag = f"sha256-{image.digest.removeprefix('sha256:')}.sig"
        assert repository.tags() == {tag}
        # It has no subject, so it is nobody's referrer.
        assert referrers(ecr, repository, image.digest) == []
        manifest = repository.manifest(imageTag=tag)
        payload = registry.get(f"blobs/{manifest['layers'][0]['digest']}")
        (layer,) = manifest["layers"]
        # One byte of what is signed: the digest of the image.
        forged = changed(payload, payload.index(image.digest.encode()) + len("sha256:"))
        layer = {**layer, **registry.push_blob(forged)}
        registry.push_manifest(json.dumps({**manifest, "layers": [layer]}).encode(), tag)
        assert "invalid signature" in cosign.refuse(reference)

    @pytest.mark.parametrize(
        "options",
        [
            (COSIGN_SIGNATURE, "--registry-referrers-mode=oci-1-1", "--experimental-oci11"),
            (BUNDLE, "--new-bundle-format", "--new-bundle-format"),
        ],
        ids=["OCI 1.1", "bundle"],
    )
    def test_a_referrer_is_verified_and_listed(
        self,
        ecr: BaseClient,
        repository: Repository,
        registry: Registry,
        cosign: Cosign,
        image: Image,
        options: tuple[str, str, str],
    ) -> None:
        kind, signing, verifying = options
        cosign.environment["COSIGN_EXPERIMENTAL"] = "1"
        reference = registry.push(image)
        cosign.sign(reference, signing)
        assert image.digest in cosign.verify(reference, verifying)
        (found,) = referrers(ecr, repository, image.digest, kind)
        assert (found["artifactType"], found["artifactStatus"]) == (kind, "ACTIVE")
        assert referrers(ecr, repository, image.digest, SIGNATURE) == []
        listed = registry.json(f"referrers/{image.digest}?artifactType={quote(kind)}")["manifests"]
        assert [one["digest"] for one in listed] == [found["digest"]]
        assert repository.tags() == set()
        body = registry.get(f"manifests/{found['digest']}")
        manifest = json.loads(body)
        (layer,) = manifest["layers"]
        content = registry.get(f"blobs/{layer['digest']}")
        forged = changed(content, len(content) // 2)
        layer = {**layer, **registry.push_blob(forged)}
        registry.push_manifest(json.dumps({**manifest, "layers": [layer]}).encode())
        ecr.batch_delete_image(repositoryName=repository.name, imageIds=[{"imageDigest": found["digest"]}])
        # Of OCI 1.1 it says that there is none: it looks for a tag last.
        said = cosign.refuse(reference, verifying)
        assert "no signatures found" in said or "failed to verify signature" in said
        # It is this byte, and nothing else.
        registry.push_blob(content)
        registry.push_manifest(body)
        assert image.digest in cosign.verify(reference, verifying)
