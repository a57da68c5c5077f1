"""Errors of pulls through a cache; the sentences are the service model's, as no answer was captured."""

from ecr_emu.errors.error import EcrError

_USUALLY = (
    "This is usually caused because of an issue with the Secrets Manager secret containing the credentials "
    "for the upstream registry."
)


def upstream_failed(code: str, reason: str) -> EcrError:
    """What the registry answers: `code` is an ImageFailureCode (texts unverified)."""
    return EcrError(code, reason)


def unable_to_get_upstream_image(reason: str) -> EcrError:
    return EcrError(
        "UnableToGetUpstreamImageException",
        "The image or images were unable to be pulled using the pull through cache rule. "
        f"{_USUALLY} ({reason})",
    )


def unable_to_get_upstream_layer(reason: str) -> EcrError:
    return EcrError(
        "UnableToGetUpstreamLayerException",
        f"There was an issue getting the upstream layer matching the pull through cache rule. ({reason})",
    )


def unable_to_list_upstream_referrers(reason: str) -> EcrError:
    return EcrError(
        "UnableToListUpstreamImageReferrersException",
        "The referrer or referrers were unable to be listed using the pull through cache rule. "
        f"{_USUALLY} ({reason})",
    )


def secret_not_found() -> EcrError:
    return EcrError(
        "SecretNotFoundException",
        "The ARN of the secret specified in the pull through cache rule was not found. "
        "Update the pull through cache rule with a valid secret ARN and try again.",
    )


def unable_to_decrypt_secret() -> EcrError:
    return EcrError(
        "UnableToDecryptSecretValueException",
        "The secret is accessible but is unable to be decrypted. "
        "Verify the resource permissions and try again.",
    )
