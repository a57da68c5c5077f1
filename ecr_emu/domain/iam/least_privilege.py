"""The smallest identity policy that allows what was done."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any


def policy(uses: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """A policy that allows these pairs of action and resource, and no others.

    Resources that need the same actions share a statement. Raises ValueError when there is nothing to allow.
    """
    actions: defaultdict[str, set[str]] = defaultdict(set)
    for action, resource in uses:
        actions[resource].add(action)
    if not actions:
        raise ValueError("nothing was done")
    resources: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for resource in sorted(actions):
        resources[tuple(sorted(actions[resource]))].append(resource)
    statements = [
        {"Sid": f"Statement{number}", "Effect": "Allow", "Action": list(together), "Resource": of_them}
        for number, (together, of_them) in enumerate(sorted(resources.items()), 1)
    ]
    return {"Version": "2012-10-17", "Statement": statements}
