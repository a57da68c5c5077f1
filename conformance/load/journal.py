"""What was asked and answered, and what the server has acknowledged."""

import random
import time
from collections import Counter
from dataclasses import dataclass, field

CALM, LOCKED, CLOCK, FULL, RESTART = "calm", "database locked", "clock moved", "disk full", "restart"
# So long after a trouble its traces may still show: requests that waited, clients that rested.
GRACE_SECONDS = 15.0
MAX_PROBLEMS = 50

# In which trouble an answer of 503 is right, and in which a connection may break.
MAY_REFUSE = {LOCKED, FULL}
MAY_BREAK = {RESTART}


@dataclass(slots=True)
class Image:
    """An image that was acknowledged: its repository, tag, digest, and the digests of its blobs."""

    repository: str
    tag: str
    digest: str
    blobs: tuple[str, ...]


@dataclass(slots=True)
class Trouble:
    """One trouble: its name, when it began and ended (seconds since the start), and what was seen of it."""

    name: str
    began: float
    ended: float = -1.0
    note: str = ""


@dataclass(slots=True)
class Journal:
    """The record of one run. Durations are kept of clients that are not slow, while all is calm."""

    began: float = field(default_factory=time.monotonic)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    by_trouble: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0
    cuts: int = 0
    resumed: int = 0
    stares: int = 0
    sent_bytes: int = 0
    read_bytes: int = 0
    images: dict[tuple[str, str], Image] = field(default_factory=dict)
    order: list[tuple[str, str]] = field(default_factory=list)
    deleted: list[tuple[str, str]] = field(default_factory=list)

    def now(self) -> float:
        return time.monotonic() - self.began

    def phases(self, since: float) -> set[str]:
        """The troubles that touch the time from `since` on; CALM when there is none."""
        found = {one.name for one in self.troubles if one.ended < 0 or one.ended + GRACE_SECONDS >= since}
        return found or {CALM}

    def latest(self) -> str:
        """The trouble that began last: what is seen now is put down to it."""
        return self.troubles[-1].name if self.troubles else CALM

    def answered(self, kind: str, status: int, began: float, *, is_slow: bool) -> None:
        self.answers[kind, status] += 1
        phases = self.phases(began)
        if status == 503:
            self.by_trouble[self.latest(), "503"] += 1
            if not phases & MAY_REFUSE:
                self.problem(f"{kind}: 503 while {', '.join(sorted(phases))}")
        elif status >= 500:
            self.problem(f"{kind}: {status}")
        elif not is_slow and phases == {CALM}:
            self.seconds.setdefault(kind, []).append(self.now() - began)

    def lost(self, kind: str, began: float, why: str) -> None:
        phases = self.phases(began)
        self.by_trouble[self.latest(), "connection lost"] += 1
        if not phases & MAY_BREAK:
            self.problem(f"{kind}: connection lost while {', '.join(sorted(phases))} ({why})")

    def problem(self, text: str) -> None:
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(f"{self.now():.1f} s: {text}")

    def keep(self, image: Image) -> None:
        """An image was acknowledged."""
        key = (image.repository, image.tag)
        self.images[key] = image
        self.order.append(key)

    def forget(self, image: Image) -> None:
        """Its deletion is asked for: from now on either is right."""
        self.images.pop((image.repository, image.tag), None)

    def any_image(self, chance: random.Random) -> Image | None:
        """One that is there, the latest more often."""
        while self.order:
            place = max(chance.randrange(len(self.order)), chance.randrange(len(self.order)))
            image = self.images.get(self.order[place])
            if image is not None:
                return image
            self.order[place] = self.order[-1]
            self.order.pop()
        return None
