"""What `lifecycle explain` prints: rows for people, objects for scripts."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ecr_emu.cli import tables
from ecr_emu.domain import timestamps
from ecr_emu.domain.lifecycle import Decision, Image
from ecr_emu.domain.rehearsal import Change, Summary

# Of the images that stay, so many are shown unless all are asked for.
SHOWN_STAYING = 20
TAGS_WIDTH = 30

_ACTIONS = {"EXPIRE": "expire", "TRANSITION": "archive", None: "stay"}

Event = tuple[float, Decision]


def decisions_table(decisions: Sequence[Decision], *, shows_all: bool) -> str:
    """First what goes, then what stays, each oldest first."""
    going = [decision for decision in decisions if decision.action]
    staying = [decision for decision in decisions if not decision.action]
    shown = staying if shows_all else staying[:SHOWN_STAYING]
    rows = [(*_image(decision.image), *_fate(decision), decision.why) for decision in (*going, *shown)]
    text = tables.table(("IMAGE", "TAGS", "PUSHED", "SIZE", "ACTION", "RULE", "WHY"), rows)
    if len(shown) < len(staying):
        text += f"\n… and {len(staying) - len(shown):,} more stay (--all shows them)"
    return text


def changes_table(changes: Sequence[Change]) -> str:
    """What another policy does to whom."""
    rows = [
        (*_image(change.new.image), _by(change.old), _by(change.new), change.new.why) for change in changes
    ]
    return tables.table(("IMAGE", "TAGS", "PUSHED", "SIZE", "OLD", "NEW", "WHY"), rows)


def events_table(events: Sequence[Event]) -> str:
    """What goes when. TOTAL is what has expired until then."""
    rows = [
        (timestamps.text(at), *_image(decision.image), *_fate(decision), tables.size(total), decision.why)
        for at, decision, total in _totals(events)
    ]
    head = ("WHEN", "IMAGE", "TAGS", "PUSHED", "SIZE", "ACTION", "RULE", "TOTAL", "WHY")
    return tables.table(head, rows)


def summary_line(found: Summary) -> str:
    return (
        f"{found.expired:,} of {found.images:,} images expire ({tables.size(found.expired_bytes)}), "
        f"{found.archived:,} are archived ({tables.size(found.archived_bytes)}), "
        f"{found.stay:,} stay ({tables.size(found.stay_bytes)})"
    )


def promises_line(broken: Sequence[Decision]) -> str:
    """Which protected images would go: the first few of them."""
    named = [f"{_tags(decision.image)} ({_by(decision)})" for decision in broken[:3]]
    more = [f"{len(broken) - 3:,} more"] if len(broken) > 3 else []
    return f"protected images would go: {', '.join([*named, *more])}"


def decision_object(decision: Decision) -> dict[str, Any]:
    return {**_image_object(decision.image), **_fate_object(decision)}


def change_object(change: Change) -> dict[str, Any]:
    fates = {"old": _fate_object(change.old), "new": _fate_object(change.new)}
    return {**_image_object(change.new.image), **fates}


def event_objects(events: Sequence[Event]) -> list[dict[str, Any]]:
    return [
        {"at": timestamps.text(at), **decision_object(decision), "totalExpiredBytes": total}
        for at, decision, total in _totals(events)
    ]


def summary_object(found: Summary) -> dict[str, int]:
    return {
        "imageCount": found.images,
        "expiredCount": found.expired,
        "expiredBytes": found.expired_bytes,
        "archivedCount": found.archived,
        "archivedBytes": found.archived_bytes,
        "stayingCount": found.stay,
        "stayingBytes": found.stay_bytes,
    }


def _totals(events: Iterable[Event]) -> Iterator[tuple[float, Decision, int]]:
    total = 0
    for at, decision in events:
        total += decision.image.size_bytes if decision.action == "EXPIRE" else 0
        yield at, decision, total


def _image(image: Image) -> tuple[str, str, str, str]:
    digest = image.digest.partition(":")[2][:12]
    return digest, _tags(image), timestamps.text(image.pushed_at), tables.size(image.size_bytes)


def _tags(image: Image) -> str:
    """The tags that fit into a column, and how many more there are."""
    if not image.tags:
        return "-"
    text, *others = sorted(image.tags)
    text = text if len(text) <= TAGS_WIDTH else text[: TAGS_WIDTH - 1] + "…"
    while others and len(text) + 2 + len(others[0]) <= TAGS_WIDTH:
        text += f", {others.pop(0)}"
    return f"{text} +{len(others)}" if others else text


def _fate(decision: Decision) -> tuple[str, str]:
    return _ACTIONS[decision.action], str(decision.rule.priority) if decision.rule else "-"


def _by(decision: Decision) -> str:
    """What happens, and by which rule."""
    action, rule = _fate(decision)
    return f"{action}, rule {rule}" if decision.action else action


def _image_object(image: Image) -> dict[str, Any]:
    return {
        "imageDigest": image.digest,
        "imageTags": sorted(image.tags),
        "imagePushedAt": timestamps.text(image.pushed_at),
        "imageSizeInBytes": image.size_bytes,
    }


def _fate_object(decision: Decision) -> dict[str, Any]:
    return {
        "action": decision.action,
        "rulePriority": decision.rule.priority if decision.rule else None,
        "reasonCode": decision.code,
        "reason": decision.why,
    }
