"""The scoreboard of a run, as a table or as JSON."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from conformance.parity.cases import EVIDENCE
from conformance.parity.play import Outcome


def table(outcomes: Sequence[Outcome]) -> str:
    """A line for each operation, the sum, and below it each failure."""
    by_operation: dict[str, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.case.operation):
        by_operation.setdefault(outcome.case.operation, []).append(outcome)
    rows = [("operation", "cases", "passed", *EVIDENCE)]
    rows += [(operation, *_numbers(part)) for operation, part in by_operation.items()]
    rows.append(("all", *_numbers(outcomes)))
    width = max(len(row[0]) for row in rows)
    lines = ["  ".join([f"{first:<{width}}", *(f"{cell:>10}" for cell in rest)]) for first, *rest in rows]
    for outcome in outcomes:
        if outcome.problems:
            lines += ["", f"FAILED {describe(outcome)}"]
    if skipped := [outcome for outcome in outcomes if outcome.skipped]:
        lines += ["", f"skipped: {len(skipped)} ({skipped[0].skipped})"]
    return "\n".join(lines)


def describe(outcome: Outcome) -> str:
    """A failed case: where it stands, on what evidence, and what differs."""
    case = outcome.case
    head = f"{case.operation}: {case.name} ({case.file}; {case.evidence}, {case.document['source']})"
    return "\n".join([head, *(f"    {problem}" for problem in outcome.problems)])


def as_json(outcomes: Sequence[Outcome]) -> str:
    return json.dumps([_as_document(outcome) for outcome in outcomes], indent=2)


def _as_document(outcome: Outcome) -> dict[str, Any]:
    case = outcome.case
    result = "failed" if outcome.problems else "skipped" if outcome.skipped else "passed"
    return {
        "operation": case.operation,
        "name": case.name,
        "file": case.file,
        "evidence": case.evidence,
        "source": case.document["source"],
        "result": result,
        "problems": list(outcome.problems),
    }


def _numbers(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """How many cases, how many passed, and both of each kind of evidence."""
    kinds = ([outcome for outcome in outcomes if outcome.case.evidence == kind] for kind in EVIDENCE)
    counts = (f"{_passed(part)}/{len(part)}" if part else "-" for part in kinds)
    return (str(len(outcomes)), str(_passed(outcomes)), *counts)


def _passed(outcomes: Iterable[Outcome]) -> int:
    return sum(not outcome.problems and not outcome.skipped for outcome in outcomes)
