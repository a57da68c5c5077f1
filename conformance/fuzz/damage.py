"""What is done to a request that might have been good: at one place of it, or at several."""

import json
import re
from collections.abc import Callable
from random import Random
from urllib.parse import quote, unquote

from conformance.fuzz.api_asks import altered
from conformance.fuzz.asks import Ask
from conformance.fuzz.mutations import mutated
from conformance.fuzz.strange import STRANGE

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get", "PROPFIND")
HEADERS = (
    *(
        "Authorization",
        "Content-Range",
        "Range",
        "Content-Type",
        "Host",
        "X-Amz-Target",
        "X-Amz-Date",
        "Accept",
    ),
    *(
        "X-Amz-Security-Token",
        "X-Amz-Content-Sha256",
        "If-None-Match",
        "If-Range",
        "If-Modified-Since",
        "Cookie",
    ),
    *(
        "Content-Encoding",
        "Accept-Encoding",
        "Origin",
        "Sec-Fetch-Site",
        "X-Forwarded-For",
        "X-Forwarded-Host",
    ),
    *(
        "X-Http-Method-Override",
        "X-Ecr-Emu-Replication",
        "Transfer-Encoding",
        "Content-Length",
        "Expect",
        "User-Agent",
    ),
    *(
        "X-Amz-Signature",
        "Content-Md5",
        "Digest",
        "Upgrade",
        "Connection",
        "Te",
        "Via",
        "X_Amz_Target",
        "Forwarded",
    ),
)
PARAMETERS = (
    *(
        "n",
        "last",
        "digest",
        "mount",
        "from",
        "tag",
        "artifactType",
        "after",
        "digest-algorithm",
        "Action",
        "Version",
    ),
    *(
        "X-Amz-Signature",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Algorithm",
    ),
    *(
        "repositoryName",
        "registryId",
        "region",
        "limit",
        "since",
        "imageTag",
        "imageDigest",
        "account",
        "repository",
    ),
)
_SIGNED = "AWS4-HMAC-SHA256 Credential="
LOGINS = (
    *(
        "",
        "Basic",
        "Basic ",
        "Basic !",
        "Basic QVdT",
        "Basic QVdTOg==",
        "Basic QVdTOnguLng=",
        "Basic QVdTOi4u",
        "Bearer x",
    ),
    *(
        "Basic " + "QVdTOmEuYi5j" * 300,
        "basic QVdTOmEuYi5j",
        "Negotiate x",
        "Digest username=x",
        "AWS x:y",
        "Basic 77+9",
    ),
    *(
        "Basic /////w==",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e",
    ),
    f"{_SIGNED}AKIAROOT/20250615/us-east-1/ecr/aws4_request, SignedHeaders=host, Signature=00",
    f"{_SIGNED}AKIAROOT/20250615/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=00",
    f"{_SIGNED}222222222222/x/eu-west-1/ecr/aws4_request,SignedHeaders=host;x-amz-date,Signature=",
    "AWS4-ECDSA-P256-SHA256 Credential=AKIAROOT/20250615/ecr/aws4_request, SignedHeaders=host, Signature=00",
)
DEEP = (
    b"[" * 20_000,
    b'{"a":' * 20_000,
    b'{"repositoryName":' * 900 + b"1" + b"}" * 900,
    b"[" * 1000 + b"]" * 1000,
)
BODIES = (
    *(
        b"",
        b"\0",
        b"{",
        b"null",
        b"[]",
        b'""',
        b"0",
        b"1e999",
        b"-",
        b"NaN",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\0}\0",
    ),
    *(
        b'{"a":1,"a":2}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'"\\ud800"',
        b'"\xed\xa0\x80"',
        b"{}\0",
        b"{}{}",
        b" " * 9000,
        *DEEP,
    ),
)
_SPLIT = re.compile(r"([/?&=])")


