"""Is there a registry: /v2/."""

from ecr_emu.registry.request import Request
from ecr_emu.wsgi import Response


def get(request: Request) -> Response:
    """What a client asks first, with its login or to learn how to log in."""
    return Response(200, [("Content-Type", "application/json")], b"{}")
