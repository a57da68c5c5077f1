"""What was decided about who may do what: the last decisions whole; of all of them, who did what."""

import itertools
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecr_emu.waiting import once

if TYPE_CHECKING:
    from ecr_emu.domain.iam.evaluation import Decision
    from ecr_emu.domain.iam.requests import Request

# How many decisions are remembered whole, and how many different uses.
WHOLE = 1000
USES = 100_000


@dataclass(frozen=True, slots=True)
class Record:
    """One decision, with all that it was made of. `policies` are the arguments of `evaluate`."""

    request_id: str
    at: float
    request: "Request"
    policies: Mapping[str, Any]
    decision: "Decision"


@dataclass(frozen=True, slots=True)
class Use:
    """That a principal did something, or was refused it. `identity` is the role of a session."""

    principal: str
    identity: str
    action: str
    resource: str
    allowed: bool


class Decisions:
    """The memory of one emulator. Decisions are numbered from 1; the number of the last one is a mark."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._whole: deque[Record] = deque(maxlen=WHOLE)
        self._uses: dict[tuple[Any, ...], int] = {}
        self.mark = 0
        # Of the uses up to this number some are forgotten.
        self.forgotten = 0

    def append(self, record: Record) -> None:
        once(lambda: self._append(record))

    def _append(self, record: Record) -> None:
        # Each step is atomic, so that no request waits for another one here.
        self._whole.append(record)
        asked = record.request
        principal = asked.principal
        use = (principal, asked.action, asked.resource, record.decision.allowed)
        number = next(self._numbers)
        # The last used come last.
        self._uses.pop(use, None)
        self._uses[use] = number
        self.mark = number
        if len(self._uses) > USES:
            self._forget_oldest()

    def last(self, count: int) -> list[Record]:
        """The newest first."""
        return list(self._whole)[::-1][:count]

    def of_request(self, request_id: str) -> list[Record]:
        return [record for record in list(self._whole) if record.request_id == request_id]

    def uses_since(self, mark: int) -> list[Use]:
        """What was done, or refused, after the decision with this number."""
        found = [use for use, number in list(self._uses.items()) if number > mark]
        return [Use(principal.arn, principal.identity_arn, *what) for principal, *what in found]

    def _forget_oldest(self) -> None:
        try:
            oldest = next(iter(self._uses))
            self.forgotten = max(self.forgotten, self._uses.pop(oldest, 0))
        except (StopIteration, RuntimeError):
            # Another thread was at it; the next decision comes here again.
            return
