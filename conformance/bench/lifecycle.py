"""How long a lifecycle policy of 50 rules takes over ever more images, and how much memory."""

import math
import os
import statistics
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass

from ecr_emu.domain.lifecycle import DAY_SECONDS, Image, Rule, evaluate

RULES = 50
TAGS = 20
# Where the tags of so many images do not fit into half of the free memory.
FEWER_TAGS = 5
BYTES_PER_TAG = 80
FAMILIES = [f"{part}{number}-" for part in ("app", "web", "api", "job", "ui") for number in range(10)]
SECONDS_BETWEEN_PUSHES = 60
REPEATS = 3


@dataclass(frozen=True, slots=True)
class Scale:
    """One evaluation: the median of its times, and the peak of its memory with the decisions, per image."""

    images: int
    tags: int
    seconds: float
    bytes_per_image: float

    @property
    def work(self) -> float:
        """What the time is held against: n log n."""
        return self.images * math.log2(self.images)


def measure(count: int) -> Scale:
    """Evaluate the policy over `count` images, three times for the time and once for the memory."""
    tags = TAGS if count * TAGS * BYTES_PER_TAG < _free_bytes() / 2 else FEWER_TAGS
    images = [_image(number, tags) for number in range(count)]
    rules = [_rule(number, count) for number in range(RULES)]
    now = float(count * SECONDS_BETWEEN_PUSHES + DAY_SECONDS)
    seconds = statistics.median(_seconds(images, rules, now) for _ in range(REPEATS))
    tracemalloc.start()
    evaluate(images, rules, now)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return Scale(count, tags, seconds, peak_bytes / count)


def table(scales: Sequence[Scale]) -> str:
    """One line for each size. The last column is the time for a unit of n log n against the first line's."""
    first = scales[0]
    rows = [("images", "tags each", "seconds", "us/image", "bytes/image", "against n log n")]
    rows += [
        (
            f"{scale.images:,}",
            str(scale.tags),
            f"{scale.seconds:.3g}",
            f"{scale.seconds / scale.images * 1e6:.1f}",
            f"{scale.bytes_per_image:.0f}",
            f"{scale.seconds / scale.work / (first.seconds / first.work):.2f}",
        )
        for scale in scales
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([f"Lifecycle evaluation, {RULES} rules:", *lines])


def _seconds(images: Sequence[Image], rules: Sequence[Rule], now: float) -> float:
    began = time.perf_counter()
    evaluate(images, rules, now)
    return time.perf_counter() - began


def _free_bytes() -> int:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _image(number: int, tags: int) -> Image:
    """Every tenth image is an index of the two before it, every twentieth refers to one of these."""
    pushed_at = float(number * SECONDS_BETWEEN_PUSHES)
    return Image(
        digest=_digest(number),
        tags=tuple(f"{FAMILIES[(number + 7 * tag) % len(FAMILIES)]}{number}.{tag}" for tag in range(tags)),
        pushed_at=pushed_at,
        sequence=number,
        pulled_at=pushed_at + DAY_SECONDS if number % 3 else None,
        subject_digest=_digest(number - 10) if number % 20 == 19 else None,
        children=(_digest(number - 1), _digest(number - 2)) if number % 10 == 9 else (),
    )


def _digest(number: int) -> str:
    return f"sha256:{number:064x}"


def _rule(number: int, images: int) -> Rule:
    """Five kinds of tagged rules in turn, then one for untagged images and one for all."""
    family, other = FAMILIES[number], FAMILIES[(number + 7) % len(FAMILIES)]
    if number == RULES - 1:
        return Rule(number + 1, "any", "imageCountMoreThan", images // 2)
    if number == RULES - 2:
        return Rule(number + 1, "untagged", "sinceImagePushed", 3)
    kinds = [
        Rule(number + 1, "tagged", "imageCountMoreThan", images // 100, tag_prefixes=(family,)),
        Rule(number + 1, "tagged", "sinceImagePushed", 3 + number, tag_patterns=(f"*-{number}*",)),
        Rule(
            number + 1, "tagged", "imageCountMoreThan", 50, tag_patterns=(f"{family}*", f"*.{number % TAGS}")
        ),
        Rule(
            number + 1, "tagged", "sinceImagePulled", 30, "TRANSITION", tag_patterns=(f"{family}*{number}.*",)
        ),
        Rule(number + 1, "tagged", "imageCountMoreThan", 5, tag_prefixes=(family, other)),
    ]
    return kinds[number % len(kinds)]
