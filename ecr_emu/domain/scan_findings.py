"""Findings in the two shapes of the API: basic ones and Amazon Inspector's (reference, data plane 4.3).

What nobody told us, such as whether an exploit is known, is left out.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ecr_emu.domain.findings import Affected, Finding, Score
from ecr_emu.domain.inventory import Package, System, split_version
from ecr_emu.domain.registries import Registry

# An attribute's value has at most so many characters (ECR API, Attribute).
MAX_VALUE = 256
# What Amazon Inspector calls a severity that nobody has given.
UNTRIAGED = "UNTRIAGED"

_MANAGERS = {
    "pypi": "PYTHONPKG",
    "npm": "NODEPKG",
    "golang": "GOBINARY",
    "maven": "JAR",
    "gem": "GEMSPEC",
    "cargo": "CARGO",
}

# Amazon Inspector's names of systems, where they are not those of os-release (inferred from its samples).
_SYSTEMS = {"amzn": "AMAZON_LINUX", "alpine": "ALPINE_LINUX"}

Shape = dict[str, Any]


def basic(findings: Iterable[Finding]) -> list[Shape]:
    """One for each vulnerability and source package, which is what ECR's samples name."""
    return [shape for finding in findings for shape in _basic(finding)]


def enhanced(findings: Iterable[Finding], registry: Registry, digest: str, now: float) -> list[Shape]:
    """One for each vulnerability. What is said of the image itself is added when it is asked for."""
    return [_enhanced(finding, registry, digest, now) for finding in findings]


def counts(shapes: Iterable[Shape]) -> dict[str, int]:
    """How many findings there are of each severity that occurs."""
    return dict(Counter(shape["severity"] for shape in shapes if "severity" in shape))


def resource(repository_arn: str, digest: str, image: Shape, tags: Mapping[str, str]) -> Shape:
    """What an enhanced finding says of its image. `image` are members of AwsEcrContainerImageDetails."""
    name = repository_arn.partition(":repository/")[2]
    account = repository_arn.split(":")[4]
    about = {"imageHash": digest, "registry": account, "repositoryName": name, **image}
    return {
        "id": f"{repository_arn}/{digest}",
        "type": "AWS_ECR_CONTAINER_IMAGE",
        "tags": dict(tags),
        "details": {"awsEcrContainerImage": about},
    }


def about_image(config: Mapping[str, Any], system: System | None) -> Shape:
    """What an image's configuration and its packages say of it: members of AwsEcrContainerImageDetails.

    A configuration comes from anywhere: what is no text is left out.
    """
    said = {name: config.get(name) for name in ("architecture", "author")}
    about = {name: value[:MAX_VALUE] for name, value in said.items() if isinstance(value, str)}
    if system is not None:
        name = _SYSTEMS.get(system.id, system.id)
        about["platform"] = f"{name}_{system.version}".rstrip("_").replace(".", "_").upper()[:MAX_VALUE]
    return _present(about)


def _basic(finding: Finding) -> Iterator[Shape]:
    sources = {(_source(one.package)): one for one in reversed(finding.affected)}
    for (name, version), one in reversed(sources.items()):
        yield _present(
            {
                "name": finding.name,
                "description": finding.description,
                "uri": finding.url,
                "severity": finding.severity,
                "attributes": _attributes(name, version, one.fixed_in, finding.scores),
            }
        )


def _source(package: Package) -> tuple[str, str]:
    return package.source or package.name, package.source_version or package.version


def _attributes(name: str, version: str, fixed_in: str | None, scores: Iterable[Score]) -> list[Shape]:
    values = {"package_version": version, "package_name": name}
    if fixed_in is not None:
        values["fixed_in_version"] = fixed_in
    for score in scores:
        # The first of a version counts: the order is that of trust.
        key = f"CVSS{score.version.partition('.')[0]}"
        values.setdefault(f"{key}_VECTOR", score.vector)
        values.setdefault(f"{key}_SCORE", f"{score.score:.1f}")
    return [{"key": key, "value": value[:MAX_VALUE]} for key, value in values.items() if value]


def _enhanced(finding: Finding, registry: Registry, digest: str, now: float) -> Shape:
    best = max(finding.scores, key=lambda score: score.version, default=None)
    names = ", ".join(dict.fromkeys(one.package.name for one in finding.affected))
    return _present(
        {
            "awsAccountId": registry.account,
            "description": finding.description,
            "findingArn": _arn(registry, digest, finding.name),
            "firstObservedAt": now,
            "lastObservedAt": now,
            "updatedAt": now,
            "packageVulnerabilityDetails": _details(finding),
            "remediation": {"recommendation": {"text": "None Provided"}},
            "score": best.score if best else None,
            "scoreDetails": {"cvss": {**_cvss_details(best), "adjustments": []}} if best else None,
            "severity": UNTRIAGED if finding.severity == "UNDEFINED" else finding.severity,
            "status": "ACTIVE",
            "title": f"{finding.name} - {names}",
            "type": "PACKAGE_VULNERABILITY",
            "fixAvailable": _fix_available(finding.affected),
        }
    )


def _arn(registry: Registry, digest: str, name: str) -> str:
    """The same for the same vulnerability of the same image, however often it is looked at."""
    text = f"{registry.account} {registry.region} {digest} {name}"
    unique = hashlib.sha256(text.encode()).hexdigest()[:32]
    return f"arn:aws:inspector2:{registry.region}:{registry.account}:finding/{unique}"


def _details(finding: Finding) -> Shape:
    return _present(
        {
            "cvss": [
                {
                    "baseScore": score.score,
                    "scoringVector": score.vector,
                    "source": score.source,
                    "version": score.version,
                }
                for score in finding.scores
            ],
            "referenceUrls": list(finding.references),
            "relatedVulnerabilities": [name for name in finding.advisories if name != finding.name],
            "source": finding.source,
            "sourceUrl": finding.url,
            "vendorCreatedAt": finding.published_at,
            "vendorUpdatedAt": finding.modified_at,
            "vendorSeverity": finding.source_severity,
            "vulnerabilityId": finding.name,
            "vulnerablePackages": [_package(one) for one in finding.affected],
        }
    )


def _cvss_details(score: Score) -> Shape:
    return _present(
        {
            "score": score.score,
            "scoreSource": score.source,
            "scoringVector": score.vector,
            "version": score.version,
        }
    )


def _package(one: Affected) -> Shape:
    package = one.package
    epoch, version, release = split_version(package.kind, package.version)
    return _present(
        {
            "arch": package.arch.upper(),
            "epoch": epoch,
            "filePath": package.path if package.kind in _MANAGERS else "",
            "name": package.name,
            "packageManager": _MANAGERS.get(package.kind, "OS"),
            "release": release,
            "sourceLayerHash": package.layer,
            "version": version,
            "fixedInVersion": one.fixed_in,
        }
    )


def _fix_available(affected: Iterable[Affected]) -> str:
    fixes = {one.fixed_in is not None for one in affected}
    return "PARTIAL" if len(fixes) == 2 else ("YES" if True in fixes else "NO")


def _present(members: Shape) -> Shape:
    """Without what is not known."""
    return {name: value for name, value in members.items() if value is not None and value != ""}
