"""The service model: it is up to date, operations keep to it, and no request of its shapes is our fault.

A run tries 60 requests for each operation, or six for ten examples of the hypothesis profile in force
(`pytest --hypothesis-profile`).
"""

import gzip
import inspect
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.model import ServiceModel, Shape
from botocore.parsers import create_parser
from hypothesis import HealthCheck, Phase, event, find, given, settings
from hypothesis import strategies as st

from ecr_emu import errors
from ecr_emu.app import Application, build
from ecr_emu.control import model as vendored
from ecr_emu.control import operations
from ecr_emu.settings import Settings
from tests.clients import Clock, Reply
from tests.control.calls import TARGET_PREFIX
from tests.seeded import DOCUMENTS, GOOD, LEFT_OUT, ODD, ask, seed

MODEL = vendored.load()
BUILT = sorted(MODEL.operation_names.get(name, name) for name in operations.implemented())
# What any AWS service may answer, though no operation lists it.
COMMON_ERRORS = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SerializationException",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
}
# Ours alone: answers that AWS has no words for.
OWN_ERRORS = {"NotImplementedException", "RequestEntityTooLargeException"}


# --- The vendored file -----------------------------------------------------------------------------------


def installed() -> Any:
    """The model of the botocore that is installed."""
    file = Path(botocore.__file__).parent / "data" / "ecr" / "2015-09-21" / "service-2.json.gz"
    return json.loads(gzip.decompress(file.read_bytes()))


def test_vendored_model_knows_all_that_botocore_does() -> None:
    theirs = installed()
    missing = sorted(set(theirs["operations"]) - set(MODEL.operations))
    for name, shape in theirs["shapes"].items():
        known = MODEL.shapes.get(name, {}).get("members", {})
        missing += [f"{name}.{member}" for member in shape.get("members", {}) if member not in known]
    assert not missing, f"`make model` brings what botocore {botocore.__version__} has: {missing}"


def test_vendored_model_has_no_documentation() -> None:
    def texts(node: object) -> Iterator[object]:
        if isinstance(node, dict):
            yield from (value for key, value in node.items() if key == "documentation")
            for value in node.values():
                yield from texts(value)
        elif isinstance(node, list):
            for value in node:
                yield from texts(value)

    assert not [text for text in texts([MODEL.operations, MODEL.shapes]) if isinstance(text, str)]


def test_refreshing_writes_what_is_loaded(tmp_path: Path) -> None:
    target = tmp_path / vendored.FILE
    vendored.refresh(Path(botocore.__file__).parent / "data", target)
    fresh = vendored.Model(json.loads(target.read_text()))
    assert fresh.target_prefix == TARGET_PREFIX
    assert set(fresh.operations) == set(installed()["operations"])
    assert fresh.operation_names["delete_repository"] == "DeleteRepository"


def test_every_function_that_is_an_operation_is_one_of_the_model() -> None:
    assert set(operations.implemented()) <= set(MODEL.operation_names)


# --- Errors ----------------------------------------------------------------------------------------------


def example_of(annotation: Any) -> Any:
    """Some value of an annotation of errors.py."""
    return {int: 1, str: "x"}.get(annotation, ["x"])


def made_by(function: Callable[..., errors.EcrError]) -> errors.EcrError:
    parameters = inspect.signature(function).parameters.values()
    required = [parameter for parameter in parameters if parameter.default is parameter.empty]
    return function(*(example_of(parameter.annotation) for parameter in required))


FACTORIES = {
    name: function
    for name, function in vars(errors).items()
    if inspect.isfunction(function)
    and function.__module__.startswith(errors.__name__)
    # Not the one that gives an error another name, and not those that only judge.
    and name != "of_query"
    and not name.startswith("is_")
}


def test_all_errors_are_looked_at() -> None:
    assert len(FACTORIES) > 50


@pytest.mark.parametrize("name", FACTORIES)
def test_error_is_known_to_the_model_or_to_all_of_aws(name: str) -> None:
    error = made_by(FACTORIES[name])
    assert error.message
    assert 400 <= error.status < 600
    if not error.code.endswith("Exception"):
        return
    assert error.code in set(MODEL.shapes) | COMMON_ERRORS | OWN_ERRORS
    if error.code in MODEL.shapes:
        # Every client error of ECR is a 400.
        assert error.status == (500 if MODEL.shapes[error.code].get("fault") else 400)


# --- Requests that the model shapes -----------------------------------------------------------------------

ANYTHING: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [None, True, 0, -1, 1.5, 2**31, 2**63, 2**70, 1e300, "", "x", "\0", "\ud800", [], {}, [None], [[]]]
    ),
    st.text(max_size=20),
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3),
)


