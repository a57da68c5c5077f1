"""A registry of this emulator as an upstream: nothing goes over the network, and layers are not copied."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ecr_emu.context import Call
from ecr_emu.core import roles
from ecr_emu.domain.pull_through import Rule
from ecr_emu.domain.registries import Registry
from ecr_emu.errors import EcrError
from ecr_emu.store import images, layers, repositories
from ecr_emu.store.repositories import Repository
from ecr_emu.upstream.client import Found
from ecr_emu.upstream.problems import NOT_ASKED, UpstreamProblem, denied, not_found

# The service-linked role that ECR has in every account for its caches (ECR user guide).
SERVICE_LINKED_ROLE = (
    "role/aws-service-role/pullthroughcache.ecr.amazonaws.com/AWSServiceRoleForECRPullThroughCache"
)


@dataclass(frozen=True, slots=True)
class EcrUpstream:
    """Another registry here, as the role of the rule sees it."""

    call: Call
    registry: Registry

    def manifest(self, name: str, reference: str) -> Found:
        self._authorize("ecr:BatchGetImage", name)
        with self.call.store.read() as connection:
            found = images.pullable(connection, self.registry, name, reference, self.call.now)
        if found is None or not found.content.body:
            raise not_found(f"{name} {reference}")
        return Found(found.content.digest, found.content.media_type, found.content.body)

    def digest(self, name: str, tag: str) -> str | None:
        return self.manifest(name, tag).digest

    def referrers(self, name: str, digest: str) -> list[str]:
        self._authorize("ecr:BatchGetImage", name)
        with self.call.store.read() as connection:
            repository = repositories.find(connection, self.registry, name)
            if repository is None:
                raise not_found(name)
            wanted = images.Filter(self.call.now)
            rows = images.referrers(connection, repository, digest, (), wanted, 0)
            return [row.digest for row in rows if row.body]

    def link(self, name: str, digest: str, repository: Repository) -> None:
        """Let a repository of the cache serve a layer that the upstream holds."""
        self._authorize("ecr:GetDownloadUrlForLayer", name)
        with self.call.store.write() as transaction:
            repositories.confirm(transaction, repository)
            if not layers.held_by(transaction, self.registry, digest, name):
                raise not_found(f"{name} {digest}")
            layers.add(transaction, repository, digest, self.call.now)

    def try_out(self) -> None:
        """Nothing to try: the registry is here. Which of its repositories may be read, each pull asks."""

    def _authorize(self, action: str, name: str) -> None:
        with refusals():
            self.call.authorize(action, self.registry, name)


@contextmanager
def refusals() -> Iterator[None]:
    """Errors of the API as what an upstream would say."""
    try:
        yield
    except EcrError as error:
        raise denied(error.message) from None


def open_upstream(call: Call, rule: Rule, own: Registry, upstream: Registry) -> EcrUpstream:
    """The upstream, with the rule's role, or else with the one that ECR has in the rule's account."""
    if rule.role_arn is not None:
        as_role = roles.take_on(call, rule.role_arn)
        if as_role is None:
            raise UpstreamProblem(NOT_ASKED, f"the role {rule.role_arn} is not there, or does not trust ECR")
        return EcrUpstream(as_role, upstream)
    arn = f"arn:{own.partition}:iam::{own.account}:{SERVICE_LINKED_ROLE}"
    return EcrUpstream(roles.as_service(call, arn), upstream)
