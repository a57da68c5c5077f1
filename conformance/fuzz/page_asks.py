"""Requests for the pages under /_emu/, and for the one of moto's that there is."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from conformance.fuzz import policies
from conformance.fuzz.api_asks import altered
from conformance.fuzz.asks import PAGES, Ask
from conformance.fuzz.world import ACCOUNT, DIGESTS, NAMES, OTHER_ACCOUNT, REGION, TAGS, World
from tests.clients import digest_of
from tests.seeded import MANIFEST

FINDING = {"name": "CVE-2025-1", "severity": "HIGH", "uri": "https://x.example", "attributes": []}
# Where lines wait for events they would wait for long.
MAX_WAIT = "0.01s"


def make(world: World) -> Ask:
    """A request for some page."""
    chance = world.chance
    ask = chance.choices(_KINDS, cum_weights=_SUMS)[0](world)
    if ask.body and chance.random() < 0.4 and ask.header("content-type") == "application/json":
        ask = ask.but(body=json.dumps(altered(json.loads(ask.body), chance)).encode())
    return ask.having(("Host", world.host))


def _page(kind: str, method: str, content: Any = None, **query: str) -> Ask:
    target = f"/_emu/{kind}" + (f"?{urlencode(query)}" if query else "")
    if content is None:
        return Ask(PAGES, f"{method} {kind}", method, target)
    body = json.dumps(content).encode()
    return Ask(PAGES, f"{method} {kind}", method, target, (("Content-Type", "application/json"),), body)


def _some(world: World, **members: str) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in members.items() if world.chance.random() < 0.4}


def _repository(world: World) -> dict[str, str]:
    chance = world.chance
    registry = chance.choice((ACCOUNT, ACCOUNT, OTHER_ACCOUNT, "x"))
    return {
        "repositoryName": chance.choice(NAMES),
        **_some(world, registryId=registry, region=chance.choice((REGION, "x"))),
    }


def _plain(world: World) -> Ask:
    # The page of metrics takes a hundred times as long as the others.
    if world.chance.random() < 0.02:
        return _page("metrics", "GET")
    kinds = ("health", "clock", "iam", "scan-findings", "signing/profiles", "signing/certificates")
    return _page(world.chance.choice(kinds), world.chance.choice(("GET", "HEAD", "OPTIONS")))


def _clock(world: World) -> Ask:
    moves: tuple[dict[str, Any], ...] = (
        {"advance": "1h"},
        {"advance": 60},
        {"advance": "45d"},
        {"set": "2027-01-01T00:00:00Z", "freeze": True},
        {"release": True},
        {"reset": True},
        {"set": "9999-12-31T23:59:59Z"},
        {"set": 0},
    )
    return _page("clock", "POST", world.chance.choice(moves))


def _decisions(world: World) -> Ask:
    if world.chance.random() < 0.4:
        request_id = world.of(world.request_ids, "x")
        return _page(f"decisions/{request_id}", "GET").but(kind="GET decisions/…")
    kind, member = world.chance.choice((("decisions", "limit"), ("uses", "since")))
    return _page(kind, "GET", None, **{member: world.chance.choice(("0", "5", "99999999999999999999", "x"))})


def _events(world: World) -> Ask:
    kind = world.chance.choice(("events", "trail"))
    query = _some(
        world,
        since=world.chance.choice(("0", "5", "2025-06-15T00:00:00Z", "9" * 30)),
        limit=world.chance.choice(("1", "100", "0", "99999")),
        repository=world.chance.choice(NAMES),
        account=ACCOUNT,
        region=REGION,
        detail_type=world.chance.choice(("ECR Image Action", "ECR Image Scan", "x")),
        wait=world.chance.choice((MAX_WAIT, "0s", "x", "1e9")),
    )
    return _page(kind, "GET", None, **query)


def _images(world: World) -> Ask:
    if world.chance.random() < 0.5:
        return _page("images", "GET", None, **_repository(world))
    records = [_record(world) for _ in range(world.chance.choice((1, 1, 3)))]
    if world.chance.random() < 0.3:
        records = [altered(record, world.chance) for record in records]
    body = b"\n".join(json.dumps(record).encode() for record in records)
    query = urlencode(_repository(world)) if world.chance.random() < 0.5 else ""
    return _page("images", "POST").but(target=f"/_emu/images?{query}", body=body)


def _record(world: World) -> dict[str, Any]:
    record: dict[str, Any] = {
        "repositoryName": "old/images",
        "imageDigest": digest_of(str(world.chance.randrange(20)).encode()),
        "imageTags": [world.chance.choice(TAGS)],
        "imagePushedAt": world.chance.choice(
            (1_700_000_000, "2024-01-01T00:00:00Z", "2024-01-01T00:00:00+02:00")
        ),
        "imageSizeInBytes": world.chance.choice((0, 12_345, 2**40)),
    }
    if world.chance.random() < 0.3:
        record["imageDigest"], record["imageManifest"] = digest_of(MANIFEST), MANIFEST.decode()
    return record


def _findings(world: World) -> Ask:
    way = world.chance.randrange(4)
    if way == 0:
        return _page("scan-findings", "DELETE")
    if way == 1:
        return _page(f"scan-findings/{world.chance.choice((1, 2, 2**63, 2**70))}", "DELETE").but(
            kind="DELETE scan-findings/…"
        )
    said = {**_repository(world), "imageTag": world.chance.choice(TAGS)}
    if way == 2:
        return _page("scan-findings", "PUT", {**said, "findings": [FINDING]})
    result = {
        "repositoryName": said["repositoryName"],
        "imageId": {"imageTag": said["imageTag"]},
        "imageScanStatus": {"status": "COMPLETE"},
        "imageScanFindings": {"findings": [FINDING], "findingSeverityCounts": {"HIGH": 1}},
    }
    target = "/moto-api/static/ecr/scan-finding-results"
    return _page("scan-findings", "POST", {"results": [result], "account_id": ACCOUNT}).but(
        target=target, kind="POST moto's findings"
    )


def _scans(world: World) -> Ask:
    if world.chance.random() < 0.4:
        return _page("scans", "GET", None, **_repository(world))
    which = world.chance.choice(
        ({"imageTag": world.chance.choice(TAGS)}, {"imageDigest": world.chance.choice(DIGESTS)}, {})
    )
    return _page("sbom", world.chance.choice(("GET", "POST")), None, **_repository(world), **which)


def _principals(world: World) -> Ask:
    name = world.chance.choice(("u1", "u2", "r1"))
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    if world.chance.random() < 0.4:
        which = world.chance.choice(({"arn": arn}, {"accessKeyId": f"AKIA{name.upper()}"}))
        return _page("iam", "DELETE", which)
    policy = {
        "name": "own",
        "document": json.loads(policies.document(world.chance, principal=False, resource=True)),
    }
    keys = [{"id": f"AKIA{name.upper()}", "secret": f"secret-of-{name}"}]
    user = {
        "name": name,
        "account": ACCOUNT,
        "policies": [policy],
        "accessKeys": keys,
        "tags": {"team": "red"},
    }
    role = {"name": "r1", "account": ACCOUNT, "trust": json.loads(policies.trust(world.chance))}
    return _page("iam", "POST", {"users": [user]} if world.chance.random() < 0.6 else {"roles": [role]})


def _lifecycle(world: World) -> Ask:
    said = _repository(world)
    return _page("lifecycle/run", "POST", world.chance.choice(({}, said, {"repositoryName": "team/app"})))


# What is due is done by the clock, by findings and by lifecycle/run, with a process where images are scanned:
# of these there are few.
_WEIGHTS: dict[Callable[[World], Ask], int] = {
    _plain: 100,
    _clock: 3,
    _decisions: 60,
    _events: 60,
    _images: 60,
    _findings: 12,
    _scans: 50,
    _principals: 40,
    _lifecycle: 3,
}
_KINDS = list(_WEIGHTS)
_SUMS = [sum(list(_WEIGHTS.values())[: number + 1]) for number in range(len(_WEIGHTS))]
