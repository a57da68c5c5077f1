"""`skopeo copy` of whole images to and from each registry: one alone, and several at once."""

import base64
import concurrent.futures
import gzip
import hashlib
import io
import json
import secrets
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from conformance.bench.client import MANIFEST_TYPE, TAG, BenchFailed
from conformance.bench.install import PROGRAMS
from conformance.bench.measures import Measure, Samples, Session
from conformance.bench.peers import CONTROL, REGISTRY, call
from conformance.bench.subjects import Subject, in_turn, running, tolerated

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
# Layers are of 1 MB, 1.5 MB and 2 MB in turn.
LAYER_BYTES = (1_000_000, 1_500_000, 2_000_000)
COPY_SECONDS = 300


def name_of(verb: str, layers: int, count: int) -> str:
    """The name of a measure."""
    return f"{verb}: skopeo copy, {layers} layers, {count} at once"


def missing() -> str:
    """Why images cannot be copied here."""
    return PROGRAMS["skopeo"].missing


def steps(session: Session) -> int:
    """How often `measure` reports progress."""
    return session.plan.rounds * len(session.having(REGISTRY))


def measure(session: Session) -> Samples:
    """All rounds: each registry is given images that it does not have, and asked for them back."""
    samples = Samples()
    if missing():
        session.warn(f"skopeo: missing, {missing()}")
        return samples
    plan = session.plan
    with tempfile.TemporaryDirectory(prefix="ecr-emu-bench-") as name:
        images = [make(Path(name) / f"image{number}", plan.copy_layers) for number in range(1 + plan.copies)]
        for number in range(plan.rounds):
            with running(session, session.having(REGISTRY)) as subjects:
                for subject in in_turn(subjects, number):
                    with tolerated(session, subject.name, "skopeo copy"):
                        _copies(samples, subject, images, plan.copy_layers)
                    session.step()
    return samples


def make(folder: Path, layers: int) -> Path:
    """Write an image of so many layers that nobody has seen, as an OCI layout with the tag `latest`."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    made = [_layer(LAYER_BYTES[number % len(LAYER_BYTES)]) for number in range(layers)]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in made]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _write(blobs, CONFIG_TYPE, json.dumps(config).encode()),
        "layers": [_write(blobs, LAYER_TYPE, data) for data, _ in made],
    }
    entry = _write(blobs, MANIFEST_TYPE, json.dumps(manifest).encode())
    entry["annotations"] = {"org.opencontainers.image.ref.name": TAG}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


def _layer(size_bytes: int) -> tuple[bytes, str]:
    """A packed layer of one file that does not pack, and the digest of what is inside."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        info = tarfile.TarInfo(secrets.token_hex(8))
        info.size = size_bytes
        archive.addfile(info, io.BytesIO(secrets.token_bytes(size_bytes)))
    content = tar.getvalue()
    return gzip.compress(content, compresslevel=0), f"sha256:{hashlib.sha256(content).hexdigest()}"


def _write(blobs: Path, media_type: str, data: bytes) -> dict[str, object]:
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one image is copied to, and how the registry there is logged in to."""

    subject: Subject
    repository: str

    def push(self, image: Path) -> None:
        self._copy([*self._options("dest"), f"oci:{image}:{TAG}", self._name])

    def pull(self, folder: Path) -> None:
        self._copy([*self._options("src"), self._name, f"dir:{folder}"])

    @property
    def _name(self) -> str:
        return f"docker://127.0.0.1:{self.subject.running.port}/{self.repository}:{TAG}"

    def _options(self, side: str) -> list[str]:
        kind, _, login = self.subject.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            return [f"--{side}-tls-verify=false", f"--{side}-creds={base64.b64decode(login).decode()}"]
        return [f"--{side}-tls-verify=false", f"--{side}-no-creds"]

    def _copy(self, arguments: Sequence[str]) -> None:
        command = [PROGRAMS["skopeo"].found, "--insecure-policy", "copy", "--quiet", *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=COPY_SECONDS)
        except subprocess.TimeoutExpired:
            raise BenchFailed(f"skopeo did not end within {COPY_SECONDS} s") from None
        if done.returncode:
            raise BenchFailed(f"skopeo: {done.stderr.strip()[-200:]}")


def _copies(samples: Samples, subject: Subject, images: Sequence[Path], layers: int) -> None:
    places = [_Place(subject, f"bench/copy{number}") for number in range(len(images))]
    if CONTROL in subject.running.peer.roles:
        for place in places:
            call(subject.running.port, "CreateRepository", {"repositoryName": place.repository})
    with tempfile.TemporaryDirectory(prefix="ecr-emu-bench-") as name:
        folders = [Path(name) / str(number) for number in range(len(images))]
        for count, chosen in ((1, slice(0, 1)), (len(images) - 1, slice(1, None))):
            pushes = [_bound(p.push, image) for p, image in zip(places[chosen], images[chosen], strict=True)]
            samples.add(Measure(name_of("push", layers, count), "s", False), subject.name, _at_once(pushes))
            pulls = [
                _bound(p.pull, folder) for p, folder in zip(places[chosen], folders[chosen], strict=True)
            ]
            samples.add(Measure(name_of("pull", layers, count), "s", False), subject.name, _at_once(pulls))
            for folder in folders[chosen]:
                with suppress(FileNotFoundError):
                    shutil.rmtree(folder)


def _bound(action: Callable[[Path], None], path: Path) -> Callable[[], None]:
    return lambda: action(path)


def _at_once(actions: Sequence[Callable[[], None]]) -> float:
    """Seconds until the last of them is done."""
    with concurrent.futures.ThreadPoolExecutor(len(actions)) as pool:
        began = time.perf_counter()
        for done in [pool.submit(action) for action in actions]:
            done.result()
        return time.perf_counter() - began
