"""Making repositories: on request, and with the settings of a template where ECR makes them by itself."""

import uuid
from collections.abc import Mapping
from sqlite3 import Connection

import orjson

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.core import lifecycle, quotas, roles
from ecr_emu.domain import lifecycle_policy, policy_documents, prefixes, templates
from ecr_emu.domain.limits import Limits
from ecr_emu.domain.registries import Registry
from ecr_emu.domain.templates import Template
from ecr_emu.settings import Settings
from ecr_emu.store import documents, repositories
from ecr_emu.store.policies import REPOSITORY_POLICY
from ecr_emu.store.repositories import Repository

# Documents of a registry: its repository creation templates, by prefix.
TEMPLATE = "creation-template"


def default_key(registry: Registry) -> str:
    """The ARN of the key that KMS encryption means when none is named.

    What the alias aws/ecr stands for is another key in each account and region.
    """
    key = uuid.uuid5(uuid.NAMESPACE_URL, f"{registry.account}/{registry.region}/alias/aws/ecr")
    return f"arn:{registry.partition}:kms:{registry.region}:{registry.account}:key/{key}"


def insert(
    transaction: Connection, limits: Limits, wanted: Repository, tags: Mapping[str, str]
) -> Repository:
    """Store a new repository with its resource tags.

    Raises RepositoryAlreadyExistsException, or LimitExceededException when the registry has too many.
    """
    # The row comes first, so that of a name that is taken just this is said.
    repository = repositories.insert(transaction, wanted)
    limit = limits["repositories"]
    if repositories.count(transaction, wanted.registry) > limit:
        raise errors.too_many_repositories(wanted.registry.account, limit)
    repositories.put_resource_tags(transaction, repository, tags)
    return repository


def repository_for_push(call: Call, action: str, registry: Registry, name: str) -> Repository:
    """The repository; one that is not there is made, if a template for CREATE_ON_PUSH means its name.

    Else RepositoryNotFoundException. Only the registry makes repositories so (ECR user guide, Creating a
    repository with a push).
    """
    call.authorize(action, registry, name)
    with call.store.read() as connection:
        repository = repositories.find(connection, registry, name)
        if repository is not None:
            return repository
        template = find_template(connection, registry, name, templates.CREATE_ON_PUSH)
    if template is None:
        raise errors.repository_not_found(name, registry.account)
    call.authorize("ecr:CreateRepository", registry, name)
    roles.check_template(call, template, registry, name)
    with call.store.write() as transaction:
        # Clients push several layers at once: another request may have been quicker.
        repository = repositories.find(transaction, registry, name)
        return repository or by_template(
            transaction, template, registry, name, call.now, call.emulator.settings
        )


def find_template(connection: Connection, registry: Registry, name: str, scenario: str) -> Template | None:
    """The template with the longest prefix of those for the scenario."""
    for key in prefixes.of_name(name):
        document = documents.find(connection, registry, TEMPLATE, key)
        if document is not None:
            template = templates.read(document.body)
            # Whether a longer prefix for other scenarios hides this one on AWS is unverified.
            if scenario in template.applied_for:
                return template
    return None


def by_template(
    transaction: Connection,
    template: Template,
    registry: Registry,
    name: str,
    now: float,
    settings: Settings,
) -> Repository:
    """Store a new repository as a template has it; where none is found, `templates.DEFAULTS` is meant.

    Raises the error of a template that lacks its role, and those of `insert`.
    """
    if template.lacks_role:
        raise errors.template_lacks_role(name, template.prefix)
    kms_key = template.kms_key
    if template.encryption_type != "AES256" and kms_key is None:
        kms_key = default_key(registry)
    wanted = Repository(
        id=0,
        registry=registry,
        name=name,
        created_at=now,
        tag_mutability=template.tag_mutability,
        mutability_filters=template.mutability_filters,
        scan_on_push=False,
        encryption_type=template.encryption_type,
        kms_key=kms_key,
    )
    repository = insert(transaction, quotas.in_force(settings), wanted, dict(template.resource_tags))
    if template.repository_policy is not None:
        policy = policy_documents.repository_policy(template.repository_policy, orjson.loads)
        text = policy_documents.pretty(policy)
        documents.put_of_repository(transaction, repository, REPOSITORY_POLICY, text, now)
    if template.lifecycle_policy is not None:
        text = lifecycle_policy.canonical(template.lifecycle_policy, orjson.loads)
        lifecycle.put_policy(transaction, repository, text, now, settings)
    return repository
