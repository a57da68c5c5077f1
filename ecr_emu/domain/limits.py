"""How many there may be of what, and how large: AWS's service quotas, and what a user sets instead."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit. `code` is its name in AWS Service Quotas; the service model allows no more than `most`."""

    name: str
    default: int
    help: str
    code: str | None = None
    most: int | None = None


# Amazon ECR service quotas; where the service model says another number, the model is newer.
LIMITS = (
    Limit("repositories", 100_000, "Repositories of a registry.", "L-CFEB8E8D"),
    Limit("images-per-repository", 100_000, "Images of a repository, archived ones too.", "L-03A36CE1"),
    Limit("tags-per-image", 1_000, "Tags of an image."),
    Limit("tags-per-resource", 50, "Resource tags of a repository or a template."),
    Limit("layer-parts", 4_200, "Parts of an UploadLayerPart upload."),
    Limit("minimum-layer-part-bytes", 5 * MEBIBYTE, "Size of each such part but the last."),
    Limit("maximum-layer-part-bytes", 20 * MEBIBYTE, "Size of such a part.", most=20 * MEBIBYTE),
    Limit("maximum-layer-bytes", 52_000 * MEBIBYTE, "Size of a layer, however it is pushed."),
    Limit("pull-through-cache-rules", 50, "Pull through cache rules of a registry."),
    Limit("pull-time-exclusions", 100, "Pull-time update exclusions of a registry."),
    Limit("replication-rules", 25, "Rules of a replication configuration.", most=25),
    Limit("filters-per-replication-rule", 100, "Repository filters of a replication rule.", most=100),
    Limit("replication-destinations", 25, "Different destinations of a replication configuration."),
    Limit("replication-backfills", 10, "Replication backfills in progress in a registry."),
    Limit(
        "basic-scans-per-day",
        100_000,
        "Basic scans of a registry in 24 hours, by the hour; those on push count, and are not refused.",
    ),
)
_BY_NAME = {limit.name: limit for limit in LIMITS}
_DEFAULTS = {limit.name: limit.default for limit in LIMITS}


class Limits(Mapping[str, int]):
    """The limits in force, by name: the defaults, but for those that were changed."""

    __slots__ = ("_values",)

    def __init__(self, changed: Iterable[tuple[str, int]] = ()) -> None:
        self._values = {**_DEFAULTS, **dict(changed)}

    def __getitem__(self, name: str) -> int:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def parse(text: str) -> tuple[tuple[str, int], ...]:
    """What `NAME=VALUE,NAME=VALUE` changes; of a name that is said twice the last one counts.

    Raises ValueError with one line that says what is wrong.
    """
    changed: dict[str, int] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (part.strip() for part in entry.partition("="))
        if not equals:
            raise ValueError(f"must be NAME=VALUE, and is '{entry}'")
        if name not in _BY_NAME:
            raise ValueError(f"knows no '{name}'; there are {', '.join(_BY_NAME)}")
        changed[name] = _number(_BY_NAME[name], value)
    return tuple(changed.items())


def _number(limit: Limit, value: str) -> int:
    # int() takes more: signs, underscores, digits of other alphabets.
    number = int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else 0
    if number < 1:
        raise ValueError(f"{limit.name} must be a whole number from 1 on, and is '{value}'")
    if limit.most is not None and number > limit.most:
        raise ValueError(f"{limit.name} can be {limit.most} at most, by AWS's service model, and is {number}")
    return number
