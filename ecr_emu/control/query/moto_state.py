"""moto's objects of one account as bytes, and back.

They are pickled, because moto has no other form of them; reading makes objects of moto's own classes for IAM
and of a few plain ones, and of nothing else that a file could name. The policies that AWS manages are left
out: moto has them, and they are the same for every account.
"""

import io
import json
import pickle
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend

# Of a state: what moto makes anew.
_LEFT_OUT = ("policy_arn_regex", "account_summary", "aws_managed_policies")
_MODULES = ("moto.iam.models", "moto.utilities.tagging_service")
_PLAIN = {("datetime", "datetime"), ("datetime", "timezone"), ("datetime", "timedelta")}
_PLAIN |= {("collections", "OrderedDict")}
# moto's word for the only partition that there is here.
PARTITION = "aws"


class Unreadable(ValueError):
    """Bytes of another version of moto, or of nobody."""


def empty(account: str) -> IAMBackend:
    """What moto knows of an account that nobody has changed."""
    return _complete(IAMBackend(PARTITION, account), {})


def dump(backend: IAMBackend) -> bytes:
    """The state of an account as bytes."""
    state = {name: value for name, value in vars(backend).items() if name not in _LEFT_OUT}
    own = {
        arn: policy
        for arn, policy in backend.managed_policies.items()
        if not isinstance(policy, AWSManagedPolicy)
    }
    buffer = io.BytesIO()
    _Writer(buffer, protocol=5).dump({**state, "managed_policies": own})
    return buffer.getvalue()


def load(content: bytes, account: str) -> IAMBackend:
    """The state of an account. Raises Unreadable."""
    try:
        state = _Reader(io.BytesIO(content)).load()
        return _complete(IAMBackend(PARTITION, account), state)
    except Exception as problem:  # noqa: BLE001 - a pickle can fail in any way
        raise Unreadable(str(problem)) from None


@lru_cache(maxsize=1)
def catalogue() -> Mapping[str, AWSManagedPolicy]:
    """The policies that AWS manages, by ARN: some 1,600, read once in 60 ms."""
    documents = json.loads(aws_managed_policies_data)
    made = [
        AWSManagedPolicy.from_data(name, "aws", PARTITION, document) for name, document in documents.items()
    ]
    return {policy.arn: policy for policy in made}


class _Writer(pickle.Pickler):
    def persistent_id(self, value: Any) -> str | None:
        return value.arn if isinstance(value, AWSManagedPolicy) else None


class _Reader(pickle.Unpickler):
    def persistent_load(self, arn: Any) -> AWSManagedPolicy:
        return catalogue()[arn]

    def find_class(self, module: str, name: str) -> Any:
        if module in _MODULES or (module, name) in _PLAIN:
            found = super().find_class(module, name)
            if isinstance(found, type) and "." not in name and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"no state has a {module}.{name}")


def _complete(backend: IAMBackend, state: Mapping[str, Any]) -> IAMBackend:
    """A state with what was left out. The shared policies count the attachments of this account."""
    vars(backend).update(state)
    shared = catalogue()
    backend.aws_managed_policies = list(shared.values())
    backend.managed_policies = {**shared, **backend.managed_policies}
    for policy in shared.values():
        policy.attachment_count = 0
    holders: list[Any] = [*backend.users.values(), *backend.groups.values(), *backend.roles.values()]
    for holder in holders:
        for arn in holder.managed_policies:
            if arn in shared:
                shared[arn].attachment_count += 1
    return backend
