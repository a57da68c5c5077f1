"""Lifecycle policies that run."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ecr_emu.app import Application
from ecr_emu.core import expire
from ecr_emu.domain.lifecycle import Decision, Evaluation, Image
from ecr_emu.domain.manifests import OCI_INDEX
from ecr_emu.store import jobs
from tests.clients import Registry, Running, digest_of, image_index
from tests.consistency import check_consistency
from tests.policies import keep_newest, policy, rule

NAME = "team/app"
DAY = 86_400


@pytest.fixture
def repository(ecr: Any, emulator: Running) -> None:
    """An empty repository, in an emulator whose jobs are arranged as in a server that has started."""
    ecr.create_repository(repositoryName=NAME)
    emulator.application.runner.arrange()


def tags(ecr: Any, name: str = NAME, **status: str) -> set[str]:
    images = ecr.describe_images(repositoryName=name, filter=status)["imageDetails"]
    return {tag for image in images for tag in image.get("imageTags", ["-"])}


def put(ecr: Any, *rules: Any, name: str = NAME) -> None:
    ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=policy(*rules))


def last_run(ecr: Any) -> float:
    answer = ecr.get_lifecycle_policy(repositoryName=NAME)
    seconds: float = answer["lastEvaluatedAt"].timestamp()
    return seconds


@pytest.mark.usefixtures("repository")
class TestDaily:
    def test_putting_a_policy_touches_nothing(self, ecr: Any, registry: Registry, emulator: Running) -> None:
        registry.push_image(NAME, "v1", b"1")
        registry.push_image(NAME, "v2", b"2")
        put(ecr, keep_newest(1))
        assert emulator.post("/_emu/clock", advance="23h")["jobs"] == []
        assert tags(ecr) == {"v1", "v2"}
        assert last_run(ecr) == 0

    def test_it_runs_after_a_day_and_the_bytes_are_swept(
        self, ecr: Any, registry: Registry, emulator: Running
    ) -> None:
        registry.push_image(NAME, "v1", b"1")
        registry.push_image(NAME, "v2", b"2")
        put(ecr, keep_newest(1))
        runs, swept = emulator.post("/_emu/clock", advance="25h")["jobs"]
        now = emulator.application.emulator.clock()
        assert runs == {
            "kind": "lifecycle",
            "at": now - 3600,
            "registryId": "000000000000",
            "region": "us-east-1",
            "repositoryName": NAME,
            "expired": 1,
            "archived": 0,
            "failures": [],
        }
        assert (swept["kind"], swept["blobs"], swept["freed_bytes"]) == ("sweep", 1, 1)
        assert tags(ecr) == {"v2"}
        assert last_run(ecr) == pytest.approx(now - 3600, abs=1e-3)
        fresh = emulator.registry()
        assert fresh.request("GET", f"/v2/{NAME}/blobs/{digest_of(b'1')}").status == 404
        assert fresh.request("GET", f"/v2/{NAME}/blobs/{digest_of(b'2')}").status == 200

    def test_each_run_sees_its_own_time(self, ecr: Any, registry: Registry, emulator: Running) -> None:
        """Archived by the run of day 31, so deleted by the one of day 31 + 91, and not of day 122 alone."""
        registry.push_image(NAME, "v1", b"1")
        put(
            ecr,
            rule(1, action="transition", days=30),
            rule(2, countType="sinceImageTransitioned", countNumber=90, storageClass="archive"),
        )
        began = emulator.application.emulator.clock()
        done = emulator.post("/_emu/clock", advance="200d")["jobs"]
        runs = [(job["at"] - began) / DAY for job in done if job["kind"] == "lifecycle"]
        assert runs == [31, 122]
        assert tags(ecr, imageStatus="ANY") == set()
        assert last_run(ecr) == pytest.approx(began + 200 * DAY, abs=1e-3)

    def test_an_image_exactly_as_old_as_the_limit_stays(
        self, ecr: Any, registry: Registry, emulator: Running
    ) -> None:
        registry.push_image(NAME, "v1", b"1")
        put(ecr, rule(days=1))
        emulator.post("/_emu/clock", advance="1d")
        assert tags(ecr) == {"v1"}
        emulator.post("/_emu/clock", advance="1d")
        assert tags(ecr) == set()

    def test_policies_run_in_the_order_of_their_times(
        self, ecr: Any, registry: Registry, emulator: Running
    ) -> None:
        ecr.create_repository(repositoryName="second")
        for name in ("second", NAME):
            registry.push_image(name, "v1", b"1")
            put(ecr, rule(days=2), name=name)
            emulator.post("/_emu/clock", advance="1h")
        done = emulator.post("/_emu/clock", advance="5d")["jobs"]
        assert [job["repositoryName"] for job in done if job["kind"] == "lifecycle"] == ["second", NAME]
        assert [job["at"] for job in done] == sorted(job["at"] for job in done)

    def test_a_policy_that_was_deleted_does_not_run(
        self, ecr: Any, registry: Registry, emulator: Running
    ) -> None:
        registry.push_image(NAME, "v1", b"1")
        put(ecr, rule(days=1))
        deleted = ecr.delete_lifecycle_policy(repositoryName=NAME)
        assert deleted["lastEvaluatedAt"].timestamp() == 0
        assert emulator.post("/_emu/clock", advance="90d")["jobs"] == []
        assert tags(ecr) == {"v1"}

    def test_another_text_has_not_run_yet(self, ecr: Any, emulator: Running) -> None:
        put(ecr, rule(days=1))
        emulator.post("/_emu/clock", advance="2d")
        before = last_run(ecr)
        assert before > 0
        put(ecr, rule(days=1))
        assert last_run(ecr) == before
        put(ecr, rule(days=2))
        assert last_run(ecr) == 0

    def test_a_clock_set_back_leaves_no_job_in_the_far_future(
        self, ecr: Any, registry: Registry, emulator: Running
    ) -> None:
        put(ecr, rule(days=1))
        emulator.post("/_emu/clock", advance="1000d")
        emulator.post("/_emu/clock", reset=True)
        registry.push_image(NAME, "v1", b"1")
        emulator.post("/_emu/clock", advance="3d")
        assert tags(ecr) == set()


@pytest.mark.usefixtures("repository")
class TestAtOnce:
    def test_all_policies_run(self, ecr: Any, registry: Registry, emulator: Running) -> None:
        ecr.create_repository(repositoryName="second")
        ecr.create_repository(repositoryName="without")
        for name in ("second", NAME):
            registry.push_image(name, "v1", b"1")
            registry.push_image(name, "v2", b"2")
            put(ecr, keep_newest(1), name=name)
        answer = emulator.post("/_emu/lifecycle/run")
        assert (answer["policies"], len(answer["runs"])) == (2, 2)
        assert tags(ecr) == tags(ecr, "second") == {"v2"}
        assert last_run(ecr) > 0
        assert emulator.post("/_emu/lifecycle/run") == {"policies": 2, "runs": []}

    def test_one_policy_runs(self, ecr: Any, registry: Registry, emulator: Running) -> None:
        ecr.create_repository(repositoryName="second")
        for name in ("second", NAME):
            registry.push_image(name, "v1", b"1")
            registry.push_image(name, "v2", b"2")
            put(ecr, keep_newest(1), name=name)
        answer = emulator.post("/_emu/lifecycle/run", repositoryName=NAME)
        assert (answer["policies"], answer["runs"][0]["expired"]) == (1, 1)
        assert (tags(ecr), tags(ecr, "second")) == ({"v2"}, {"v1", "v2"})

    @pytest.mark.parametrize(
        ("body", "status", "message"),
        [
            (b'{"repositoryName": "none"}', 404, "there is no repository 'none' in 000000000000, us-east-1"),
            (b'{"repositoryName": "team/app", "region": "eu-west-1"}', 404, "there is no repository"),
            (b'{"repositoryName": "team/app"}', 404, "the repository 'team/app' has no lifecycle policy"),
            (b'{"repositoryName": 1}', 400, "name a repository"),
            (b'{"name": "team/app"}', 400, "name a repository"),
        ],
    )
    def test_what_cannot_run_is_refused(
        self, emulator: Running, body: bytes, status: int, message: str
    ) -> None:
        reply = Registry(emulator.port, None).request("POST", "/_emu/lifecycle/run", body)
        assert reply.status == status
        assert reply.json()["message"].startswith(message)

    def test_it_runs_when_the_interval_is_never(self, start: Callable[..., Running]) -> None:
        emulator = start(lifecycle_interval=0, sweep_interval=0)
        ecr, registry = emulator.ecr(), emulator.registry()
        emulator.application.runner.arrange()
        ecr.create_repository(repositoryName=NAME)
        registry.push_image(NAME, "v1", b"1")
        put(ecr, rule(days=1))
        assert emulator.post("/_emu/clock", advance="90d")["jobs"] == []
        assert tags(ecr) == {"v1"}
        assert emulator.post("/_emu/lifecycle/run")["runs"][0]["expired"] == 1
        assert emulator.post("/_emu/clock", advance="90d")["jobs"] == []


@pytest.mark.usefixtures("repository")
class TestDeeds:
    def test_an_index_goes_before_its_images(self, ecr: Any, registry: Registry, emulator: Running) -> None:
        child = registry.push_image(NAME, None, b"1")
        body = registry.request("GET", f"/v2/{NAME}/manifests/{child}").body
        assert registry.put_manifest(NAME, "all", image_index(body), OCI_INDEX).status == 201
        put(ecr, rule(1, days=5, tagStatus="untagged"))
        emulator.post("/_emu/clock", advance="10d")
        assert tags(ecr) == {"all", "-"}
        put(ecr, rule(1, days=5))
        (run,) = emulator.post("/_emu/lifecycle/run")["runs"]
        assert (run["expired"], run["failures"]) == (2, [])
        assert tags(ecr) == set()

    def test_archiving_is_the_archiving_of_the_api(
        self, ecr: Any, registry: Registry, emulator: Running
    ) -> None:
        digest = registry.push_image(NAME, "v1", b"1")
        put(ecr, rule(1, action="transition", days=5))
        emulator.post("/_emu/clock", advance="10d")
        assert tags(ecr, imageStatus="ARCHIVED") == {"v1"}
        (image,) = ecr.describe_images(repositoryName=NAME, imageIds=[{"imageDigest": digest}])[
            "imageDetails"
        ]
        assert (image["imageStatus"], "lastArchivedAt" in image) == ("ARCHIVED", True)
        assert emulator.registry().request("GET", f"/v2/{NAME}/manifests/v1").status == 404

    def test_a_signature_goes_with_what_it_signs(
        self, ecr: Any, registry: Registry, emulator: Running
    ) -> None:
        digest = registry.push_image(NAME, "v1", b"1")
        registry.push_image(NAME, None, b"signature", subject={"digest": digest, "size": 1})
        registry.push_image(NAME, "v2", b"2")
        put(ecr, keep_newest(1, tagStatus="tagged", tagPatternList=["*"]))
        (run,) = emulator.post("/_emu/lifecycle/run")["runs"]
        assert run["expired"] == 2
        assert tags(ecr) == {"v2"}

    def test_a_refusal_is_told_and_the_others_go(
        self, ecr: Any, registry: Registry, emulator: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The engine protects images that an index lists; this one forgets to."""
        child = registry.push_image(NAME, None, b"1")
        body = registry.request("GET", f"/v2/{NAME}/manifests/{child}").body
        assert registry.put_manifest(NAME, "all", image_index(body), OCI_INDEX).status == 201
        alone = registry.push_image(NAME, "v1", b"2")
        put(ecr, rule(days=5))
        evaluation = expire.evaluation

        def forget_to(*given: Any) -> Evaluation:
            decisions = [
                replace(one, action="EXPIRE")
                for one in evaluation(*given).decisions
                if one.image.digest in (child, alone)
            ]
            gone = Decision(Image("sha256:00"), "EXPIRE", None, "", "")
            return Evaluation((*decisions, gone), None)

        monkeypatch.setattr(expire, "evaluation", forget_to)
        (run,) = emulator.post("/_emu/lifecycle/run")["runs"]
        (failure,) = run["failures"]
        assert (run["expired"], failure["digest"]) == (1, child)
        assert failure["code"] == "ImageReferencedByManifestList"
        assert failure["message"].startswith("Requested image referenced by manifest list: [sha256:")
        assert tags(ecr) == {"all", "-"}

    def test_a_crash_in_the_middle_leaves_everything(
        self, application: Application, ecr: Any, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(4):
            registry.push_image(NAME, f"v{number}", b"%d" % number)
        put(ecr, keep_newest(1))
        delete, deleted = expire.delete_image, []

        def break_at_the_second(*arguments: Any) -> None:
            deleted.append(arguments)
            if len(deleted) == 2:
                raise OSError("the disk is gone")
            delete(*arguments)

        monkeypatch.setattr(expire, "delete_image", break_at_the_second)
        with application.emulator.store.write() as transaction:
            jobs.put_lifecycle(transaction, application.emulator.clock())
        (report,) = application.runner.run_due()
        assert report["error"] == "OSError: the disk is gone"
        assert tags(ecr) == {"v0", "v1", "v2", "v3"}
        assert last_run(ecr) == 0
        monkeypatch.undo()
        check_consistency(application.emulator.settings.data_dir)