def sensible(shape_name: str) -> st.SearchStrategy[Any]:
    """Requests that might well be answered."""
    shape = MODEL.shapes[shape_name]
    if shape_name in GOOD:
        return st.sampled_from(GOOD[shape_name])
    if shape["type"] == "structure":
        members = {name: sensible(entry["shape"]) for name, entry in shape["members"].items()}
        return _structure(shape, {name: value for name, value in members.items() if name not in LEFT_OUT})
    if shape["type"] == "list":
        fewest = shape.get("min", 0)
        return st.lists(sensible(shape["member"]["shape"]), min_size=fewest, max_size=fewest + 1)
    return FITTING[shape["type"]](shape)


def wild(shape_name: str) -> st.SearchStrategy[Any]:
    """Requests of the shape, with what the emulator knows, limits, and anything at all among it."""
    shape = MODEL.shapes[shape_name]
    known = [*GOOD.get(shape_name, []), *ODD.get(shape_name, [])]
    choices = [st.sampled_from(known)] * 3 if known else []
    if shape_name in DOCUMENTS:
        choices += [altered(text) for text in GOOD[shape_name] if text]
    if shape["type"] == "structure":
        members = {name: wild(entry["shape"]) for name, entry in shape["members"].items()}
        some = st.fixed_dictionaries({}, optional={**members, "colour": ANYTHING})
        choices += [_structure(shape, members)] * 4 + [some]
    elif shape["type"] == "list":
        element = wild(shape["member"]["shape"])
        too_many = element.map(lambda value: [value] * (shape.get("max", 60) + 1))
        choices += [st.lists(element, max_size=4)] * 4 + [too_many]
    else:
        choices += [FITTING[shape["type"]](shape)] * 2 + [st.sampled_from(limits(shape))]
    return st.one_of(*choices, ANYTHING)


def altered(text: str) -> st.SearchStrategy[str]:
    """A JSON document with anything at all in one of its places."""

    def put(number: int, value: Any) -> str:
        document = [json.loads(text)]
        container, key = list(places(document))[number]
        container[key] = value
        # Lifecycle policies have at least a hundred characters.
        return json.dumps(document[0]).ljust(100)

    count = len(list(places([json.loads(text)])))
    return st.builds(put, st.integers(0, count - 1), ANYTHING)


def places(container: Any) -> Iterator[tuple[Any, Any]]:
    """Every list or object in a document, with each index or name in it."""
    inner = container.items() if isinstance(container, dict) else enumerate(container)
    for key, value in inner:
        yield container, key
        if isinstance(value, dict | list):
            yield from places(value)


