"""What the answers of a server promise, as one flat table of facts, compared with what is there.

A fact has a key and a value. Keys: ("repository", name), ("image", repository, digest), ("tag", repository,
tag), ("layer", repository, digest) and ("upload", repository, id). Each client has facts of its own, which
no other client changes, and does one thing at a time. What it does is a few changes that happen together: a
value for each key, None where the fact goes.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, ...]
Changes = dict[Key, Any]


class Unanswered(Exception):
    """The server went before it answered."""


@dataclass(slots=True)
class Ledger:
    """What one client was told. `pending` is what it asked for last, as long as there is no answer."""

    facts: dict[Key, Any] = field(default_factory=dict)
    pending: Changes | None = None
    pending_kind: str = ""
    acknowledged: Counter[str] = field(default_factory=Counter)
    uncertain: Counter[str] = field(default_factory=Counter)
    # Of those, what was seen afterwards; what leaves no fact is not counted.
    settled: Counter[str] = field(default_factory=Counter)
    # What went since the last look, to see that it stays away.
    gone: set[Key] = field(default_factory=set)

    @contextmanager
    def promise(self, kind: str, changes: Changes) -> Iterator[None]:
        """The changes hold when the block is left. If it raises Unanswered nobody knows, else they do not."""
        self.pending, self.pending_kind = changes, kind
        try:
            yield
        except Unanswered:
            self.uncertain[kind] += 1
            raise
        except BaseException:
            self.pending = None
            raise
        self.acknowledged[kind] += 1
        self.apply(changes)
        self.pending = None

    def apply(self, changes: Changes) -> None:
        for key, value in changes.items():
            if value is None:
                self.facts.pop(key, None)
                self.gone.add(key)
            else:
                if key[0] == "layer":
                    # To the end: facts are in the order in which they came, and a layer can come again.
                    self.facts.pop(key, None)
                self.facts[key] = value
                self.gone.discard(key)

    def of(self, kind: str, *scope: str) -> list[Key]:
        """The keys of a kind, of one repository if it is named."""
        size = len(scope) + 1
        return [key for key in self.facts if key[:size] == (kind, *scope)]

    def settle(self, seen: Mapping[Key, Any]) -> str:
        """Decide by what is there whether what was not acknowledged happened.

        What is wrong if it happened by half, else "".
        """
        changes, self.pending = self.pending, None
        if not changes:
            return ""
        if all(seen.get(key) == self.facts.get(key) for key in changes):
            self.settled["not done"] += 1
            return ""
        if all(seen.get(key) == value for key, value in changes.items()):
            self.apply(changes)
            self.settled["done"] += 1
            return ""
        found = {key: seen.get(key) for key in changes}
        before = {key: self.facts.get(key) for key in changes}
        return f"{self.pending_kind} happened by half: {found}, before {before}, wanted {changes}"


@dataclass(slots=True)
class Verdicts:
    """What was found wrong, by several threads."""

    found: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, problem: str) -> None:
        with self.lock:
            self.found.append(problem)


def compare(ledgers: list[Ledger], seen: Mapping[Key, Any]) -> list[str]:
    """What is wrong with what is there, after every ledger has settled what was not acknowledged."""
    problems = [problem for ledger in ledgers if (problem := ledger.settle(seen))]
    promised: dict[Key, Any] = {}
    for ledger in ledgers:
        promised.update(ledger.facts)
    for key in promised.keys() | seen.keys():
        wanted, found = promised.get(key), seen.get(key)
        if wanted == found:
            continue
        if found is None:
            problems.append(f"lost: {key} was {wanted!r}")
        elif wanted is None:
            was_there = any(key in ledger.gone for ledger in ledgers)
            problems.append(f"{'came back' if was_there else 'nobody asked for it'}: {key} is {found!r}")
        else:
            problems.append(f"wrong: {key} is {found!r}, and was acknowledged as {wanted!r}")
    for ledger in ledgers:
        ledger.gone.clear()
    return problems
