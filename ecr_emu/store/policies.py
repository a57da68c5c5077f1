"""The policies that apply to a repository, in one look-up."""

from dataclasses import dataclass
from sqlite3 import Connection

from ecr_emu.domain.registries import Registry

# Documents: of a repository, of a registry, and the account setting that says what the latter is about.
REPOSITORY_POLICY = "policy"
REGISTRY_POLICY = "registry-policy"
ACCOUNT_SETTING = "account-setting"
SCOPE = "REGISTRY_POLICY_SCOPE"


@dataclass(frozen=True, slots=True)
class Applying:
    """Texts of the repository's and the registry's policy, and the latter's scope, where they are set."""

    of_repository: str | None = None
    of_registry: str | None = None
    scope: str | None = None


def applying(connection: Connection, registry: Registry, name: str) -> Applying:
    registry_key = (registry.account, registry.region)
    rows = connection.execute(
        "SELECT d.kind, d.body FROM repositories r JOIN repository_documents d ON d.repository_id = r.id "
        "WHERE r.account = ? AND r.region = ? AND r.name = ? AND d.kind = ? "
        "UNION ALL SELECT kind, body FROM registry_documents "
        "WHERE account = ? AND region = ? AND kind = ? AND key = '' "
        "UNION ALL SELECT kind, body FROM registry_documents "
        "WHERE account = ? AND region = ? AND kind = ? AND key = ?",
        (
            *(*registry_key, name, REPOSITORY_POLICY),
            *(*registry_key, REGISTRY_POLICY),
            *(*registry_key, ACCOUNT_SETTING, SCOPE),
        ),
    ).fetchall()
    if not rows:
        return _NONE
    found = dict(rows)
    return Applying(found.get(REPOSITORY_POLICY), found.get(REGISTRY_POLICY), found.get(ACCOUNT_SETTING))


_NONE = Applying()
