"""What the name of a KMS key tells."""

import pytest

from ecr_emu.domain.kms_keys import foreign_region

ID = "0e4a8f3c-5d0b-4b0e-9d59-0d9d9c3a8f11"


@pytest.mark.parametrize(
    ("key", "region"),
    [
        (f"arn:aws:kms:eu-west-1:123456789012:key/{ID}", "eu-west-1"),
        ("arn:aws:kms:eu-west-1:123456789012:alias/mine", "eu-west-1"),
        (f"arn:aws:kms:us-east-1:123456789012:key/{ID}", None),
        (ID, None),
        ("alias/aws/ecr", None),
        ("arn:aws:s3:::bucket", None),
        ("", None),
    ],
)
def test_only_an_arn_of_another_region_is_foreign(key: str, region: str | None) -> None:
    assert foreign_region(key, "us-east-1") == region
