"""Signatures that are made: what they say, who is told what when there are none, and what a crash leaves.

Notation's own verifier looks at them in conformance/engines/test_signatures.py.
"""

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ecr_emu.core import certificates, push
from ecr_emu.jobs import runner as jobs
from ecr_emu.jobs import sign
from ecr_emu.store import signings
from tests.clients import DEFAULT_ACCOUNT, Clock, Registry, Running, digest_of
from tests.consistency import check_consistency, files_in, rows
from tests.processes import run, serving

NAME = "team/app"
SIGNATURE = "application/vnd.cncf.notary.signature"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
WITHOUT_CRYPTOGRAPHY = """
import sys
sys.modules["cryptography"] = None
from ecr_emu.cli import main
main()
"""
SOON = "2025-06-15T15:06:40Z"


def profile(name: str) -> str:
    return f"arn:aws:signer:us-east-1:{DEFAULT_ACCOUNT}:/signing-profiles/{name}"


def configure(ecr: Any, *names: str) -> None:
    rules = [{"signingProfileArn": profile(name)} for name in names]
    ecr.put_signing_configuration(signingConfiguration={"rules": rules})


def statuses(ecr: Any, digest: str) -> list[Any]:
    answer = ecr.describe_image_signing_status(repositoryName=NAME, imageId={"imageDigest": digest})
    found: list[Any] = answer["signingStatuses"]
    return found


def words(ecr: Any, digest: str) -> list[str]:
    return [one["status"] for one in statuses(ecr, digest)]


def referrers(ecr: Any, digest: str, **filters: Any) -> list[Any]:
    found: list[Any] = ecr.list_image_referrers(
        repositoryName=NAME, subjectId={"imageDigest": digest}, **filters
    )["referrers"]
    return found


@pytest.fixture
def folder(emulator: Running) -> Iterator[Path]:
    """The data folder, in which nothing may be half there after any of these tests."""
    path = emulator.application.emulator.settings.data_dir
    yield path
    check_consistency(path)


@pytest.fixture
def signing(ecr: Any, folder: Path) -> None:
    """An empty repository whose images the profile `release` signs."""
    ecr.create_repository(repositoryName=NAME)
    configure(ecr, "release")


@pytest.fixture
def work(emulator: Running) -> Callable[[], list[dict[str, object]]]:
    """Does what is due, and tells what it did."""
    return emulator.application.runner.run_due


