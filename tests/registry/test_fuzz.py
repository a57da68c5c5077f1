"""Whatever is asked, the registry has an answer that is not its own fault.

`pytest tests/registry/test_fuzz.py --hypothesis-profile=long` looks longer.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecr_emu.app import Application, build
from ecr_emu.context import Call, root_principal
from ecr_emu.domain.manifests import OCI_ARTIFACT, OCI_INDEX, OCI_MANIFEST
from ecr_emu.settings import Settings
from ecr_emu.store import repositories
from ecr_emu.store.repositories import Repository
from tests.clients import digest_of, image_index, image_manifest
from tests.registry.steps import CONFIG, RANDOM_DIGEST, RANDOM_SHA512

EXAMPLES = 300
# The long profile takes minutes.
pytestmark = pytest.mark.timeout(1200)
REPO = "aa/bb"
DIGESTS = [digest_of(b""), digest_of(CONFIG), digest_of(CONFIG, "sha512"), RANDOM_DIGEST, RANDOM_SHA512]

strange = st.text(st.characters(max_codepoint=255), max_size=12)
digests = st.sampled_from([*DIGESTS, digest_of(image_index()), digest_of(image_manifest(CONFIG)), "sha256:x"])
pieces = st.sampled_from(
    [
        "aa",
        "bb",
        REPO,
        "manifests",
        "blobs",
        "uploads",
        "tags",
        "list",
        "referrers",
        "_catalog",
        "",
        "..",
        "latest",
    ]
)
paths = st.one_of(
    st.lists(st.one_of(pieces, pieces, pieces, digests, strange), max_size=7).map("/".join),
    st.builds(f"{REPO}/manifests/{{}}".format, st.one_of(digests, strange, st.just("latest"))),
    st.builds(f"{REPO}/blobs/{{}}".format, st.one_of(digests, strange)),
    st.builds(f"{REPO}/referrers/{{}}".format, digests),
    st.just(f"{REPO}/blobs/uploads/"),
    # The upload that is open, whatever its id.
    st.just(f"{REPO}/blobs/uploads/OPEN"),
)
parameters = st.sampled_from(
    ["n", "last", "digest", "mount", "from", "tag", "artifactType", "after", "digest-algorithm"]
)
values = st.one_of(digests, strange, st.integers(-1, 10**25).map(str), st.just(REPO))
queries = st.lists(st.builds("{}={}".format, parameters, values), max_size=3).map("&".join)
spans = st.builds(
    "{}{}-{}".format, st.sampled_from(["", "bytes=", "bytes "]), st.integers(0, 9), st.integers(0, 99)
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "CONTENT_TYPE": st.one_of(st.sampled_from([OCI_MANIFEST, OCI_INDEX, OCI_ARTIFACT]), strange),
        "CONTENT_LENGTH": st.one_of(st.integers(-1, 99).map(str), st.just("9" * 5000), strange),
        "HTTP_TRANSFER_ENCODING": st.just("chunked"),
        "HTTP_CONTENT_RANGE": st.one_of(spans, strange),
        "HTTP_RANGE": st.one_of(spans, strange),
        "HTTP_EXPECT": st.just("100-continue"),
        "HTTP_HOST": st.one_of(st.just("111111111111.dkr.ecr.eu-west-1.localhost:1"), strange),
        "HTTP_AUTHORIZATION": strange,
    },
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-1, 2**70), st.floats(), st.text(max_size=5), digests),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
descriptors = st.fixed_dictionaries(
    {},
    optional={
        "digest": st.one_of(digests, json_values),
        "size": st.one_of(st.integers(0, 99), json_values),
        "mediaType": st.one_of(st.just("a/b"), json_values),
    },
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "schemaVersion": st.one_of(st.just(2), json_values),
        "mediaType": st.one_of(st.sampled_from([OCI_MANIFEST, OCI_INDEX, OCI_ARTIFACT]), json_values),
        "config": st.one_of(descriptors, json_values),
        "layers": st.one_of(st.lists(descriptors, max_size=2), json_values),
        "manifests": st.one_of(st.lists(descriptors, max_size=2), json_values),
        "blobs": st.one_of(st.lists(descriptors, max_size=2), json_values),
        "subject": st.one_of(descriptors, json_values),
        "artifactType": st.one_of(st.just("a/b"), json_values),
        "annotations": json_values,
    },
)


def _encode(document: object) -> bytes:
    import json

    return json.dumps(document).encode()


bodies = st.one_of(
    st.binary(max_size=50),
    st.sampled_from([b"", CONFIG, image_index(), image_manifest(CONFIG)]),
    documents.map(_encode),
    st.builds(
        lambda document, subject: _encode({**document, "subject": {"digest": subject, "size": 1}}),
        documents,
        digests,
    ),
)
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])


@dataclass
class Answer:
    """What a WSGI application said."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def start(self, line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.status = int(line.split()[0])
        self.headers = {name.lower(): value for name, value in headers}
        # A server sends headers as latin-1.
        for name, value in headers:
            f"{name}: {value}".encode("latin-1")


