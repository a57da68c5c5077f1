"""Which profiles sign the images of which repositories, and what a signature says.

Amazon ECR user guide, Managed signing; Notary Project specifications: signature-specification.md and
signature-envelope-jws.md.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecr_emu.domain import timestamps
from ecr_emu.domain.manifests import OCI_MANIFEST
from ecr_emu.domain.wildcards import matches

SIGNATURE_TYPE = "application/vnd.cncf.notary.signature"
# Signatures are images too, and are not signed; that AWS knows those of cosign as well is inferred.
_SIGNATURE_TYPES = (
    SIGNATURE_TYPE,
    "application/vnd.dev.cosign.artifact.sig.",
    "application/vnd.dev.sigstore.bundle.",
)
ENVELOPE_TYPE = "application/jose+json"
PAYLOAD_TYPE = "application/vnd.cncf.notary.payload.v1+json"
THUMBPRINTS = "io.cncf.notary.x509chain.thumbprint#S256"
CREATED = "org.opencontainers.image.created"
# The configuration of a signature: nothing, under a type of its own.
CONFIG = b"{}"

_SCHEME = "io.cncf.notary.signingScheme"
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Target:
    """The image that is signed; `size_bytes` is that of its manifest."""

    media_type: str
    digest: str
    size_bytes: int

    @property
    def descriptor(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size_bytes}


@dataclass(frozen=True, slots=True)
class Rule:
    """A profile, and the wildcard filters of the repositories it signs; None means every repository."""

    profile_arn: str
    filters: tuple[str, ...] | None = None

    @property
    def region(self) -> str:
        return self.profile_arn.split(":")[3]

    def matches(self, name: str) -> bool:
        return self.filters is None or any(matches(pattern, name) for pattern in self.filters)


def profiles(rules: Sequence[Rule], name: str, artifact_type: str | None) -> list[str]:
    """The profiles that sign an image of this type in the repository `name`, each once."""
    if artifact_type is not None and artifact_type.startswith(_SIGNATURE_TYPES):
        return []
    return list(dict.fromkeys(rule.profile_arn for rule in rules if rule.matches(name)))


def check(region: str, rules: Sequence[Rule]) -> str | None:
    """The constraint that the rules break in a registry of this region, or None."""
    if any(rule.region != region for rule in rules):
        return "Signing profile must be in the same region as the registry"
    return None


def write(rules: Sequence[Rule]) -> str:
    """The rules as they are stored."""
    return json.dumps([[rule.profile_arn, rule.filters] for rule in rules])


def read(text: str | None) -> tuple[Rule, ...]:
    """What `write` wrote; no rules for None."""
    return tuple(
        Rule(profile_arn, None if filters is None else tuple(filters))
        for profile_arn, filters in json.loads(text or "[]")
    )


def payload(target: Target) -> bytes:
    """What is signed."""
    return _json({"targetArtifact": target.descriptor})


def protected_headers(now: float) -> dict[str, Any]:
    """What is signed beside the payload; no `typ`, which the envelope does not have.

    A signature does not expire: verifiers go by the machine's clock, and this one may be years away from it.
    """
    return {
        "typ": "",
        "cty": PAYLOAD_TYPE,
        "crit": [_SCHEME],
        _SCHEME: "notary.x509",
        "io.cncf.notary.signingTime": timestamps.text(now),
    }


def envelope(compact: str, chain: Sequence[str], agent: str) -> bytes:
    """The JSON form of a JWS. `chain` holds certificates in base64 of DER, that of the profile first."""
    protected, content, signature = compact.split(".")
    unprotected = {"x5c": list(chain), "io.cncf.notary.signingAgent": agent}
    return _json({"payload": content, "protected": protected, "header": unprotected, "signature": signature})


def manifest(target: Target, signed: bytes, thumbprints: Sequence[str], now: float) -> bytes:
    """The image that carries an envelope: a referrer of what is signed. Thumbprints are SHA-256 in hex."""
    return _json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": SIGNATURE_TYPE,
            "config": _descriptor(SIGNATURE_TYPE, CONFIG),
            "layers": [_descriptor(ENVELOPE_TYPE, signed)],
            "subject": target.descriptor,
            "annotations": {THUMBPRINTS: json.dumps(list(thumbprints)), CREATED: timestamps.text(now)},
        }
    )


def subject(profile_arn: str) -> dict[str, str]:
    """The name in a profile's certificate, in the order of its parts: region, account and profile.

    Notation wants C, ST and O in the identities of a trust policy; XX is nobody's country (ISO 3166-1).
    """
    _, _, _, region, account, resource = profile_arn.split(":")
    name = resource.rpartition("/")[2]
    if len(name) > _LONGEST_NAME:
        # RFC 5280 has no room for more. AWS Signer has no such names.
        name = hashlib.sha256(name.encode()).hexdigest()
    return {"C": "XX", "ST": region[:128], "O": account, "CN": name}


def identity(profile_arn: str) -> str:
    """The same as a trustedIdentity of a Notation trust policy."""
    return "x509.subject: " + ", ".join(f"{part}={value}" for part, value in subject(profile_arn).items())


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