def damaged(ask: Ask, chance: Random) -> Ask:
    """The request with one change, or some."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        ask = chance.choices(_WAYS, cum_weights=_SUMS)[0](ask, chance)
    return ask


def _method(ask: Ask, chance: Random) -> Ask:
    return ask.but(method=chance.choice(METHODS))


def _segment(ask: Ask, chance: Random) -> Ask:
    """Another text between two separators of the target, or none, or the same twice."""
    parts = _SPLIT.split(ask.target)
    at = chance.randrange(len(parts))
    way = chance.random()
    if way < 0.6:
        parts[at] = chance.choice(STRANGE)
    elif way < 0.8:
        parts[at] = parts[at] + chance.choice(STRANGE)
    elif way < 0.9:
        parts[at] = ""
    else:
        parts[at:at] = parts[at : at + 2]
    return ask.but(target="".join(parts))


def _encoding(ask: Ask, chance: Random) -> Ask:
    """The same target in other words, or with a byte that is not UTF-8, or a letter changed."""
    path, mark, query = ask.target.partition("?")
    way = chance.randrange(4)
    if way == 0:
        path = "".join(f"%{ord(letter):02x}" if chance.random() < 0.2 else letter for letter in path)
    elif way == 1:
        query = quote(unquote(query), safe="=&")
    elif way == 2:
        at = chance.randrange(len(path) + 1)
        path = (
            path[:at]
            + chance.choice(("%ff", "%00", "%0a", "%2f", "%c3%a9", "%e2%80%ae", "%", "\xff"))
            + path[at:]
        )
    else:
        at = chance.randrange(len(path) + 1)
        path = path[:at] + chr(chance.randrange(33, 127)) + path[at + 1 :]
    return ask.but(target=path + mark + query)


def _query(ask: Ask, chance: Random) -> Ask:
    pairs = "&".join(
        f"{chance.choice(PARAMETERS)}{chance.choice(('=', '=', '=', '', '=='))}{chance.choice(STRANGE)}"
        for _ in range(chance.choice((1, 1, 1, 2, 60)))
    )
    return ask.but(target=ask.target + ("&" if "?" in ask.target else "?") + pairs)


def _new_header(ask: Ask, chance: Random) -> Ask:
    return ask.having((chance.choice(HEADERS), chance.choice(STRANGE)))


def _header(ask: Ask, chance: Random) -> Ask:
    """One of its headers gone, twice, changed, or huge."""
    if not ask.headers:
        return _new_header(ask, chance)
    headers = list(ask.headers)
    at = chance.randrange(len(headers))
    name, value = headers[at]
    way = chance.randrange(6)
    if way == 0:
        del headers[at]
    elif way == 1:
        headers.append((name, chance.choice((value, *STRANGE[:20]))))
    elif way == 2:
        headers[at] = (name, value + chance.choice(("A" * 3000, "," * 3000, " " * 3000 + "x", "=" * 40_000)))
    elif way == 3:
        headers[at] = (name, chance.choice(STRANGE))
    else:
        headers[at] = (name, mutated(value.encode("latin-1"), chance).decode("latin-1"))
    return ask.but(headers=tuple(headers))


def _login(ask: Ask, chance: Random) -> Ask:
    others = tuple(header for header in ask.headers if header[0] != "Authorization")
    found = [("Authorization", chance.choice(LOGINS)) for _ in range(chance.choice((0, 1, 1, 1, 1, 2)))]
    return ask.but(headers=(*others, *found), sign="" if chance.random() < 0.9 else ask.sign)


def _bytes_of_body(ask: Ask, chance: Random) -> Ask:
    return ask.but(body=mutated(ask.body, chance)[: 1 << 20])


def _cut_body(ask: Ask, chance: Random) -> Ask:
    return ask.but(body=ask.body[: chance.randrange(len(ask.body) + 1)])


def _other_body(ask: Ask, chance: Random) -> Ask:
    return ask.but(body=chance.choice(BODIES))


def _document(ask: Ask, chance: Random) -> Ask:
    """Another value somewhere in a body that is JSON."""
    if ask.body[:1] not in (b"{", b"["):
        return _bytes_of_body(ask, chance)
    try:
        document = json.loads(ask.body)
    except (ValueError, RecursionError):
        return _bytes_of_body(ask, chance)
    return ask.but(body=json.dumps(altered(document, chance)).encode())


def _unsigned(ask: Ask, chance: Random) -> Ask:
    return ask.but(sign=chance.choice(("", "ecr", "sts", "iam", "s3")))


def _raw_value(ask: Ask, chance: Random) -> Ask:
    """A member of the body with a number or text that Python's json would not write."""
    raw = chance.choice(
        (b"1e400", b"-0", b"9" * 400, b'"\\ud800"', b'"\\u0000"', b'"\xff"', b"1.0000", b"tru")
    )
    return ask.but(body=re.sub(rb":\s*(\"[^\"]*\"|[0-9]+)", lambda found: b": " + raw, ask.body, count=1))


_WEIGHTS: dict[Callable[[Ask, Random], Ask], int] = {
    _method: 6,
    _segment: 18,
    _encoding: 10,
    _query: 9,
    _new_header: 12,
    _header: 12,
    _login: 7,
    _bytes_of_body: 8,
    _cut_body: 4,
    _other_body: 4,
    _document: 12,
    _unsigned: 2,
    _raw_value: 3,
}
_WAYS = list(_WEIGHTS)
_SUMS = [sum(list(_WEIGHTS.values())[: number + 1]) for number in range(len(_WEIGHTS))]
