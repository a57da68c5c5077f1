"""A registry client that pushes exactly the bytes that a test makes: what no engine would push."""

import base64
import json
import urllib.request
from typing import Any

from engines.images import OCI_MANIFEST, Image, digest_of


class Registry:
    """One repository over the registry API."""

    def __init__(self, host: str, name: str, password: str) -> None:
        self._url = f"http://{host}/v2/{name}"
        self.name = f"{host}/{name}"
        self._login = "Basic " + base64.b64encode(f"AWS:{password}".encode()).decode()

    def get(self, path: str) -> bytes:
        return self._ask("GET", path, None, {})

    def json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def push_blob(self, content: bytes) -> dict[str, Any]:
        """Push a blob; a descriptor without a media type."""
        digest = digest_of(content)
        self._ask("POST", f"blobs/uploads/?digest={digest}", content, {})
        return {"digest": digest, "size": len(content)}

    def push_manifest(self, body: bytes, tag: str = "") -> str:
        """Push a manifest and return a reference by its digest."""
        digest = digest_of(body)
        self._ask("PUT", f"manifests/{tag or digest}", body, {"Content-Type": OCI_MANIFEST})
        return f"{self.name}@{digest}"

    def push(self, image: Image, tag: str = "") -> str:
        self.push_blob(image.config)
        self.push_blob(image.layer)
        return self.push_manifest(image.manifest, tag)

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        sent = {"Authorization": self._login, **headers}
        request = urllib.request.Request(f"{self._url}/{path}", body, sent, method=method)
        with urllib.request.urlopen(request, timeout=30) as reply:
            content: bytes = reply.read()
        return content
