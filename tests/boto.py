"""Clients of boto3, made quickly.

A session of its own for each client would read and index the models of AWS again, 70 ms each time, which is
more than most tests take.
"""

import threading
from functools import lru_cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import create_loader

REGION = "us-east-1"
KEY = ("test", "secret")

_loader = create_loader()
# Sessions are not made for several threads; their clients are.
_making = threading.Lock()


def client(
    service: str,
    endpoint_url: str,
    key: tuple[str | None, ...] = KEY,
    region: str = REGION,
    config: Config | None = None,
) -> Any:
    """A client with a key of two or three parts (id, secret, token). Close it."""
    with _making:
        return _session(key, region).client(service, endpoint_url=endpoint_url, config=config)


@lru_cache(maxsize=64)
def _session(key: tuple[str | None, ...], region: str) -> boto3.session.Session:
    session = botocore.session.Session()
    session.register_component("data_loader", _loader)
    return boto3.session.Session(*key, region_name=region, botocore_session=session)
