"""What a client of the query protocol sends: a form in the body, the query, or both."""

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from ecr_emu import errors
from ecr_emu.control.callers import claimed_service
from ecr_emu.wsgi import Environ

Form = Mapping[str, str]

CONTENT_TYPE = "application/x-www-form-urlencoded"
# The version of each API: botocore's service models.
VERSIONS = {"2010-05-08": "iam", "2011-06-15": "sts"}
SERVICES = tuple(VERSIONS.values())
# No request of either has as many members.
MAX_MEMBERS = 1000


def is_query(environ: Environ) -> bool:
    """Whether a request to / speaks the query protocol. The JSON API always says X-Amz-Target.

    A presigned GET has all in the query; AssumeRoleWithWebIdentity is not signed.
    """
    if "HTTP_X_AMZ_TARGET" in environ or environ["PATH_INFO"] not in ("", "/"):
        return False
    service = claimed_service(environ)
    if service:
        return service in SERVICES
    return "Action=" in environ.get("QUERY_STRING", "") or _has_form(environ)


def read(environ: Environ, body: bytes) -> Form:
    """Members by name, from the query and from the body. Of one that is given twice the first counts."""
    texts = [environ.get("QUERY_STRING", "")]
    if _has_form(environ):
        texts.append(body.decode("utf-8", "replace"))
    form: dict[str, str] = {}
    for text in texts:
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_MEMBERS)
        except ValueError:
            raise errors.malformed_query(f"The request has more than {MAX_MEMBERS} members") from None
        for name, value in pairs:
            form.setdefault(name, value)
    return form


def service_of(environ: Environ, form: Form) -> str:
    """The API that a request is for: by its signature, else by its version. Without either, STS."""
    return claimed_service(environ) or VERSIONS.get(form.get("Version", ""), "sts")


def listed(form: Form, name: str) -> Iterator[str]:
    """The values of a list, such as PolicyArns.member.N.arn, whose name has N for the number."""
    number = 1
    while (value := form.get(name.replace(".N", f".{number}", 1))) is not None:
        yield value
        number += 1


def _has_form(environ: Environ) -> bool:
    return str(environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower() == CONTENT_TYPE
