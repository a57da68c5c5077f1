"""Threads that must not wait.

The server answers what is quick on one thread, one request after the other: threads that take turns at Python
in the middle of short requests cost several times what the requests do (docs/decisions/0022-one-thread.md).
What waits there for a lock, a disk or another host would make everybody wait. So what may wait says so first,
and the request is run again by a thread that may.
"""

from collections.abc import Callable
from threading import get_ident
from typing import TypeVar

Answer = TypeVar("Answer")

# By thread: what is to be done once the request is answered for good.
_impatient: dict[int, list[Callable[[], object]]] = {}


class MustWait(BaseException):
    """The request cannot be answered by a thread that must not wait. Nothing has been done yet.

    No Exception, so that nobody takes it for a failure.
    """


def may_wait() -> None:
    """To be called before anything that can take long. Raises MustWait on a thread that must not wait."""
    if get_ident() in _impatient:
        raise MustWait


def once(do: Callable[[], object]) -> None:
    """Do what must not be done twice: now, or where MustWait can still come, when it did not."""
    later = _impatient.get(get_ident())
    if later is None:
        do()
    else:
        later.append(do)


def without_waiting(answer: Callable[[], Answer]) -> Answer:
    """What `answer` returns, or MustWait as soon as it would have to wait."""
    thread = get_ident()
    later = _impatient[thread] = []
    try:
        answered = answer()
    finally:
        del _impatient[thread]
    for do in later:
        do()
    return answered
