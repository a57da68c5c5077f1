"""One request to the registry, as its functions see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from ecr_emu import errors
from ecr_emu.blobs.filesystem import Readable
from ecr_emu.context import Call
from ecr_emu.domain import names
from ecr_emu.domain.registries import Registry
from ecr_emu.store.repositories import Repository
from ecr_emu.wsgi import Environ, content_length

# `n` above this gives a page of this size and a Link (OCI; ECR refuses it with 405).
MAX_PAGE = 1000
DEFAULT_PAGE = 100


REPLICATE = "ecr:ReplicateImage"
_STEPS_OF_COPIES = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
    "ecr:BatchDeleteImage",
}


def action_of(environ: Environ, action: str) -> str:
    """What the caller must be allowed for a step of the registry."""
    if action in _STEPS_OF_COPIES and "HTTP_X_ECR_EMU_REPLICATION" in environ:
        return REPLICATE
    return action


@dataclass(frozen=True, slots=True)
class Request:
    """A call, the resource it is about, what the caller must be allowed, and what came with it."""

    call: Call
    environ: Environ
    action: str
    name: str
    reference: str

    @property
    def method(self) -> str:
        return str(self.environ["REQUEST_METHOD"])

    @property
    def is_copy(self) -> bool:
        """True for what replication brings."""
        return self.action == REPLICATE

    @property
    def copy_source(self) -> Registry | None:
        """Where a copy comes from: the caller's account, in the region that the header says."""
        if not self.is_copy:
            return None
        from ecr_emu.core import replicate

        return Registry(self.call.principal.account, (self.header(replicate.COPY_HEADER) or "")[:64])

    @property
    def body(self) -> Readable:
        body: Readable = self.environ["wsgi.input"]
        return body

    @property
    def length(self) -> int | None:
        return content_length(self.environ)

    def header(self, name: str) -> str | None:
        value: str | None = self.environ.get("HTTP_" + name.upper().replace("-", "_"))
        return value

    @property
    def content_type(self) -> str | None:
        value: str | None = self.environ.get("CONTENT_TYPE") or self.environ.get("HTTP_CONTENT_TYPE")
        return value

    @property
    def query(self) -> Mapping[str, list[str]]:
        text = self.environ.get("QUERY_STRING", "")
        return parse_qs(text, keep_blank_values=True) if text else {}

    def parameter(self, name: str) -> str | None:
        return self.query.get(name, [None])[0]

    def repository(self) -> Repository:
        """The repository, or NAME_UNKNOWN; a caller who may not do this learns nothing of it."""
        return self.call.repository(self.action, self.call.registry, self.name)

    def repository_for_push(self) -> Repository:
        """The same for the first request of a push: a template may have the repository made now."""
        # What only pulls needs neither.
        from ecr_emu.core import create, replicate

        if self.is_copy:
            return replicate.repository_for_copy(self.call, self.name)
        return create.repository_for_push(self.call, self.action, self.call.registry, self.name)

    def authorize(self, action: str) -> None:
        """Ask for an action that the request needs besides its own."""
        self.call.authorize(action_of(self.environ, action), self.call.registry, self.name)

    def digest(self) -> str:
        """The reference, which must be a digest."""
        if not names.is_digest(self.reference):
            raise errors.digest_invalid(self.reference)
        return self.reference

    def page_size(self) -> int:
        """`n`: how many rows are wanted, or an error when it is not a number."""
        text = self.parameter("n")
        if text is None:
            return DEFAULT_PAGE
        if not (text.isascii() and text.isdecimal()):
            raise errors.page_size_invalid(text)
        return min(int(text[:9]), MAX_PAGE)

    def url(self, path: str) -> str:
        """An absolute URL of this registry, under the host that the client asked."""
        return f"{self.call.origin}/v2/{path}"
