"""A round: some hundred requests to an emulator that is empty at first. Its number and the seed make it.

Each step has a source of chance of its own, so that a round can be run again without some of its steps.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from conformance.fuzz import api_asks, page_asks, query_asks, registry_asks
from conformance.fuzz.asks import DATA, PAGES, Ask, Said
from conformance.fuzz.damage import damaged
from conformance.fuzz.world import BUILDER, MODES, READER, ROOT, World, api, beginning, filling
from ecr_emu.domain import sigv4
from ecr_emu.domain.signed_requests import Credential, SignedRequest

STEPS = 400
# How many of a hundred requests go where; how many of a hundred are damaged.
SHARES = ((registry_asks.make, 53), (api_asks.make, 37), (page_asks.make, 6), (query_asks.make, 4))
DAMAGED = {registry_asks.make: 0.55, api_asks.make: 0.3, page_asks.make: 0.35, query_asks.make: 0.3}
REGIONS = ("us-east-1",) * 20 + ("eu-north-1", "us-west-2")
API_HOST = "localhost:4566"


@dataclass(frozen=True, slots=True)
class Round:
    """What one is made of."""

    seed: str
    number: int

    @property
    def mode(self) -> str:
        """How the emulator is to find out who asks."""
        return MODES[self.number % len(MODES)]

    def world(self, now: Callable[[], float]) -> World:
        return World(self.mode, Random(), now, API_HOST)  # noqa: S311 - no secret

    def beginning(self, world: World) -> Iterator[Ask]:
        """What fills the emulator. The rest of it is made when the login token is known."""
        world.chance.seed(0)
        for make in (beginning, filling):
            for ask in make(world):
                yield signed(ask, world)

    def steps(self, world: World, numbers: Sequence[int] = range(STEPS)) -> Iterator[tuple[int, Ask]]:
        """The requests with these numbers, each made when the answers before it are known."""
        for number in numbers:
            world.chance.seed(f"{self.seed}/{self.number}/{number}")
            yield number, _make(world)


def _make(world: World) -> Ask:
    chance = world.chance
    if world.is_moved:
        # The clock was moved; tokens may be out of date.
        world.is_moved = False
        return signed(api("GetAuthorizationToken", {}), world).sendable()
    make = chance.choices(_MAKERS, cum_weights=_SUMS)[0]
    ask = make(world)
    if chance.random() < DAMAGED[make]:
        # A signature of what is damaged afterwards is wrong, and nothing behind it is reached.
        if ask.sign and chance.random() < 0.1:
            return _harmless(damaged(signed(ask, world), chance).sendable())
        ask = damaged(ask, chance).sendable()
        return _harmless(signed(ask, world).sendable())
    return _harmless(signed(ask.sendable(), world).sendable())


def _harmless(ask: Ask) -> Ask:
    """No request that waits for events for a minute, as it may."""
    if ask.target.startswith(("/_emu/events", "/_emu/trail")) and (
        "%77" in ask.target or "%57" in ask.target
    ):
        return ask.but(target="/_emu/events")
    if ask.plane == PAGES and "wait=" in ask.target and page_asks.MAX_WAIT not in ask.target:
        return ask.but(target=ask.target.replace("wait=", "wait=0s&x="))
    return ask


def signed(ask: Ask, world: World) -> Ask:
    """The request as its sender signs it, or says that it is signed."""
    if not ask.sign or ask.header("authorization"):
        return ask
    chance = world.chance
    key, secret, *token = _signer(world)
    region = REGIONS[int(chance.random() * len(REGIONS))]
    date = world.date()
    headers = dict(ask.headers)
    headers.setdefault("Host", API_HOST)
    headers["X-Amz-Date"] = date
    if token:
        headers["X-Amz-Security-Token"] = token[0]
    credential = Credential(key, date[:8], region, ask.sign, sigv4.TERMINATOR)
    lower = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    path, _, query = ask.target.partition("?")
    request = SignedRequest(ask.method, path, query, lower, hashlib.sha256(ask.body).hexdigest())
    headers["Authorization"] = sigv4.authorization(request, credential, date, secret)
    return ask.but(headers=tuple(headers.items()))


def _signer(world: World) -> Any:
    chance = world.chance
    way = chance.random()
    if way < 0.06 and world.sessions:
        return chance.choice(world.sessions)
    if world.mode == "iam":
        return (
            ROOT if way < 0.85 else chance.choice((READER, BUILDER, ("AKIAU1", "secret-of-u1"), ("x", "x")))
        )
    return ("test", "test") if way < 0.93 else chance.choice((("222222222222", "x"), READER, ("", "")))


def note(world: World, ask: Ask, said: Said) -> None:
    """Let the world know of an answer."""
    if ask.plane == PAGES and ask.target.startswith("/_emu/clock") and said.status == 200:
        world.is_moved = True
    if ask.plane == DATA or said.status < 300:
        world.learn(ask, said)


_MAKERS = [make for make, _ in SHARES]
_SUMS = [sum(share for _, share in SHARES[: number + 1]) for number in range(len(SHARES))]