def _structure(shape: Mapping[str, Any], members: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """The required members, and some of the others."""
    required = set(shape.get("required", ()))
    return st.fixed_dictionaries(
        {name: value for name, value in members.items() if name in required},
        optional={name: value for name, value in members.items() if name not in required},
    )


def strings(shape: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if "enum" in shape:
        return st.sampled_from(shape["enum"])
    fewest, most = shape.get("min", 0), shape.get("max", 300)
    if "pattern" in shape:
        fitting = st.from_regex(shape["pattern"], fullmatch=True, alphabet=st.characters(max_codepoint=127))
        return fitting.filter(lambda text: fewest <= len(text) <= most)
    return st.text(min_size=fewest, max_size=min(most, fewest + 20))


def integers(shape: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    return st.integers(shape.get("min", -(2**31)), shape.get("max", 2**31 - 1))


def limits(shape: Mapping[str, Any]) -> list[Any]:
    """The values at the bounds of a shape, and just beyond."""
    fewest, most = shape.get("min", 0), shape.get("max", 300)
    numbers = [number for bound in (fewest, most) for number in (bound - 1, bound, bound + 1)]
    if shape["type"] in ("integer", "long"):
        return numbers
    return ["x" * number for number in numbers if 0 <= number < 1_000_000] or [""]


def decimals(shape: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    return st.floats(allow_nan=False, allow_infinity=False)


FITTING: dict[str, Callable[[Mapping[str, Any]], st.SearchStrategy[Any]]] = {
    "string": strings,
    "integer": integers,
    "long": integers,
    "boolean": lambda shape: st.booleans(),
    "double": decimals,
    "float": decimals,
    "timestamp": lambda shape: st.integers(0, 2**31),
    "blob": lambda shape: st.sampled_from(["", "AA==", "bW9yZSE="]),
    "map": lambda shape: st.dictionaries(st.text(max_size=9), wild(shape["value"]["shape"]), max_size=3),
}


# --- Sending them ----------------------------------------------------------------------------------------


class Seeded:
    """One emulator for all examples; each begins with the same state."""

    def __init__(self, application: Application) -> None:
        self.application = application
        # Another connection than the emulator's own sees when something was written.
        self._observer = sqlite3.connect(application.emulator.store.path)
        self._version: int | None = None

    def settle(self) -> None:
        """The state before an example. What wrote nothing has left it as it was."""
        if self._current_version() != self._version:
            seed(self.application)
            self._version = self._current_version()

    def ask(self, operation: str, request: object) -> Reply:
        """One request to the seeded emulator."""
        self.settle()
        return ask(self.application, operation, request)

    def has_changed(self) -> bool:
        return self._current_version() != self._version

    def close(self) -> None:
        self._observer.close()
        self.application.close()

    def _current_version(self) -> int:
        (version,) = self._observer.execute("PRAGMA data_version").fetchone()
        return int(version)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    folder = tmp_path_factory.mktemp("model")
    nowhere = tuple((name, "http://127.0.0.1:1") for name in ("quay", "ecr-public", "ecr"))
    built = Seeded(build(Settings(data_dir=folder, ephemeral=True, upstream=nowhere), Clock()))
    yield built
    built.close()


patient = settings(deadline=None, suppress_health_check=list(HealthCheck))


# --- What comes back -------------------------------------------------------------------------------------

SERVICE = ServiceModel(
    {"metadata": installed()["metadata"], "operations": MODEL.operations, "shapes": MODEL.shapes}, "ecr"
)
TYPES: dict[str, Any] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "blob": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "timestamp": (int, float),
    "double": (int, float),
    "float": (int, float),
}


def misfits(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """Where an answer departs from its shape: members that it lacks, nulls, other types, unknown values."""
    if not isinstance(value, TYPES[shape.type_name]):
        yield f"{path}: {value!r} is no {shape.type_name}"
    elif shape.type_name == "structure":
        for name, entry in value.items():
            known = shape.members.get(name)
            if known is None:
                yield f"{path}.{name} is not in the model"
            else:
                yield from misfits(known, entry, f"{path}.{name}")
    elif shape.type_name in ("list", "map"):
        inner = shape.member if shape.type_name == "list" else shape.value
        for entry in value if shape.type_name == "list" else value.values():
            yield from misfits(inner, entry, f"{path}[]")
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{path}: {value!r} is not in the enum"


def check_reply(operation: str, reply: Reply) -> None:
    body = reply.json()
    model = SERVICE.operation_model(operation)
    parsed = create_parser("json").parse(
        {"status_code": reply.status, "headers": reply.headers, "body": reply.body}, model.output_shape
    )
    assert reply.status < 500, body
    if reply.status == 200:
        assert list(misfits(model.output_shape, body, operation)) == []
        assert set(body) == set(parsed) - {"ResponseMetadata"}
        return
    code = parsed["Error"]["Code"]
    assert (reply.status, body["__type"]) == (400, code)
    assert body["message"]
    assert code in MODEL.errors(operation) | COMMON_ERRORS
    extra = {name: value for name, value in body.items() if name not in ("__type", "message")}
    assert not extra or list(misfits(SERVICE.shape_for(code), extra, code)) == []


# Refusals that come after the deed: the upload has ended all the same (reference, control plane 5.4).
LATE = {"LayerAlreadyExistsException"}


@pytest.mark.parametrize("operation", BUILT)
def test_no_request_is_a_fault_of_ours(seeded: Seeded, operation: str) -> None:
    shape_name = MODEL.operations[operation]["input"]["shape"]

    # Not `|`, which would give every alternative of the wild ones as much room as all sensible ones together.
    @settings(patient, max_examples=max(1, settings().max_examples * 6 // 10))
    @given(st.sampled_from([sensible(shape_name), wild(shape_name)]).flatmap(lambda chosen: chosen))
    def send(request: object) -> None:
        reply = seeded.ask(operation, request)
        check_reply(operation, reply)
        assert reply.status == 200 or reply.json()["__type"] in LATE or not seeded.has_changed()
        event(f"{reply.status}")

    send()


@pytest.mark.parametrize("operation", BUILT)
def test_sensible_requests_reach_behind_the_checks(seeded: Seeded, operation: str) -> None:
    """Were none of them answered, the test above would test little but the codec."""
    tries = settings(patient, max_examples=200, phases=[Phase.generate], database=None, derandomize=True)
    shape_name = MODEL.operations[operation]["input"]["shape"]
    find(sensible(shape_name), lambda request: seeded.ask(operation, request).status == 200, settings=tries)