def part(text: str) -> bytes:
    """A part of a JWS."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def chain(envelope: Any) -> list[x509.Certificate]:
    return [x509.load_der_x509_certificate(base64.b64decode(one)) for one in envelope["header"]["x5c"]]


def verify(envelope: Any) -> None:
    """By RFC 7515 and 7518, with nothing of ours: ES384 over the protected header and the payload."""
    leaf, root = chain(envelope)
    leaf.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    raw = part(envelope["signature"])
    assert len(raw) == 96
    numbers = int.from_bytes(raw[:48], "big"), int.from_bytes(raw[48:], "big")
    key = leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    signed = f"{envelope['protected']}.{envelope['payload']}".encode()
    key.verify(encode_dss_signature(*numbers), signed, ec.ECDSA(hashes.SHA384()))


def envelope_of(registry: Registry, manifest: Any) -> Any:
    (layer,) = manifest["layers"]
    content = registry.request("GET", f"/v2/{NAME}/blobs/{layer['digest']}").body
    assert (len(content), digest_of(content)) == (layer["size"], layer["digest"])
    return json.loads(content)


@pytest.mark.usefixtures("signing")
class TestSignature:
    def test_it_is_what_notation_writes(
        self, ecr: Any, registry: Registry, clock: Clock, work: Callable[[], Any]
    ) -> None:
        """Notary Project specifications: signature-specification.md, signature-envelope-jws.md."""
        digest = registry.push_image(NAME, "v1", b"layer")
        assert words(ecr, digest) == ["IN_PROGRESS"]
        (report,) = work()
        assert report == {
            "kind": "sign",
            "at": clock.now,
            "repository": NAME,
            "digest": digest,
            "profile": profile("release"),
            "status": "COMPLETE",
        }
        assert statuses(ecr, digest) == [{"signingProfileArn": profile("release"), "status": "COMPLETE"}]
        (found,) = referrers(ecr, digest)
        manifest = registry.request("GET", f"/v2/{NAME}/manifests/{found['digest']}").json()
        image = registry.request("GET", f"/v2/{NAME}/manifests/{digest}").body
        target = {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(image)}
        assert (manifest["artifactType"], manifest["config"]["mediaType"]) == (SIGNATURE, SIGNATURE)
        assert manifest["config"]["digest"] == digest_of(b"{}")
        assert manifest["layers"][0]["mediaType"] == "application/jose+json"
        assert manifest["subject"] == target

        envelope = envelope_of(registry, manifest)
        assert set(envelope) == {"payload", "protected", "header", "signature"}
        assert json.loads(part(envelope["payload"])) == {"targetArtifact": target}
        assert json.loads(part(envelope["protected"])) == {
            "alg": "ES384",
            "cty": "application/vnd.cncf.notary.payload.v1+json",
            "crit": ["io.cncf.notary.signingScheme"],
            "io.cncf.notary.signingScheme": "notary.x509",
            "io.cncf.notary.signingTime": SOON,
        }
        verify(envelope)
        thumbprints = [hashlib.sha256(base64.b64decode(one)).hexdigest() for one in envelope["header"]["x5c"]]
        annotations = manifest["annotations"]
        assert json.loads(annotations["io.cncf.notary.x509chain.thumbprint#S256"]) == thumbprints
        assert annotations["org.opencontainers.image.created"] == SOON

    def test_its_certificates_are_as_the_specification_wants_them(
        self, ecr: Any, registry: Registry, work: Callable[[], Any]
    ) -> None:
        digest = registry.push_image(NAME, "v1", b"layer")
        work()
        (found,) = referrers(ecr, digest)
        manifest = registry.request("GET", f"/v2/{NAME}/manifests/{found['digest']}").json()
        leaf, root = chain(envelope_of(registry, manifest))
        name = f"CN=release,O={DEFAULT_ACCOUNT},ST=us-east-1,C=XX"
        assert (leaf.subject.rfc4514_string(), leaf.issuer) == (name, root.subject)
        for certificate in (leaf, root):
            usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
            constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
            is_root = certificate is root
            assert (usage.critical, constraints.critical) == (True, True)
            assert constraints.value.ca is is_root
            assert (usage.value.key_cert_sign, usage.value.digital_signature) == (is_root, not is_root)
        extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(extended) == [x509.oid.ExtendedKeyUsageOID.CODE_SIGNING]
        # Whatever the two clocks show.
        assert (leaf.not_valid_before_utc.year, leaf.not_valid_after_utc.year) == (1970, 9999)
        assert (root.not_valid_before_utc.year, root.not_valid_after_utc.year) == (1970, 9999)

    def test_it_is_listed_on_both_planes_by_its_type(
        self, ecr: Any, registry: Registry, work: Callable[[], Any]
    ) -> None:
        digest = registry.push_image(NAME, "v1", b"layer")
        work()
        (found,) = referrers(ecr, digest, filter={"artifactTypes": [SIGNATURE]})
        assert (found["artifactType"], found["mediaType"]) == (SIGNATURE, OCI_MANIFEST)
        assert referrers(ecr, digest, filter={"artifactTypes": ["application/spdx+json"]}) == []
        reply = registry.request("GET", f"/v2/{NAME}/referrers/{digest}?artifactType={SIGNATURE}")
        assert reply.headers["oci-filters-applied"] == "artifactType"
        (entry,) = reply.json()["manifests"]
        assert {name: found[name] for name in ("digest", "artifactType", "size", "annotations")} == {
            name: entry[name] for name in ("digest", "artifactType", "size", "annotations")
        }
        images = ecr.describe_images(repositoryName=NAME)["imageDetails"]
        (signature,) = [one for one in images if one["imageDigest"] != digest]
        assert signature["subjectManifestDigest"] == digest
        assert signature["artifactMediaType"] == SIGNATURE
        assert "imageTags" not in signature

    def test_every_profile_makes_one_and_no_signature_is_signed(
        self, ecr: Any, registry: Registry, work: Callable[[], Any]
    ) -> None:
        configure(ecr, "release", "audit")
        digest = registry.push_image(NAME, "v1", b"layer")
        assert len(work()) == 2
        assert words(ecr, digest) == ["COMPLETE", "COMPLETE"]
        registry.push_image(NAME, "v2", b"layer")
        assert work() == []
        found = referrers(ecr, digest)
        assert len(found) == len({one["digest"] for one in found}) == 2
        for one in found:
            assert statuses(ecr, one["digest"]) == []
            assert referrers(ecr, one["digest"]) == []

    def test_an_index_is_signed_as_well(self, ecr: Any, registry: Registry, work: Callable[[], Any]) -> None:
        child = registry.push_image(NAME, None, b"layer")
        size = len(registry.request("GET", f"/v2/{NAME}/manifests/{child}").body)
        entry = {"mediaType": OCI_MANIFEST, "digest": child, "size": size}
        kind = "application/vnd.oci.image.index.v1+json"
        index = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": [entry]}).encode()
        assert registry.put_manifest(NAME, "all", index, kind).status == 201
        work()
        (found,) = referrers(ecr, digest_of(index))
        manifest = registry.request("GET", f"/v2/{NAME}/manifests/{found['digest']}").json()
        assert manifest["subject"] == {"mediaType": kind, "digest": digest_of(index), "size": len(index)}
        verify(envelope_of(registry, manifest))

    def test_an_image_that_went_meanwhile_is_not_signed(
        self, ecr: Any, registry: Registry, emulator: Running, work: Callable[[], Any]
    ) -> None:
        digest = registry.push_image(NAME, "v1", b"layer")
        ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageDigest": digest}])
        assert work() == []
        counts = rows(emulator.application.emulator.store)
        assert (counts["images"], counts["image_signings"], counts["jobs"]) == (0, 0, 0)

    def test_a_repository_that_went_meanwhile_keeps_nothing(
        self, ecr: Any, registry: Registry, emulator: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registry.push_image(NAME, "v1", b"layer")
        put_image = push.put_image

        def put_too_late(*arguments: Any) -> Any:
            ecr.delete_repository(repositoryName=NAME, force=True)
            return put_image(*arguments)

        monkeypatch.setattr(push, "put_image", put_too_late)
        (report,) = emulator.application.runner.run_due()
        assert report["status"] == "FAILED"
        counts = rows(emulator.application.emulator.store)
        assert (counts["images"], counts["image_signings"], counts["layers"]) == (0, 0, 0)

    def test_a_repository_that_went_before_leaves_no_file(
        self, ecr: Any, registry: Registry, emulator: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        application = emulator.application
        folder = application.emulator.settings.data_dir
        registry.push_image(NAME, "v1", b"layer")
        before = files_in(folder / "blobs")
        known = certificates.profile

        def too_late(*arguments: Any) -> Any:
            ecr.delete_repository(repositoryName=NAME, force=True)
            return known(*arguments)

        monkeypatch.setattr(certificates, "profile", too_late)
        (report,) = application.runner.run_due()
        assert report["status"] == "FAILED"
        assert files_in(folder / "blobs") == before

    def test_the_clock_may_be_years_away(self, ecr: Any, emulator: Running, work: Callable[[], Any]) -> None:
        emulator.post("/_emu/clock", set="2061-01-01T00:00:00Z")
        registry = emulator.registry()
        digest = registry.push_image(NAME, "v1", b"layer")
        work()
        (found,) = referrers(ecr, digest)
        assert found["annotations"]["org.opencontainers.image.created"] == "2061-01-01T00:00:00Z"
        manifest = registry.request("GET", f"/v2/{NAME}/manifests/{found['digest']}").json()
        verify(envelope_of(registry, manifest))


@pytest.mark.usefixtures("signing")
class TestFailure:
    def test_without_cryptography_the_status_says_what_to_install(
        self, ecr: Any, registry: Registry, work: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def missing(*_: object) -> Any:
            raise ImportError("No module named 'cryptography'", name="cryptography")

        monkeypatch.setattr(certificates, "profile", missing)
        digest = registry.push_image(NAME, "v1", b"layer")
        work()
        (found,) = statuses(ecr, digest)
        assert found == {
            "signingProfileArn": profile("release"),
            "status": "FAILED",
            "failureCode": "SignerNotInstalled",
            "failureReason": "The image was not signed: cryptography is not installed; "
            "pip install 'ecr-emu[sign]'",
        }
        assert referrers(ecr, digest) == []
        # Once it is there, the next push tries again.
        monkeypatch.undo()
        registry.push_image(NAME, "v2", b"layer")
        assert words(ecr, digest) == ["IN_PROGRESS"]
        work()
        assert words(ecr, digest) == ["COMPLETE"]
        assert len(referrers(ecr, digest)) == 1

    @pytest.mark.parametrize("is_known", [False, True], ids=["no key yet", "with a key"])
    def test_a_process_without_cryptography_says_so(
        self, ecr: Any, registry: Registry, emulator: Running, work: Callable[[], Any], is_known: bool
    ) -> None:
        if is_known:
            registry.push_image(NAME, "known", b"other")
            work()
        digest = registry.push_image(NAME, "v1", b"layer")
        folder = emulator.application.emulator.settings.data_dir
        command = [sys.executable, "-c", WITHOUT_CRYPTOGRAPHY, "work", "--data-dir", str(folder)]
        now = emulator.application.emulator.clock()
        done = subprocess.run(
            [*command, "--until", repr(now)], capture_output=True, text=True, timeout=60, check=True
        )
        (report,) = json.loads(done.stdout)
        assert (report["kind"], report["status"]) == ("sign", "FAILED")
        (found,) = statuses(ecr, digest)
        assert found["failureCode"] == "SignerNotInstalled"
        assert found["failureReason"].endswith("not installed; pip install 'ecr-emu[sign]'")

    def test_a_repository_that_is_full_takes_no_signature(self, start: Callable[..., Running]) -> None:
        emulator = start(limit=(("images-per-repository", 1),))
        ecr, registry = emulator.ecr(), emulator.registry()
        ecr.create_repository(repositoryName=NAME)
        configure(ecr, "release")
        digest = registry.push_image(NAME, "v1", b"layer")
        emulator.application.runner.run_due()
        (found,) = statuses(ecr, digest)
        assert (found["status"], found["failureCode"]) == ("FAILED", "LimitExceededException")
        assert "maximum" in found["failureReason"]
        assert len(ecr.describe_images(repositoryName=NAME)["imageDetails"]) == 1

    @pytest.mark.parametrize(
        "case",
        [
            (
                OSError(28, "No space left on device"),
                "The signature could not be stored: No space left on device",
            ),
            (ValueError("a secret"), "Making the signature failed; the server's log says why."),
        ],
    )
    def test_what_else_goes_wrong_fails_and_holds_up_nothing(
        self,
        ecr: Any,
        registry: Registry,
        work: Callable[[], Any],
        monkeypatch: pytest.MonkeyPatch,
        case: tuple[Exception, str],
    ) -> None:
        problem, reason = case

        def broken(*_: object) -> Any:
            raise problem

        first = registry.push_image(NAME, "v1", b"layer")
        monkeypatch.setattr(sign, "_put_blobs", broken)
        work()
        (found,) = statuses(ecr, first)
        assert (found["failureCode"], found["failureReason"]) == ("InternalFailure", reason)
        monkeypatch.undo()
        second = registry.push_image(NAME, "v2", b"other")
        work()
        assert words(ecr, second) == ["COMPLETE"]

    def test_a_crash_after_the_signature_makes_no_second_one(
        self, ecr: Any, registry: Registry, work: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The signature is stored, the status is not: what a kill in between leaves."""
        digest = registry.push_image(NAME, "v1", b"layer")

        def die(*_: object) -> None:
            raise SystemExit

        monkeypatch.setattr(signings, "finish", die)
        with pytest.raises(SystemExit):
            work()
        assert words(ecr, digest) == ["IN_PROGRESS"]
        monkeypatch.undo()
        work()
        assert words(ecr, digest) == ["COMPLETE"]
        assert len(referrers(ecr, digest)) == 1

    def test_a_crash_before_the_signature_makes_one(
        self, ecr: Any, registry: Registry, work: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        digest = registry.push_image(NAME, "v1", b"layer")

        def die(*_: object) -> None:
            raise SystemExit

        monkeypatch.setattr(push, "put_image", die)
        with pytest.raises(SystemExit):
            work()
        monkeypatch.undo()
        work()
        assert words(ecr, digest) == ["COMPLETE"]
        assert len(referrers(ecr, digest)) == 1


@pytest.mark.usefixtures("signing")
class TestKeys:
    def test_the_root_is_made_once(
        self, ecr: Any, emulator: Running, start: Callable[..., Running], registry: Registry, folder: Path
    ) -> None:
        def shown(one: Running) -> bytes:
            reply = Registry(one.port, None).request("GET", "/_emu/signing/certificates")
            assert (reply.status, reply.headers["content-type"]) == (200, "application/x-pem-file")
            return reply.body

        before = shown(emulator)
        registry.push_image(NAME, "v1", b"layer")
        emulator.application.runner.run_due()
        emulator.post("/_emu/reset")
        assert shown(emulator) == before
        emulator.stop()
        again = start(data_dir=folder)
        assert shown(again) == before
        assert shown(start()) != before
        (root,) = x509.load_pem_x509_certificates(before)
        assert root.subject == root.issuer

    def test_profiles_are_listed_without_their_keys(
        self, emulator: Running, ecr: Any, registry: Registry, work: Callable[[], Any]
    ) -> None:
        where = Registry(emulator.port, None)
        assert where.request("GET", "/_emu/signing/profiles").json() == {"profiles": []}
        registry.push_image(NAME, "v1", b"layer")
        work()
        reply = where.request("GET", "/_emu/signing/profiles")
        (found,) = reply.json()["profiles"]
        certificate = x509.load_pem_x509_certificate(found.pop("certificate").encode())
        assert found == {
            "signingProfileArn": profile("release"),
            "identity": f"x509.subject: C=XX, ST=us-east-1, O={DEFAULT_ACCOUNT}, CN=release",
        }
        assert "release" in certificate.subject.rfc4514_string()
        assert b"PRIVATE" not in reply.body

    def test_a_name_that_no_certificate_holds_is_shortened(
        self, ecr: Any, registry: Registry, work: Callable[[], Any]
    ) -> None:
        configure(ecr, "p" * 100)
        digest = registry.push_image(NAME, "v1", b"layer")
        work()
        assert words(ecr, digest) == ["COMPLETE"]

    def test_without_cryptography_there_is_no_root(
        self, emulator: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def missing(*_: object) -> Any:
            raise ImportError("No module named 'cryptography'", name="cryptography")

        monkeypatch.setattr(certificates, "root", missing)
        reply = Registry(emulator.port, None).request("GET", "/_emu/signing/certificates")
        assert reply.status == 501
        assert reply.json()["message"] == (
            "there are no certificates: cryptography is not installed; pip install 'ecr-emu[sign]'"
        )


@pytest.mark.usefixtures("signing")
def test_the_child_signs_too_within_the_limits(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MANY_IMAGES", 1)
    emulator = start(limit=(("images-per-repository", 3),))
    ecr, registry = emulator.ecr(), emulator.registry()
    ecr.create_repository(repositoryName=NAME)
    configure(ecr, "release")
    first, second = (registry.push_image(NAME, None, layer) for layer in (b"1", b"2"))
    assert len(emulator.application.runner.run_due()) == 2
    assert words(ecr, first) == ["COMPLETE"]
    assert words(ecr, second) == ["FAILED"]


def test_commands_print_what_a_trust_store_needs(tmp_path: Path) -> None:
    with serving("--data-dir", tmp_path) as server:
        where = ("--endpoint-url", f"http://127.0.0.1:{server.port}")
        done = run("signing", "certificates", *where)
        assert done.returncode == 0
        x509.load_pem_x509_certificate(done.stdout.encode())
        assert run("signing", "profiles", *where).stdout.split() == ["PROFILE", "IDENTITY"]
        found = json.loads(run("signing", "profiles", *where, "--output", "json").stdout)
        assert found == {"profiles": []}
