"""Requests of the registry that might well be answered: pushes, pulls, uploads of all kinds, listings."""

import hashlib
from collections.abc import Callable
from urllib.parse import urlencode

from conformance.fuzz.asks import DATA, Ask
from conformance.fuzz.strange import or_strange, or_strange_span
from conformance.fuzz.world import (
    BLOBS,
    DIGESTS,
    LARGE,
    MANIFESTS,
    MEDIA_TYPES,
    NAMES,
    OTHER_ACCOUNT,
    REGION,
    TAGS,
    World,
    v2,
)
from tests.clients import digest_of, image_index, image_manifest
from tests.seeded import LAYER, LOOSE_LAYER
from tests.steps import CONFIG

ALGORITHMS = ("sha256", "sha256", "sha512")
SPANS = ("bytes=0-3", "bytes=2-", "bytes=-2", "bytes=0-0", "bytes=5-1", "bytes=0-1,3-4", "bytes=9999999-")
_OF_LAYERS = tuple(digest_of(blob) for blob in (CONFIG, LAYER, LOOSE_LAYER, LARGE))
_OF_MANIFESTS = tuple(map(digest_of, MANIFESTS[:4]))
NOBODYS = "0f0e0d0c-0b0a-4908-8706-050403020100"


def make(world: World) -> Ask:
    """Some request with a login, to the default registry unless it is to another one."""
    chance = world.chance
    ask = chance.choices(_KINDS[0], cum_weights=_KINDS[1])[0](world)
    if ask.target.startswith("/v2"):
        ask = ask.having(world.login())
    if chance.random() < 0.02:
        host = f"{OTHER_ACCOUNT}.dkr.ecr.{chance.choice((REGION, 'eu-north-1'))}.localhost:4566"
        return ask.having(("Host", host))
    if chance.random() < 0.01:
        ask = ask.having(("X-Ecr-Emu-Replication", chance.choice((REGION, "us-west-2", DIGESTS[0]))))
    return ask.having(("Host", world.host))


def _name(world: World) -> str:
    return world.chance.choice(NAMES)


def _reference(world: World) -> str:
    return world.chance.choice(TAGS if world.chance.random() < 0.6 else _OF_MANIFESTS)


def _digest(world: World, content: bytes) -> str:
    return digest_of(content, world.chance.choice(ALGORITHMS))


def _ping(world: World) -> Ask:
    return v2("ping", world.chance.choice(("GET", "HEAD")), "")


def _start(world: World) -> Ask:
    query = world.chance.choice(("", "", f"?{_query(world, {'digest-algorithm': 'sha512'})}"))
    return v2("start upload", "POST", f"{_name(world)}/blobs/uploads/{query}")


def _push_at_once(world: World) -> Ask:
    blob = world.chance.choice(BLOBS)
    path = f"{_name(world)}/blobs/uploads/?{_query(world, {'digest': _digest(world, blob)})}"
    return v2("push at once", "POST", path, blob, ("Content-Type", "application/octet-stream"))


def _mount(world: World) -> Ask:
    source = {"from": _name(world)} if world.chance.random() < 0.8 else {}
    query = _query(world, {"mount": world.chance.choice(DIGESTS), **source})
    return v2("mount", "POST", f"{_name(world)}/blobs/uploads/?{query}")


def _session(world: World) -> tuple[str, str, bytes]:
    return world.of(world.uploads, ("team/app", NOBODYS, b""))  # type: ignore[no-any-return]


def _patch(world: World) -> Ask:
    name, upload_id, received = _session(world)
    body = world.chance.choice(BLOBS)[: world.chance.choice((3, 100, 400_000))]
    ask = v2("patch", "PATCH", f"{name}/blobs/uploads/{upload_id}", body)
    if world.chance.random() < 0.5:
        first = len(received) + world.chance.choice((0, 0, 0, 1, -1))
        span = or_strange_span(world.chance, f"{first}-{first + len(body) - 1}")
        ask = ask.having(("Content-Range", span))
    return ask.but(kind="patch in order") if ask.header("content-range") else ask


def _put(world: World) -> Ask:
    name, upload_id, received = _session(world)
    body = world.chance.choice((b"", b"", b"end"))
    query = _query(world, {"digest": _digest(world, received + body)})
    ask = v2("complete upload", "PUT", f"{name}/blobs/uploads/{upload_id}?{query}", body)
    if body and world.chance.random() < 0.5:
        return ask.having(("Content-Range", f"{len(received)}-{len(received) + len(body) - 1}"))
    return ask


def _status(world: World) -> Ask:
    name, upload_id, _ = _session(world)
    return v2("upload status", "GET", f"{name}/blobs/uploads/{upload_id}")


