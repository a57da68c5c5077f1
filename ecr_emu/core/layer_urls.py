"""Download URLs for layers: signed, good for an hour, fetched without a login."""

from urllib.parse import parse_qs, quote, urlencode

from ecr_emu import errors
from ecr_emu.context import Call, Emulator
from ecr_emu.core.keys import LAYER_URL_SECONDS
from ecr_emu.domain.registries import LAYER_URLS, Registry
from ecr_emu.store import layers
from ecr_emu.store.layers import Blob
from ecr_emu.store.repositories import Repository
from ecr_emu.upstream.flights import Flight

_PURPOSE = "layer URL"


def make(call: Call, repository: Repository, digest: str) -> str:
    """A URL on this server from which anybody can GET the layer for an hour."""
    expires_at = int(call.now) + LAYER_URL_SECONDS
    registry = repository.registry
    claim = [registry.account, registry.region, repository.name, digest, expires_at]
    query = urlencode(
        {
            "X-Amz-Expires": LAYER_URL_SECONDS,
            "X-Amz-Signature": call.emulator.keys.seal(_PURPOSE, claim),
        }
    )
    return f"{call.origin}{LAYER_URLS}{quote(digest)}?{query}"


def resolve(emulator: Emulator, path: str, query: str) -> tuple[Blob | Flight, tuple[Registry, str, str]]:
    """The layer behind a URL, with registry, repository and digest. It may be on its way from an upstream.

    Or a 403 when the URL is not ours or too old, a 404 when the layer is gone.
    """
    signature = parse_qs(query).get("X-Amz-Signature", [""])[0]
    claim = emulator.keys.unseal(_PURPOSE, signature)
    if claim is None or claim[3] != path.removeprefix(LAYER_URLS):
        raise errors.layer_url_forbidden("The request signature does not match")
    account, region, name, digest, expires_at = claim
    if emulator.clock() >= expires_at:
        raise errors.layer_url_forbidden("Request has expired")
    which = (Registry(account, region), name, digest)
    flight = emulator.flights.find(which)
    with emulator.store.read() as connection:
        found = layers.locate(connection, *which) or flight
    if found is None:
        raise errors.blob_unknown(digest)
    return found, which
