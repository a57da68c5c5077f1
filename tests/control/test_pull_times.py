"""lastRecordedPullTime, and the principals whose pulls leave it alone."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from ecr_emu.domain.iam.requests import Principal
from tests.clients import Clock, Registry, Running
from tests.control.calls import Repo, refusal

DAY = 24 * 3600
ROLE = "arn:aws:iam::000000000000:role/scanner"


def pulled_at(app: Repo) -> float | None:
    (image,) = app.details()
    time: datetime | None = image.get("lastRecordedPullTime")
    return None if time is None else time.astimezone(UTC).timestamp()


@pytest.fixture
def image(app: Repo) -> str:
    return app.push(b"layer", "v1")


def pull_by_api(registry: Registry, app: Repo) -> None:
    assert app.ecr.batch_get_image(repositoryName="team/app", imageIds=[{"imageTag": "v1"}])["images"]


def pull_by_registry(registry: Registry, app: Repo) -> None:
    assert registry.request("GET", "/v2/team/app/manifests/v1").status == 200


PULLS = pytest.mark.parametrize("pull", [pull_by_api, pull_by_registry])


@PULLS
def test_first_pull_is_recorded(registry: Registry, app: Repo, image: str, clock: Clock, pull: Any) -> None:
    assert pulled_at(app) is None
    pull(registry, app)
    assert pulled_at(app) == clock.now


@PULLS
def test_later_pulls_are_recorded_once_a_day(
    registry: Registry, app: Repo, image: str, clock: Clock, pull: Any
) -> None:
    pull(registry, app)
    first = clock.now
    clock.advance(3600)
    pull(registry, app)
    assert pulled_at(app) == first
    clock.advance(DAY - 3600)
    # The login token has expired by now.
    pull(logged_in_again(registry, app), app)
    assert pulled_at(app) == clock.now


def logged_in_again(registry: Registry, app: Repo) -> Registry:
    token = app.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    return Registry(registry.port, base64.b64decode(token).decode().removeprefix("AWS:"))


def test_pull_with_a_fresh_time_looks_for_policies_rules_and_the_image_and_writes_nothing(
    emulator: Running, registry: Registry, app: Repo, image: str
) -> None:
    pull_by_registry(registry, app)
    statements: list[str] = []
    with emulator.application.emulator.store.read() as connection:
        connection.set_trace_callback(statements.append)
    pull_by_registry(registry, app)
    assert [statement.partition(" ")[0] for statement in statements] == ["SELECT"] * 3
    # Policies and cache rules are recalled until something is written.
    statements.clear()
    pull_by_registry(registry, app)
    assert [statement.partition(" ")[0] for statement in statements] == ["SELECT"]


def test_looking_is_no_pull(registry: Registry, app: Repo, image: str) -> None:
    assert registry.request("HEAD", "/v2/team/app/manifests/v1").status == 200
    assert registry.request("GET", "/v2/team/app/manifests/v2").status == 404
    assert registry.request("GET", "/v2/team/app/tags/list").status == 200
    app.ecr.list_images(repositoryName="team/app")
    assert pulled_at(app) is None


def test_one_call_records_only_the_images_it_gave(app: Repo) -> None:
    digests = {tag: app.push(tag.encode(), tag) for tag in ("v1", "v2", "v3")}
    ids = [{"imageTag": "v1"}, {"imageDigest": digests["v2"]}, {"imageTag": "v9"}]
    app.ecr.batch_get_image(repositoryName="team/app", imageIds=ids)
    pulled = {image["imageTags"][0] for image in app.details() if "lastRecordedPullTime" in image}
    assert pulled == {"v1", "v2"}


def test_session_of_an_excluded_role_leaves_the_time_alone(
    emulator: Running, registry: Registry, app: Repo, image: str, clock: Clock
) -> None:
    app.ecr.register_pull_time_update_exclusion(principalArn=ROLE)
    session = Principal(
        "arn:aws:sts::000000000000:assumed-role/scanner/nightly", "000000000000", "assumed-role"
    )
    here = emulator.application.emulator
    password, _ = here.keys.login_token(session, here.hosts.default, clock.now)
    excluded = Registry(registry.port, password)
    assert excluded.request("GET", "/v2/team/app/manifests/v1").status == 200
    assert pulled_at(app) is None
    app.ecr.deregister_pull_time_update_exclusion(principalArn=ROLE)
    assert excluded.request("GET", "/v2/team/app/manifests/v1").status == 200
    assert pulled_at(app) == clock.now


def test_exclusions_are_registered_listed_and_taken_away(ecr: Any, clock: Clock) -> None:
    user = "arn:aws:iam::111111111111:user/ops/ann"
    assert ecr.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"] == []
    answer = ecr.register_pull_time_update_exclusion(principalArn=ROLE)
    assert answer["principalArn"] == ROLE
    assert answer["createdAt"].timestamp() == pytest.approx(clock.now, abs=0.001)
    ecr.register_pull_time_update_exclusion(principalArn=user)
    assert ecr.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"] == [ROLE, user]
    assert ecr.deregister_pull_time_update_exclusion(principalArn=ROLE)["principalArn"] == ROLE
    assert ecr.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"] == [user]


def test_exclusion_twice_and_exclusion_of_nobody_are_refused(ecr: Any) -> None:
    assert refusal(ecr.deregister_pull_time_update_exclusion, principalArn=ROLE) == (
        "ExclusionNotFoundException",
        f"Pull time update exclusion for principal '{ROLE}' does not exist "
        "in the registry with id '000000000000'",
    )
    ecr.register_pull_time_update_exclusion(principalArn=ROLE)
    assert refusal(ecr.register_pull_time_update_exclusion, principalArn=ROLE) == (
        "ExclusionAlreadyExistsException",
        f"Pull time update exclusion for principal '{ROLE}' already exists "
        "in the registry with id '000000000000'",
    )


@pytest.mark.parametrize(
    "principal",
    [
        "arn:aws:sts::000000000000:assumed-role/scanner/nightly",
        "arn:aws:iam::000000000000:root",
        "arn:aws:iam::000000000000:group/x",
        "arn:aws:iam::0000:role/x",
        f"{ROLE}/",
    ],
)
def test_only_users_and_roles_are_excluded(ecr: Any, principal: str) -> None:
    code, message = refusal(ecr.register_pull_time_update_exclusion, principalArn=principal)
    assert code == "InvalidParameterException"
    assert message.startswith("Invalid parameter at 'principalArn'")


def test_hundred_exclusions_and_no_more(ecr: Any) -> None:
    for number in range(100):
        ecr.register_pull_time_update_exclusion(principalArn=f"{ROLE}{number}")
    assert refusal(ecr.register_pull_time_update_exclusion, principalArn=ROLE) == (
        "LimitExceededException",
        "The registry with id '000000000000' already has the maximum allowed number of pull time update "
        "exclusions which is '100'",
    )
    first = ecr.list_pull_time_update_exclusions(maxResults=60)
    rest = ecr.list_pull_time_update_exclusions(maxResults=60, nextToken=first["nextToken"])
    assert "nextToken" not in rest
    sizes = [len(page["pullTimeUpdateExclusions"]) for page in (first, rest)]
    assert sizes == [60, 40]


def test_exclusions_are_those_of_an_account_in_a_region(emulator: Running, ecr: Any) -> None:
    ecr.register_pull_time_update_exclusion(principalArn=ROLE)
    for other in (emulator.ecr("222222222222"), emulator.ecr(region="eu-west-1")):
        assert other.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"] == []
