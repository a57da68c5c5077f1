"""What the engines are told: a bill of what is installed, as CycloneDX 1.5 in JSON.

It is not the SBOM that is stored: an engine needs the source packages, which CycloneDX has no place for, in
the properties that it writes itself, and the system under its own name. The bom-ref of a package comes back
with what is found in it.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ecr_emu.domain.inventory import LANGUAGE_KINDS, SYSTEM_KINDS, Inventory, Package, System
from ecr_emu.scanner.sbom import package_url, parted

# What an engine wants to know of a package besides: names and values of properties.
Properties = Callable[[Package], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Bill:
    """The bill, the packages in it by their bom-ref, and what could not be put into it."""

    content: bytes
    packages: Mapping[str, Package]
    left_out: tuple[Package, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the engine was not told."""
        if not self.left_out:
            return ()
        first = f"{self.left_out[0].name} {self.left_out[0].version}"
        return (f"Packages without a package URL, which were not compared: {len(self.left_out)} ({first}).",)


def write(inventory: Inventory, system: System | None, *, languages: bool, properties: Properties) -> Bill:
    """The bill for an engine that calls the image's system `system`.

    Packages of the system are those of one kind: where an image has dpkg's and rpm's, the many are meant.
    """
    kinds = {*_system_kind(inventory), *(LANGUAGE_KINDS if languages else ())}
    chosen = [package for package in inventory.packages if package.kind in kinds]
    components: list[dict[str, Any]] = []
    packages: dict[str, Package] = {}
    left_out = []
    for number, package in enumerate(chosen):
        url = package_url(package, inventory.system)
        if url is None:
            left_out.append(package)
            continue
        reference = f"package-{number}"
        packages[reference] = package
        components.append(_component(reference, package, url.to_string(), properties(package)))
    if system is not None:
        components.append(
            {"type": "operating-system", "bom-ref": "system", "name": system.id, "version": system.version}
        )
    image = {"type": "container", "bom-ref": "image", "name": "image"}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": image},
        "components": components,
        "dependencies": [{"ref": "image", "dependsOn": [one["bom-ref"] for one in components]}],
    }
    return Bill(json.dumps(document).encode(), packages, tuple(left_out))


def _system_kind(inventory: Inventory) -> list[str]:
    counts = Counter(package.kind for package in inventory.packages if package.kind in SYSTEM_KINDS)
    return [kind for kind, _ in counts.most_common(1)]


def _component(reference: str, package: Package, url: str, properties: Mapping[str, str]) -> dict[str, Any]:
    group, name = parted(package)
    said = [{"name": key, "value": value} for key, value in properties.items()]
    return {
        "type": "library",
        "bom-ref": reference,
        "name": name,
        **({"group": group} if group else {}),
        "version": package.version,
        "purl": url,
        **({"properties": said} if said else {}),
    }
