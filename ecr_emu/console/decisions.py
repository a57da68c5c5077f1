"""/_emu/decisions: who was allowed what lately, and why."""

from dataclasses import asdict
from typing import Any

from flask import Flask, abort, jsonify, request
from flask.typing import ResponseReturnValue

from ecr_emu.console.admin import Admin, refuse
from ecr_emu.decisions import Record
from ecr_emu.domain import timestamps
from ecr_emu.domain.iam.explanation import Considered, explain

DEFAULT_LIMIT = 100


def add(pages: Flask, admin: Admin) -> None:
    decisions = admin.emulator.decisions

    @pages.get("/_emu/decisions")
    def list_decisions() -> ResponseReturnValue:
        # Before the list: what is done meanwhile is then in both, not in neither.
        mark = decisions.mark
        newest = decisions.last(_number("limit", DEFAULT_LIMIT))
        return jsonify(mark=mark, decisions=[_describe(record) for record in newest])

    @pages.get("/_emu/decisions/<request_id>")
    def explain_request(request_id: str) -> ResponseReturnValue:
        found = decisions.of_request(request_id)
        if not found:
            abort(
                404, f"nothing is known of the request {request_id}; the last decisions are remembered only"
            )
        return jsonify(decisions=[_explain(record) for record in found])

    @pages.get("/_emu/uses")
    def list_uses() -> ResponseReturnValue:
        since = _number("since", 0)
        answer = {"mark": decisions.mark, "isComplete": since >= decisions.forgotten}
        return jsonify(**answer, uses=[asdict(use) for use in decisions.uses_since(since)])


def _number(name: str, default: int) -> int:
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdecimal()):
        refuse(f"{name} is a number")
    return int(text[:15])


def _describe(record: Record) -> dict[str, Any]:
    decision = record.decision
    return {
        "requestId": record.request_id,
        "at": timestamps.text(record.at),
        "principal": record.request.principal.arn,
        "action": record.request.action,
        "resource": record.request.resource,
        "allowed": decision.allowed,
        "because": decision.because,
        "statement": asdict(decision.statement) if decision.statement else None,
    }


def _explain(record: Record) -> dict[str, Any]:
    """With every statement that was looked at, and what the request said."""
    considered = explain(record.request, **record.policies)
    return {
        **_describe(record),
        "identityIsKnown": record.policies["identity"] is not None,
        "context": {key: list(values) for key, values in sorted(record.request.context.items())},
        "considered": [_consider(one) for one in considered],
    }


def _consider(one: Considered) -> dict[str, Any]:
    return {
        "statement": asdict(one.statement),
        "effect": one.effect,
        "matched": one.matched,
        "missed": one.missed,
        "wanted": list(one.wanted),
        "actual": list(one.actual),
        "note": one.note,
    }
