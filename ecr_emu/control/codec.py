"""Reading requests and writing answers as the service model says (awsJson1.1).

For each shape a function is built once; a request then runs through closures and looks nothing up. Reading
tells wrong types (SerializationException, at once) from broken constraints (InvalidParameterException, the
first one in the model's order), because AWS has parsed the whole body before it checks any constraint.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from ecr_emu import errors
from ecr_emu.control import wording
from ecr_emu.control.model import Model
from ecr_emu.errors import EcrError

# A value and its path, such as tags.2.member.key, to what the operation gets; broken constraints are added
# to the list.
Read = Callable[[Any, str, list[EcrError]], Any]
Write = Callable[[Any], Any]

_INTEGERS = {"integer": 2**31, "long": 2**63}


class Codec:
    """Readers and writers of the operations of one model."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._readers: dict[str, Read] = {}
        self._writers: dict[str, Write] = {}

    def reader(self, operation: str) -> Callable[[object], dict[str, Any]]:
        """From a parsed body to the operation's input: checked, bytes decoded, unknown members left out."""
        return self.reader_of(self._model.operations[operation]["input"]["shape"])

    def reader_of(self, shape: str) -> Callable[[object], dict[str, Any]]:
        """The same for a structure of the model."""
        read = self._reader(shape)

        def read_request(body: object) -> dict[str, Any]:
            broken: list[EcrError] = []
            if not isinstance(body, dict):
                raise _unexpected(body, "a Structure")
            request: dict[str, Any] = read(body, "", broken)
            if broken:
                raise broken[0]
            return request

        return read_request

    def writer(self, operation: str) -> Write:
        """From the operation's answer to what JSON can hold; a member that the model lacks is a bug."""
        return self._writer(self._model.operations[operation]["output"]["shape"])

    def _reader(self, shape_name: str) -> Read:
        if shape_name not in self._readers:
            # Recursive shapes find this entry while their own reader is being built.
            self._readers[shape_name] = lambda *arguments: self._readers[shape_name](*arguments)
            shape = self._model.shapes[shape_name]
            self._readers[shape_name] = _READERS[shape["type"]](self, shape_name, shape)
        return self._readers[shape_name]

    def _writer(self, shape_name: str) -> Write:
        if shape_name not in self._writers:
            self._writers[shape_name] = lambda value: self._writers[shape_name](value)
            shape = self._model.shapes[shape_name]
            self._writers[shape_name] = _WRITERS.get(shape["type"], _write_scalar)(self, shape)
        return self._writers[shape_name]


def _unexpected(value: object, wanted: str) -> EcrError:
    """AWS's words for a JSON value of the wrong type (unverified for ECR)."""
    if isinstance(value, dict):
        return errors.serialization("Start of structure or map found where not expected.")
    if isinstance(value, list):
        return errors.serialization("Start of list found where not expected.")
    kind = {bool: str(value).upper(), str: "STRING", int: "NUMBER", float: "NUMBER", type(None): "NULL"}
    return errors.serialization(f"{kind[type(value)]}_VALUE can not be converted to {wanted}")


# --- Reading ---------------------------------------------------------------------------------------------


def _read_structure(codec: Codec, name: str, shape: Mapping[str, Any]) -> Read:
    required = frozenset(shape.get("required", ()))
    members = [
        (member, member in required, codec._reader(reference["shape"]))
        for member, reference in shape["members"].items()
    ]

    def read(value: Any, path: str, broken: list[EcrError]) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _unexpected(value, "a Structure")
        prefix = f"{path}." if path else ""
        result = {}
        for member, is_required, read_member in members:
            given = value.get(member)
            where = prefix + member[0].lower() + member[1:]
            if given is not None:
                result[member] = read_member(given, where, broken)
            elif is_required:
                broken.append(wording.missing(where))
        return result

    return read


def _read_list(codec: Codec, name: str, shape: Mapping[str, Any]) -> Read:
    element = shape["member"]["shape"]
    is_scalar = codec._model.shapes[element]["type"] not in ("structure", "list", "map")
    read_element = codec._reader(element)
    check = _length_check(shape)

    def read(value: Any, path: str, broken: list[EcrError]) -> list[Any]:
        if not isinstance(value, list):
            raise (
                _unexpected(value, "a List")
                if isinstance(value, dict)
                else errors.serialization("Expected list or null")
            )
        check(len(value), path, broken)
        result = []
        for number, entry in enumerate(value, 1):
            where = f"{path}.{number}.member"
            if entry is None:
                broken.append(wording.missing(where))
            elif is_scalar:
                problems: list[EcrError] = []
                result.append(read_element(entry, where, problems))
                broken.extend(wording.of_element(path, problem) for problem in problems)
            else:
                result.append(read_element(entry, where, broken))
        return result

    return read


