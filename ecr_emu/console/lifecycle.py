"""/_emu/lifecycle/run: running lifecycle policies at once."""

from typing import Any

from flask import Flask, abort, jsonify
from flask.typing import ResponseReturnValue

from ecr_emu.console.admin import Admin, body, refuse
from ecr_emu.context import Emulator
from ecr_emu.domain.registries import Registry
from ecr_emu.store import jobs, repositories

_MEMBERS = {"repositoryName", "registryId", "region"}


def add(pages: Flask, admin: Admin) -> None:
    @pages.post("/_emu/lifecycle/run")
    def run_lifecycle() -> ResponseReturnValue:
        count = _put_jobs(admin.emulator, body())
        reports = admin.jobs.run_due()
        runs = [report for report in reports if report["kind"] == jobs.LIFECYCLE]
        return jsonify(policies=count, runs=runs)


def _put_jobs(emulator: Emulator, wanted: dict[str, Any]) -> int:
    """Make the policies due that are meant: of one repository, or all; how many that are."""
    if set(wanted) - _MEMBERS or not all(isinstance(value, str) for value in wanted.values()):
        refuse('name a repository, as in {"repositoryName": "team/app"}, or nothing for all')
    name = wanted.get("repositoryName")
    default = emulator.hosts.default
    registry = Registry(wanted.get("registryId", default.account), wanted.get("region", default.region))
    with emulator.store.write() as transaction:
        if name is None:
            return jobs.put_lifecycle(transaction, emulator.clock())
        repository = repositories.find(transaction, registry, name)
        if repository is None:
            abort(404, f"there is no repository '{name}' in {registry.account}, {registry.region}")
        count = jobs.put_lifecycle(transaction, emulator.clock(), repository.id)
        if not count:
            abort(404, f"the repository '{name}' has no lifecycle policy; put one first")
        return count
