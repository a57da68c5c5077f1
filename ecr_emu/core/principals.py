"""Principals from a file when the server starts, and from calls while it runs."""

from collections.abc import Iterable
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import orjson

from ecr_emu.domain import iam_documents
from ecr_emu.domain.principals import Document, account_of
from ecr_emu.store import principals
from ecr_emu.store.database import Database

NOTHING = Document((), ())


def load_file(store: Database, path: Path | None, default_account: str) -> None:
    """Take what the file says in the place of what the last one said; without a file, nothing.

    Raises ValueError with one line.
    """
    document = NOTHING
    if path is not None:
        try:
            document = iam_documents.read(_parse(path), default_account)
        except OSError as error:
            raise ValueError(f"cannot read {path} ({error.strerror})") from None
        except ValueError as problem:
            raise ValueError(f"{path}: {problem}") from None
    with store.write() as transaction:
        principals.replace_file(transaction, document)


def merge(store: Database, content: Any, default_account: str) -> Document:
    """Add what a document says. Raises iam_documents.Malformed."""
    document = iam_documents.read(content, default_account)
    with store.write() as transaction:
        principals.put(transaction, document)
    return document


def unknown(connection: Connection, names: Iterable[str], default_account: str) -> set[str]:
    """Which of the principals that a policy names do not exist; the server's own account always does."""
    return {name for name in names if not _exists(connection, name, default_account)}


def _exists(connection: Connection, name: str, default_account: str) -> bool:
    account = account_of(name)
    if account is not None:
        return account == default_account or principals.has_account(connection, account)
    if not name.startswith("arn:"):
        return principals.has_unique_id(connection, name)
    return principals.identity(connection, name) is not None


def _parse(path: Path) -> Any:
    """JSON, or YAML by the file's name. Raises OSError, or ValueError with one line."""
    content = path.read_bytes()
    if path.suffix in (".yaml", ".yml"):
        return _yaml(content)
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as problem:
        raise ValueError(f"not JSON: {problem}") from None


def _yaml(content: bytes) -> Any:
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError:
        raise ValueError("YAML needs PyYAML: install ecr-emu[yaml], or write JSON") from None
    try:
        # Everything is text: the account 000000000000 is no number, and the Version 2012-10-17 no date.
        return yaml.load(content, yaml.BaseLoader)  # noqa: S506 - makes texts, lists and objects only
    except yaml.MarkedYAMLError as error:
        # Without the line itself: there may be a secret in it.
        raise ValueError(f"not YAML: {error.problem} in line {error.problem_mark.line + 1}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise ValueError("not YAML") from None
