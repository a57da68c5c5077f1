"""Who calls one of the AWS APIs, and where: from the signature, which is verified where keys are known."""

import re
from urllib.parse import unquote

from ecr_emu import errors
from ecr_emu.context import Call, Emulator, root_principal
from ecr_emu.domain import credentials
from ecr_emu.domain.credentials import Scope
from ecr_emu.domain.iam.requests import Principal
from ecr_emu.domain.principals import Credential
from ecr_emu.domain.registries import Registry
from ecr_emu.wsgi import Environ, client, origin

_PRESIGNED = re.compile(r"(?:^|&)X-Amz-Credential=([^&]*)")


def identify(
    emulator: Emulator, environ: Environ, body: bytes, request_id: str, service: str = "ecr"
) -> Call:
    """The call that a request to a service makes. Raises AWS's errors of signatures."""
    known = emulator.settings.auth == "iam"
    principal, credential, registry = (
        _verify(emulator, environ, body, service) if known else _believe(emulator, environ)
    )
    return Call(
        emulator,
        principal,
        registry,
        origin(environ, emulator),
        emulator.clock(),
        request_id,
        client(environ),
        credential,
    )


def claimed_scope(environ: Environ) -> Scope | None:
    """The credential scope in the Authorization header, or in the query of a presigned URL."""
    authorization = environ.get("HTTP_AUTHORIZATION")
    if authorization is not None:
        return credentials.parse_scope(authorization)
    query = environ.get("QUERY_STRING", "")
    found = _PRESIGNED.search(query)
    return credentials.scope_of_credential(unquote(found[1])) if found else None


def claimed_service(environ: Environ) -> str:
    """The service that the request is signed for; "" when nothing is signed."""
    scope = claimed_scope(environ)
    return scope.service if scope else ""


def _believe(emulator: Emulator, environ: Environ) -> tuple[Principal, None, Registry]:
    """The account and the region that the credential scope names."""
    settings = emulator.settings
    account, region = settings.account, settings.region
    scope = claimed_scope(environ)
    if scope is not None:
        account = credentials.account_of_access_key(scope.access_key) or account
        region = scope.region
    elif "HTTP_AUTHORIZATION" in environ:
        raise errors.incomplete_signature(
            "Authorization header requires 'Credential' parameter with a credential scope."
        )
    elif settings.auth != "open":
        raise errors.missing_authentication_token()
    return root_principal(account), None, Registry(account, region)


def _verify(
    emulator: Emulator, environ: Environ, body: bytes, service: str
) -> tuple[Principal, Credential, Registry]:
    """The principal whose key signed the request, in the region that it was signed for."""
    # hmac and what belongs to it: most servers never verify a signature.
    from ecr_emu.control.signatures import authenticate, signed_request

    clock = emulator.clock
    with emulator.store.read() as connection:
        claim, credential = authenticate(
            connection, signed_request(environ, body), clock.machine_now(), clock(), service
        )
    principal = credential.principal
    return principal, credential, Registry(principal.account, claim.credential.region)
