"""Principals from a file."""

import builtins
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecr_emu.core.principals import load_file, merge
from ecr_emu.store import principals
from ecr_emu.store.database import Database

ACCOUNT = "000000000000"
YAML = """
accounts: {"111122223333": {organization: o-abc}}
users:
  - name: alice
    account: 111122223333
    accessKeys: [{id: AKIA1, secret: 12345}]
    policies:
      - Version: 2012-10-17
        Statement:
          - {Effect: Allow, Action: "ecr:*", Resource: "*", Condition: {Bool: {"aws:SecureTransport": true}}}
  - {name: bob, account: 000000000000}
roles:
  - name: deploy
    sessions: [{name: ci, accessKeyId: ASIA1, secret: s, token: t, expires: 2027-01-01T00:00:00Z}]
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "metadata.db")
    yield database
    database.close()


def arns(store: Database) -> list[str]:
    with store.read() as connection:
        return [entry.arn for entry in principals.everything(connection).entries]


@pytest.mark.parametrize("suffix", [".yaml", ".yml"])
def test_a_yaml_file_is_text_all_over(store: Database, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"iam{suffix}"
    path.write_text(YAML)
    load_file(store, path, ACCOUNT)
    assert arns(store) == [
        "arn:aws:iam::000000000000:role/deploy",
        "arn:aws:iam::000000000000:user/bob",
        "arn:aws:iam::111122223333:user/alice",
    ]
    with store.read() as connection:
        alice, session = (principals.find_key(connection, key) for key in ("AKIA1", "ASIA1"))
    assert alice is not None
    assert session is not None
    assert (alice.secret, session.expires_at) == ("12345", 1798761600.0)


def test_a_json_file_may_have_any_name(store: Database, tmp_path: Path) -> None:
    path = tmp_path / "principals"
    path.write_text(json.dumps({"users": [{"name": "alice"}]}))
    load_file(store, path, ACCOUNT)
    assert arns(store) == ["arn:aws:iam::000000000000:user/alice"]


def test_without_a_file_only_what_calls_brought_is_left(store: Database, tmp_path: Path) -> None:
    path = tmp_path / "iam.json"
    path.write_text('{"users": [{"name": "alice"}]}')
    load_file(store, path, ACCOUNT)
    merge(store, {"users": [{"name": "bob"}]}, ACCOUNT)
    load_file(store, None, ACCOUNT)
    assert arns(store) == ["arn:aws:iam::000000000000:user/bob"]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("iam.json", b"{", "not JSON: "),
        ("iam.json", b"\xff", "not JSON: "),
        ("iam.json", b"[]", "the document must be an object"),
        ("iam.json", b'{"users": [{"name": 1}]}', "users[0].name: must be text"),
        ("iam.json", b"[" * 100_000, "not JSON: "),
        ("iam.yaml", b"secret: b: c", "not YAML: mapping values are not allowed here in line 1"),
        ("iam.yaml", b"a:\n  [secret", "not YAML: "),
        ("iam.yaml", b"\xff\xfe\xff", "not YAML"),
        ("iam.yaml", b"[" * 10_000, "not YAML"),
        ("iam.yaml", b"!!python/object/apply:os.system [ls]", "the document must be an object"),
        ("iam.yaml", b"", "the document must be an object"),
        ("iam.yaml", b"users: &a [*a]", "not YAML: found unconstructable recursive node in line 1"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(
    store: Database, tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    merge(store, {"users": [{"name": "bob"}]}, ACCOUNT)
    with pytest.raises(ValueError, match=r"iam\.(json|yaml): ") as raised:
        load_file(store, path, ACCOUNT)
    assert str(raised.value).startswith(f"{path}: {problem}")
    assert "\n" not in str(raised.value)
    assert "secret" not in str(raised.value)
    assert arns(store) == ["arn:aws:iam::000000000000:user/bob"]


def test_a_file_that_cannot_be_read(store: Database, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^cannot read .*none\.json \(No such file or directory\)$"):
        load_file(store, tmp_path / "none.json", ACCOUNT)
    with pytest.raises(ValueError, match=r"\(Is a directory\)$"):
        load_file(store, tmp_path, ACCOUNT)


def test_yaml_without_pyyaml(store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "yaml":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    path = tmp_path / "iam.yaml"
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"YAML needs PyYAML: install ecr-emu\[yaml\], or write JSON$"):
        load_file(store, path, ACCOUNT)


def test_the_example_of_the_docs_is_understood(store: Database, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "principals.md").read_text()
    path = tmp_path / "iam.yaml"
    path.write_text(text.partition("```yaml\n")[2].partition("```")[0])
    load_file(store, path, ACCOUNT)
    assert arns(store) == [
        "arn:aws:iam::111122223333:role/deploy",
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:user/alice",
    ]
