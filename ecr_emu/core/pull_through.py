"""Pull through cache rules: which of them means a repository. What they do is in core/imports.py."""

from ecr_emu import access
from ecr_emu.context import Call
from ecr_emu.domain import prefixes, pull_through
from ecr_emu.domain.pull_through import Rule
from ecr_emu.domain.registries import Registry
from ecr_emu.store import documents, repositories
from ecr_emu.waiting import may_wait

# Documents of a registry: its rules, by prefix.
RULE = "pull-through-cache-rule"


def find_rule(call: Call, registry: Registry, name: str) -> Rule | None:
    """The rule with the longest prefix that means a repository; ROOT means every one (order inferred)."""
    rules = call.store.recall(
        (registry, RULE),
        lambda connection: {
            document.key: pull_through.read(document.body)
            for document in documents.page(connection, registry, RULE, "", documents.ALL)
        },
    )
    if not rules:
        return None
    found = next((rules[key] for key in prefixes.of_name(name) if key in rules), None)
    if found is not None:
        # For the upstream, sooner or later.
        may_wait()
    return found


def may_import(call: Call, registry: Registry, name: str) -> bool:
    """Whether the caller may have something brought in (reference, data plane 6.3).

    A caller who may not finds what is cached, and no more.
    """
    if not access.allows(call, "ecr:BatchImportUpstreamImage", registry, name):
        return False
    with call.store.read() as connection:
        is_there = repositories.find(connection, registry, name) is not None
    return is_there or access.allows(call, "ecr:CreateRepository", registry, name)
