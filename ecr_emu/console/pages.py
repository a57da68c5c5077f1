"""The /_emu/ calls. The larger ones have a file of their own."""

import ipaddress
from urllib.parse import urlsplit

from flask import Flask, Response, abort, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from ecr_emu import __version__, errors
from ecr_emu.console import clock, decisions, events, iam, images, lifecycle, metrics, sboms, scans, signing
from ecr_emu.console.admin import Admin
from ecr_emu.core.reset import reset
from ecr_emu.wsgi import REQUEST_ID

_UNREGISTERED = (".localhost", ".local", ".internal", ".test")


def create(admin: Admin) -> Flask:
    """The Flask application of one emulator."""
    pages = Flask(__name__, static_folder=None)
    clock.add(pages, admin)
    iam.add(pages, admin)
    images.add(pages, admin)
    decisions.add(pages, admin)
    events.add(pages, admin)
    lifecycle.add(pages, admin)
    scans.add(pages, admin)
    metrics.add(pages, admin)
    sboms.add(pages, admin)
    signing.add(pages, admin)

    @pages.before_request
    def refuse_other_sites() -> None:
        if not _is_own_name(_name(request.host), admin):
            abort(
                403,
                "a name that somebody else could own may not ask; use an address, localhost, a name without "
                "a dot, or that of --host or --registry-host",
            )
        # A page of another site that is open in the user's browser may send requests here, but not hide that.
        origin = request.headers.get("Origin")
        is_own = origin is None or urlsplit(origin).netloc == request.host
        if not is_own or request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            abort(
                403,
                "pages of other sites may not ask; ask from the command line, or from a page of this server",
            )

    @pages.after_request
    def say_id(response: Response) -> Response:
        response.headers["x-amzn-RequestId"] = request.environ[REQUEST_ID]
        return response

    @pages.get("/_emu/health")
    def health() -> ResponseReturnValue:
        operations = {"implemented": admin.implemented, "total": admin.total}
        return jsonify(status="ok", version=__version__, operations=operations)

    @pages.post("/_emu/reset")
    def empty() -> ResponseReturnValue:
        reset(admin.emulator)
        admin.jobs.arrange()
        return jsonify(status="ok")

    @pages.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> ResponseReturnValue:
        # Its own response has the headers that belong to the status: Allow for 405.
        response = error.get_response()
        response.content_type = "application/json"
        response.set_data(jsonify(error=error.name, message=error.description).data)
        return response

    @pages.errorhandler(Exception)
    def fail(problem: Exception) -> ResponseReturnValue:
        failure = errors.of_failure(problem, request.environ[REQUEST_ID])
        return jsonify(error=failure.code, message=failure.message), failure.status, failure.headers

    return pages


def _name(host: str) -> str:
    """A Host header without its port and brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ".."


def _is_own_name(name: str, admin: Admin) -> bool:
    """Whether the host that was asked is one that no stranger can give to this address.

    To a browser a site is its name: one whose owner points it here would be "this server", and could read all
    of it and add keys (DNS rebinding). Names without a dot, and those of RFC 6762, 6761 and of ICANN's
    resolution 2024.07.29.06, cannot be registered.
    """
    emulator = admin.emulator
    configured = (emulator.settings.host, emulator.hosts.host(emulator.hosts.default).partition(":")[0])
    if "." not in name or name.endswith(_UNREGISTERED) or name in configured:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
