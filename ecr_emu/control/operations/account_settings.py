"""Operations on account settings: free names with a few values each, for an account in a region."""

from typing import TYPE_CHECKING

from ecr_emu.context import Call
from ecr_emu.control import wording
from ecr_emu.control.operations import Answer, operation
from ecr_emu.store import documents
from ecr_emu.store.policies import ACCOUNT_SETTING, SCOPE

if TYPE_CHECKING:
    from types_boto3_ecr import type_defs as types

# Each setting's values, what a new account has first (reference, control plane 9.3). CLAIR and V1 are what
# old accounts have.
_VALUES = {
    "BASIC_SCAN_TYPE_VERSION": ("AWS_NATIVE", "CLAIR"),
    SCOPE: ("V2", "V1"),
    "BLOB_MOUNTING": ("DISABLED", "ENABLED"),
}


@operation
def get_account_setting(call: Call, request: "types.GetAccountSettingRequestTypeDef") -> Answer:
    call.authorize("ecr:GetAccountSetting", call.registry, "*")
    name = request["name"]
    values = _values(name)
    with call.store.read() as connection:
        setting = documents.find(connection, call.registry, ACCOUNT_SETTING, name)
    return {"name": name, "value": setting.body if setting else values[0]}


@operation
def put_account_setting(call: Call, request: "types.PutAccountSettingRequestTypeDef") -> Answer:
    about = {"ecr:accountsetting": (request["name"],)}
    call.authorize("ecr:PutAccountSetting", call.registry, "*", about)
    name, value = request["name"], request["value"]
    values = _values(name)
    if value not in values:
        raise wording.not_in_enum("value", values)
    with call.store.write() as transaction:
        documents.put(transaction, call.registry, ACCOUNT_SETTING, name, value, call.now)
    return {"name": name, "value": value}


def _values(name: str) -> tuple[str, ...]:
    """The values that a setting may have. What AWS says to another name is unverified."""
    if name not in _VALUES:
        raise wording.not_in_enum("name", list(_VALUES))
    return _VALUES[name]
