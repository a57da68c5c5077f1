"""ecr-emu answers as the parity cases say; `python -m conformance.parity` asks other endpoints the same."""

import textwrap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from engines.server import Emulator

from conformance.parity.accounts import FixedAccount, FreshAccounts, NoAccounts
from conformance.parity.cases import FOLDER, PROTOCOL, load_cases, load_file
from conformance.parity.endpoint import Caller, Endpoint, Reply
from conformance.parity.play import play, play_all
from conformance.parity.report import describe
from conformance.parity.values import BadCase
from ecr_emu.control.model import load

MIN_CASES = 400


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    # A rule that is tried shall not look for quay.io.
    options = ("--ephemeral", "--upstream", "quay=http://127.0.0.1:1")
    emulator = Emulator(tmp_path_factory.mktemp("parity") / "log", *options)
    with closing(Endpoint(emulator.url)) as asked:
        yield asked
    emulator.stop()


@pytest.fixture(scope="module")
def accounts() -> FreshAccounts:
    return FreshAccounts()


@pytest.mark.parametrize("file", sorted(path.name for path in FOLDER.glob("*.yaml")))
def test_every_case_of_a_file_passes(endpoint: Endpoint, accounts: FreshAccounts, file: str) -> None:
    outcomes = list(play_all(load_file(Path(FOLDER, file)), endpoint, accounts))
    failed = [describe(outcome) for outcome in outcomes if outcome.problems]
    assert not failed, "\n\n".join([f"{len(failed)} of {len(outcomes)} cases failed", *failed])


def test_every_operation_has_a_case_and_there_are_many() -> None:
    cases = load_cases()
    assert {case.operation for case in cases} - {PROTOCOL} == set(load().operations)
    assert len(cases) >= MIN_CASES


# --- The runner itself ------------------------------------------------------------------------------------

GOOD = """
name: a name
source: control plane 2.4
evidence: documented
checked: 2026-11-23
call: DescribeRepositories
with: {}
"""


def written(folder: Path, case: str) -> Path:
    """A case file with one case."""
    path = folder / "one.yaml"
    path.write_text("-" + textwrap.indent(case, "  ").lstrip("\n").removeprefix(" "))
    return path


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("source: control plane 2.4\n", ""), "source is missing"),
        (("evidence: documented\n", ""), "evidence is missing"),
        (("checked: 2026-11-23\n", ""), "checked is missing"),
        (("documented", "rumoured"), "evidence is rumoured"),
        (("2026-11-23", "yesterday"), "checked must be a date"),
        (("with:", "whit:"), "unknown member whit"),
        (("with: {}", "with: {colour: red}"), "unknown member colour"),
        (("repositories: []", "repositorys: []"), "unknown member repositorys"),
        (("DescribeRepositories", "DescribeTea"), "no operation DescribeTea"),
        (("answer: {repositories: []}\n", ""), "nothing is expected"),
        (("answer: {repositories: []}", "error: SomeException"), "needs its message"),
        (("with: {}", "given: [{pull: {}}]"), "must have one of"),
    ],
)
def test_what_is_no_case_is_refused(tmp_path: Path, change: tuple[str, str], reason: str) -> None:
    good = GOOD + "answer: {repositories: []}\n"
    assert len(load_file(written(tmp_path, good))) == 1
    with pytest.raises(BadCase, match=reason):
        load_file(written(tmp_path, good.replace(*change)))


@pytest.mark.parametrize(
    ("expected", "passes"),
    [
        ("answer: {repositories: []}", True),
        ("answer: {}", False),
        ("answer_has: {}", True),
        ("answer: {repositories: [], nextToken: <absent>}", True),
        ("answer: {repositories: [], nextToken: <text>}", False),
        ("answer: {repositories: [<any>]}", False),
        ("answer_has: {repositories: <time>}", False),
        ("status: 201\nanswer: {repositories: []}", False),
        ("error: RepositoryNotFoundException\nmessage: <any>", False),
        ("as: other\nwith: {registryId: $account}\nerror: AccessDeniedException\nmessage: User<text>", True),
        ("as: other\nwith: {registryId: $account}\nerror: AccessDeniedException\nmessage: User", False),
        ("as: other\nwith: {registryId: $account}\nerror: AccessDenied\nmessage: <any>", False),
        (
            "as: other\nwith: {registryId: $account}\nstatus: 403\nerror: <any>\nmessage: <any>",
            False,
        ),
        ("with: {nextToken: $never}\nanswer_has: {}", False),
    ],
)
def test_an_answer_passes_only_as_expected(
    endpoint: Endpoint, accounts: FreshAccounts, tmp_path: Path, expected: str, passes: bool
) -> None:
    head = GOOD.replace("with: {}\n", "") if "with:" in expected else GOOD
    (case,) = load_file(written(tmp_path, f"{head}{expected}\n"))
    assert (not play(case, endpoint, accounts).problems) is passes


