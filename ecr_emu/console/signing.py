"""/_emu/signing: what verifiers of the emulator's signatures need."""

from flask import Flask, Response, abort, jsonify
from flask.typing import ResponseReturnValue

from ecr_emu.console.admin import Admin
from ecr_emu.core import certificates
from ecr_emu.domain import signing
from ecr_emu.store import signings


def add(pages: Flask, admin: Admin) -> None:
    store = admin.emulator.store

    @pages.get("/_emu/signing/certificates")
    def show_root() -> ResponseReturnValue:
        """The root, made now if nothing was signed yet: a trust store can be filled before the first push."""
        try:
            return Response(certificates.root(store), content_type="application/x-pem-file")
        except ImportError as error:
            abort(
                501, f"there are no certificates: {error.name} is not installed; pip install 'ecr-emu[sign]'"
            )

    @pages.get("/_emu/signing/profiles")
    def show_profiles() -> ResponseReturnValue:
        with store.read() as connection:
            found = signings.profiles(connection)
        profiles = [
            {"signingProfileArn": arn, "identity": signing.identity(arn), "certificate": certificate}
            for arn, certificate in found
        ]
        return jsonify(profiles=profiles)
