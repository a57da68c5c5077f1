"""/_emu/scan-findings: what the user wants scans to find."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Flask, abort, jsonify
from flask.typing import ResponseReturnValue

from ecr_emu.console.admin import Admin, body, refuse
from ecr_emu.domain import injected_scans
from ecr_emu.domain.registries import Registry
from ecr_emu.store import injected_scans as rows
from ecr_emu.store import scans

PATH = "/_emu/scan-findings"
MAX_NUMBER = 2**63 - 1
# Where moto's users put their results (moto, ECR, describe_image_scan_findings).
MOTO_PATH = "/moto-api/static/ecr/scan-finding-results"


def add(pages: Flask, admin: Admin) -> None:
    store = admin.emulator.store

    @pages.put(PATH)
    def put_findings() -> ResponseReturnValue:
        document = body()
        number = _put(admin, document, registry_of(admin, document, "registryId"))
        return jsonify(number=number)

    @pages.get(PATH)
    def list_findings() -> ResponseReturnValue:
        with store.read() as connection:
            found = [
                _describe(registry, *row)
                for registry in rows.registries(connection)
                for row in rows.of_registry(connection, registry)
            ]
        return jsonify(injections=found)

    @pages.delete(PATH)
    def delete_all_findings() -> ResponseReturnValue:
        with store.write() as transaction:
            return jsonify(deleted=rows.delete_all(transaction))

    # What is no number of SQLite's is none of an injection.
    @pages.delete(f"{PATH}/<int(max={MAX_NUMBER}):number>")
    def delete_findings(number: int) -> ResponseReturnValue:
        with store.write() as transaction:
            if not rows.delete(transaction, number):
                abort(404, f"there is no injection {number}")
        return jsonify(deleted=1)

    @pages.post(MOTO_PATH)
    def put_findings_of_moto() -> ResponseReturnValue:
        document = body()
        results = document.get("results", [])
        if not isinstance(results, list):
            refuse("results must be a list")
        registry = registry_of(admin, document, "account_id")
        for result in results:
            _put(admin, _of_moto(result), registry)
        return "", 201


def _put(admin: Admin, document: dict[str, Any], registry: Registry) -> int:
    """Store an injection, and let what it is about be scanned again if it has been scanned."""
    try:
        checked = injected_scans.check(document, admin.read_findings)
    except ValueError as problem:
        refuse(str(problem))
    name = document["repositoryName"]
    with admin.emulator.store.write() as transaction:
        number = rows.put(transaction, registry, name, json.dumps(checked))
        which = scans.Which(registry, name, checked.get("imageTag"), checked.get("imageDigest"))
        scans.again(transaction, which, admin.emulator.clock())
    admin.jobs.run_due()
    return number


def registry_of(admin: Admin, document: Mapping[str, Any], member: str) -> Registry:
    """The registry that is meant; the server's own in what is not said."""
    settings = admin.emulator.settings
    account, region = document.get(member, settings.account), document.get("region", settings.region)
    if not (isinstance(account, str) and isinstance(region, str)):
        refuse(f"{member} and region must be text")
    return Registry(account, region)


def _describe(registry: Registry, number: int, repository: str, text: str) -> dict[str, Any]:
    about = {"registryId": registry.account, "region": registry.region, "repositoryName": repository}
    return {"number": number, **about, **json.loads(text)}


def _of_moto(result: Any) -> dict[str, Any]:
    """An answer of DescribeImageScanFindings, which is what moto takes, as an injection."""
    if not isinstance(result, dict):
        refuse("a result must be an object")
    image_id, status = result.get("imageId", {}), result.get("imageScanStatus", {})
    found = result.get("imageScanFindings", {})
    if not all(isinstance(part, dict) for part in (image_id, status, found)):
        refuse("imageId, imageScanStatus and imageScanFindings must be objects")
    members = ("findings", "enhancedFindings", "findingSeverityCounts")
    selector = next((name for name in ("imageDigest", "imageTag") if image_id.get(name)), None)
    return {
        "repositoryName": result.get("repositoryName"),
        **({selector: image_id[selector]} if selector else {}),
        **{name: status[name] for name in ("status", "description") if name in status},
        **{name: found[name] for name in members if name in found},
    }
