"""/_emu/images: records of images in and out, so that a repository can have a past that nobody pushed."""

from collections.abc import Iterator
from dataclasses import asdict

import orjson
from flask import Flask, Response, abort, jsonify, request
from flask.typing import ResponseReturnValue

from ecr_emu.console.admin import Admin, refuse
from ecr_emu.context import Emulator
from ecr_emu.core import image_records
from ecr_emu.domain.image_records import Defaults, Reader, entries
from ecr_emu.domain.record_members import InvalidRecord, word
from ecr_emu.domain.registries import Registry
from ecr_emu.errors import EcrError
from ecr_emu.store import repositories
from ecr_emu.wsgi import drain, read_body

PATH = "/_emu/images"
# A million images with a few tags each.
MAX_BODY_BYTES = 1 << 30


def add(pages: Flask, admin: Admin) -> None:
    emulator = admin.emulator

    @pages.post(PATH)
    def put_images() -> ResponseReturnValue:
        body = _body()
        registry, name = _registry(emulator), _said("repositoryName")
        now = emulator.clock()
        defaults = Defaults(registry, now, name, emulator.settings.restore_seconds)
        reader = Reader(defaults, orjson.loads)
        try:
            found = [
                record for where, entry in entries(body, orjson.loads) for record in reader.read(where, entry)
            ]
            stored = image_records.put(emulator.store, found, now, (registry, name) if name else None)
        except InvalidRecord as problem:
            refuse(str(problem))
        return jsonify(asdict(stored))

    @pages.get(PATH)
    def get_images() -> ResponseReturnValue:
        registry, name = _registry(emulator), _said("repositoryName")
        if name is None:
            refuse("say which repository is meant, as in ?repositoryName=team/app")
        with emulator.store.read() as connection:
            try:
                repository = repositories.get(connection, registry, name)
            except EcrError as error:
                abort(404, error.message)
        found = image_records.records(emulator.store, repository, emulator.clock())
        return Response(_lines(found), mimetype="application/x-ndjson")


def _lines(records: Iterator[dict[str, object]]) -> Iterator[bytes]:
    for record in records:
        yield orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def _registry(emulator: Emulator) -> Registry:
    default = emulator.hosts.default
    return Registry(_said("registryId") or default.account, _said("region") or default.region)


def _said(member: str) -> str | None:
    """What the query says, which may be what a record may say."""
    try:
        return word(request.args, member)
    except InvalidRecord as problem:
        refuse(str(problem))


def _body() -> bytes:
    """The whole body. It is read before anything is refused: a client that still sends sees no answer."""
    try:
        return read_body(request.environ, MAX_BODY_BYTES)
    except EcrError as error:
        drain(request.environ)
        abort(error.status, error.message)
