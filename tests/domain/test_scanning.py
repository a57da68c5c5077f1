"""Which repositories and which images are scanned."""

import pytest

from ecr_emu.domain import scanning
from ecr_emu.domain.manifests import DOCKER_LIST, DOCKER_MANIFEST, OCI_ARTIFACT, OCI_INDEX, OCI_MANIFEST
from ecr_emu.domain.scanning import Configuration, Frequency, Rule

NAMES = ("prod", "repo-prod", "prod-repo", "repo-prod-repo", "prodrepo")
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
HELM = "application/vnd.cncf.helm.config.v1+json"


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("prod", NAMES),
        ("*prod", ("prod", "repo-prod")),
        ("prod*", ("prod", "prod-repo", "prodrepo")),
        ("*prod*", NAMES),
        ("prod*repo", ("prod-repo", "prodrepo")),
        ("*", NAMES),
        ("test", ()),
    ],
)
def test_filters_match_as_the_user_guide_says(pattern: str, matching: tuple[str, ...]) -> None:
    assert tuple(name for name in NAMES if scanning.matches_name(pattern, name)) == matching


ON_PUSH = Rule("SCAN_ON_PUSH", ("prod*", "*"))
CONTINUOUS = Rule("CONTINUOUS_SCAN", ("prod*", "*shop*"))


@pytest.mark.parametrize(
    ("configuration", "flag", "expected"),
    [
        (Configuration(), False, Frequency("MANUAL")),
        (Configuration(), True, Frequency("SCAN_ON_PUSH")),
        (Configuration("BASIC", (ON_PUSH,)), False, Frequency("SCAN_ON_PUSH", ("prod*", "*"))),
        (Configuration("BASIC", (Rule("SCAN_ON_PUSH", ("test",)),)), True, Frequency("MANUAL")),
        (Configuration("BASIC", (Rule("SCAN_ON_PUSH", ()),)), True, Frequency("MANUAL")),
        (Configuration("BASIC", (Rule("MANUAL", ("prod",)),)), True, Frequency("MANUAL", ("prod",))),
        (
            Configuration("BASIC", (Rule("MANUAL", ("*",)), ON_PUSH)),
            False,
            Frequency("SCAN_ON_PUSH", ("prod*", "*")),
        ),
        (Configuration("ENHANCED"), True, Frequency("MANUAL")),
        (Configuration("ENHANCED", (ON_PUSH,)), False, Frequency("SCAN_ON_PUSH", ("prod*", "*"))),
        (Configuration("ENHANCED", (ON_PUSH, CONTINUOUS)), False, Frequency("CONTINUOUS_SCAN", ("prod*",))),
    ],
)
def test_frequency_follows_the_rules_or_else_the_repository(
    configuration: Configuration, flag: bool, expected: Frequency
) -> None:
    assert scanning.frequency(configuration, flag, "prod-app") == expected
    assert scanning.read(scanning.write(configuration)) == configuration


@pytest.mark.parametrize(
    ("scan_type", "frequencies", "constraint"),
    [
        ("BASIC", ("SCAN_ON_PUSH", "MANUAL"), None),
        ("ENHANCED", ("CONTINUOUS_SCAN", "SCAN_ON_PUSH"), None),
        ("BASIC", (), None),
        (
            "BASIC",
            ("CONTINUOUS_SCAN",),
            "Scan frequency CONTINUOUS_SCAN is not supported for scan type BASIC",
        ),
        ("ENHANCED", ("MANUAL",), "Scan frequency MANUAL is not supported for scan type ENHANCED"),
        ("BASIC", ("SCAN_ON_PUSH", "SCAN_ON_PUSH"), "Each scan frequency can have one rule only"),
    ],
)
def test_scan_type_and_frequencies_must_fit(
    scan_type: str, frequencies: tuple[str, ...], constraint: str | None
) -> None:
    rules = tuple(Rule(name, ("*",)) for name in frequencies)
    assert scanning.check(Configuration(scan_type, rules)) == constraint


@pytest.mark.parametrize(
    ("media_type", "artifact_type", "blob_types", "expected"),
    [
        (OCI_MANIFEST, OCI_CONFIG, [OCI_CONFIG, OCI_LAYER], True),
        (DOCKER_MANIFEST, DOCKER_CONFIG, [DOCKER_CONFIG, DOCKER_LAYER], True),
        (OCI_MANIFEST, OCI_CONFIG, [OCI_CONFIG], True),
        (OCI_INDEX, None, [], False),
        (DOCKER_LIST, None, [], False),
        (OCI_ARTIFACT, OCI_CONFIG, [], False),
        (OCI_MANIFEST, HELM, [HELM, OCI_LAYER], False),
        (OCI_MANIFEST, None, ["", OCI_LAYER], False),
        (OCI_MANIFEST, "application/vnd.cncf.notary.signature", [OCI_CONFIG, OCI_LAYER], False),
        # Older signatures of cosign look like images but for their layers.
        (OCI_MANIFEST, OCI_CONFIG, [OCI_CONFIG, "application/vnd.dev.cosign.simplesigning.v1+json"], False),
    ],
)
def test_only_images_of_file_systems_can_be_scanned(
    media_type: str, artifact_type: str | None, blob_types: list[str], expected: bool
) -> None:
    assert scanning.is_scannable(media_type, artifact_type, blob_types) is expected


def test_a_registry_without_a_configuration_has_the_default() -> None:
    assert scanning.read(None) == Configuration("BASIC", ())
