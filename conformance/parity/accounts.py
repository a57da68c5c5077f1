"""Whose accounts the cases are played in."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import botocore.session
from botocore.credentials import Credentials

from conformance.parity.endpoint import Caller, Endpoint

DEFAULT_REGION = "us-east-1"


class NoOtherAccount(Exception):
    """The case needs a second account."""


class NoAccounts(Exception):
    """The accounts that are asked for are not to be had; the argument says what to do."""


class Accounts(Protocol):
    """Gives each case a caller. Fresh accounts hold nothing, so nothing need be cleaned up in them."""

    are_fresh: bool

    def next(self) -> Caller: ...

    def other(self, caller: Caller) -> Caller: ...


def _caller(account: str, region: str) -> Caller:
    """An emulator takes an access key of 12 digits for the account."""
    return Caller(account, region, Credentials(account, "secret"))


def _numbers() -> Iterator[int]:
    """Account numbers that an endpoint which keeps its state has not seen: they begin with the time."""
    return itertools.count(int(time.time()) % 10**7 * 10**5)


def _account_of(endpoint: Endpoint, caller: Caller) -> str:
    """The account that an endpoint takes a caller for."""
    reply = endpoint.call(caller, "DescribeRegistry", {})
    if reply.status != 200 or not isinstance(reply.content, dict) or "registryId" not in reply.content:
        raise NoAccounts(f"DescribeRegistry answered {reply.status}, so whose account is asked is not known")
    return str(reply.content["registryId"])


@dataclass
class FreshAccounts:
    """An account for each case."""

    region: str = DEFAULT_REGION
    are_fresh: bool = True
    _next: Iterator[int] = field(default_factory=_numbers)

    def check(self, endpoint: Endpoint) -> None:
        """NoAccounts if all access keys are one account there: the cases would meet."""
        caller = self.next()
        if _account_of(endpoint, caller) != caller.account:
            raise NoAccounts("the endpoint does not take the access key for the account: use --account fixed")

    def next(self) -> Caller:
        return _caller(f"{next(self._next):012d}", self.region)

    def other(self, caller: Caller) -> Caller:
        """A second account, the same one each time that a case asks."""
        return _caller(str(10**12 - 1 - int(caller.account)), caller.region)


class FixedAccount:
    """The one account of the environment's credentials, for an endpoint that checks them."""

    are_fresh = False

    def __init__(self, endpoint: Endpoint) -> None:
        session = botocore.session.get_session()
        credentials = session.get_credentials()
        if credentials is None:
            raise NoAccounts("no credentials in the environment")
        region = session.get_config_variable("region") or DEFAULT_REGION
        account = _account_of(endpoint, Caller("", region, credentials))
        self._caller = Caller(account, region, credentials)

    def next(self) -> Caller:
        return self._caller

    def other(self, caller: Caller) -> Caller:
        raise NoOtherAccount("it needs a second account")
