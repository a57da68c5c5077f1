"""Logging in to ECR, or to another ecr-emu: a token from GetAuthorizationToken, by boto3."""

import base64
from typing import Any

from ecr_emu.domain.registries import Registry
from ecr_emu.upstream.login import Login
from ecr_emu.upstream.problems import NOT_ASKED, UpstreamProblem, denied, unavailable


def get(endpoint: str, upstream: Registry, account: str, timeout_seconds: float) -> Login:
    """A login for a registry of ECR, whose API and registry are both at `endpoint`.

    boto3 finds the keys as it always does; where there are none, the account is the access key, which is how
    an ecr-emu that asks for no signatures knows who asks. Raises UpstreamProblem.
    """
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise UpstreamProblem(
            NOT_ASKED, "an upstream of ECR behind --upstream needs boto3: install ecr-emu[aws]"
        ) from None
    config = Config(
        connect_timeout=timeout_seconds, read_timeout=timeout_seconds, retries={"max_attempts": 1}
    )
    session = boto3.session.Session(region_name=upstream.region)
    keys = {} if session.get_credentials() else {"aws_access_key_id": account, "aws_secret_access_key": "-"}
    client: Any = session.client("ecr", endpoint_url=endpoint, config=config, **keys)
    try:
        answer = client.get_authorization_token()
        token = base64.b64decode(answer["authorizationData"][0]["authorizationToken"]).decode()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "an error")
        raise denied(f"GetAuthorizationToken of the upstream registry answered {code}") from None
    except BotoCoreError as error:
        raise unavailable(f"GetAuthorizationToken got no answer ({type(error).__name__})") from None
    except (LookupError, ValueError):
        raise unavailable("GetAuthorizationToken of the upstream registry gave no token") from None
    finally:
        client.close()
    username, _, password = token.partition(":")
    return Login(username, password)
