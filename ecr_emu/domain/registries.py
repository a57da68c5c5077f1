"""Which registry a host name means, and how a registry and its repositories are called."""

import re
from dataclasses import dataclass

_REGISTRY_HOST = re.compile(r"(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.[^/]+", re.IGNORECASE | re.ASCII)
_REPOSITORY_ARN = re.compile(r"arn:([a-z-]+):ecr:([a-z0-9-]+):(\d{12}):repository/(.+)", re.ASCII)
# Under this path are the URLs that GetDownloadUrlForLayer gives.
LAYER_URLS = "/_layers/"


@dataclass(frozen=True, slots=True)
class Registry:
    """One account in one region: the unit of isolation."""

    account: str
    region: str

    @property
    def partition(self) -> str:
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    def repository_arn(self, name: str) -> str:
        return f"arn:{self.partition}:ecr:{self.region}:{self.account}:repository/{name}"


@dataclass(frozen=True, slots=True)
class HostNames:
    """How registries are addressed: the default one, and the template of all names."""

    default: Registry
    template: str | None
    port: int

    def host(self, registry: Registry) -> str:
        """The registry's host and port, without a scheme: what stands before the / of a repositoryUri."""
        return self._address(registry).rpartition("://")[2]

    def endpoint(self, registry: Registry) -> str:
        """The same with a scheme, without a trailing slash: `proxyEndpoint`."""
        address = self._address(registry)
        return address if "://" in address else "http://" + address

    def _address(self, registry: Registry) -> str:
        template = self.template
        if template is None:
            template = (
                "localhost:{port}"
                if registry == self.default
                else "{account}.dkr.ecr.{region}.localhost:{port}"
            )
        return template.format(account=registry.account, region=registry.region, port=self.port)

    def registry(self, host: str) -> Registry:
        """The registry that a Host header means: its own account and region, or the default one."""
        match = _REGISTRY_HOST.fullmatch(host)
        if match is None:
            return self.default
        return Registry(match[1], match[2].lower())


def check_template(template: str) -> str | None:
    """What is wrong with a registry host template, or None."""
    try:
        host = template.format(account="000000000000", region="us-east-1", port=4566)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError):
        return "only {account}, {region} and {port} can stand in it"
    if not re.fullmatch(r"(https?://)?[a-z0-9.-]+(:\d+)?", host):
        return "it must give a lower-case host name, with or without a port"
    return None


def parse_repository_arn(arn: str) -> tuple[Registry, str] | None:
    """The registry and repository name of an ARN, or None when it is not a repository's."""
    match = _REPOSITORY_ARN.fullmatch(arn)
    if match is None:
        return None
    registry = Registry(match[3], match[2])
    return (registry, match[4]) if registry.partition == match[1] else None
