"""Pull through cache rules: which upstream registries there are (ECR user guide, Pull through cache)."""

import json
import re
from dataclasses import asdict, dataclass

from ecr_emu.domain import prefixes
from ecr_emu.domain.prefixes import ROOT
from ecr_emu.domain.registries import Registry

_HOSTS = {
    "public.ecr.aws": "ecr-public",
    "registry.k8s.io": "k8s",
    "quay.io": "quay",
    "registry-1.docker.io": "docker-hub",
    "ghcr.io": "github-container-registry",
    "registry.gitlab.com": "gitlab-container-registry",
    # Unverified: AWS's model has the value, and no page names the host.
    "cgr.dev": "chainguard",
}
_AZURE = re.compile(r"[a-zA-Z0-9]+\.azurecr\.io", re.ASCII)
_PRIVATE = re.compile(
    r"(?P<account>[0-9]{12})\.dkr[.-]ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+", re.ASCII
)
# Those that answer nobody without a login, as far as ECR is concerned.
_CLOSED = {
    "docker-hub",
    "github-container-registry",
    "gitlab-container-registry",
    "azure-container-registry",
    "chainguard",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What is cached under `prefix`: the repositories of an upstream registry under `upstream_prefix`."""

    prefix: str
    upstream_url: str
    upstream_registry: str
    upstream_prefix: str = ROOT
    credential_arn: str | None = None
    role_arn: str | None = None

    @property
    def lacks_credentials(self) -> bool:
        return self.credential_arn is None and self.upstream_registry in _CLOSED

    @property
    def key(self) -> str:
        return prefixes.key(self.prefix)

    def upstream_name(self, name: str) -> str:
        """What the upstream calls the repository that the cache calls `name`, which the prefix means.

        ECR user guide, Customizing repository prefixes for ECR to ECR pull through cache.
        """
        rest = name if self.key == ROOT else name.removeprefix(self.key + "/")
        return rest if self.upstream_prefix == ROOT else f"{prefixes.key(self.upstream_prefix)}/{rest}"

    @property
    def upstream(self) -> Registry | None:
        """The registry of ECR that is the upstream; None when it is another one."""
        match = _PRIVATE.fullmatch(self.upstream_url)
        return Registry(match["account"], match["region"]) if match else None


def secret_names(arn: str) -> list[str]:
    """What a secret may be called: its ARN, its name, and the name without what Secrets Manager adds."""
    name = arn.rpartition(":secret:")[2]
    return [arn, name, re.sub(r"-[a-zA-Z0-9]{6}$", "", name)]


def may_be_named(name: str) -> bool:
    """True for what an --upstream address may be for: a kind of upstream registry, or a host of one."""
    return name in {*_HOSTS.values(), "azure-container-registry", "ecr"} or upstream_of(name) is not None


def upstream_of(url: str) -> str | None:
    """The upstream registry that a URL means, or None when ECR supports no such upstream."""
    if _AZURE.fullmatch(url):
        return "azure-container-registry"
    if _PRIVATE.fullmatch(url):
        return "ecr"
    return _HOSTS.get(url)


def is_secret_of(registry: Registry, arn: str) -> bool:
    """True for a secret in the account and region of the rule, the only ones that ECR reads."""
    return arn.split(":")[3:5] == [registry.region, registry.account]


def read(body: str) -> Rule:
    """The rule that `write` wrote."""
    return Rule(**json.loads(body))


def write(rule: Rule) -> str:
    return json.dumps(asdict(rule))
