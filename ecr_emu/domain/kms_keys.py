"""What the name of a KMS key tells; ecr-emu has no KMS and encrypts nothing."""

import re

_ARN = re.compile(r"arn:[^:]*:kms:([^:]+):.*", re.DOTALL)


def foreign_region(key: str, region: str) -> str | None:
    """The region of a key's ARN when it is not `region`; key ids and aliases name none."""
    match = _ARN.fullmatch(key)
    return match[1] if match and match[1] != region else None
