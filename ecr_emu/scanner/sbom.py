"""The software bill of materials of an image: CycloneDX 1.6 in JSON, with package URLs.

(cyclonedx.org, "CycloneDX v1.6 JSON Reference"; github.com/package-url/purl-spec.) The image is the component
of the metadata; the operating system and the packages are the components, the packages in order of their
`bom-ref`. What CycloneDX has no place for is in properties, whose names start with "ecr-emu:", so that
reading gives back all that was written.
"""

import itertools
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from ecr_emu.domain import timestamps
from ecr_emu.domain.inventory import Inventory, Package, System

if TYPE_CHECKING:
    from cyclonedx.model import Property
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

MEDIA_TYPE = "application/vnd.cyclonedx+json"
_SYSTEM = "system"
# How many components the library gets at a time.
_PIECE = 500
_PREFIX = "ecr-emu:"
_UNREAD = _PREFIX + "unread:"
# Fields of a Package that CycloneDX has no place for, by the name of their property.
_PROPERTIES = {
    "kind": "kind",
    "arch": "arch",
    "source": "source",
    "source_version": "source-version",
    "path": "path",
    "layer": "layer",
}
# What separates group and name in the names of a kind; the group of npm is kept with its "@".
_SEPARATORS = {"npm": "/", "maven": ":"}
# Kinds whose package URLs have the distribution as their namespace.
_SYSTEM_KINDS = ("deb", "apk", "rpm")


def write(inventory: Inventory, *, name: str, digest: str, at: float) -> bytes:
    """The SBOM of the image `name` with the digest of its manifest, made at `at` (epoch seconds).

    The same arguments give the same bytes.
    """
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType

    image = Component(type=ComponentType.CONTAINER, name=name, version=digest, bom_ref="image")
    image.properties.update(_property(_UNREAD + path, reason) for path, reason in inventory.unread.items())
    bom = Bom(
        metadata=BomMetaData(
            component=image, timestamp=datetime.fromtimestamp(min(at, timestamps.MAX_SECONDS), UTC)
        ),
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{name}@{digest} {at!r}"),
    )
    references: list[str] = []
    components: list[orjson.Fragment] = []
    for piece in _pieces(inventory):
        references += [part["bom-ref"] for part in piece]
        components += [orjson.Fragment(orjson.dumps(part)) for part in piece]
    references.sort()
    dependencies: list[dict[str, object]] = [{"ref": "image", "dependsOn": references}]
    dependencies += [{"ref": reference} for reference in references]
    return orjson.dumps({**_document(bom), "components": components, "dependencies": dependencies})


def _pieces(inventory: Inventory) -> "Iterator[list[dict[str, Any]]]":
    """The components, as CycloneDX has them in JSON, some hundred at a time.

    The library needs 20 kB and more for each that it has.
    """
    from cyclonedx.model.bom import Bom

    parts = _components(inventory)
    while some := list(itertools.islice(parts, _PIECE)):
        found: list[dict[str, Any]] = _document(Bom(components=some))["components"]
        yield sorted(found, key=lambda part: str(part["bom-ref"]))


def _document(bom: "Bom") -> dict[str, Any]:
    from cyclonedx.output.json import JsonV1Dot6

    # It warns of what is not here, and for each part looks through all.
    bom.validate = lambda: True  # type: ignore[method-assign]
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    return document


def read(content: bytes) -> Inventory:
    """The inventory that `write` made an SBOM of. Raises ValueError for anything else."""
    try:
        return _inventory(json.loads(content))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"is no SBOM of ours: {type(error).__name__}: {error}") from None


def _inventory(bom: Any) -> Inventory:
    packages: list[tuple[str, Package]] = []
    system = None
    for component in bom.get("components", ()):
        if component["bom-ref"] == _SYSTEM:
            system = System(component["name"], component.get("version", ""), component.get("description", ""))
        else:
            packages.append((component["bom-ref"], _package(component)))
    packages.sort(key=lambda pair: pair[0])
    image = bom["metadata"]["component"]
    unread = {
        one["name"].removeprefix(_UNREAD): one.get("value", "")
        for one in image.get("properties", ())
        if one["name"].startswith(_UNREAD)
    }
    return Inventory(system, tuple(package for _, package in packages), unread)


def _components(inventory: Inventory) -> "Iterator[Component]":
    if inventory.system is not None:
        yield _system_component(inventory.system)
    digits = len(str(len(inventory.packages)))
    for number, package in enumerate(inventory.packages):
        yield _component(package, f"package-{number:0{digits}}", inventory.system)


def _system_component(system: System) -> "Component":
    from cyclonedx.model.component import Component, ComponentType

    kind = ComponentType.OPERATING_SYSTEM
    return Component(
        type=kind, name=system.id, version=system.version, description=system.name, bom_ref=_SYSTEM
    )


def _component(package: Package, reference: str, system: System | None) -> "Component":
    from cyclonedx.model.component import Component

    group, name = parted(package)
    return Component(
        name=name,
        group=group or None,
        version=package.version,
        purl=package_url(package, system),
        bom_ref=reference,
        properties=list(_properties(package)),
    )


def _properties(package: Package) -> "Iterator[Property]":
    for field, name in _PROPERTIES.items():
        if value := getattr(package, field):
            yield _property(_PREFIX + name, value)


def _property(name: str, value: str) -> "Property":
    from cyclonedx.model import Property

    return Property(name=name, value=value)


def parted(package: Package) -> tuple[str, str]:
    """Group and name, the group empty where there is none."""
    separator = _SEPARATORS.get(package.kind)
    if separator is not None:
        group, _, name = package.name.partition(separator)
        if group and name and (package.kind != "npm" or group.startswith("@")):
            return group, name
    return "", package.name


def package_url(package: Package, system: System | None) -> "PackageURL | None":
    """The package URL; None where the name does not make one."""
    from packageurl import PackageURL

    group, name = parted(package)
    qualifiers = {"arch": package.arch} if package.arch else {}
    version = package.version
    if package.kind in _SYSTEM_KINDS:
        group = system.id if system is not None else ""
        if group and system is not None and system.version:
            qualifiers["distro"] = f"{group}-{system.version}"
    elif package.kind == "golang":
        group, _, name = name.rpartition("/")
    if package.kind == "rpm" and ":" in version:
        qualifiers["epoch"], _, version = version.partition(":")
    try:
        url = PackageURL(package.kind, group or None, name, version or None, qualifiers)
        url.to_string()
    except (ValueError, TypeError):
        return None
    return url


def _package(component: dict[str, Any]) -> Package:
    values = {
        one["name"].removeprefix(_PREFIX): one.get("value", "") for one in component.get("properties", ())
    }
    fields = {field: values.get(name, "") for field, name in _PROPERTIES.items()}
    separator = _SEPARATORS.get(fields["kind"], "/")
    group = component.get("group")
    name = f"{group}{separator}{component['name']}" if group else component["name"]
    return Package(name=name, version=component.get("version", ""), **fields)
