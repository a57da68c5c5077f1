"""Errors of what a registry keeps: cache rules, templates, settings."""

from ecr_emu.errors.error import EcrError
from ecr_emu.errors.requests import invalid_parameter

# Where no answer of AWS was captured, the sentence is the one of the service model's documentation.


def pull_through_rule_already_exists() -> EcrError:
    return EcrError(
        "PullThroughCacheRuleAlreadyExistsException",
        "A pull through cache rule with these settings already exists for the private registry.",
    )


def pull_through_rule_not_found() -> EcrError:
    """No such rule (text unverified)."""
    return EcrError(
        "PullThroughCacheRuleNotFoundException",
        "The pull through cache rule was not found. Specify a valid pull through cache rule and try again.",
    )


def too_many_pull_through_rules(account: str, limit: int) -> EcrError:
    """More rules than the quota (text unverified)."""
    return EcrError(
        "LimitExceededException",
        f"The registry with id '{account}' already has the maximum allowed number of pull through cache "
        f"rules which is '{limit}'",
    )


def unsupported_upstream_registry() -> EcrError:
    """A URL that is no upstream of ECR's, or not of the upstream that was named (text unverified)."""
    return EcrError(
        "UnsupportedUpstreamRegistryException", "The specified upstream registry isn't supported."
    )


def upstream_needs_credentials() -> EcrError:
    return EcrError(
        "UnsupportedUpstreamRegistryException",
        "The specified upstream registry requires authentication. Specify a valid Secrets Manager ARN "
        "containing the upstream registry credentials.",
    )


def upstream_prefix_beside_root() -> EcrError:
    """An upstream prefix for the rule that is for everything (text unverified)."""
    return invalid_parameter(
        "upstreamRepositoryPrefix", "must not be set when ecrRepositoryPrefix is set as ROOT"
    )


def unable_to_access_secret() -> EcrError:
    """A secret of another account or region (code inferred, text unverified)."""
    return EcrError(
        "UnableToAccessSecretException",
        "The secret is unable to be accessed. Verify the resource permissions for the secret and try again.",
    )


def template_already_exists() -> EcrError:
    """A second template for a prefix (text unverified)."""
    return EcrError(
        "TemplateAlreadyExistsException",
        "The repository creation template already exists. Specify a unique prefix and try again.",
    )


def template_not_found() -> EcrError:
    """No template for a prefix (text unverified)."""
    return EcrError(
        "TemplateNotFoundException",
        "The specified repository creation template can't be found. "
        "Verify the registry ID and prefix and try again.",
    )


def invalid_template_tags() -> EcrError:
    """Resource tags of a template; InvalidTagParameterException is not in the model (text unverified)."""
    return invalid_parameter("resourceTags", "Tag parameters are invalid")


def role_not_assumable(arn: str) -> EcrError:
    """A customRoleArn that is not there, or does not trust ECR; which, is not told (text unverified)."""
    return EcrError(
        "AccessDeniedException",
        f"The role '{arn}' cannot be assumed by Amazon ECR. Verify that the role exists in the account of "
        "the registry, and that its trust policy allows ecr.amazonaws.com to perform sts:AssumeRole.",
    )


def template_lacks_role(name: str, prefix: str) -> EcrError:
    """A template that needs a role and has none cannot make its repository (code and text unverified)."""
    return EcrError(
        "AccessDeniedException",
        f"The repository with name '{name}' cannot be created: the template with prefix '{prefix}' sets "
        "resource tags or KMS encryption, and has no customRoleArn",
    )
