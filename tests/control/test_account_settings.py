"""GetAccountSetting and PutAccountSetting."""

from typing import Any

import pytest

from tests.clients import Running
from tests.control.calls import invalid, refusal

NAMES = "[BASIC_SCAN_TYPE_VERSION, REGISTRY_POLICY_SCOPE, BLOB_MOUNTING]"


@pytest.mark.parametrize(
    ("name", "first", "other"),
    [
        ("BASIC_SCAN_TYPE_VERSION", "AWS_NATIVE", "CLAIR"),
        ("REGISTRY_POLICY_SCOPE", "V2", "V1"),
        ("BLOB_MOUNTING", "DISABLED", "ENABLED"),
    ],
)
def test_setting_has_a_first_value_and_keeps_another(ecr: Any, name: str, first: str, other: str) -> None:
    assert ecr.get_account_setting(name=name)["value"] == first
    answer = ecr.put_account_setting(name=name, value=other)
    assert (answer["name"], answer["value"]) == (name, other)
    assert ecr.get_account_setting(name=name)["value"] == other
    ecr.put_account_setting(name=name, value=first)
    assert ecr.get_account_setting(name=name)["value"] == first


def test_unknown_name_is_refused(ecr: Any) -> None:
    expected = invalid("name", f"Member must satisfy enum value set: {NAMES}")
    assert refusal(ecr.get_account_setting, name="NEW") == expected
    assert refusal(ecr.put_account_setting, name="NEW", value="x") == expected


def test_unknown_value_is_refused(ecr: Any) -> None:
    got = refusal(ecr.put_account_setting, name="BLOB_MOUNTING", value="enabled")
    assert got == invalid("value", "Member must satisfy enum value set: [DISABLED, ENABLED]")


def test_settings_are_those_of_an_account_in_a_region(emulator: Running, ecr: Any) -> None:
    ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    for other in (emulator.ecr("222222222222"), emulator.ecr(region="eu-west-1")):
        assert other.get_account_setting(name="BLOB_MOUNTING")["value"] == "DISABLED"
