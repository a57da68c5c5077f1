"""Playing a round to an emulator, and finding out what of it makes it fail."""

import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from conformance.fuzz import rounds, verdicts
from conformance.fuzz.asks import PAGES, Ask, Said
from conformance.fuzz.rounds import Round
from conformance.fuzz.sites import Inside, Site

# A server imports what it needs when it is first asked for it.
SECONDS_OF_SERVER = 5.0
# Pages that do what is due, with a process where images are scanned.
WORKING = ("/_emu/clock", "/_emu/scan-findings", "/_emu/lifecycle/run", "/moto-api")
SECONDS_OF_WORK = 60.0
# How often a round is played again to make it shorter.
MOST_TRIES = 60


@dataclass(frozen=True, slots=True)
class Failure:
    """A step of a round with a wrong answer; step -1 is before the first or behind the last."""

    number: int
    step: int
    reason: str
    request: str = ""
    steps: Sequence[int] = ()

    @property
    def sort(self) -> str:
        """What two failures of one cause have in common, most times."""
        return self.reason.rpartition("\n")[2][:60] + self.reason[:24]


class Faults(logging.Handler):
    """What the emulator in this process writes down as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._found: list[str] = []

    @classmethod
    def listening(cls) -> "Faults":
        """One that gets what is written down from now on."""
        faults = cls()
        logging.basicConfig(handlers=[faults], level=logging.ERROR, force=True)
        return faults

    def emit(self, record: logging.LogRecord) -> None:
        trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        self._found.append(f"{record.getMessage()[:300]}\n{trace}".strip())

    def take(self) -> str:
        found, self._found = self._found, []
        return "\n".join(found)


OnAnswer = Callable[[Ask, Said], None]


class Player:
    """Plays rounds to the emulators that it is given, by mode."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def play(self, round_: Round, site: Site, on_answer: OnAnswer, steps: Sequence[int]) -> Iterator[Failure]:
        """What is wrong with the answers, and with what is there in the end."""
        site.empty()
        if left := site.left():
            yield Failure(round_.number, -1, f"files that stayed when all was deleted: {left[:3]}")
        world = round_.world(site.now)
        for ask in round_.beginning(world):
            said = self._said(site, ask)
            if isinstance(said, Said) and said.status < 300:
                on_answer(ask, said)
                rounds.note(world, ask, said)
                continue
            reason = said if isinstance(said, str) else f"status {said.status}: {said.body[:500]!r}"
            yield Failure(round_.number, -1, f"at the beginning: {reason}", shown(ask))
        for number, ask in round_.steps(world, steps):
            said = self._said(site, ask)
            reason = said if isinstance(said, str) else verdicts.judge(ask, said, limit=_limit(site, ask))
            if trace := self._faults.take():
                reason = f"{reason or 'an error in the log'}\n{trace}"
            if reason:
                yield Failure(round_.number, number, reason, shown(ask))
            if isinstance(said, Said):
                on_answer(ask, said)
                # The mutant answers that confuse the world are the server's to explain.
                with suppress(ValueError, LookupError, TypeError):
                    rounds.note(world, ask, said)

    def _said(self, site: Site, ask: Ask) -> Said | str:
        try:
            return site.way.ask(ask)
        except Exception:  # noqa: BLE001 - that there is none is what is shown
            return f"no answer\n{traceback.format_exc()}"

    def shortened(self, round_: Round, site: Site, failure: Failure) -> Failure:
        """The failure with the fewest steps found that still lead to it."""
        kept = list(range(failure.step + 1))

        def fails(steps: Sequence[int]) -> bool:
            found = self.play(round_, site, lambda ask, said: None, steps)
            return any(each.sort == failure.sort for each in list(found))

        if not fails(kept):
            return failure
        size, tries = len(kept) // 2, 0
        while size and tries < MOST_TRIES:
            at = 0
            while at < len(kept) and tries < MOST_TRIES:
                without = kept[:at] + kept[at + size :]
                tries += 1
                if without and fails(without):
                    kept = without
                else:
                    at += size
            size //= 2
        return Failure(failure.number, failure.step, failure.reason, failure.request, kept)


def _limit(site: Site, ask: Ask) -> float:
    if ask.plane == PAGES or ask.target.startswith(WORKING):
        return SECONDS_OF_WORK
    return verdicts.SLOW_SECONDS if isinstance(site, Inside) else SECONDS_OF_SERVER


def shown(ask: Ask) -> str:
    """A request for people."""
    headers = "".join(f"\n  {name}: {value[:200]!r}" for name, value in ask.headers)
    return f"{ask.method} {ask.target[:1000]}{headers}\n  {ask.body[:1500]!r}"
