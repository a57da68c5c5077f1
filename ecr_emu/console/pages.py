"""The /_emu/ calls. The larger ones have a file of their own."""

from flask import Flask, jsonify
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from ecr_emu import __version__
from ecr_emu.console import clock, decisions, iam, images, lifecycle
from ecr_emu.console.admin import Admin
from ecr_emu.core.reset import reset


def create(admin: Admin) -> Flask:
    """The Flask application of one emulator."""
    pages = Flask(__name__, static_folder=None)
    clock.add(pages, admin)
    iam.add(pages, admin)
    images.add(pages, admin)
    decisions.add(pages, admin)
    lifecycle.add(pages, admin)

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

    return pages
