"""The values of a case: `$names` filled in, long values made, answers compared."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_NAME = re.compile(r"\$(?:\$|([A-Za-z]\w*)|\{([A-Za-z]\w*)\})")
_WILDCARD = re.compile(r"(<any>|<text>|<uuid>|<digest>)")
_WILDCARDS = {
    "<any>": ".*",
    "<text>": ".+",
    "<uuid>": "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "<digest>": "sha256:[0-9a-f]{64}",
}
_MAKERS = {"$text", "$list", "$bytes"}
ABSENT = "<absent>"


class BadCase(ValueError):
    """A case that cannot be played; the argument says why."""


def fill(value: Any, names: Mapping[str, Any], partly: bool = False, keep_absent: bool = False) -> Any:
    """The value with each `$name` replaced; `$$` is a dollar sign.

    A string that is nothing but a name becomes what was saved, whatever its type. `partly` leaves unknown
    names, `$$` and the makers of long values for later; otherwise an unknown name is a BadCase. A member
    that is `<absent>` is left out, unless the value is what is expected.
    """
    if isinstance(value, str):
        return _fill_text(value, names, partly)
    if isinstance(value, list):
        return [fill(entry, names, partly, keep_absent) for entry in value]
    if not isinstance(value, dict):
        return value
    if not partly and _MAKERS & value.keys():
        return _make(value, names)
    return {
        _fill_text(key, names, partly): fill(entry, names, partly, keep_absent)
        for key, entry in value.items()
        if partly or keep_absent or not (isinstance(entry, str) and entry == ABSENT)
    }


def _fill_text(text: str, names: Mapping[str, Any], partly: bool) -> Any:
    whole = _NAME.fullmatch(text)
    if whole and (name := whole[1] or whole[2]) in names:
        return names[name]

    def replace(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name in names:
            return str(names[name])
        if partly:
            return match[0]
        if name is None:
            return "$"
        raise BadCase(f"${name} was never saved")

    return _NAME.sub(replace, text)


def _make(value: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
    """What `{$text: 257, of: a}`, `{$list: 101, of: {imageTag: t$n}}` and `{$bytes: 5242880}` stand for."""
    if "$bytes" in value:
        return base64.b64encode(bytes(value["$bytes"])).decode()
    if "$text" in value:
        return fill(value["of"], names) * value["$text"]
    return [fill(value["of"], {**names, "n": number}) for number in range(1, value["$list"] + 1)]


def look_up(content: Any, path: str) -> Any:
    """The part of an answer at a path such as `images.0.imageId.imageDigest`."""
    for part in path.split("."):
        try:
            content = content[int(part)] if isinstance(content, list) else content[part]
        except (KeyError, IndexError, ValueError, TypeError):
            raise BadCase(f"nothing at {path} to save") from None
    return content


def differences(
    expected: Any, got: Any, where: str = "", partly: bool = False, any_order: bool = False
) -> Iterator[str]:
    """Where `got` is not what is expected. `partly` looks at the expected members of structures only."""
    if isinstance(expected, dict) and isinstance(got, dict):
        yield from _member_differences(expected, got, where, partly, any_order)
    elif isinstance(expected, list) and isinstance(got, list):
        yield from _list_differences(expected, got, where, partly, any_order)
    elif not _is(expected, got):
        yield f"{where or 'the answer'}: expected {_show(expected)}, got {_show(got)}"


def _member_differences(
    expected: Mapping[str, Any], got: Mapping[str, Any], where: str, partly: bool, any_order: bool
) -> Iterator[str]:
    for member in expected | {} if partly else {**expected, **got}:
        place = f"{where}.{member}".lstrip(".")
        if member not in expected or expected[member] == ABSENT:
            if member in got:
                yield f"{place}: expected nothing, got {_show(got[member])}"
        elif member not in got:
            yield f"{place}: expected {_show(expected[member])}, got nothing"
        else:
            yield from differences(expected[member], got[member], place, partly, any_order)


def _list_differences(
    expected: list[Any], got: list[Any], where: str, partly: bool, any_order: bool
) -> Iterator[str]:
    if len(expected) != len(got):
        yield f"{where}: expected {len(expected)} elements, got {len(got)}: {_show(got)}"
        return
    if not any_order:
        for number, (one, other) in enumerate(zip(expected, got, strict=True)):
            yield from differences(one, other, f"{where}.{number}", partly, any_order)
        return
    rest = list(got)
    for one in expected:
        fitting = (other for other in rest if not any(differences(one, other, "", partly, any_order)))
        if (other := next(fitting, None)) is None:
            yield f"{where}: {_show(one)} is not among {_show(rest)}"
        else:
            rest.remove(other)


def _is(expected: Any, got: Any) -> bool:
    if expected == "<any>":
        return True
    if expected == "<time>":
        return isinstance(got, int | float) and not isinstance(got, bool) and got > 0
    if isinstance(expected, str) and isinstance(got, str):
        parts = _WILDCARD.split(expected)
        pattern = "".join(_WILDCARDS.get(part) or re.escape(part) for part in parts)
        return re.fullmatch(pattern, got, re.DOTALL) is not None
    # In Python True equals 1.
    return type(expected) is type(got) and bool(expected == got)


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 1000 else text[:1000] + "…"