# What a case makes where the account is not its own, and what must not be there afterwards.
MAKERS = [
    ("CreateRepository", "{repositoryName: left/over}", "DescribeRepositories", "{repositories: []}"),
    (
        "CreatePullThroughCacheRule",
        "{ecrRepositoryPrefix: left, upstreamRegistryUrl: quay.io}",
        "DescribePullThroughCacheRules",
        "{pullThroughCacheRules: []}",
    ),
    (
        "CreateRepositoryCreationTemplate",
        "{prefix: left, appliedFor: [REPLICATION]}",
        "DescribeRepositoryCreationTemplates",
        "{repositoryCreationTemplates: []}",
    ),
    (
        "RegisterPullTimeUpdateExclusion",
        "{principalArn: 'arn:aws:iam::$account:role/left'}",
        "ListPullTimeUpdateExclusions",
        "{pullTimeUpdateExclusions: []}",
    ),
    (
        "PutReplicationConfiguration",
        "{replicationConfiguration: {rules: [{destinations: [{region: eu-west-1, registryId: $account}]}]}}",
        "DescribeRegistry",
        "{replicationConfiguration: {rules: []}}",
    ),
    (
        "PutRegistryScanningConfiguration",
        "{scanType: ENHANCED, rules: []}",
        "GetRegistryScanningConfiguration",
        "{scanningConfiguration: {scanType: BASIC, rules: []}}",
    ),
    (
        "PutAccountSetting",
        "{name: BLOB_MOUNTING, value: ENABLED}",
        "GetAccountSetting",
        "{value: DISABLED}",
    ),
]


@pytest.fixture
def fixed(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> FixedAccount:
    """The account of credentials in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "777766665555")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return FixedAccount(endpoint)


@pytest.mark.parametrize("calls", MAKERS, ids=lambda calls: calls[0])
def test_what_a_case_made_in_a_shared_account_is_taken_back(
    endpoint: Endpoint, fixed: FixedAccount, tmp_path: Path, calls: tuple[str, ...]
) -> None:
    maker, request_text, reader, nothing = calls
    asked = "{name: BLOB_MOUNTING}" if reader == "GetAccountSetting" else "{}"
    head = GOOD.partition("call:")[0]
    for expected in (
        f"call: {maker}\nwith: {request_text}\nanswer_has: {{}}\n",
        f"call: {reader}\nwith: {asked}\nanswer_has: {nothing}\n",
    ):
        (case,) = load_file(written(tmp_path, head + expected))
        assert play(case, endpoint, fixed).problems == ()


class OneAccount:
    """An endpoint that takes every access key for the same account, or knows no accounts at all."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply

    def call(self, caller: Caller, operation: str, request: object) -> Reply:
        return self.reply


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(200, {"registryId": "123456789012"}), "use --account fixed"),
        (Reply(500, "<html>"), "DescribeRegistry answered 500"),
    ],
)
def test_an_endpoint_without_accounts_is_not_asked_in_fresh_ones(reply: Reply, reason: str) -> None:
    with pytest.raises(NoAccounts, match=reason):
        FreshAccounts().check(OneAccount(reply))  # type: ignore[arg-type]


def test_a_layer_that_is_archived_need_not_be_uploaded(
    endpoint: Endpoint, accounts: FreshAccounts, tmp_path: Path
) -> None:
    push = "push: {repositoryName: team/app, tag: v1, layers: [x]}"
    case_text = f"""
given:
  - {{call: CreateRepository, with: {{repositoryName: team/app}}}}
  - {push}
  - call: UpdateImageStorageClass
    with: {{repositoryName: team/app, imageId: {{imageTag: v1}}, targetStorageClass: ARCHIVE}}
  - {push}
call: DescribeImages
with: {{repositoryName: team/app}}
answer_has: {{imageDetails: [{{imageStatus: ACTIVE}}]}}
"""
    (case,) = load_file(written(tmp_path, GOOD.partition("call:")[0] + case_text.lstrip()))
    assert play(case, endpoint, accounts).problems == ()
