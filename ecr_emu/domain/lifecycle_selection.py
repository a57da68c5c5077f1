"""Which images the tags of lifecycle rules select (Amazon ECR user guide, Lifecycle policy properties).

Fast, because a policy of 50 rules may look at a hundred thousand images of twenty tags: the tags of an image
are joined to one text with a line for each, and most entries become one search for a part of that text. All
rules look at a block of images before the next is made, so that its texts stay in the processor's cache.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from ecr_emu.domain.lifecycle_rules import Image, Rule

_BLOCK = 2_000
# No tag holds a line end or is empty, so this is in no text.
_NOWHERE = "\n\n"


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of a list: parts that the text must hold, and where they must stand, if that matters."""

    parts: tuple[str, ...]
    shape: re.Pattern[str] | None = None


def select(
    images: Sequence[Image], visible: Mapping[str, list[int]], rules: Sequence[Rule]
) -> list[list[int]]:
    """For each rule the places of the images that its tags match, in the order of `visible`.

    `visible` holds the places of the images that the rules of a storage class see.
    """
    found: list[list[int]] = [visible[rule.storage_class] if _is_any(rule) else [] for rule in rules]
    for storage_class, places in visible.items():
        wanted = [
            (hits, _entries(rule))
            for hits, rule in zip(found, rules, strict=True)
            if rule.storage_class == storage_class and not _is_any(rule)
        ]
        uses = Counter(chain.from_iterable(entries for _, entries in wanted))
        shared = {entry for entry, count in uses.items() if count > 1}
        for block in _blocks(places if wanted else []):
            tags = _Tags([images[place].tags for place in block], shared)
            for hits, entries in wanted:
                hits += [block[number] for number in tags.matching(entries)]
    return found


def _is_any(rule: Rule) -> bool:
    return rule.tag_status == "any"


def _blocks(places: Sequence[int]) -> Iterator[Sequence[int]]:
    return (places[start : start + _BLOCK] for start in range(0, len(places), _BLOCK))


class _Tags:
    """The tags of a block of images, which are known by their numbers in it."""

    def __init__(self, tags: Iterable[Sequence[str]], shared: set[_Entry]) -> None:
        self._texts = [_text(of_image) for of_image in tags]
        self._shared = shared
        self._found: dict[_Entry, Sequence[int]] = {}

    def matching(self, entries: Sequence[_Entry]) -> Sequence[int]:
        """The images that all entries match; without entries, those that have no tags."""
        if not entries:
            return [number for number, text in enumerate(self._texts) if not text]
        # What another rule looks for too comes first, where all images are searched.
        first, *others = sorted(entries, key=lambda entry: entry not in self._shared)
        numbers = self._all_matching(first)
        for entry in others:
            numbers = self._narrow(numbers, entry)
        return numbers

    def _all_matching(self, entry: _Entry) -> Sequence[int]:
        """What an entry matches; remembered if another rule will ask."""
        if entry not in self._shared:
            return self._narrow(range(len(self._texts)), entry)
        if entry not in self._found:
            self._found[entry] = self._narrow(range(len(self._texts)), entry)
        return self._found[entry]

    def _narrow(self, numbers: Sequence[int], entry: _Entry) -> Sequence[int]:
        texts = self._texts
        for part in entry.parts:
            numbers = [number for number in numbers if part in texts[number]]
        if entry.shape:
            search = entry.shape.search
            numbers = [number for number in numbers if search(texts[number])]
        return numbers


def _text(tags: Sequence[str]) -> str:
    return "\n" + "\n".join(tags) + "\n" if tags else ""


def _entries(rule: Rule) -> tuple[_Entry, ...]:
    """What the tags of an image must match, equal entries once; nothing for untagged images."""
    entries = chain(map(_of_prefix, rule.tag_prefixes), map(_of_pattern, rule.tag_patterns))
    return tuple(dict.fromkeys(entries))


def _of_prefix(prefix: str) -> _Entry:
    return _Entry((_NOWHERE if "\n" in prefix else f"\n{prefix}",))


def _of_pattern(pattern: str) -> _Entry:
    if "\n" in pattern:
        return _Entry((_NOWHERE,))
    pieces = re.split(r"\*+", f"\n{pattern}\n")
    # The longest first: it is the rarest.
    parts = sorted((piece for piece in pieces if piece != "\n"), key=len, reverse=True) or ["\n"]
    return _Entry(tuple(parts), _shape(pieces) if len(parts) > 1 else None)


def _shape(pieces: Sequence[str]) -> re.Pattern[str]:
    """A regular expression for the pieces in their order, all in one line.

    Each piece is taken at its earliest place for good, which is as right as any other place and never slow.
    """
    first, *middle, last = map(re.escape, pieces)
    return re.compile("".join([first, *(rf"(?>[^\n]*?{piece})" for piece in middle), rf"[^\n]*{last}"]))
