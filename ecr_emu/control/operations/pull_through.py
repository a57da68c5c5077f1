"""Operations on pull through cache rules. What the rules do is in core/imports.py."""

from dataclasses import replace
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control import paging
from ecr_emu.control.operations import Answer, operation
from ecr_emu.core import quotas
from ecr_emu.core.pull_through import RULE
from ecr_emu.domain import prefixes, pull_through
from ecr_emu.domain.pull_through import Rule
from ecr_emu.domain.registries import Registry
from ecr_emu.store import documents
from ecr_emu.store.documents import Document

if TYPE_CHECKING:
    from types_boto3_ecr import type_defs as types


@operation
def create_pull_through_cache_rule(
    call: Call, request: "types.CreatePullThroughCacheRuleRequestTypeDef"
) -> Answer:
    registry = _registry(call, "ecr:CreatePullThroughCacheRule", request)
    rule = _read_rule(call, registry, request)
    key, limit = prefixes.key(rule.prefix), quotas.of(call)["pull-through-cache-rules"]
    with call.store.write() as transaction:
        if documents.find(transaction, registry, RULE, key) is not None:
            raise errors.pull_through_rule_already_exists()
        if documents.count(transaction, registry, RULE) >= limit:
            raise errors.too_many_pull_through_rules(registry.account, limit)
        documents.put(transaction, registry, RULE, key, pull_through.write(rule), call.now)
    return {**_describe(registry, rule), "upstreamRegistry": rule.upstream_registry, "createdAt": call.now}


@operation
def describe_pull_through_cache_rules(
    call: Call, request: "types.DescribePullThroughCacheRulesRequestTypeDef"
) -> Answer:
    registry = _registry(call, "ecr:DescribePullThroughCacheRules", request)
    asked = request.get("ecrRepositoryPrefixes")
    keys = None if asked is None else {prefixes.key(prefix) for prefix in asked}
    page = paging.open_page(call, request, "", "DescribePullThroughCacheRules", registry, asked)
    with call.store.snapshot() as connection:
        for key in keys or ():
            _get(connection, registry, key)
        rows = documents.page(connection, registry, RULE, page.after, page.limit + 1, keys)
    shown = page.cut(rows)
    return {
        "pullThroughCacheRules": [_describe_document(registry, row) for row in shown],
        "nextToken": page.next_token(rows, shown[-1].key if shown else None),
    }


@operation
def update_pull_through_cache_rule(
    call: Call, request: "types.UpdatePullThroughCacheRuleRequestTypeDef"
) -> Answer:
    registry = _registry(call, "ecr:UpdatePullThroughCacheRule", request)
    credential_arn = request.get("credentialArn")
    _check_secret(call, registry, credential_arn)
    with call.store.write() as transaction:
        document = _get(transaction, registry, request["ecrRepositoryPrefix"])
        rule = pull_through.read(document.body)
        rule = replace(
            rule,
            credential_arn=credential_arn or rule.credential_arn,
            role_arn=request.get("customRoleArn", rule.role_arn),
        )
        documents.put(transaction, registry, RULE, document.key, pull_through.write(rule), call.now)
    answer = {**_describe(registry, rule), "updatedAt": call.now}
    del answer["upstreamRegistryUrl"]
    return answer


@operation
def delete_pull_through_cache_rule(
    call: Call, request: "types.DeletePullThroughCacheRuleRequestTypeDef"
) -> Answer:
    registry = _registry(call, "ecr:DeletePullThroughCacheRule", request)
    with call.store.write() as transaction:
        document = _get(transaction, registry, request["ecrRepositoryPrefix"])
        documents.delete(transaction, registry, RULE, document.key)
    rule = pull_through.read(document.body)
    return {**_describe(registry, rule), "createdAt": document.created_at}


@operation
def validate_pull_through_cache_rule(
    call: Call, request: "types.ValidatePullThroughCacheRuleRequestTypeDef"
) -> Answer:
    registry = _registry(call, "ecr:ValidatePullThroughCacheRule", request)
    with call.store.read() as connection:
        document = _get(connection, registry, request["ecrRepositoryPrefix"])
    rule = pull_through.read(document.body)
    # Imported late: most servers have no rules.
    from ecr_emu.core import upstreams

    failure = upstreams.try_out(call, registry, rule)
    return {**_describe(registry, rule), "isValid": failure is None, "failure": failure}


def _registry(call: Call, action: str, request: Any) -> Registry:
    registry = call.target(request.get("registryId"))
    call.authorize(action, registry, "*")
    return registry


def _read_rule(call: Call, registry: Registry, request: Any) -> Rule:
    """The rule that is asked for, or why ECR would not have it."""
    url, named = request["upstreamRegistryUrl"], request.get("upstreamRegistry")
    upstream = pull_through.upstream_of(url)
    if upstream is None or named not in (None, upstream):
        raise errors.unsupported_upstream_registry()
    rule = Rule(
        request["ecrRepositoryPrefix"],
        url,
        upstream,
        request.get("upstreamRepositoryPrefix", prefixes.ROOT),
        request.get("credentialArn"),
        request.get("customRoleArn"),
    )
    if rule.prefix == prefixes.ROOT != rule.upstream_prefix:
        raise errors.upstream_prefix_beside_root()
    if rule.lacks_credentials:
        raise errors.upstream_needs_credentials()
    _check_secret(call, registry, rule.credential_arn)
    return rule


def _check_secret(call: Call, registry: Registry, arn: str | None) -> None:
    """Where the server can read secrets, the secret must be there; else only its ARN is looked at."""
    if arn is None:
        return
    if not pull_through.is_secret_of(registry, arn):
        raise errors.unable_to_access_secret()
    settings = call.emulator.settings
    if settings.secrets_file or settings.secrets_endpoint:
        from ecr_emu.core import upstreams

        upstreams.check_secret(settings, registry, arn)


def _get(connection: Connection, registry: Registry, prefix: str) -> Document:
    document = documents.find(connection, registry, RULE, prefixes.key(prefix))
    if document is None:
        raise errors.pull_through_rule_not_found()
    return document


def _describe(registry: Registry, rule: Rule) -> dict[str, Any]:
    """What all answers about a rule have, but for that of an update."""
    return {
        "ecrRepositoryPrefix": rule.prefix,
        "registryId": registry.account,
        "upstreamRegistryUrl": rule.upstream_url,
        "credentialArn": rule.credential_arn,
        "customRoleArn": rule.role_arn,
        "upstreamRepositoryPrefix": rule.upstream_prefix,
    }


def _describe_document(registry: Registry, document: Document) -> Answer:
    """The PullThroughCacheRule shape."""
    rule = pull_through.read(document.body)
    return {
        **_describe(registry, rule),
        "upstreamRegistry": rule.upstream_registry,
        "createdAt": document.created_at,
        "updatedAt": document.updated_at,
    }
