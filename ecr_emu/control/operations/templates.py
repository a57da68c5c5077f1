"""Operations on repository creation templates."""

from collections.abc import Sequence
from dataclasses import replace
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

import orjson

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control import paging
from ecr_emu.control.operations import Answer, operation
from ecr_emu.control.operations.repositories import check_filters, describe_filters, read_filters
from ecr_emu.core import lifecycle, quotas
from ecr_emu.core.create import TEMPLATE
from ecr_emu.domain import policy_documents, prefixes, resource_tags, templates
from ecr_emu.domain.policy_documents import InvalidPolicy
from ecr_emu.domain.registries import Registry
from ecr_emu.domain.templates import Template
from ecr_emu.settings import Settings
from ecr_emu.store import documents
from ecr_emu.store.documents import Document

if TYPE_CHECKING:
    from types_boto3_ecr import type_defs as types


@operation
def create_repository_creation_template(
    call: Call, request: "types.CreateRepositoryCreationTemplateRequestTypeDef"
) -> Answer:
    registry = _registry(call, "ecr:CreateRepositoryCreationTemplate")
    template = _read(call, Template(request["prefix"], ()), request)
    key = prefixes.key(template.prefix)
    with call.store.write() as transaction:
        if documents.find(transaction, registry, TEMPLATE, key) is not None:
            raise errors.template_already_exists()
        document = _put(transaction, registry, key, template, call.now)
    return _answer(registry, document)


@operation
def update_repository_creation_template(
    call: Call, request: "types.UpdateRepositoryCreationTemplateRequestTypeDef"
) -> Answer:
    registry = _registry(call, "ecr:UpdateRepositoryCreationTemplate")
    with call.store.write() as transaction:
        document = _get(transaction, registry, request["prefix"])
        template = _read(call, templates.read(document.body), request)
        document = _put(transaction, registry, document.key, template, call.now)
    return _answer(registry, document)


@operation
def describe_repository_creation_templates(
    call: Call, request: "types.DescribeRepositoryCreationTemplatesRequestTypeDef"
) -> Answer:
    registry = _registry(call, "ecr:DescribeRepositoryCreationTemplates")
    asked = request.get("prefixes")
    # A prefix without a template is no error: the model has none (reference, data plane 7).
    keys = None if asked is None else {prefixes.key(prefix) for prefix in asked}
    page = paging.open_page(call, request, "", "DescribeRepositoryCreationTemplates", registry, asked)
    with call.store.read() as connection:
        rows = documents.page(connection, registry, TEMPLATE, page.after, page.limit + 1, keys)
    shown = page.cut(rows)
    return {
        "registryId": registry.account,
        "repositoryCreationTemplates": [_describe(document) for document in shown],
        "nextToken": page.next_token(rows, shown[-1].key if shown else None),
    }


@operation
def delete_repository_creation_template(
    call: Call, request: "types.DeleteRepositoryCreationTemplateRequestTypeDef"
) -> Answer:
    registry = _registry(call, "ecr:DeleteRepositoryCreationTemplate")
    with call.store.write() as transaction:
        document = _get(transaction, registry, request["prefix"])
        documents.delete(transaction, registry, TEMPLATE, document.key)
    return _answer(registry, document)


def _registry(call: Call, action: str) -> Registry:
    """Templates are the caller's own: their requests name no registry."""
    call.authorize(action, call.registry, "*")
    return call.registry


def _get(connection: Connection, registry: Registry, prefix: str) -> Document:
    document = documents.find(connection, registry, TEMPLATE, prefixes.key(prefix))
    if document is None:
        raise errors.template_not_found()
    return document


def _put(transaction: Connection, registry: Registry, key: str, template: Template, now: float) -> Document:
    documents.put(transaction, registry, TEMPLATE, key, templates.write(template), now)
    return _get(transaction, registry, key)


def _read(call: Call, template: Template, request: Any) -> Template:
    """The template with what a request says of it; what it leaves out stays. An empty text takes one away."""
    changes: dict[str, Any] = {}
    for member, field in _TEXTS.items():
        if member in request:
            changes[field] = request[member] or None
    if "appliedFor" in request:
        changes["applied_for"] = tuple(request["appliedFor"])
    if "resourceTags" in request:
        limit = quotas.of(call)["tags-per-resource"]
        changes["resource_tags"] = _read_tags(request["resourceTags"], limit)
    if "encryptionConfiguration" in request:
        changes["encryption_type"], changes["kms_key"] = _read_encryption(request["encryptionConfiguration"])
    filters = read_filters(request)
    if "imageTagMutability" in request or filters is not None:
        mode = request.get("imageTagMutability", template.tag_mutability)
        check_filters(mode, filters)
        changes["tag_mutability"], changes["mutability_filters"] = mode, tuple(filters or ())
    template = replace(template, **changes)
    _check_policies(template, call.emulator.settings)
    return template


_TEXTS = {
    "description": "description",
    "repositoryPolicy": "repository_policy",
    "lifecyclePolicy": "lifecycle_policy",
    "customRoleArn": "role_arn",
}


def _read_encryption(given: Any) -> tuple[str, str | None]:
    """Type and key. An empty key is none."""
    kind, key = given["encryptionType"], given.get("kmsKey") or None
    if kind == "AES256" and key is not None:
        raise errors.key_beside_aes256()
    return kind, key


def _read_tags(given: Any, limit: int) -> tuple[tuple[str, str], ...]:
    """Resource tags; the operations have no errors of their own for bad ones."""
    pairs = [(tag["Key"], tag["Value"]) for tag in given]
    if not resource_tags.are_valid(pairs) or len(pairs) > limit:
        raise errors.invalid_template_tags()
    return tuple(pairs)


def _check_policies(template: Template, settings: Settings) -> None:
    """Policies are checked here, not when they come to act (unverified)."""
    try:
        if template.repository_policy is not None:
            policy_documents.repository_policy(template.repository_policy, orjson.loads)
    except InvalidPolicy:
        raise errors.invalid_repository_policy() from None
    if template.lifecycle_policy is not None:
        lifecycle.canonical(template.lifecycle_policy, settings)


def _answer(registry: Registry, document: Document) -> Answer:
    return {"registryId": registry.account, "repositoryCreationTemplate": _describe(document)}


def _describe(document: Document) -> Answer:
    """The RepositoryCreationTemplate shape."""
    template = templates.read(document.body)
    return {
        "prefix": template.prefix,
        "description": template.description,
        "encryptionConfiguration": {
            "encryptionType": template.encryption_type,
            "kmsKey": template.kms_key,
        },
        "resourceTags": _describe_tags(template.resource_tags),
        "imageTagMutability": template.tag_mutability,
        "imageTagMutabilityExclusionFilters": describe_filters(template.mutability_filters) or None,
        "repositoryPolicy": template.repository_policy,
        "lifecyclePolicy": template.lifecycle_policy,
        "appliedFor": template.applied_for,
        "customRoleArn": template.role_arn,
        "createdAt": document.created_at,
        "updatedAt": document.updated_at,
    }


def _describe_tags(tags: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags]
