"""The /_emu/ calls: health and reset."""

from flask import Flask, jsonify
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from ecr_emu import __version__
from ecr_emu.context import Emulator
from ecr_emu.control.wire import Control
from ecr_emu.core.reset import reset


def create(emulator: Emulator, control: Control) -> Flask:
    """The Flask application of one emulator."""
    pages = Flask(__name__, static_folder=None)

    @pages.get("/_emu/health")
    def health() -> ResponseReturnValue:
        operations = {"implemented": len(control.implemented), "total": len(control.model.operations)}
        return jsonify(status="ok", version=__version__, operations=operations)

    @pages.post("/_emu/reset")
    def empty() -> ResponseReturnValue:
        reset(emulator)
        return jsonify(status="ok")

    @pages.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> ResponseReturnValue:
        return jsonify(error=error.name, message=error.description), error.code or 500

    return pages
