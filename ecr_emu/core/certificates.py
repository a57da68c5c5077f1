"""The keys of signing profiles and their certificates, made when they are first asked for, once for all time.

One root for each data folder, and below it one certificate for each profile, as the Notary Project's
signature-specification.md (Certificate requirements) wants them. They are good at every time that a clock can
show: the emulator's may be years away from that of the machine, by which signatures are verified.

`cryptography` is imported on first use: most servers never sign, and it need not be there.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

from ecr_emu.domain import signing
from ecr_emu.store import signings
from ecr_emu.store.database import Database
from ecr_emu.store.signings import ROOT, KeyPair

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

# RFC 5280, 4.1.2.5: a certificate that never expires says this.
_ALWAYS = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
_OF_ROOT = {"C": "XX", "ST": "local", "O": "ecr-emu", "CN": "ecr-emu signing root"}


@dataclass(frozen=True, slots=True)
class Profile:
    """What signs: a key (PEM), and certificates in base64 of DER, from the profile's to the root's."""

    private_key: str
    chain: tuple[str, ...]

    @property
    def thumbprints(self) -> tuple[str, ...]:
        return tuple(hashlib.sha256(base64.b64decode(one)).hexdigest() for one in self.chain)

    def sign(self, target: signing.Target, now: float, agent: str) -> bytes:
        """An envelope: a JWS by the curve that AWS Signer uses (platform Notation-OCI-SHA384-ECDSA)."""
        # PyJWS would load the key as well, but without cryptography it knows no ES384, and no ImportError.
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        from jwt.api_jws import PyJWS

        key: Any = load_pem_private_key(self.private_key.encode(), None)
        compact = PyJWS().encode(signing.payload(target), key, "ES384", signing.protected_headers(now))
        return signing.envelope(compact, self.chain, agent)


def root(store: Database) -> str:
    """The certificate that a trust store needs, as PEM. Raises ImportError without `cryptography`."""
    with store.read() as connection:
        found = signings.find_key(connection, ROOT)
    if found is None:
        with store.write() as transaction:
            found = _root(transaction)
    return found.certificate


def profile(store: Database, arn: str) -> Profile:
    """The key of a signing profile. Raises ImportError without `cryptography`."""
    with store.snapshot() as connection:
        found, above = signings.find_key(connection, arn), signings.find_key(connection, ROOT)
    if found is None or above is None:
        with store.write() as transaction:
            above = _root(transaction)
            found = signings.find_key(transaction, arn) or _make(transaction, arn, above)
    return Profile(found.private_key, (_base64(found), _base64(above)))


def _root(transaction: Connection) -> KeyPair:
    return signings.find_key(transaction, ROOT) or _make(transaction, ROOT, None)


def _make(transaction: Connection, name: str, above: KeyPair | None) -> KeyPair:
    """Make the key of a name and its certificate, signed by the one above, or by itself; store both."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP384R1())
    parts = signing.subject(name) if above else _OF_ROOT
    issuer = x509.load_pem_x509_certificate(above.certificate.encode()).subject if above else _name(parts)
    begins, ends = _ALWAYS
    builder = (
        x509.CertificateBuilder(issuer, _name(parts), key.public_key(), x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=not above, path_length=None if above else 0), critical=True)
        .add_extension(_usage(is_root=not above), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if above:
        usage = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CODE_SIGNING])
        builder = builder.add_extension(usage, critical=False)
    certificate = builder.sign(_load(above) if above else key, hashes.SHA384())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    pair = KeyPair(private.decode(), pem.decode())
    signings.put_key(transaction, name, pair)
    return pair


def _load(pair: KeyPair) -> "ec.EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = serialization.load_pem_private_key(pair.private_key.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the key of the root is not one of ecr-emu's")
    return key


def _name(parts: dict[str, str]) -> "x509.Name":
    from cryptography import x509

    oids = {
        "C": x509.oid.NameOID.COUNTRY_NAME,
        "ST": x509.oid.NameOID.STATE_OR_PROVINCE_NAME,
        "O": x509.oid.NameOID.ORGANIZATION_NAME,
        "CN": x509.oid.NameOID.COMMON_NAME,
    }
    return x509.Name([x509.NameAttribute(oids[part], value) for part, value in parts.items()])


def _usage(*, is_root: bool) -> "x509.KeyUsage":
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not is_root,
        key_cert_sign=is_root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _base64(pair: KeyPair) -> str:
    """PEM is DER in base64, between two lines."""
    return "".join(line for line in pair.certificate.splitlines() if not line.startswith("-----"))
