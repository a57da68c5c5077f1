"""Whether the actions, resources and principals of a statement are those of a request."""

import re
from dataclasses import dataclass
from enum import IntEnum

from ecr_emu.domain.iam.patterns import Pattern, pattern
from ecr_emu.domain.iam.requests import Principal, Request

_ACCOUNT = re.compile(r"(?:arn:[^:]+:iam::)?(\d{12})(?::root)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Case:
    """A request as statements see it: its action in lower case, and whether the principal has a boundary."""

    request: Request
    action: str
    bounded: bool


@dataclass(frozen=True, slots=True)
class Names:
    """Actions or resources of a statement; `negated` for NotAction and NotResource."""

    written: tuple[str, ...]
    negated: bool
    everything: bool
    exact: frozenset[str]
    patterns: tuple[Pattern, ...]

    def cover(self, text: str, request: Request) -> bool:
        """A variable without a value makes the statement invalid, also under Not… (Variables and tags)."""
        if self.everything or text in self.exact:
            return not self.negated
        unknown = False
        for each in self.patterns:
            found = each.matches(text, request)
            if found:
                return not self.negated
            unknown = unknown or found is None
        return self.negated and not unknown

    @property
    def have_variables(self) -> bool:
        return any(each.glob is None for each in self.patterns)


class Grant(IntEnum):
    """How a Principal element names the principal of a request; it decides what else has to allow."""

    NONE = 0
    ACCOUNT = 1  # its account, which has to pass the permission on
    IDENTITY = 2  # the role of the session, or the user who federated
    DIRECT = 3  # the principal itself, or everyone


@dataclass(frozen=True, slots=True)
class Principals:
    """A Principal element, or NotPrincipal when `negated`."""

    written: tuple[str, ...]
    negated: bool
    everyone: bool
    arns: frozenset[str]
    accounts: frozenset[str]
    services: frozenset[str]

    def grant(self, principal: Principal) -> Grant:
        """IAM user guide, JSON policy elements: Principal."""
        if self.everyone:
            return Grant.DIRECT
        if principal.kind in ("service", "anonymous"):
            return Grant.DIRECT if principal.arn in self.services else Grant.NONE
        if principal.arn in self.arns or (principal.kind == "user" and principal.unique_id in self.arns):
            return Grant.DIRECT
        if principal.identity_arn in self.arns or principal.unique_id in self.arns:
            return Grant.IDENTITY
        if principal.account in self.accounts:
            return Grant.DIRECT if principal.kind == "root" else Grant.ACCOUNT
        return Grant.NONE

    def admit(self, case: Case, *, denies: bool) -> Grant:
        """The grant of a statement with this element."""
        if not self.negated:
            return self.grant(case.request.principal)
        return Grant.DIRECT if self._leave_out(case, denies) else Grant.NONE

    def _leave_out(self, case: Case, denies: bool) -> bool:
        """True when NotPrincipal does not save the principal.

        IAM user guide, NotPrincipal: a Deny always hits a principal with a permissions boundary; naming the
        account saves its root only. That a session has to be named itself, not only its role, is inferred
        from examples. IAM has given up Allow; read as it was, it admits whom no name in the list covers.
        """
        grant = self.grant(case.request.principal)
        return case.bounded or grant < Grant.DIRECT if denies else grant is Grant.NONE


def names(written: tuple[str, ...], *, negated: bool, variables: bool = False) -> Names:
    compiled = {text: pattern(text, variables=variables) for text in written}
    plain = {text for text, each in compiled.items() if all(isinstance(piece, str) for piece in each.pieces)}
    return Names(
        written,
        negated,
        "*" in written,
        frozenset("".join(map(str, compiled[text].pieces)) for text in plain),
        tuple(each for text, each in compiled.items() if text not in plain),
    )


def principals(
    aws: tuple[str, ...], services: tuple[str, ...], others: tuple[str, ...], *, negated: bool
) -> Principals:
    """`others` are federated providers and canonical users, whom nobody here is."""
    accounts = {found[1] for name in aws if (found := _ACCOUNT.fullmatch(name))}
    arns = {name for name in aws if not _ACCOUNT.fullmatch(name)}
    return Principals(
        (*aws, *services, *others),
        negated,
        "*" in arns,
        frozenset(arns),
        frozenset(accounts),
        frozenset(services),
    )
