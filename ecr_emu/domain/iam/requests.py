"""What is asked: a principal, an action, a resource, and the context that conditions and variables read."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

Values = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    `arn` is what AWS names in its answers; of a service it is the service's name (codebuild.amazonaws.com).
    A session's ARN has neither the path of its role nor the user behind it: give `role_arn` or `user_arn`.
    `unique_id` is the AIDA… of a user or the AROA… of a role, which policies name when the ARN is gone.
    """

    arn: str
    account: str
    kind: str  # root, user, assumed-role, federated-user, service or anonymous
    role_arn: str = ""
    user_arn: str = ""
    unique_id: str = ""

    @property
    def name(self) -> str:
        """The last part of the ARN: a user's name, or a session's."""
        return self.arn.rpartition("/")[2]

    @property
    def identity_arn(self) -> str:
        """The ARN of what holds the policies: a session's role, the user who federated, or the principal."""
        if self.kind == "assumed-role":
            return self.role_arn or _role_of(self.arn)
        return self.user_arn if self.kind == "federated-user" else self.arn


class Late(Mapping[str, Values]):
    """A context that is put together when somebody looks into it: most policies do not."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Mapping[str, Values]]) -> None:
        self._make = make
        self._made: Mapping[str, Values] | None = None

    def __getitem__(self, key: str) -> Values:
        return self._whole()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole())

    def __len__(self) -> int:
        return len(self._whole())

    def _whole(self) -> Mapping[str, Values]:
        if self._made is None:
            self._made = self._make()
        return self._made


@dataclass(frozen=True, slots=True)
class Request:
    """One action on one resource. Keys of the context are in lower case; a key without values is absent."""

    principal: Principal
    action: str
    resource: str
    resource_account: str
    context: Mapping[str, Values]

    def values_of(self, key: str) -> Values:
        """What the request says of a condition key, given in lower case; () when it says nothing."""
        found = self.context.get(key)
        if found is None:
            derive = _DERIVED.get(key)
            return derive(self) if derive else ()
        return found


def _role_of(session_arn: str) -> str:
    """arn:aws:sts::1:assumed-role/R/S is a session of arn:aws:iam::1:role/R, if the role has no path."""
    head, _, rest = session_arn.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:', 1)}:role/{rest.partition('/')[0]}"


def _present(value: str) -> Values:
    return (value,) if value else ()


def _principal_arn(request: Request) -> Values:
    """IAM user guide, Global condition keys: of a session, the ARN of its role; of a service, nothing."""
    principal = request.principal
    if principal.kind in ("service", "anonymous"):
        return ()
    return _present(principal.identity_arn if principal.kind == "assumed-role" else principal.arn)


def _principal_account(request: Request) -> Values:
    return () if request.principal.kind == "service" else _present(request.principal.account)


def _user_name(request: Request) -> Values:
    return (request.principal.name,) if request.principal.kind == "user" else ()


def _user_id(request: Request) -> Values:
    """IAM user guide, Variables and tags, Principal key values."""
    principal = request.principal
    match principal.kind:
        case "root":
            return (principal.account,)
        case "federated-user":
            return (f"{principal.account}:{principal.name}",)
        case "assumed-role" if principal.unique_id:
            return (f"{principal.unique_id}:{principal.name}",)
        case "user":
            return _present(principal.unique_id)
    return ()


_TYPES = {
    "root": "Account",
    "user": "User",
    "federated-user": "FederatedUser",
    "assumed-role": "AssumedRole",
    "anonymous": "Anonymous",
}


def _service_name(request: Request) -> Values:
    return (request.principal.arn,) if request.principal.kind == "service" else ()


# IAM user guide, AWS global condition context keys: what the principal alone decides.
_DERIVED: dict[str, Callable[[Request], Values]] = {
    "aws:principalarn": _principal_arn,
    "aws:principalaccount": _principal_account,
    "aws:username": _user_name,
    "aws:userid": _user_id,
    "aws:principaltype": lambda request: _present(_TYPES.get(request.principal.kind, "")),
    "aws:principalisawsservice": lambda request: (str(request.principal.kind == "service").lower(),),
    "aws:principalservicename": _service_name,
    "aws:resourceaccount": lambda request: _present(request.resource_account),
}
