"""What a push costs and sets going beside storing the image."""

from collections.abc import Callable
from typing import Any

import pytest

from ecr_emu.app import Application
from ecr_emu.context import Call, root_principal
from ecr_emu.core import after_push, push
from ecr_emu.domain.registries import Registry
from ecr_emu.errors import EcrError
from ecr_emu.store import repositories
from tests.clients import DEFAULT_ACCOUNT, Clock, image_manifest
from tests.clients import Registry as Client

HOME = Registry(DEFAULT_ACCOUNT, "us-east-1")
CONFIG = b"config"

Push = Callable[..., list[str]]


@pytest.fixture
def push_image(application: Application, ecr: Any, registry: Client, clock: Clock) -> Push:
    """Pushes an image and tells which statements that took."""
    ecr.create_repository(repositoryName="team/app")
    emulator = application.emulator
    registry.push_blob("team/app", CONFIG)

    def run(tag: str) -> list[str]:
        call = Call(emulator, root_principal(HOME.account), HOME, "", clock.now, "")
        with emulator.store.read() as connection:
            repository = repositories.get(connection, HOME, "team/app")
        statements: list[str] = []
        # The connection that was given back last is the one that is taken next.
        connection.set_trace_callback(statements.append)
        push.put_image(call, repository, image_manifest(CONFIG, annotations={"tag": tag}), None, None, [tag])
        connection.set_trace_callback(None)
        assert statements[-1] == "COMMIT"
        return statements

    return run


def about(statements: list[str], *tables: str) -> list[str]:
    """Statements that name one of the tables, but for those of triggers, which are shown as comments."""
    named = [sql for sql in statements if any(table in sql for table in tables)]
    return [sql for sql in named if not sql.startswith("--")]


def test_a_push_looks_once_for_all_settings_and_for_the_repository(push_image: Push) -> None:
    statements = push_image("v1")
    assert len(about(statements, "registry_documents")) == 1
    # And once for the number of its images.
    assert len(about(statements, " repositories ")) == 2
    assert about(statements, "image_scans", "image_replications", "image_signings") == []


def test_a_push_with_all_settings_looks_no_more_often(ecr: Any, push_image: Push) -> None:
    filters = [{"filter": "*", "filterType": "WILDCARD"}]
    ecr.put_registry_scanning_configuration(
        rules=[{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": filters}]
    )
    place = {"region": "eu-west-1", "registryId": DEFAULT_ACCOUNT}
    ecr.put_replication_configuration(replicationConfiguration={"rules": [{"destinations": [place]}]})
    arn = f"arn:aws:signer:us-east-1:{DEFAULT_ACCOUNT}:/signing-profiles/release"
    ecr.put_signing_configuration(signingConfiguration={"rules": [{"signingProfileArn": arn}]})
    statements = push_image("v1")
    settings = about(statements, "registry_documents")
    assert [sql.split()[0] for sql in settings] == ["SELECT", "INSERT"]
    for table in ("image_scans", "image_replications", "image_signings"):
        assert len([sql for sql in about(statements, table) if sql.startswith("INSERT")]) == 1


def test_a_repository_that_went_meanwhile_is_missed(application: Application, ecr: Any) -> None:
    ecr.create_repository(repositoryName="team/app")
    store = application.emulator.store
    with store.read() as connection:
        repository = repositories.get(connection, HOME, "team/app")
    ecr.delete_repository(repositoryName="team/app")
    with store.read() as connection, pytest.raises(EcrError, match="team/app"):
        after_push.find_settings(connection, repository)
