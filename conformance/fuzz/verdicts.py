"""Whether an answer is one that an emulator may give: what is wrong with it, in one line."""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from typing import Any

from conformance.fuzz.api_asks import MODEL
from conformance.fuzz.asks import CONTROL, DATA, PAGES, QUERY, Ask, Said
from tests.test_model import COMMON_ERRORS, OWN_ERRORS, SERVICE, misfits

# An answer that takes longer, in seconds, is a failure; what is due is done by some pages, with a process.
SLOW_SECONDS = 2.0
# OCI distribution specification 1.1, Error codes, and the two that ECR and Docker have besides.
OCI_CODES = frozenset(
    {
        *(
            "BLOB_UNKNOWN",
            "BLOB_UPLOAD_INVALID",
            "BLOB_UPLOAD_UNKNOWN",
            "DIGEST_INVALID",
            "MANIFEST_BLOB_UNKNOWN",
        ),
        *(
            "MANIFEST_INVALID",
            "MANIFEST_UNKNOWN",
            "NAME_INVALID",
            "NAME_UNKNOWN",
            "SIZE_INVALID",
            "UNAUTHORIZED",
        ),
        *("DENIED", "UNSUPPORTED", "TOOMANYREQUESTS", "TAG_INVALID", "UNAVAILABLE"),
    }
)
# What the emulator answers where the upstream has nothing: the cassette's way to say it.
NO_UPSTREAM = "the cassette has no answer"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_HTTP_ERRORS = range(400, 600)


def judge(ask: Ask, said: Said, *, limit: float = SLOW_SECONDS) -> str:
    """What is wrong with an answer; "" when nothing is."""
    found = _of_all(ask, said, limit)
    if not found:
        found = _OF_PLANES[_plane(ask)](ask, said)
    return found


def _plane(ask: Ask) -> str:
    """Where a request went: damage may have led it elsewhere."""
    path = ask.target.partition("?")[0]
    if "%" in path or not path.startswith("/"):
        # What it means when it is decoded is the server's to say.
        return "any"
    if path.startswith(("/v2/", "/_layers/")) or path == "/v2":
        return DATA
    if path.startswith(("/_emu/", "/moto-api/")):
        return PAGES
    if ask.plane in (CONTROL, QUERY) and path == "/":
        return ask.plane if _is_certain(ask) else "any"
    return "any"


def _is_certain(ask: Ask) -> bool:
    """Whether the API is clear; damage can make a request of the one a request of the other."""
    has_target = ask.header("x-amz-target") != ""
    names = [name.lower() for name, _ in ask.headers]
    is_once = all(names.count(name) <= 1 for name in ("x-amz-target", "authorization", "content-type"))
    return is_once and "x_amz_target" not in names and has_target == (ask.plane == CONTROL)


def _of_all(ask: Ask, said: Said, limit: float) -> str:
    if said.status >= 500 and not _is_allowed_fault(ask, said):
        return f"status {said.status}: {said.body[:300]!r}"
    if not 200 <= said.status < 600:
        return f"status {said.status}"
    for name, value in said.headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            return f"the header {name[:100]!r}: {value[:200]!r} cannot be sent"
    length = said.header("content-length")
    if ask.method == "HEAD" or said.status == 204:
        # A server sends none, whatever the WSGI function gives it.
        return "a body where there is none" if said.body and _plane(ask) == DATA else ""
    if length is not None and length != str(len(said.body)):
        return f"Content-Length is {length}, and there are {len(said.body)} bytes"
    if said.seconds > limit:
        return f"took {said.seconds:.1f} seconds"
    return ""


def _is_allowed_fault(ask: Ask, said: Said) -> bool:
    """501 is for what is not built; 503 for an upstream that does not answer. HEAD has no words for it."""
    if said.status == 503:
        return NO_UPSTREAM.encode() in said.body or (ask.method == "HEAD" and _plane(ask) in (DATA, "any"))
    return said.status == 501


def _of_data(ask: Ask, said: Said) -> str:
    if ask.method == "HEAD":
        return ""
    if said.header("content-length") is None and said.status != 204:
        return "no Content-Length"
    if said.status not in _HTTP_ERRORS or (said.status == 416 and not said.body):
        return ""
    if said.header("content-type") != "application/json":
        return f"an error of the type {said.header('content-type')}"
    errors = _json(said).get("errors")
    if not (isinstance(errors, list) and len(errors) == 1 and isinstance(errors[0], dict)):
        return f"not an error of OCI: {said.body[:300]!r}"
    code, message = errors[0].get("code"), errors[0].get("message")
    if code not in OCI_CODES or not isinstance(message, str) or not message:
        return f"not an error of OCI: {said.body[:300]!r}"
    return ""


def _of_control(ask: Ask, said: Said) -> str:
    content = _json(said)
    if said.header("x-amzn-requestid") is None:
        return "no x-amzn-RequestId"
    if ask.method == "HEAD":
        return ""
    operation = ask.header("x-amz-target").rpartition(".")[2]
    if said.status == 200:
        if operation not in MODEL.operations:
            return f"{operation[:100]!r} has an answer"
        found = list(misfits(SERVICE.operation_model(operation).output_shape, content, operation))
        return "; ".join(found[:3])
    code, message = content.get("__type"), content.get("message")
    listed = MODEL.errors(operation) if operation in MODEL.operations else frozenset()
    is_known = code in COMMON_ERRORS | OWN_ERRORS | listed
    # No method of the API's.
    if not is_known and (code, said.status) != ("UnsupportedMethod", 405):
        return f"{operation} does not list {code!r}"
    return "" if isinstance(message, str) else f"{code} says nothing"


def _of_query(ask: Ask, said: Said) -> str:
    if said.header("content-type") not in ("text/xml", "application/x-amz-json-1.1"):
        return f"an answer of the type {said.header('content-type')}"
    if said.header("content-type") != "text/xml" or ask.method == "HEAD":
        return ""
    try:
        document = ElementTree.fromstring(said.body)  # noqa: S314 - the emulator's own
    except ElementTree.ParseError as error:
        return f"no XML ({error}): {said.body[:300]!r}"
    if said.status < 400:
        return ""
    code = next((each.text for each in document.iter() if each.tag.rpartition("}")[2] == "Code"), None)
    return "" if code else f"an error without a code: {said.body[:300]!r}"


def _of_pages(ask: Ask, said: Said) -> str:
    if ask.method in ("HEAD", "OPTIONS") or said.status not in _HTTP_ERRORS:
        return ""
    content = _json(said)
    return "" if set(content) == {"error", "message"} else f"not an error of a page: {said.body[:300]!r}"


def _json(said: Said) -> Mapping[str, Any]:
    try:
        content = json.loads(said.body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


_OF_PLANES: Mapping[str, Callable[[Ask, Said], str]] = {
    DATA: _of_data,
    CONTROL: _of_control,
    QUERY: _of_query,
    PAGES: _of_pages,
    "any": lambda ask, said: "",
}
