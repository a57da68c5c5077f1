"""A registry as its clients see it (OCI distribution-spec): manifests, blobs, referrers."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from ecr_emu.domain import manifests, names
from ecr_emu.upstream import exchange, login
from ecr_emu.upstream.addresses import Url
from ecr_emu.upstream.exchange import Answer, Manners
from ecr_emu.upstream.login import Login
from ecr_emu.upstream.logins import Logins
from ecr_emu.upstream.problems import NOT_FOUND, UpstreamProblem, denied, of_status, unavailable

if TYPE_CHECKING:
    from ecr_emu.upstream.cassette import Cassette

ACCEPT = ", ".join(
    (
        manifests.OCI_INDEX,
        manifests.OCI_MANIFEST,
        manifests.DOCKER_LIST,
        manifests.DOCKER_MANIFEST,
        manifests.OCI_ARTIFACT,
    )
)


class Body(Protocol):
    """An answer, live or from a cassette."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def length(self) -> int | None: ...
    def begin(self) -> None: ...
    def read(self, size: int = ..., /) -> bytes: ...
    def read_all(self, limit: int, /) -> bytes: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Found:
    """A manifest as the upstream gives it; nothing of it is checked."""

    digest: str | None
    media_type: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Client:
    """One upstream registry, for somebody who logs in there, or does not."""

    url: Url
    login: Login | None
    logins: Logins
    manners: Manners
    host: str | None = None
    cassette: "Cassette | None" = None
    # How a cassette knows the registry: not by where a mirror of it was.
    known_as: str = ""

    def manifest(self, name: str, reference: str) -> Found:
        """The manifest, or UpstreamProblem."""
        with self._get("GET", name, f"manifests/{reference}", ACCEPT) as found:
            body = found.read_all(manifests.MAX_MANIFEST_BYTES)
            headers = found.headers
        return Found(headers.get("docker-content-digest"), headers.get("content-type"), body)

    def digest(self, name: str, tag: str) -> str | None:
        """The digest of what a tag means now; None when the registry does not tell it."""
        with self._get("HEAD", name, f"manifests/{tag}", ACCEPT) as found:
            digest = found.headers.get("docker-content-digest", "")
        return digest if names.is_digest(digest) else None

    @contextmanager
    def blob(self, name: str, digest: str) -> Iterator[Body]:
        """The blob's bytes, for a `with`."""
        with self._get("GET", name, f"blobs/{digest}", "*/*") as found:
            found.begin()
            yield found

    def referrers(self, name: str, digest: str) -> list[str]:
        """Digests of what refers to an image: by the referrers API, or else by the tag that stands for it."""
        index = self._index_of_referrers(name, digest)
        if index is None:
            try:
                index = self.manifest(name, digest.replace(":", "-", 1)).body
            except UpstreamProblem as problem:
                if problem.code != NOT_FOUND:
                    raise
                return []
        return digests_of(index)

    def _index_of_referrers(self, name: str, digest: str) -> bytes | None:
        """The index of what refers to an image; None when the registry knows no referrers API."""
        with self._answer("GET", name, f"referrers/{digest}", manifests.OCI_INDEX) as found:
            is_index = found.headers.get("content-type", "").partition(";")[0].strip() == manifests.OCI_INDEX
            if found.status == 404 or (found.status == 200 and not is_index):
                return None
            if found.status != 200:
                raise of_status(found.status, "the referrers")
            return found.read_all(manifests.MAX_MANIFEST_BYTES)

    def try_out(self) -> None:
        """Look whether the registry is there and lets us in, or UpstreamProblem."""
        with self._answer("GET", "", "", "*/*") as found:
            if found.status != 200:
                raise of_status(found.status, "its /v2/")

    @contextmanager
    def _get(self, method: str, name: str, resource: str, accept: str) -> Iterator[Body]:
        with self._answer(method, name, resource, accept) as found:
            if found.status != 200:
                raise of_status(found.status, f"{name} {resource}")
            yield found

    @contextmanager
    def _answer(self, method: str, name: str, resource: str, accept: str) -> Iterator[Body]:
        path = f"/v2/{name}/{quote(resource, safe='/:')}" if name else "/v2/"
        found: Body
        if self.cassette is None:
            found = self._logged_in(method, name, path, accept)
        elif self.cassette.is_replaying:
            found = self.cassette.play(self.known_as, method, path)
        else:
            found = self.cassette.tape(
                self.known_as, method, path, self._logged_in(method, name, path, accept)
            )
        try:
            yield found
        finally:
            found.close()

    def _logged_in(self, method: str, name: str, path: str, accept: str) -> Answer:
        """The answer, after a login where one is asked for."""
        base = self.url.target.rstrip("/")
        url = Url(self.url.scheme, self.url.host, self.url.port, base + path)
        key = (self.url, name, self.login)
        known = self.logins.find(key)
        found = self._once(method, url, accept, known)
        if found.status != 401:
            return found
        found.close()
        self.logins.drop(key)
        challenge = login.parse(found.headers.get("www-authenticate", ""))
        scope = f"repository:{name}:pull" if name else ""
        header, seconds = login.answer(challenge, url, scope, self.login, self.manners)
        found = self._once(method, url, accept, header)
        if found.status == 401:
            found.close()
            raise denied("the upstream registry refused the login")
        self.logins.put(key, header, seconds)
        return found

    def _once(self, method: str, url: Url, accept: str, authorization: str | None) -> Answer:
        headers = {"Accept": accept, **({"Authorization": authorization} if authorization else {})}
        return exchange.ask(method, url, headers, self.manners, self.host)


def digests_of(index: bytes) -> list[str]:
    """The digests that an index lists. Raises UpstreamProblem when it is none."""
    try:
        entries = json.loads(index)["manifests"] or []
        found = [entry["digest"] for entry in entries]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise unavailable("the upstream registry answered with something that is no index") from None
    if not all(isinstance(digest, str) and names.is_digest(digest) for digest in found):
        raise unavailable("the upstream registry lists something that is no digest")
    return list(dict.fromkeys(found))
