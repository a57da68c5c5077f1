"""Range and Content-Range."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain.ranges import Unsatisfiable, parse_content_range, parse_range

SIZES = st.integers(0, 50)


def bytes_of(header: str, size: int) -> bytes | None:
    """The part of `size` bytes that a header gives; None when it is ignored, nothing when there is none."""
    content = bytes(range(size))
    try:
        span = parse_range(header, size)
    except Unsatisfiable:
        return b""
    return None if span is None else content[span[0] : span[1] + 1]


@given(SIZES, st.integers(0, 60), st.integers(0, 60))
def test_first_and_last_cut_as_a_slice_does(size: int, first: int, last: int) -> None:
    assert bytes_of(f"bytes={first}-{last}", size) == bytes(range(size))[first : last + 1]


@given(SIZES, st.integers(0, 60))
def test_first_alone_gives_the_rest(size: int, first: int) -> None:
    assert bytes_of(f"bytes={first}-", size) == bytes(range(size))[first:]


@given(SIZES, st.integers(0, 60))
def test_a_suffix_gives_the_last_bytes(size: int, length: int) -> None:
    assert bytes_of(f"bytes=-{length}", size) == (bytes(range(size))[-length:] if length else b"")


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-0", (0, 0)),
        (" bytes=2-5 ", (2, 5)),
        ("bytes=0-" + "9" * 5000, (0, 9)),
        ("bytes=-" + "9" * 5000, (0, 9)),
        ("bytes=" + "0" * 5000 + "7-", (7, 9)),
        ("bytes=-" + "0" * 30 + "3", (7, 9)),
    ],
)
def test_a_range_of_ten_bytes_is_understood(header: str, span: tuple[int, int]) -> None:
    assert parse_range(header, 10) == span


@pytest.mark.parametrize(
    "header", ["bytes=10-", "bytes=10-12", "bytes=5-4", "bytes=-0", f"bytes={'9' * 30}-"]
)
def test_a_range_without_a_byte_is_unsatisfiable(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        parse_range(header, 10)


@pytest.mark.parametrize(
    "header",
    [
        *(
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "items=0-1",
            "bytes=0-1,3-4",
            "bytes=a-b",
            "bytes=1",
            "bytes=--1",
        ),
        *("bytes=0 - 1", "Bytes=0-1", "bytes=\u0660-\u0661", "bytes=+1-2"),
    ],
)
def test_a_header_of_another_form_is_ignored(header: str) -> None:
    assert parse_range(header, 10) is None


@given(st.text(max_size=20), st.integers(0, 100))
def test_a_range_lies_within_the_bytes_whatever_is_asked(text: str, size: int) -> None:
    found = bytes_of(f"bytes={text}", size)
    assert found is None or len(found) <= size


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("0-0", (0, 0)),
        ("5-9", (5, 9)),
        ("bytes 5-9/20", (5, 9)),
        ("bytes=5-9", (5, 9)),
        ("bytes 5-9/*", (5, 9)),
        (" 5-9 ", (5, 9)),
        ("9-5", None),
        ("5-", None),
        ("-5", None),
        ("", None),
        ("bytes */20", None),
        ("a-b", None),
        ("0-1,2-3", None),
        ("\u0660-\u0661", None),
        ("0-" + "9" * 20, None),
    ],
)
def test_a_content_range_is_first_to_last(header: str, span: tuple[int, int] | None) -> None:
    assert parse_content_range(header) == span
