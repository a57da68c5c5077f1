"""The AWS API beside other emulators: first answer, memory, calls of many connections, and calls of boto3."""

import contextlib
import json
import time

import boto3

from conformance.bench import process
from conformance.bench.client import MANIFEST_TYPE, REPOSITORY, TAG
from conformance.bench.load import Sent
from conformance.bench.measures import CONNECTIONS, SOME_CONNECTIONS, Measure, Samples, Session
from conformance.bench.peers import CONTROL, REGISTRY, api_headers, call, ping_api
from conformance.bench.subjects import Subject, in_turn, running, tolerated, warm

# Operations that work like most do: on a repository, on its images, on nothing.
CALLS: tuple[tuple[str, dict[str, object], tuple[int, ...]], ...] = (
    ("DescribeRepositories", {"repositoryNames": [REPOSITORY]}, CONNECTIONS),
    ("DescribeImages", {"repositoryName": REPOSITORY}, (SOME_CONNECTIONS,)),
    ("GetAuthorizationToken", {}, (SOME_CONNECTIONS,)),
)


def steps(session: Session) -> int:
    """How often `measure` reports progress."""
    each = 2 + sum(len(counts) for _, _, counts in CALLS)
    return session.plan.rounds * len(session.having(CONTROL)) * each


def measure(session: Session) -> Samples:
    """All rounds: in each, every emulator is started anew, and all are asked in turn at every step."""
    samples = Samples()
    warm(session, session.having(CONTROL), ping_api)
    for number in range(session.plan.rounds):
        with running(session, session.having(CONTROL), ping_api) as subjects:
            subjects = list(in_turn(subjects, number))
            for subject in subjects:
                _start(session, samples, subject)
            for operation, request, counts in CALLS:
                for connections in counts:
                    for subject in subjects:
                        _series(session, samples, subject, (operation, request, connections))
            for subject in subjects:
                with tolerated(session, subject.name, "boto3"):
                    _boto3(session, samples, subject)
                session.step()
    return samples


def _start(session: Session, samples: Samples, subject: Subject) -> None:
    """Note start and memory, and make the repository with one image."""
    started = subject.running.start_seconds * 1000
    samples.add(Measure("cold start to first API answer", "ms", False), subject.name, started)
    memory = process.proportional_mb(subject.pid)
    samples.add(Measure("memory after the first API answers, PSS", "MB", False), subject.name, memory)
    with tolerated(session, subject.name, "push of the small image"):
        if REGISTRY in subject.running.peer.roles:
            subject.client.put_image()
        else:
            _put_image(subject.running.port)
    session.step()


def _put_image(port: int) -> None:
    """The small image of an emulator without a registry: its manifest alone."""
    empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": f"sha256:{'0' * 64}", "size": 2}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": empty, "layers": [empty]}
    call(port, "CreateRepository", {"repositoryName": REPOSITORY})
    request = {"repositoryName": REPOSITORY, "imageTag": TAG, "imageManifest": json.dumps(manifest)}
    call(port, "PutImage", request)


def _series(
    session: Session, samples: Samples, subject: Subject, sent: tuple[str, dict[str, object], int]
) -> None:
    operation, request, connections = sent
    name = f"{operation}, {connections} connection{'s' if connections > 1 else ''}"
    body, port = Sent("POST", json.dumps(request)), subject.running.port
    with tolerated(session, subject.name, name):
        # One answer that is looked at, before those that are counted.
        call(port, operation, request)
        seconds = session.plan.load_seconds
        rate = session.load(port, "/", api_headers(operation), connections, seconds, body)
        # One number of connections makes no curve.
        curve = operation if operation == CALLS[0][0] else ""
        samples.add(Measure(name, "requests/s", True, curve, connections), subject.name, rate)
    session.step()


def _boto3(session: Session, samples: Samples, subject: Subject) -> None:
    """DescribeRepositories, one call after the other, through a client as programs have it."""
    aws = boto3.session.Session("bench", "bench", region_name="us-east-1")
    with contextlib.closing(
        aws.client("ecr", endpoint_url=f"http://127.0.0.1:{subject.running.port}")
    ) as ecr:
        ecr.describe_repositories(repositoryNames=[REPOSITORY])
        count, began = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - began) < session.plan.load_seconds:
            ecr.describe_repositories(repositoryNames=[REPOSITORY])
            count += 1
    name = "DescribeRepositories through boto3, 1 thread"
    samples.add(Measure(name, "calls/s", True), subject.name, count / elapsed)
