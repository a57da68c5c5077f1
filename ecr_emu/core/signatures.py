"""Managed signing: which signatures a push asks for (Amazon ECR user guide, Managed signing).

The image is signed in the name of whoever pushed it, so permissions are asked here, while the pusher is
known; a job makes the signatures (jobs/sign.py).
"""

from collections.abc import Sequence
from sqlite3 import Connection

from ecr_emu import access
from ecr_emu.context import Call
from ecr_emu.errors import EcrError
from ecr_emu.store import jobs, signings
from ecr_emu.store.images import Image
from ecr_emu.store.repositories import Repository
from ecr_emu.store.signings import Failure, Signing

SIGN = "signer:SignPayload"
# What storing a signature takes (the same page, Prerequisites).
STORE = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
)


def start(
    call: Call, transaction: Connection, repository: Repository, image: Image, profiles: Sequence[str]
) -> bool:
    """Let the image be signed by each profile that the pusher may use, and store why the others do not.

    True when there is something to sign. What is not pushed by a person or a program of theirs, but brought
    by a service, is not signed: there is nobody in whose name (inferred).
    """
    if not profiles or call.principal.kind == "service":
        return False
    denial = _denial(call, repository)
    wanted = [_signing(call, profile, denial) for profile in profiles]
    is_due = signings.put(transaction, image, wanted, call.now)
    if is_due:
        jobs.put(transaction, jobs.SIGN, call.now)
    return is_due


def _signing(call: Call, profile: str, denial: Failure | None) -> Signing:
    try:
        access.check_elsewhere(call, SIGN, profile)
    except EcrError as error:
        denial = Failure(error.code, error.message)
    return Signing(profile, "FAILED" if denial else "IN_PROGRESS", denial)


def _denial(call: Call, repository: Repository) -> Failure | None:
    """Why the pusher may not store a signature, or None."""
    try:
        for action in STORE:
            call.authorize(action, repository.registry, repository.name)
    except EcrError as error:
        return Failure(error.code, error.message)
    return None
