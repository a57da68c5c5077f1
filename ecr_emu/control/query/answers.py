"""XML of the query protocol: answers and errors."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from ecr_emu.errors import EcrError
from ecr_emu.wsgi import Response

CONTENT_TYPE = "text/xml"
NAMESPACES = {
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}
# What XML 1.0 has no way to write.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Members = Mapping[str, Any]


def answer(service: str, action: str, members: Members, request_id: str) -> Response:
    """What an action answers. A member is text, members, or a sequence of one of these; None is left out."""
    result = f"<{action}Result>{_xml(members)}</{action}Result>"
    metadata = f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
    space = NAMESPACES[service]
    return whole(200, f'<{action}Response xmlns="{space}">{result}{metadata}</{action}Response>', request_id)


def error(service: str, problem: EcrError, request_id: str) -> Response:
    fault = "Receiver" if problem.status >= 500 else "Sender"
    members = {"Type": fault, "Code": problem.code, "Message": problem.message}
    space = NAMESPACES[service]
    response = whole(
        problem.status,
        f'<ErrorResponse xmlns="{space}"><Error>{_xml(members)}</Error>'
        f"<RequestId>{request_id}</RequestId></ErrorResponse>",
        request_id,
    )
    response.headers.extend(problem.headers)
    return response


def whole(status: int, document: str, request_id: str) -> Response:
    """A document that is ready, but for letters that XML cannot have: moto says what it was asked for."""
    document = _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", document)
    headers = [("Content-Type", CONTENT_TYPE), ("x-amzn-RequestId", request_id)]
    return Response(status, headers, document.encode())


def _xml(members: Members) -> str:
    return "".join(
        f"<{name}>{_content(value)}</{name}>" for name, value in members.items() if value is not None
    )


def _content(value: Any) -> str:
    if isinstance(value, Mapping):
        return _xml(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "".join(f"<member>{_content(each)}</member>" for each in value)
    return escape(str(value))
