"""The service model: it is up to date, operations keep to it, and no request of its shapes is our fault.

A run tries 60 requests for each operation, or six for ten examples of the hypothesis profile in force
(`pytest --hypothesis-profile`).
"""

import base64
import gzip
import inspect
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.model import ServiceModel, Shape
from botocore.parsers import create_parser
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from ecr_emu import errors
from ecr_emu.app import Application, build
from ecr_emu.control import model as vendored
from ecr_emu.control import operations
from ecr_emu.core import reset
from ecr_emu.domain.registries import Registry
from ecr_emu.settings import Settings
from ecr_emu.store import repositories, uploads
from tests.clients import DEFAULT_ACCOUNT, Clock, Reply, digest_of, image_index, image_manifest
from tests.control.calls import CONFIG, TARGET_PREFIX, authorization

MODEL = vendored.load()
BUILT = sorted(MODEL.operation_names.get(name, name) for name in operations.implemented())
# What any AWS service may answer, though no operation lists it.
COMMON_ERRORS = {
    "AccessDeniedException",
    "IncompleteSignatureException",
    "MissingAuthenticationTokenException",
    "SerializationException",
    "ThrottlingException",
    "UnknownOperationException",
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
    if inspect.isfunction(function) and function.__module__.startswith(errors.__name__)
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

HOME = Registry(DEFAULT_ACCOUNT, "us-east-1")
UPLOAD_ID = "0f0e0d0c-0b0a-4908-8706-050403020100"
LAYER = b"layer"
LOOSE_LAYER = b"loose layer"
MANIFEST = image_manifest(CONFIG, LAYER)
OTHER_MANIFEST = image_manifest(CONFIG, LAYER, annotations={"a": "b"})
INDEX = image_index(MANIFEST)
BROKEN_MANIFEST = image_manifest(CONFIG, b"never pushed")
ARN = "arn:aws:ecr:us-east-1:000000000000:repository/"

# What the seeded emulator knows, and neighbours of that: shapes alone would hardly ever hit it.
DIGESTS = [digest_of(blob) for blob in (MANIFEST, OTHER_MANIFEST, INDEX, CONFIG, LOOSE_LAYER, b"none")]
GOOD: dict[str, list[Any]] = {
    "RegistryId": [DEFAULT_ACCOUNT],
    "RepositoryName": ["team/app", "team/app", "team/app", "team/new"],
    "ImageTag": ["v1", "v2", "multi"],
    "ImageDigest": [digest_of(MANIFEST), digest_of(OTHER_MANIFEST)],
    "ImageManifest": [
        MANIFEST.decode(),
        INDEX.decode(),
        image_manifest(CONFIG, LAYER, artifactType="x/y").decode(),
    ],
    "MediaType": [json.loads(MANIFEST)["mediaType"]],
    "LayerDigest": [digest_of(LAYER), "sha512:00"],
    "UploadId": [UPLOAD_ID],
    "PartSize": [5, 9],
    "LayerPartBlob": ["bW9yZSE="],
    "Arn": [ARN + "team/app"],
    "TagKey": ["team", "stage"],
    "TagValue": ["red", ""],
}
ODD: dict[str, list[Any]] = {
    "RegistryId": ["222222222222", "1"],
    "RepositoryName": ["empty", "none/such", "Bad_Name!"],
    "ImageTag": ["none", "a/b"],
    "ImageDigest": [*DIGESTS, "sha256:00", "latest"],
    "ImageManifest": [image_manifest(CONFIG, b"never pushed").decode(), "{}", "[]", "not JSON"],
    "MediaType": ["text/plain", ""],
    "LayerDigest": DIGESTS,
    "BatchedOperationLayerDigest": [*DIGESTS, "", "latest"],
    "UploadId": [UPLOAD_ID.upper(), "00000000-0000-0000-0000-000000000000"],
    "PartSize": [0, 4, 2**63 - 1],
    "LayerPartBlob": ["", "AA=="],
    "Arn": [ARN + "none/such", ARN, "arn:aws:s3:::bucket", ""],
    "TagKey": ["aws:x", "", "~"],
    "TagValue": ["~", "x" * 257],
    "NextToken": ["", "x", "a.b"],
}
# Members that a request had better not have: no token is good, and names leave nothing to page through.
LEFT_OUT = {"nextToken", "maxResults"}

ANYTHING: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [None, True, 0, -1, 1.5, 2**31, 2**63, 2**70, 1e300, "", "x", "\u0000", [], {}, [None], [[]]]
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


def ask(application: Application, operation: str, request: object) -> Reply:
    """One request to the WSGI function, without a server between."""
    body = json.dumps(request).encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "HTTP_X_AMZ_TARGET": f"{TARGET_PREFIX}.{operation}",
        "HTTP_AUTHORIZATION": authorization(),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    started: list[tuple[str, list[tuple[str, str]]]] = []
    chunks = application(environ, lambda status, headers: started.append((status, headers)))
    ((status, headers),) = started
    return Reply(int(status.split()[0]), {name.lower(): text for name, text in headers}, b"".join(chunks))


def succeed(application: Application, operation: str, **request: Any) -> Any:
    reply = ask(application, operation, request)
    assert reply.status == 200, reply.body
    return reply.json()


def push_layer(application: Application, content: bytes, upload_id: str) -> None:
    place = {"repositoryName": "team/app", "uploadId": upload_id}
    part = {"partFirstByte": 0, "partLastByte": len(content) - 1}
    blob = base64.b64encode(content).decode()
    begin(application, upload_id)
    succeed(application, "UploadLayerPart", **place, **part, layerPartBlob=blob)
    succeed(application, "CompleteLayerUpload", **place, layerDigests=[digest_of(content)])


def begin(application: Application, upload_id: str) -> None:
    """An upload whose id is known beforehand, so that an example that fails can be run again."""
    with application.emulator.store.write() as transaction:
        repository = repositories.get(transaction, HOME, "team/app")
        uploads.insert(transaction, repository, upload_id, application.emulator.clock())


def seed(application: Application) -> None:
    """The state that KNOWN speaks of."""
    reset.reset(application.emulator)
    tags = [{"Key": "team", "Value": "red"}]
    succeed(application, "CreateRepository", repositoryName="team/app", tags=tags)
    succeed(application, "CreateRepository", repositoryName="empty")
    for number, content in enumerate((CONFIG, LAYER, LOOSE_LAYER)):
        push_layer(application, content, UPLOAD_ID[:-1] + str(number + 1))
    for tag, manifest in {"v1": MANIFEST, "v2": OTHER_MANIFEST, "multi": INDEX}.items():
        succeed(
            application, "PutImage", repositoryName="team/app", imageManifest=manifest.decode(), imageTag=tag
        )
    begin(application, UPLOAD_ID)
    part = {"partFirstByte": 0, "partLastByte": 4, "layerPartBlob": "c3RhcnQ="}
    succeed(application, "UploadLayerPart", repositoryName="team/app", uploadId=UPLOAD_ID, **part)


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """One emulator for all examples; each begins with the same state."""
    folder = tmp_path_factory.mktemp("model")
    built = build(Settings(data_dir=folder, ephemeral=True), Clock())
    yield built
    built.close()


# Operations for which the seeded state is enough to be answered.
SEEDED = (
    "BatchCheckLayerAvailability",
    "BatchDeleteImage",
    "BatchGetImage",
    "CompleteLayerUpload",
    "CreateRepository",
    "DeleteRepository",
    "DescribeImages",
    "DescribeRegistry",
    "DescribeRepositories",
    "GetAuthorizationToken",
    "GetDownloadUrlForLayer",
    "InitiateLayerUpload",
    "ListImages",
    "ListTagsForResource",
    "PutImage",
    "PutImageTagMutability",
    "TagResource",
    "UntagResource",
    "UploadLayerPart",
)
READS = ("BatchCheck", "BatchGet", "Describe", "Get", "List")
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


def settle(application: Application, operation: str) -> None:
    """The state before an example. What only reads leaves it as it is."""
    if not operation.startswith(READS):
        seed(application)


@pytest.mark.parametrize("operation", BUILT)
def test_no_request_is_a_fault_of_ours(application: Application, operation: str) -> None:
    shape_name = MODEL.operations[operation]["input"]["shape"]
    seed(application)

    @settings(patient, max_examples=max(1, settings().max_examples * 6 // 10))
    @given(sensible(shape_name) | wild(shape_name))
    def send(request: object) -> None:
        settle(application, operation)
        check_reply(operation, ask(application, operation, request))

    send()


@pytest.mark.parametrize("operation", SEEDED)
def test_sensible_requests_reach_behind_the_checks(application: Application, operation: str) -> None:
    """Were none of them answered, the test above would test little but the codec."""
    seed(application)

    def is_answered(request: object) -> bool:
        settle(application, operation)
        return ask(application, operation, request).status == 200

    tries = settings(patient, max_examples=200, phases=[Phase.generate], database=None)
    find(sensible(MODEL.operations[operation]["input"]["shape"]), is_answered, settings=tries)
