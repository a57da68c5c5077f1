"""Patterns in policies: * is any run of characters, ? is one, ${key} is a value of the request.

IAM user guide, Variables and tags. Policies come from strangers, so a match must not take long: every part
between two stars is taken at its earliest place, and no character of the text is looked at twice.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import groupby

from ecr_emu.domain.iam.requests import Request

# Stops at every brace, so that "${${${…" is read once.
_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_SPECIAL = {"*": "*", "?": "?", "$": "$"}


class Wild(Enum):
    RUN = "*"
    ONE = "?"


@dataclass(frozen=True, slots=True)
class Variable:
    key: str
    default: str | None


Piece = str | Wild | Variable
Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """What stands between two stars: pieces of text, where they begin, and how wide all is.

    If there is a ?, `masks` has a bit for each place where a character fits, and `any_mask` for each ?.
    """

    texts: tuple[tuple[int, str], ...]
    width: int
    masks: dict[str, int] | None
    any_mask: int


@dataclass(frozen=True, slots=True)
class Glob:
    """Parts between stars; without a star there is only the first. The width is that of all parts."""

    first: _Part
    middle: tuple[_Part, ...]
    last: _Part | None
    width: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern as written; its glob is ready unless a variable has to be filled in first."""

    pieces: Pieces
    glob: Glob | None

    def matches(self, text: str, request: Request) -> bool | None:
        """True when all of the text fits; None when a variable has no value."""
        if self.glob is not None:
            return glob_matches(self.glob, text)
        filled = fill(self.pieces, request)
        return None if filled is None else glob_matches(_glob(filled), text)


def pattern(text: str, *, variables: bool) -> Pattern:
    return from_pieces(read(text, variables=variables))


def from_pieces(pieces: Pieces) -> Pattern:
    return Pattern(pieces, None if has_variable(pieces) else _glob(pieces))


def has_variable(pieces: Pieces) -> bool:
    return any(isinstance(piece, Variable) for piece in pieces)


def read(text: str, *, variables: bool, wildcards: bool = True) -> Pieces:
    """The pieces of a pattern. Policies of version 2008-10-17 have no variables: ${ is text there."""
    pieces: list[Piece] = []
    position = 0
    for found in _VARIABLE.finditer(text) if variables else ():
        pieces += _plain(text[position : found.start()], wildcards)
        pieces.append(_variable(found[1]))
        position = found.end()
    return (*pieces, *_plain(text[position:], wildcards))


def fill(pieces: Pieces, request: Request) -> Pieces | None:
    """The pieces with values for their variables, or None when one has neither a value nor a default.

    Only a key with one value can be a variable. A * in a value is a star and no wildcard.
    """
    filled: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, Variable):
            values = request.values_of(piece.key)
            value = values[0] if len(values) == 1 else piece.default
            if value is None:
                return None
            filled.append(value)
        else:
            filled.append(piece)
    return tuple(filled)


def fill_text(pieces: Pieces, request: Request) -> str | None:
    """The text of pieces that were read without wildcards."""
    filled = fill(pieces, request)
    return None if filled is None else "".join(str(piece) for piece in filled)


def split(pieces: Pieces, separator: str, times: int) -> list[Pieces]:
    """Cut at the separators that were written, not at those in names or values of variables."""
    sections: list[list[Piece]] = [[]]
    for piece in pieces:
        if not isinstance(piece, str):
            sections[-1].append(piece)
            continue
        first, *others = piece.split(separator, times - len(sections) + 1)
        sections[-1].append(first)
        sections += [[other] for other in others]
    return [tuple(section) for section in sections]


def glob_matches(glob: Glob, text: str) -> bool:
    """True when all of the text fits."""
    if len(text) < glob.width or not _fits(glob.first, text, 0):
        return False
    if glob.last is None:
        return len(text) == glob.width
    end = len(text) - glob.last.width
    if not _fits(glob.last, text, end):
        return False
    position = glob.first.width
    for part in glob.middle:
        position = _find(part, text, position, end)
        if position < 0:
            return False
        position += part.width
    return True


def _fits(part: _Part, text: str, at: int) -> bool:
    for offset, piece in part.texts:  # noqa: SIM110 - three times as quick as all()
        if not text.startswith(piece, at + offset):
            return False
    return True


def _find(part: _Part, text: str, start: int, end: int) -> int:
    """The earliest place from `start` where the part fits before `end`, or -1.

    With a ? inside: the shift-and algorithm. Bit i of `begun` says that the last i + 1 characters fit so far.
    """
    if part.masks is None:
        return text.find(part.texts[0][1], start, end)
    begun, complete = 0, 1 << (part.width - 1)
    for position in range(start, end):
        begun = (begun << 1 | 1) & part.masks.get(text[position], part.any_mask)
        if begun & complete:
            return position - part.width + 1
    return -1


def _variable(inside: str) -> Piece:
    if inside in _SPECIAL:
        return _SPECIAL[inside]
    key, _, default = inside.partition(",")
    default = default.strip()
    if len(default) >= 2 and default[0] == default[-1] == "'":
        return Variable(key.strip().lower(), default[1:-1])
    return Variable(inside.strip().lower(), None)


def _plain(text: str, wildcards: bool) -> Iterator[Piece]:
    if not wildcards:
        if text:
            yield text
        return
    for special, characters in groupby(text, lambda character: character in "*?"):
        if special:
            yield from map(Wild, characters)
        else:
            yield "".join(characters)


def _glob(pieces: Pieces) -> Glob:
    parts: list[_Part] = []
    texts: list[tuple[int, str]] = []
    width = 0
    for piece in (*pieces, Wild.RUN):
        if piece is Wild.RUN:
            parts.append(_part(tuple(texts), width))
            texts, width = [], 0
        elif piece is Wild.ONE:
            width += 1
        else:
            texts.append((width, str(piece)))
            width += len(str(piece))
    first, *others = parts
    last = others.pop() if others else None
    # Two stars beside each other are one.
    middle = tuple(part for part in others if part.width)
    return Glob(first, middle, last, sum(part.width for part in parts))


def _part(texts: tuple[tuple[int, str], ...], width: int) -> _Part:
    if width == sum(len(text) for _, text in texts):
        return _Part(((0, "".join(text for _, text in texts)),), width, None, 0)
    places = {offset + at: character for offset, text in texts for at, character in enumerate(text)}
    any_mask = sum(1 << place for place in range(width) if place not in places)
    masks: dict[str, int] = {}
    for place, character in places.items():
        masks[character] = masks.get(character, any_mask) | 1 << place
    return _Part(texts, width, masks, any_mask)
