"""Texts that do not belong where they are put, as WSGI has them."""

from random import Random

STRANGE = (
    *(
        "",
        "0",
        "-1",
        "+1",
        "1e9",
        "0x10",
        "NaN",
        "9" * 18,
        "9" * 19,
        "9" * 400,
        "1_000",
        "\u0661".encode().decode("latin-1"),
    ),
    *(
        "..",
        "../..",
        ".",
        "/",
        "//",
        "%00",
        "%2e%2e%2f",
        "%2F",
        "%",
        "%zz",
        "%ff",
        "%C3%A9",
        "%ED%A0%80",
        "%0d%0aX: y",
    ),
    *(
        "\xff",
        "\xc3\xa9",
        "\0",
        "\r\nX-Injected: y",
        "\t",
        "a b",
        "a+b",
        "'",
        '"',
        "<x>",
        "{}",
        "[]",
        "null",
        "*",
        "?",
        "#",
    ),
    *(
        "latest",
        "sha256:",
        "sha256:" + "0" * 64,
        "sha256:" + "A" * 64,
        "sha512:" + "0" * 128,
        "md5:" + "0" * 32,
    ),
    *(
        "sha256:" + "0" * 63,
        "a" * 128,
        "a" * 129,
        "a" * 256,
        "a" * 5000,
        "_catalog",
        "blobs",
        "uploads",
        "manifests",
    ),
    *(
        "2025-06-15T00:00:00Z",
        "20250615T000000Z",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "99999-01-01",
        "AAAA",
        "====",
        "e30=",
    ),
    *(
        "1-0",
        "0-",
        "-",
        "bytes=-",
        "bytes=0-",
        "bytes=-0",
        "bytes 0-4/5",
        "0-99999999999999999999",
        "bytes=a-b",
    ),
)

# The ones with which most mistakes are found.
FEW = (
    "",
    "\r\nX-Injected: y",
    "\0",
    "a b",
    "-1",
    "\xff",
    "9" * 5000,
    "a" * 5000,
    "1.5",
    "\xb2",
    "../..",
    "%0d%0a",
)
# Of a range, whole or of a part.
SPANS = (
    *(
        "bytes=a-b",
        "bytes=1.5-2",
        "bytes= 0-1",
        "bytes=-",
        "bytes=--1",
        "bytes=0-x",
        "items=0-1",
        "bytes=\xb2-3",
    ),
    *(
        "bytes=" + "9" * 5000 + "-",
        "bytes=0-" + "9" * 5000,
        "bytes 0-4/x",
        "4-0",
        "0-",
        "-1-4",
        "0-4,5-9",
        "a-b",
    ),
)
# How many texts that could be good are one of these.
SHARE = 0.08


def or_strange(chance: Random, text: str) -> str:
    """The text, or at times another one."""
    if chance.random() > SHARE:
        return text
    return chance.choice(FEW if chance.random() < 0.5 else STRANGE)


def or_strange_span(chance: Random, text: str) -> str:
    """The same of a range."""
    return chance.choice(SPANS) if chance.random() < SHARE else or_strange(chance, text)