def _cancel(world: World) -> Ask:
    name, upload_id, _ = _session(world)
    return v2("cancel upload", "DELETE", f"{name}/blobs/uploads/{upload_id}")


def _blob(world: World) -> Ask:
    method = world.chance.choice(("GET", "GET", "HEAD"))
    digest = world.chance.choice(DIGESTS if world.chance.random() < 0.2 else _OF_LAYERS)
    ask = v2(f"{method} blob", method, f"{_name(world)}/blobs/{digest}")
    return ask.having(_range(world)) if world.chance.random() < 0.4 else ask


def _delete_blob(world: World) -> Ask:
    return v2("delete blob", "DELETE", f"{_name(world)}/blobs/{world.chance.choice(DIGESTS)}")


def _manifest(world: World) -> Ask:
    method = world.chance.choice(("GET", "GET", "HEAD"))
    ask = v2(f"{method} manifest", method, f"{_name(world)}/manifests/{_reference(world)}")
    return ask.having(("Accept", ", ".join(MEDIA_TYPES))) if world.chance.random() < 0.3 else ask


def _put_manifest(world: World) -> Ask:
    chance = world.chance
    body = chance.choice(MANIFESTS)
    if chance.random() < 0.3:
        # Another image: what it says of itself is new.
        annotations = {"number": str(chance.randrange(30))}
        body = chance.choice(
            (
                image_manifest(CONFIG, annotations=annotations),
                image_index(*MANIFESTS[:2], annotations=annotations),
                image_manifest(CONFIG, subject=_subject(world), artifactType="x/y", annotations=annotations),
            )
        )
    reference = chance.choice(TAGS) if chance.random() < 0.6 else _digest(world, body)
    query = "?" + urlencode([("tag", chance.choice(TAGS)) for _ in range(2)]) if chance.random() < 0.1 else ""
    media_type = ("Content-Type", chance.choice(MEDIA_TYPES))
    return v2("put manifest", "PUT", f"team/app/manifests/{reference}{query}", body, media_type)


def _subject(world: World) -> dict[str, object]:
    content = world.chance.choice(MANIFESTS)
    return {"mediaType": MEDIA_TYPES[0], "digest": digest_of(content), "size": len(content)}


def _delete_manifest(world: World) -> Ask:
    return v2("delete manifest", "DELETE", f"{_name(world)}/manifests/{_reference(world)}")


def _page(world: World) -> str:
    chance = world.chance
    members = {"n": chance.choice(("1", "2", "0", "1000", "5000")), "last": chance.choice((*TAGS, *NAMES))}
    chosen = {name: value for name, value in members.items() if chance.random() < 0.5}
    return f"?{_query(world, chosen)}" if chosen else ""


def _query(world: World, members: dict[str, str]) -> str:
    return urlencode({name: or_strange(world.chance, value) for name, value in members.items()})


def _range(world: World) -> tuple[str, str]:
    return ("Range", or_strange_span(world.chance, world.chance.choice(SPANS)))


def _tags(world: World) -> Ask:
    return v2("list tags", "GET", f"{_name(world)}/tags/list{_page(world)}")


def _catalog(world: World) -> Ask:
    return v2("catalog", "GET", f"_catalog{_page(world)}")


def _referrers(world: World) -> Ask:
    members = world.chance.choice(({}, {"artifactType": "application/x.signature"}, {"after": "1"}))
    query = f"?{_query(world, members)}" if members else ""
    return v2("referrers", "GET", f"{_name(world)}/referrers/{world.chance.choice(DIGESTS)}{query}")


def _layer_url(world: World) -> Ask:
    fallback = f"/_layers/{hashlib.sha256().hexdigest()}?X-Amz-Signature=x"
    target = world.of(world.urls, fallback)
    method = world.chance.choice(("GET", "GET", "HEAD"))
    ask = Ask(DATA, "layer URL", method, target)
    return ask.having(_range(world)) if world.chance.random() < 0.3 else ask


def _weighted(
    weights: dict[Callable[[World], Ask], int],
) -> tuple[list[Callable[[World], Ask]], list[int]]:
    total, sums = 0, []
    for weight in weights.values():
        total += weight
        sums.append(total)
    return list(weights), sums


_KINDS = _weighted(
    {
        _ping: 2,
        _start: 5,
        _push_at_once: 6,
        _mount: 6,
        _patch: 11,
        _put: 8,
        _status: 4,
        _cancel: 2,
        _blob: 14,
        _delete_blob: 1,
        _manifest: 11,
        _put_manifest: 12,
        _delete_manifest: 2,
        _tags: 6,
        _catalog: 3,
        _referrers: 6,
        _layer_url: 4,
    }
)
