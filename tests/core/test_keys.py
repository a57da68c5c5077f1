"""The key of a data folder, and what is signed with it."""

import stat
from pathlib import Path

import pytest

from ecr_emu.context import root_principal
from ecr_emu.core import keys as signing
from ecr_emu.core.keys import TOKEN_SECONDS, Keys, LoginToken, load_keys
from ecr_emu.domain.registries import Registry
from ecr_emu.errors import EcrError

HOME = Registry("123456789012", "eu-west-1")
CALLER = root_principal(HOME.account)
NOW = 1_750_000_000.25


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return load_keys(tmp_path)


def refusal(keys: Keys, password: str, now: float = NOW) -> str:
    with pytest.raises(EcrError) as refused:
        keys.check_login_token(password, now)
    return refused.value.code


def test_only_the_owner_can_read_the_key(tmp_path: Path, keys: Keys) -> None:
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert len((tmp_path / "key").read_bytes()) == 32
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_token_is_good_after_a_restart(tmp_path: Path, keys: Keys) -> None:
    password, expires_at = keys.login_token(CALLER, HOME, NOW)
    token = load_keys(tmp_path).check_login_token(password, NOW)
    assert token == LoginToken(CALLER, HOME.region, float(int(expires_at)))


def test_a_half_written_key_of_a_crash_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "key.new").write_bytes(b"half")
    load_keys(tmp_path)
    assert len((tmp_path / "key").read_bytes()) == 32


@pytest.mark.parametrize("left", [b"", b"half", b"x" * 33])
def test_a_key_that_was_torn_signs_nothing(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "key").write_bytes(left)
    password, _ = load_keys(tmp_path).login_token(CALLER, HOME, NOW)
    assert len((tmp_path / "key").read_bytes()) == 32
    assert load_keys(tmp_path).check_login_token(password, NOW).principal == CALLER


def test_a_token_of_another_key_is_refused(tmp_path: Path, keys: Keys) -> None:
    (tmp_path / "other").mkdir()
    password, _ = load_keys(tmp_path / "other").login_token(CALLER, HOME, NOW)
    assert refusal(keys, password) == "TokenInvalid"


@pytest.mark.parametrize("is_remembered", [True, False])
def test_a_token_expires_after_twelve_hours(keys: Keys, is_remembered: bool) -> None:
    password, expires_at = keys.login_token(CALLER, HOME, NOW)
    assert expires_at == NOW + TOKEN_SECONDS
    if is_remembered:
        keys.check_login_token(password, NOW)
    keys.check_login_token(password, expires_at - 1)
    assert refusal(keys, password, expires_at) == "TokenExpired"


@pytest.mark.parametrize("password", ["", "x", "a.b.c", "e30.e30.", "é.é.é", "x" * 10_000])
def test_what_is_no_token_is_refused(keys: Keys, password: str) -> None:
    assert refusal(keys, password) == "TokenInvalid"


def test_a_token_with_one_letter_changed_is_refused(keys: Keys) -> None:
    password, _ = keys.login_token(CALLER, HOME, NOW)
    keys.check_login_token(password, NOW)
    for place in range(0, len(password) - 1, 7):
        changed = "A" if password[place] != "A" else "B"
        assert refusal(keys, password[:place] + changed + password[place + 1 :]) == "TokenInvalid"


def test_two_tokens_are_never_the_same(keys: Keys) -> None:
    assert len({keys.login_token(CALLER, HOME, NOW)[0] for _ in range(10)}) == 10


def test_tokens_are_good_when_more_are_in_use_than_are_remembered(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "MAX_REMEMBERED", 2)
    passwords = [keys.login_token(CALLER, HOME, NOW)[0] for _ in range(5)]
    for password in passwords * 2:
        assert keys.check_login_token(password, NOW).principal == CALLER


def test_a_seal_is_good_for_its_purpose_and_key_only(keys: Keys) -> None:
    sealed = keys.seal("paging", ["a", 1, None])
    assert keys.unseal("paging", sealed) == ["a", 1, None]
    assert keys.unseal("layer URL", sealed) is None
    assert Keys(b"other").unseal("paging", sealed) is None
    for text in ("", "x", "a.b", sealed[:-1], "é", "\ud800", sealed + "A"):
        assert keys.unseal("paging", text) is None