class Site:
    """An application with a repository, called as a server calls it."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.upload = "none"

    def ask(
        self, method: str, path: str, query: str, headers: dict[str, str], body: bytes
    ) -> tuple[Answer, bytes]:
        answer = Answer()
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": "/v2/" + path.replace("OPEN", self.upload),
            "QUERY_STRING": query,
            "wsgi.input": BytesIO(body),
            "wsgi.url_scheme": "http",
            **headers,
        }
        chunks: Iterable[bytes] = self.application(environ, answer.start)
        content = b"".join(chunks)
        self.upload = answer.headers.get("docker-upload-uuid", self.upload)
        return answer, content


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    application = build(Settings(data_dir=folder, auth="open", ephemeral=True), lambda: 1_750_000_000.0)
    emulator = application.emulator
    default = emulator.hosts.default
    call = Call(emulator, root_principal(default.account), default, "http://localhost", 0.0)
    with closing(application):
        with emulator.store.write() as transaction:
            repositories.insert(
                transaction, Repository(0, call.registry, REPO, 0.0, "MUTABLE", (), False, "AES256", None)
            )
        site = Site(application)
        site.ask("POST", f"{REPO}/blobs/uploads/", f"digest={digest_of(CONFIG)}", {}, CONFIG)
        yield site


def check(site: Site, *request: Any) -> None:
    """A request gets an answer that is whole, and no 500."""
    answer, content = site.ask(*request)
    assert 200 <= answer.status < 500 or answer.status == 501
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
    if request[0] == "HEAD":
        assert content == b""
    elif answer.status != 204:
        assert answer.headers["content-length"] == str(len(content))


def fuzzed(test: Callable[..., None]) -> Callable[..., None]:
    """As many examples as the chosen profile has, and EXAMPLES without one."""
    examples = max(EXAMPLES, settings().max_examples)
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))(test)


@fuzzed
@given(method=methods, path=paths, query=queries, headers=headers, body=bodies)
def test_no_request_is_the_servers_fault(
    site: Site, method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    check(site, method, path, query, headers, body)


@fuzzed
@given(media_type=st.sampled_from([OCI_MANIFEST, OCI_INDEX, OCI_ARTIFACT]), body=bodies, subject=digests)
def test_no_manifest_is_the_servers_fault(site: Site, media_type: str, body: bytes, subject: str) -> None:
    check(site, "PUT", f"{REPO}/manifests/latest", "", {"CONTENT_TYPE": media_type}, body)
    check(site, "GET", f"{REPO}/referrers/{subject}", "", {}, b"")


@fuzzed
@given(st.lists(st.tuples(methods, queries, headers, bodies), max_size=6))
def test_no_course_of_an_upload_is_the_servers_fault(site: Site, steps: list[tuple[Any, ...]]) -> None:
    check(site, "POST", f"{REPO}/blobs/uploads/", "", {}, b"")
    for method, query, given_headers, body in steps:
        check(site, method, f"{REPO}/blobs/uploads/OPEN", query, given_headers, body)
