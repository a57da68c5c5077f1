"""Secrets with the logins for upstream registries: from a file, or from Secrets Manager."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ecr_emu.domain import pull_through
from ecr_emu.upstream.login import Login

# Why a secret cannot be had.
MISSING, FORBIDDEN, SEALED, MALFORMED, NOWHERE = "missing", "forbidden", "sealed", "malformed", "nowhere"
_SENTENCES = {
    MISSING: "The secret was not found.",
    FORBIDDEN: "The secret cannot be accessed.",
    SEALED: "The secret cannot be decrypted.",
    MALFORMED: "The value of the secret must be a JSON object with username and accessToken.",
    NOWHERE: "Secrets cannot be read here: neither --secrets-file nor --secrets-endpoint is given.",
}


class SecretProblem(Exception):
    """One of the codes above; the sentence says nothing of the secret's value."""

    def __init__(self, code: str) -> None:
        super().__init__(_SENTENCES[code])
        self.code = code


def read(arn: str, file: str | None, endpoint: str | None, region: str) -> Login:
    """The login in a secret, or SecretProblem. It is read anew each time, so that a change counts at once."""
    if file is not None:
        return _login(_from_file(Path(file), arn))
    if endpoint is not None:
        return _login(_from_manager(arn, endpoint, region))
    raise SecretProblem(NOWHERE)


def check_file(path: Path) -> None:
    """Look at a file when the server starts. Raises ValueError with one line."""
    try:
        found = parse_file(path)
    except OSError as error:
        raise ValueError(f"cannot read {path} ({error.strerror})") from None
    except ValueError as problem:
        raise ValueError(f"{path}: {problem}") from None
    if not isinstance(found, Mapping) or not all(isinstance(value, Mapping) for value in found.values()):
        raise ValueError(f"{path}: it must be an object of secrets, each with username and accessToken")


def _from_file(path: Path, arn: str) -> Any:
    try:
        found = parse_file(path)
        names = pull_through.secret_names(arn)
        return next(found[name] for name in names if name in found)
    except StopIteration:
        raise SecretProblem(MISSING) from None
    except (OSError, ValueError, TypeError):
        raise SecretProblem(FORBIDDEN) from None


def parse_file(path: Path) -> Any:
    """JSON, or YAML by the file's name. Raises OSError, or ValueError that quotes nothing of it."""
    content = path.read_bytes()
    if path.suffix not in (".yaml", ".yml"):
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise ValueError("not JSON") from None
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError:
        raise ValueError("YAML needs PyYAML: install ecr-emu[yaml], or write JSON") from None
    try:
        return yaml.load(content, yaml.BaseLoader)  # noqa: S506 - makes texts, lists and objects only
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise ValueError("not YAML") from None


def _from_manager(arn: str, endpoint: str, region: str) -> Any:
    """GetSecretValue. Whose keys are used is boto3's business; where none are, made-up ones are sent."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise SecretProblem(FORBIDDEN) from None
    config = Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 1})
    session = boto3.session.Session(region_name=region)
    keys = {} if session.get_credentials() else {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client = session.client("secretsmanager", endpoint_url=endpoint, config=config, **keys)
    try:
        return client.get_secret_value(SecretId=arn)["SecretString"]
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        codes = {"ResourceNotFoundException": MISSING, "DecryptionFailure": SEALED}
        raise SecretProblem(codes.get(code, FORBIDDEN)) from None
    except KeyError:
        raise SecretProblem(MALFORMED) from None
    except BotoCoreError:
        raise SecretProblem(FORBIDDEN) from None
    finally:
        client.close()


def _login(value: Any) -> Login:
    """ECR user guide, Storing your upstream repository credentials in an AWS Secrets Manager secret."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
        username, token = found["username"], found["accessToken"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise SecretProblem(MALFORMED) from None
    if not (isinstance(username, str) and isinstance(token, str) and username and token):
        raise SecretProblem(MALFORMED)
    return Login(username, token)
