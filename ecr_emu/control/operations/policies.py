"""Operations on repository policies and on the registry's policy."""

import logging
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

import orjson

from ecr_emu import access, errors
from ecr_emu.context import Call
from ecr_emu.control.operations import Answer, operation
from ecr_emu.domain import policy_documents
from ecr_emu.domain.policy_documents import InvalidPolicy
from ecr_emu.domain.registries import Registry
from ecr_emu.store import documents, repositories
from ecr_emu.store.policies import ACCOUNT_SETTING, REGISTRY_POLICY, REPOSITORY_POLICY, SCOPE
from ecr_emu.store.repositories import Repository

if TYPE_CHECKING:
    from types_boto3_ecr import type_defs as types

log = logging.getLogger(__name__)


@operation
def set_repository_policy(call: Call, request: "types.SetRepositoryPolicyRequestTypeDef") -> Answer:
    registry, name = target(call, "ecr:SetRepositoryPolicy", request)
    try:
        policy = policy_documents.repository_policy(request["policyText"], orjson.loads)
    except InvalidPolicy:
        raise errors.invalid_repository_policy() from None
    text = policy_documents.pretty(policy)
    if not _names_only_known(call, policy):
        raise errors.invalid_repository_policy()
    if not request.get("force") and not access.would_allow(
        call, "ecr:SetRepositoryPolicy", registry, name, text
    ):
        raise errors.invalid_repository_policy()
    with call.store.write() as transaction:
        repository = repositories.get(transaction, registry, name)
        documents.put_of_repository(transaction, repository, REPOSITORY_POLICY, text, call.now)
    return _describe(registry, name, text)


@operation
def get_repository_policy(call: Call, request: "types.GetRepositoryPolicyRequestTypeDef") -> Answer:
    registry, name = target(call, "ecr:GetRepositoryPolicy", request)
    with call.store.snapshot() as connection:
        repository = repositories.get(connection, registry, name)
        text = _policy(connection, repository)
    return _describe(registry, name, text)


@operation
def delete_repository_policy(call: Call, request: "types.DeleteRepositoryPolicyRequestTypeDef") -> Answer:
    registry, name = target(call, "ecr:DeleteRepositoryPolicy", request)
    with call.store.write() as transaction:
        repository = repositories.get(transaction, registry, name)
        text = _policy(transaction, repository)
        documents.delete_of_repository(transaction, repository, REPOSITORY_POLICY)
    return _describe(registry, name, text)


@operation
def put_registry_policy(call: Call, request: "types.PutRegistryPolicyRequestTypeDef") -> Answer:
    registry = _own_registry(call, "ecr:PutRegistryPolicy")
    with call.store.write() as transaction:
        scope = documents.find(transaction, registry, ACCOUNT_SETTING, SCOPE)
        try:
            policy = policy_documents.registry_policy(
                request["policyText"], scope.body if scope else "V2", orjson.loads
            )
        except InvalidPolicy:
            raise errors.invalid_registry_policy() from None
        if not _names_only_known(call, policy):
            raise errors.invalid_registry_policy()
        text = policy_documents.pretty(policy)
        documents.put(transaction, registry, REGISTRY_POLICY, "", text, call.now)
    return {"registryId": registry.account, "policyText": text}


@operation
def get_registry_policy(call: Call, request: object) -> Answer:
    registry = _own_registry(call, "ecr:GetRegistryPolicy")
    with call.store.read() as connection:
        policy = documents.find(connection, registry, REGISTRY_POLICY)
    if policy is None:
        raise errors.registry_policy_not_found(registry.account)
    return {"registryId": registry.account, "policyText": policy.body}


@operation
def delete_registry_policy(call: Call, request: object) -> Answer:
    registry = _own_registry(call, "ecr:DeleteRegistryPolicy")
    with call.store.write() as transaction:
        policy = documents.find(transaction, registry, REGISTRY_POLICY)
        if policy is None:
            raise errors.registry_policy_not_found(registry.account)
        documents.delete(transaction, registry, REGISTRY_POLICY)
    return {"registryId": registry.account, "policyText": policy.body}


def target(call: Call, action: str, request: Any) -> tuple[Registry, str]:
    """The registry and the name of the repository that a request means, if the caller may do this there."""
    registry = call.target(request.get("registryId"))
    call.authorize(action, registry, request["repositoryName"])
    return registry, request["repositoryName"]


def _policy(connection: Connection, repository: Repository) -> str:
    text = documents.of_repository(connection, repository, REPOSITORY_POLICY)
    if text is None:
        raise errors.repository_policy_not_found(repository.name, repository.registry.account)
    return text


def _names_only_known(call: Call, policy: policy_documents.Policy) -> bool:
    """Whether all principals that a policy names exist. AWS does not say which does not; the log does."""
    if call.emulator.settings.auth != "iam":
        return True
    from ecr_emu.core.principals import unknown

    names = policy_documents.named_principals(policy)
    with call.store.read() as connection:
        missing = unknown(connection, names, call.emulator.settings.account)
    if missing:
        log.info("request %s: there is no principal %s", call.request_id, ", ".join(sorted(missing)))
    return not missing


def _own_registry(call: Call, action: str) -> Registry:
    call.authorize(action, call.registry, "*")
    return call.registry


def _describe(registry: Registry, name: str, text: str) -> Answer:
    return {"registryId": registry.account, "repositoryName": name, "policyText": text}
