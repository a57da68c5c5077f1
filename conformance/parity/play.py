"""Playing a case: what is given comes about, the call is made, the answer is compared."""

import base64
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from conformance.parity.accounts import Accounts, NoOtherAccount
from conformance.parity.cases import Case, parts
from conformance.parity.endpoint import Caller, Endpoint, Reply
from conformance.parity.values import BadCase, differences, fill, look_up
from ecr_emu.domain.manifests import OCI_INDEX, OCI_MANIFEST
from tests.clients import digest_of, image_index, image_manifest

RETRY_SECONDS = 0.2
WORKERS = 8
_CONFIG = '{"architecture":"amd64","os":"linux"}'
# Layers that need not be uploaded; what an endpoint says of others differs.
_HELD = {"AVAILABLE", "ARCHIVED"}
# How what a call made is taken back in an account that other cases use too: the operation, which members of
# the request or of the answer it needs, and what else.
_UNDO: Mapping[str, tuple[str, tuple[str, ...], Mapping[str, Any]]] = {
    "CreateRepository": ("DeleteRepository", ("repositoryName", "registryId"), {"force": True}),
    "CreatePullThroughCacheRule": (
        "DeletePullThroughCacheRule",
        ("ecrRepositoryPrefix", "registryId"),
        {},
    ),
    "CreateRepositoryCreationTemplate": ("DeleteRepositoryCreationTemplate", ("prefix",), {}),
    "RegisterPullTimeUpdateExclusion": ("DeregisterPullTimeUpdateExclusion", ("principalArn",), {}),
    "StartReplicationBackfill": ("StopReplicationBackfill", ("replicationBackfillId",), {}),
    "PutRegistryPolicy": ("DeleteRegistryPolicy", (), {}),
    "PutSigningConfiguration": ("DeleteSigningConfiguration", (), {}),
    "PutReplicationConfiguration": (
        "PutReplicationConfiguration",
        (),
        {"replicationConfiguration": {"rules": []}},
    ),
    "PutRegistryScanningConfiguration": (
        "PutRegistryScanningConfiguration",
        (),
        {"scanType": "BASIC", "rules": []},
    ),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a case ended. Without problems it passed, or was skipped for the reason given."""

    case: Case
    problems: tuple[str, ...] = ()
    skipped: str = ""


class _Failed(Exception):
    """What is given could not be brought about."""


def play(case: Case, endpoint: Endpoint, accounts: Accounts) -> Outcome:
    """Play a case from its beginning, and delete what it made where its account is not its own."""
    stage = _Stage(endpoint, accounts)
    try:
        for step in case.document.get("given", ()):
            stage.bring_about(step)
        return Outcome(case, tuple(stage.differences(case.document)))
    except (BadCase, _Failed) as reason:
        return Outcome(case, (str(reason),))
    except NoOtherAccount as reason:
        return Outcome(case, skipped=str(reason))
    finally:
        if not accounts.are_fresh:
            stage.clean_up()


def play_all(cases: Sequence[Case], endpoint: Endpoint, accounts: Accounts) -> Iterator[Outcome]:
    """Play the cases in their order; side by side where they cannot meet."""
    with ThreadPoolExecutor(WORKERS if accounts.are_fresh else 1) as pool:
        yield from pool.map(lambda case: play(case, endpoint, accounts), cases)


class _Stage:
    """An account, what was saved there, and how what was made is taken back."""

    def __init__(self, endpoint: Endpoint, accounts: Accounts) -> None:
        self._endpoint = endpoint
        self._accounts = accounts
        self._caller = accounts.next()
        self._names: dict[str, Any] = {"account": self._caller.account, "region": self._caller.region}
        self._undo: list[tuple[Caller, str, dict[str, Any]]] = []
        self._manifests: dict[str, bytes] = {}

    def bring_about(self, step: Mapping[str, Any]) -> None:
        """One step of `given`; saves what it is told to."""
        for number in range(1, step.get("repeat", 1) + 1):
            self._names["n"] = number
            if "push" in step or "upload" in step:
                self._push_or_upload(step)
                continue
            expected = {"answer_has": {}, **step} if not step.keys() & {"error", "answer"} else step
            if problems := self.differences(expected):
                raise _Failed(f"given {step.get('call', 'raw')}: {'; '.join(problems)}")
        self._names.pop("n", None)

    def differences(self, step: Mapping[str, Any]) -> list[str]:
        """What is not as the step expects, after as many tries as its `within` allows."""
        deadline = time.monotonic() + step.get("within", 0)
        while True:
            reply = self._ask(step)
            problems = list(self._compare(step, reply))
            if not problems or time.monotonic() >= deadline:
                break
            time.sleep(RETRY_SECONDS)
        if not problems:
            self._save(step.get("save"), reply.content)
        return problems

    def _ask(self, step: Mapping[str, Any]) -> Reply:
        self._learn_names(step)
        caller = self._who(step)
        if "raw" in step:
            return self._endpoint.send(caller, **fill(step["raw"], self._names))
        request: dict[str, Any] = {}
        given = fill(step.get("with", {}), self._names)
        for part in parts(given):
            request |= part
        if step["call"] == "PutAccountSetting" and not self._accounts.are_fresh:
            self._remember_setting(caller, request)
        reply = self._endpoint.call(caller, step["call"], request)
        self._remember(caller, step["call"], request, reply)
        return reply

    def _remember(self, caller: Caller, operation: str, request: Mapping[str, Any], reply: Reply) -> None:
        """Note how to take back what a call made."""
        if operation not in _UNDO or reply.status != 200 or not isinstance(reply.content, dict):
            return
        undo, members, more = _UNDO[operation]
        known = {**reply.content, **request}
        needed = {member: known[member] for member in members if member in known}
        self._undo.append((caller, undo, {**needed, **more}))

    def _remember_setting(self, caller: Caller, request: Mapping[str, Any]) -> None:
        """Note the value that an account setting has before it is set: it cannot be deleted."""
        reply = self._endpoint.call(caller, "GetAccountSetting", {"name": request.get("name")})
        if reply.status == 200:
            self._undo.append((caller, "PutAccountSetting", reply.content))

    def _compare(self, step: Mapping[str, Any], reply: Reply) -> list[str]:
        partly, any_order = "answer" not in step, bool(step.get("any_order"))
        if "error" in step:
            expected = {
                "status": step.get("status", 400),
                "error": step["error"],
                "message": step["message"],
                **step.get("error_has", {}),
            }
            content = reply.content if isinstance(reply.content, dict) else {"body": reply.content}
            got = {**content, "status": reply.status, "error": reply.error}
        else:
            expected = step["answer"] if "answer" in step else step["answer_has"]
            got = reply.content
            if reply.status != step.get("status", 200):
                return [f"expected the answer {expected}, got {reply.status} {reply.content}"]
        return list(differences(fill(expected, self._names, keep_absent=True), got, "", partly, any_order))

    def _learn_names(self, step: Mapping[str, Any]) -> None:
        """Names that only some cases use, and that cost a call or a second account."""
        text = str(step)
        if "other" not in self._names and ("$other" in text or step.get("as") == "other"):
            self._names["other"] = self._accounts.other(self._caller).account
        if "host" not in self._names and "$host" in text:
            reply = self._endpoint.call(self._caller, "GetAuthorizationToken", {})
            endpoint = look_up(reply.content, "authorizationData.0.proxyEndpoint")
            self._names["host"] = endpoint.partition("://")[2]

    def _who(self, step: Mapping[str, Any]) -> Caller:
        caller = self._caller
        if step.get("as") == "other":
            caller = self._accounts.other(caller)
        return replace(caller, region=step["region"]) if "region" in step else caller

    def _save(self, what: Any, content: Any) -> None:
        """`save: uploadId`, or `save: {token: nextToken}` with the path of each."""
        if isinstance(what, str):
            what = {what.rpartition(".")[2]: what}
        for name, path in (what or {}).items():
            self._names[name] = look_up(content, path)

    # --- Pushing ------------------------------------------------------------------------------------------

    def _push_or_upload(self, step: Mapping[str, Any]) -> None:
        self._learn_names(step)
        caller = self._who(step)
        wanted = fill(step.get("push") or step["upload"], self._names)
        repository = wanted["repositoryName"]
        if "upload" in step:
            digest = self._upload(caller, repository, wanted["content"])
            self._names[step.get("save", "layer")] = digest
            return
        manifest = self._manifest(caller, wanted)
        tags = wanted.get("tags") or [wanted.get("tag")]
        for tag in tags:
            request = {"repositoryName": repository, "imageManifest": manifest.decode()}
            self._must(caller, "PutImage", request | ({"imageTag": tag} if tag else {}))
        name = step.get("save") or tags[0] or "untagged"
        self._names[name] = digest_of(manifest)
        self._names[f"{name}_manifest"] = manifest.decode()
        self._manifests[digest_of(manifest)] = manifest

    def _manifest(self, caller: Caller, wanted: Mapping[str, Any]) -> bytes:
        """An OCI image of these layers, or an OCI index of images that were pushed before."""
        members = wanted.get("members", {})
        if "index" in wanted:
            children = [self._manifests[digest] for digest in wanted["index"]]
            return image_index(*children, **{"mediaType": OCI_INDEX, **members})
        blobs = [wanted.get("config", _CONFIG), *wanted.get("layers", ())]
        for blob in blobs:
            self._upload(caller, wanted["repositoryName"], blob)
        config, *layers = (blob.encode() for blob in blobs)
        return image_manifest(config, *layers, **{"mediaType": OCI_MANIFEST, **members})

    def _upload(self, caller: Caller, repository: str, content: str) -> str:
        """Upload a layer, unless the repository holds it; its digest."""
        of = {"repositoryName": repository}
        digest = digest_of(content.encode())
        held = self._must(caller, "BatchCheckLayerAvailability", {**of, "layerDigests": [digest]})
        if any(layer.get("layerAvailability") in _HELD for layer in held.get("layers", ())):
            return digest
        upload = {**of, "uploadId": self._must(caller, "InitiateLayerUpload", of)["uploadId"]}
        part = {"partFirstByte": 0, "partLastByte": len(content.encode()) - 1}
        blob = base64.b64encode(content.encode()).decode()
        self._must(caller, "UploadLayerPart", {**upload, **part, "layerPartBlob": blob})
        self._must(caller, "CompleteLayerUpload", {**upload, "layerDigests": [digest]})
        return digest

    def _must(self, caller: Caller, operation: str, request: Mapping[str, Any]) -> Any:
        reply = self._endpoint.call(caller, operation, request)
        if reply.status != 200:
            raise _Failed(f"{operation} answered {reply.status} {reply.content}")
        return reply.content

    def clean_up(self) -> None:
        """Take back what was made, the last first; what the case itself has taken back is gone already."""
        for caller, operation, request in reversed(self._undo):
            self._endpoint.call(caller, operation, request)