def _read_map(codec: Codec, name: str, shape: Mapping[str, Any]) -> Read:
    read_value = codec._reader(shape["value"]["shape"])

    def read(value: Any, path: str, broken: list[EcrError]) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _unexpected(value, "a Map")
        return {key: read_value(entry, f"{path}.{key}", broken) for key, entry in value.items()}

    return read


def _read_string(codec: Codec, name: str, shape: Mapping[str, Any]) -> Read:
    check = _length_check(shape)
    enum = frozenset(shape.get("enum", ()))
    pattern = wording.pattern(name, shape["pattern"]) if "pattern" in shape else None

    def read(value: Any, path: str, broken: list[EcrError]) -> str:
        if not isinstance(value, str):
            raise _unexpected(value, "a String")
        if enum and value not in enum:
            broken.append(wording.not_in_enum(path, shape["enum"]))
        # Length first: it bounds what the pattern has to look at.
        if check(len(value), path, broken) and pattern and not pattern.fullmatch(value):
            broken.append(wording.no_match(path, shape["pattern"]))
        return value

    return read


def _read_integer(codec: Codec, name: str, shape: Mapping[str, Any]) -> Read:
    bound = _INTEGERS[shape["type"]]
    lowest, highest = shape.get("min"), shape.get("max")

    def read(value: Any, path: str, broken: list[EcrError]) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not -bound <= value < bound:
            raise _unexpected(value, "a Long" if bound > 2**31 else "an Integer")
        if lowest is not None and value < lowest:
            broken.append(wording.too_small(path, lowest))
        if highest is not None and value > highest:
            broken.append(wording.too_large(path, highest))
        return value

    return read


def _read_boolean(codec: Codec, name: str, shape: Mapping[str, Any]) -> Read:
    def read(value: Any, path: str, broken: list[EcrError]) -> bool:
        if not isinstance(value, bool):
            raise _unexpected(value, "a Boolean")
        return value

    return read


def _read_number(codec: Codec, name: str, shape: Mapping[str, Any]) -> Read:
    def read(value: Any, path: str, broken: list[EcrError]) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _unexpected(value, "a Timestamp" if shape["type"] == "timestamp" else "a Double")
        return float(value)

    return read


def _read_blob(codec: Codec, name: str, shape: Mapping[str, Any]) -> Read:
    check = _length_check(shape)

    def read(value: Any, path: str, broken: list[EcrError]) -> bytes:
        if not isinstance(value, str):
            raise _unexpected(value, "a Blob")
        try:
            decoded = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise errors.serialization(f"'{path}' is not base64") from None
        check(len(decoded), path, broken)
        return decoded

    return read


def _length_check(shape: Mapping[str, Any]) -> Callable[[int, str, list[EcrError]], bool]:
    """Notes a length that the shape does not allow; True when it does."""
    lowest, highest = shape.get("min", 0), shape.get("max")

    def check(length: int, path: str, broken: list[EcrError]) -> bool:
        if length < lowest:
            broken.append(wording.too_short(path, lowest))
        elif highest is not None and length > highest:
            broken.append(wording.too_long(path, highest))
        else:
            return True
        return False

    return check


_READERS: dict[str, Callable[[Codec, str, Mapping[str, Any]], Read]] = {
    "structure": _read_structure,
    "list": _read_list,
    "map": _read_map,
    "string": _read_string,
    "integer": _read_integer,
    "long": _read_integer,
    "boolean": _read_boolean,
    "blob": _read_blob,
    "timestamp": _read_number,
    "double": _read_number,
    "float": _read_number,
}


# --- Writing ---------------------------------------------------------------------------------------------


def _write_structure(codec: Codec, shape: Mapping[str, Any]) -> Write:
    members = {member: codec._writer(entry["shape"]) for member, entry in shape["members"].items()}

    def write(value: Mapping[str, Any]) -> dict[str, Any]:
        return {member: members[member](given) for member, given in value.items() if given is not None}

    return write


def _write_list(codec: Codec, shape: Mapping[str, Any]) -> Write:
    write_element = codec._writer(shape["member"]["shape"])
    return lambda value: [write_element(entry) for entry in value]


def _write_map(codec: Codec, shape: Mapping[str, Any]) -> Write:
    write_value = codec._writer(shape["value"]["shape"])
    return lambda value: {key: write_value(entry) for key, entry in value.items()}


def _write_timestamp(codec: Codec, shape: Mapping[str, Any]) -> Write:
    # Epoch seconds with a fraction, to the millisecond, as AWS's samples have them.
    return lambda value: round(value, 3)


def _write_blob(codec: Codec, shape: Mapping[str, Any]) -> Write:
    return lambda value: base64.b64encode(value).decode()


def _write_scalar(codec: Codec, shape: Mapping[str, Any]) -> Write:
    return lambda value: value


_WRITERS: dict[str, Callable[[Codec, Mapping[str, Any]], Write]] = {
    "structure": _write_structure,
    "list": _write_list,
    "map": _write_map,
    "timestamp": _write_timestamp,
    "blob": _write_blob,
}
