"""notation and cosign: what signs images, and verifies signatures."""

import json
import re
from pathlib import Path

from engines.tools import Tool, find_tool, private_environment

NOTATION = "get it with: .ci/go-tool notation github.com/notaryproject/notation v1.3.2"
COSIGN = "get it with: .ci/go-tool cosign github.com/sigstore/cosign/v2 v2.6.5"
# cosign asks the internet for new roots of Sigstore, and goes on without them. Nothing shall leave this
# machine: nobody listens at this proxy, and for localhost no proxy is asked.
NOWHERE = {"HTTPS_PROXY": "http://127.0.0.1:9"}
COSIGN_LOCAL = ("--insecure-ignore-tlog=true", "--private-infrastructure")


class Notation(Tool):
    """The CLI of the Notary Project, with its own trust store and keys."""

    def __init__(self, home: Path, password: str) -> None:
        login = {"NOTATION_USERNAME": "AWS", "NOTATION_PASSWORD": password}
        super().__init__(find_tool("notation", NOTATION), environment=private_environment(home) | login)
        self._home = home

    def trust(self, *identities: str, store: str) -> None:
        """Believe these identities, certified by a certificate of the store, and nobody else."""
        policy = {
            "name": "test",
            "registryScopes": ["*"],
            "signatureVerification": {"level": "strict"},
            "trustStores": [f"ca:{store}"],
            "trustedIdentities": list(identities),
        }
        file = self._home / "policy.json"
        file.write_text(json.dumps({"version": "1.0", "trustPolicies": [policy]}))
        self.run("policy", "import", "--force", str(file))

    def verify(self, reference: str) -> str:
        return self.run("verify", "--insecure-registry", reference)

    def refuse(self, reference: str) -> None:
        """Look at a reference whose signatures are there, and good for nothing."""
        said = self.refused("verify", "--insecure-registry", reference)
        assert "signature verification failed for all the signatures" in said

    def signatures(self, reference: str) -> set[str]:
        """Digests of the signatures that `notation ls` finds."""
        tree = self.run("ls", "--insecure-registry", reference)
        return set(re.findall(r"sha256:[0-9a-f]{64}$", tree, re.MULTILINE)) - {reference.rpartition("@")[2]}


class Cosign(Tool):
    """cosign with a key of its own, without Sigstore's services."""

    def __init__(self, home: Path, password: str) -> None:
        environment = private_environment(home) | NOWHERE | {"COSIGN_PASSWORD": "secret"}
        super().__init__(find_tool("cosign", COSIGN), environment=environment)
        self._login = (
            *("--allow-http-registry", "--registry-username", "AWS"),
            *("--registry-password", password),
        )
        self._key, self._public = str(home / "cosign.key"), str(home / "cosign.pub")
        self._root = str(home / "root.json")
        self.run("generate-key-pair", "--output-key-prefix", str(home / "cosign"))
        # Of nobody: a key needs no authority.
        self.run("trusted-root", "create", "--out", self._root)

    def sign(self, reference: str, *options: str) -> None:
        key = ("--key", self._key, "--tlog-upload=false", "--yes")
        self.run("sign", *key, *self._login, *options, reference)

    def verify(self, reference: str, *options: str) -> str:
        return self.run(*self._verifying(options), reference)

    def refuse(self, reference: str, *options: str) -> str:
        return self.refused(*self._verifying(options), reference)

    def _verifying(self, options: tuple[str, ...]) -> tuple[str, ...]:
        root = ("--trusted-root", self._root) if "--new-bundle-format" in options else ()
        return ("verify", "--key", self._public, *COSIGN_LOCAL, *self._login, *root, *options)
