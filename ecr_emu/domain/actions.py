"""What an action is asked for: the resource that policies name (reference, control plane 7.3)."""

from ecr_emu.domain.registries import Registry

ALL = "*"
# Of the actions that name no repository, the one that is asked for all of them (seen on AWS); the others
# are asked for "*".
_OF_ALL_REPOSITORIES = {"ecr:DescribeRepositories"}


def resource(action: str, registry: Registry, repository: str) -> str:
    """The resource of an action on a repository, or on the registry when `repository` is "*"."""
    if repository == ALL and action not in _OF_ALL_REPOSITORIES:
        return ALL
    return registry.repository_arn(repository)
