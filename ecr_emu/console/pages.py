"""The /_emu/ calls: health and reset."""

from flask import Flask, jsonify
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from ecr_emu import __version__
from ecr_emu.context import Emulator
from ecr_emu.core.reset import reset


def create(emulator: Emulator, implemented: int, total: int) -> Flask:
    """The Flask application of one emulator, of whose `total` AWS operations some are implemented."""
    pages = Flask(__name__, static_folder=None)

    @pages.get("/_emu/health")
    def health() -> ResponseReturnValue:
        operations = {"implemented": implemented, "total": total}
        return jsonify(status="ok", version=__version__, operations=operations)

    @pages.post("/_emu/reset")
    def empty() -> ResponseReturnValue:
        reset(emulator)
        return jsonify(status="ok")

    @pages.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> ResponseReturnValue:
        # Its own response has the headers that belong to the status: Allow for 405.
        response = error.get_response()
        response.content_type = "application/json"
        response.set_data(jsonify(error=error.name, message=error.description).data)
        return response

    return pages
