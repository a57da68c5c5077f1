"""Run the OCI distribution conformance suite against ecr-emu, with everything the suite knows switched on.

The suite gives each test one of five statuses. "Disabled" means that its configuration left the test out.
"Skip" means that the registry gave an answer with which the specification lets it decline the feature, and
the suite then says which; a skip that carries no such reason did not come to its turn. "FAIL" and "Error"
are what they say. Its own exit status overlooks skips, so this program reads the reports instead.
"""

import base64
import contextlib
import datetime
import os
import re
import selectors
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import boto3
import click

MODULE = "github.com/opencontainers/distribution-spec/conformance"
VERSION = "v0.0.0-20260831232431-97274622c111"
REPOSITORIES = ("conformance/one", "conformance/two")

SWITCHES = (
    "API_PING",
    "API_PULL",
    "API_PUSH",
    "API_BLOBS_ATOMIC",
    "API_BLOBS_DELETE",
    "API_BLOBS_DIGEST_HEADER",
    "API_BLOBS_MOUNT_ANONYMOUS",
    "API_BLOBS_UPLOAD_CANCEL",
    "API_MANIFESTS_ATOMIC",
    "API_MANIFESTS_DELETE",
    "API_MANIFESTS_DIGEST_HEADER",
    "API_MANIFESTS_TAG_PARAM",
    "API_TAGS_ATOMIC",
    "API_TAGS_DELETE",
    "API_TAGS_LIST",
    "API_REFERRER",
    "DATA_IMAGE",
    "DATA_INDEX",
    "DATA_INDEX_LIST",
    "DATA_ARTIFACT",
    "DATA_SUBJECT",
    "DATA_SUBJECT_MISSING",
    "DATA_ARTIFACT_LIST",
    "DATA_SUBJECT_LIST",
    "DATA_DATA_FIELD",
    "DATA_NONDISTRIBUTABLE",
    "DATA_CUSTOM_FIELDS",
    "DATA_NO_LAYERS",
    "DATA_EMPTY_BLOB",
    "DATA_SHA512",
)
# A sparse manifest names content that was never pushed. ECR refuses such a manifest
# (LayersNotFoundException, ReferencedImagesNotFoundException), and the specification lets it.
SWITCHED_OFF = {"DATA_SPARSE": "sparse"}
DISABLED_DATA = frozenset({"Sparse Manifests"})
# The leaf tests that may end as "the registry does not support this", each with the reason.
DECLINED: dict[str, str] = {}

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "oci"
BEGIN = "<!-- oci-conformance: begin -->"
END = "<!-- oci-conformance: end -->"

BUILD_SECONDS = 600
READY_SECONDS = 30
STOP_SECONDS = 30
SUITE_SECONDS = 900


class RunError(Exception):
    """The suite could not be built, started or understood."""


@dataclass(frozen=True)
class Test:
    """One leaf of the suite's tree of tests."""

    group: str
    path: str
    status: str
    reason: str

    @property
    def leaf(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    @property
    def outcome(self) -> str:
        """What the table counts it as; "declined" is a skip for which the suite names the feature."""
        if self.status == "skipped" and self.reason:
            return "declined"
        return self.status


@dataclass(frozen=True)
class Report:
    """What the suite wrote: its leaf tests, its own totals, and the verdict for each API and kind of data."""

    tests: tuple[Test, ...]
    totals: dict[str, int]
    apis: dict[str, str]
    data: dict[str, str]
    switched_off: tuple[str, ...]


NOT_PASSED = ("failures", "errors", "skipped", "disabled")
OUTCOMES = ("passed", "failure", "error", "skipped", "declined")


# ---- building the suite


def find_go() -> str:
    """The path of a Go that is new enough, fetched when this machine has none."""
    result = subprocess.run([ROOT / ".ci" / "go", CACHE], stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        raise RunError(".ci/go found no Go to build the suite with")
    return result.stdout.strip()


def build_suite() -> Path:
    """Install the suite at its pinned version and return the path of its program."""
    folder = CACHE / VERSION
    program = folder / "conformance"
    if program.exists():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOBIN": str(folder), "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    command = [find_go(), "install", f"{MODULE}@{VERSION}"]
    result = subprocess.run(
        command, env=environment, stderr=subprocess.PIPE, text=True, timeout=BUILD_SECONDS, check=False
    )
    if result.returncode or not program.exists():
        raise RunError(f"the suite could not be built:\n{result.stderr}")
    return program


# ---- the registry under test


def read_ready_line(stdout: IO[str], log: Path) -> str:
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        line = stdout.readline() if selector.select(timeout=READY_SECONDS) else ""
    if not line.startswith("ready: "):
        raise RunError(f"ecr-emu said {line!r} instead of where it listens:\n{log.read_text()}")
    return line.removeprefix("ready: ").strip()


def stop(process: subprocess.Popen[str], log: Path) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        status = process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired as error:
        process.kill()
        raise RunError(f"ecr-emu was still there {STOP_SECONDS} s after SIGTERM") from error
    if status:
        raise RunError(f"ecr-emu ended with status {status}:\n{log.read_text()}")


@contextlib.contextmanager
def ecr_emu(log: Path) -> Iterator[str]:
    """A server on a free port that keeps nothing, as the URL where it listens."""
    command = [sys.executable, "-m", "ecr_emu", "serve", "--ephemeral", "--port", "0"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ECR_EMU_")}
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            yield read_ready_line(process.stdout, log)
        except BaseException:
            process.kill()
            raise
        stop(process, log)


def prepare(url: str) -> tuple[str, str]:
    """Create the repositories and return the user name and password of the data plane."""
    ecr = boto3.client(
        "ecr",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="conformance",
        aws_secret_access_key="conformance",
    )
    for name in REPOSITORIES:
        ecr.create_repository(repositoryName=name)
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    return user, password


# ---- running the suite


def suite_environment(host: str, user: str, password: str, results: Path) -> dict[str, str]:
    """The caller's environment less its own OCI_ settings, with every switch that the suite has named."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OCI_")}
    environment |= {f"OCI_{name}": "true" for name in SWITCHES}
    environment |= {f"OCI_{name}": "false" for name in SWITCHED_OFF}
    return environment | {
        "OCI_VERSION": "dev",
        "OCI_REGISTRY": host,
        "OCI_TLS": "disabled",
        "OCI_REPO1": REPOSITORIES[0],
        "OCI_REPO2": REPOSITORIES[1],
        "OCI_USERNAME": user,
        "OCI_PASSWORD": password,
        "OCI_RESULTS_DIR": str(results),
    }


def run_suite(program: Path, host: str, user: str, password: str, results: Path) -> None:
    """Leave the suite's reports in a folder; its exit status says less than they do, so it is not used."""
    for name in ("junit.xml", "results.yaml"):
        (results / name).unlink(missing_ok=True)
    with (results / "suite.log").open("w") as log:
        subprocess.run(
            [program],
            env=suite_environment(host, user, password, results),
            cwd=results,  # where no oci-conformance.yaml can change its configuration
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=SUITE_SECONDS,
            check=False,
        )


def read_tests(root: ET.Element) -> Iterator[Test]:
    for case in root.iter("testcase"):
        path = case.get("name", "").partition("/")[2]
        group = path.partition("/")[0]
        yield Test(group, path, case.get("status", "unknown"), (case.findtext("system-out") or "").strip())


def read_section(text: str, name: str) -> dict[str, str]:
    """The scalars right below a top-level key of the YAML that the suite writes."""
    match = re.search(rf"^{name}:\n((?: .*\n)+)", text, re.MULTILINE)
    lines = match[1].splitlines() if match else []
    pairs = (line.strip().rpartition(": ") for line in lines)
    return {key.strip("'\""): value.strip("'\"") for key, _, value in pairs}


def read_switched_off(text: str) -> tuple[str, ...]:
    """The names of the switches that the suite says it ran without."""
    config = text.partition("\napis:")[0]
    return tuple(re.findall(r"^ {4,}(\w+): false$", config, re.MULTILINE))


def read_report(results: Path) -> Report:
    try:
        suites = ET.parse(results / "junit.xml").getroot()  # noqa: S314 - the suite wrote it just now
        text = (results / "results.yaml").read_text()
    except (OSError, ET.ParseError) as error:
        raise RunError(f"the suite left no report ({error}); see {results / 'suite.log'}") from error
    return Report(
        tests=tuple(read_tests(suites)),
        totals={name: int(suites.get(name, "0")) for name in ("tests", *NOT_PASSED)},
        apis=read_section(text, "apis"),
        data=read_section(text, "data"),
        switched_off=read_switched_off(text),
    )


# ---- judging


def problems_with_run(report: Report) -> Iterator[str]:
    """Whether the suite did what it was told to do."""
    if not any(test.status == "passed" for test in report.tests):
        yield "no test passed"
    if not report.apis or not report.data:
        yield "the suite gave no verdict for any API or any kind of data"
    if set(report.switched_off) != set(SWITCHED_OFF.values()):
        yield f"the suite ran without {', '.join(report.switched_off) or 'nothing'}"
    if report.totals["disabled"]:
        yield f"the suite left out {report.totals['disabled']} tests as disabled"


def problems_with_tests(report: Report) -> Iterator[str]:
    for test in report.tests:
        if test.outcome == "passed" or (test.outcome == "declined" and test.leaf in DECLINED):
            continue
        yield f"{test.outcome}: {test.path}: {test.reason or 'no reason given'}"


def problems_with_verdicts(report: Report) -> Iterator[str]:
    fine = {"Pass", "Skip"} if DECLINED else {"Pass"}
    for name, verdict in (report.apis | report.data).items():
        if verdict not in fine and not (verdict == "Disabled" and name in DISABLED_DATA):
            yield f"verdict {verdict}: {name}"


def problems(report: Report) -> list[str]:
    """Everything that keeps the run from being a success."""
    found = [*problems_with_run(report), *problems_with_tests(report), *problems_with_verdicts(report)]
    if not found and report.totals["failures"] + report.totals["errors"]:
        found.append(f"the suite counts failures that no test shows: {report.totals}")
    return found


# ---- telling


def table(report: Report) -> list[list[str]]:
    """A row for each group of tests in the suite's order, between a heading and the totals."""
    rows = [["group", *OUTCOMES, "total"]]
    for group in dict.fromkeys(test.group for test in report.tests):
        rows.append(table_row(group, [test for test in report.tests if test.group == group]))
    return [*rows, table_row("all", list(report.tests))]


def table_row(name: str, tests: list[Test]) -> list[str]:
    counts = Counter(test.outcome for test in tests)
    return [name, *(str(counts[outcome]) for outcome in OUTCOMES), str(len(tests))]


def as_text(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    return "\n".join(lines)


def as_markdown(rows: list[list[str]]) -> str:
    heading, *rest = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([heading, "| --- |" + " ---: |" * (len(rows[0]) - 1), *rest])


def verdict_line(report: Report) -> str:
    parts = []
    for name, verdicts in (("APIs", report.apis), ("kinds of data", report.data)):
        counts = ", ".join(f"{count} {verdict}" for verdict, count in Counter(verdicts.values()).items())
        parts.append(f"{len(verdicts)} {name}: {counts}")
    return "; ".join(parts)


def declined_lines(report: Report) -> list[str]:
    counts = Counter(test.leaf for test in report.tests if test.outcome == "declined")
    return [
        f"- `{leaf}` ({count} tests): {DECLINED.get(leaf, 'not expected')}" for leaf, count in counts.items()
    ]


def section(report: Report, today: datetime.date) -> str:
    """What the documentation says about this run."""
    declined = declined_lines(report)
    passed = report.totals["tests"] - sum(report.totals[name] for name in NOT_PASSED)
    lines = [
        f"The suite is `{MODULE}`",
        f"at `{VERSION}`, run on {today.isoformat()} as specification version",
        "`dev` with everything that it knows switched on, except `OCI_DATA_SPARSE`: a sparse manifest",
        "names content that was never pushed, and ECR refuses such a manifest.",
        "",
        as_markdown(table(report)),
        "",
        f"The suite's verdicts: {verdict_line(report)}",
        "(Disabled: the sparse manifests). Its own summary counts steps above the tests too: "
        f"{passed} of {report.totals['tests']} passed.",
        "A *declined* test is one that met an answer by which the specification lets a registry do without",
        "a feature; a *skipped* one did not come to its turn.",
        *(["", "Declined:", "", *declined] if declined else []),
    ]
    return "\n".join(lines)


def write_docs(path: Path, body: str) -> None:
    """Replace what stands between the two markers, or add them at the end."""
    text = path.read_text() if path.exists() else "# Conformance\n"
    block = f"{BEGIN}\n\n{body}\n\n{END}"
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if bool(begin) != bool(end):
        raise RunError(f"{path} has only one of the two markers")
    if not begin:
        before, after = f"{text.rstrip()}\n\n## OCI distribution specification\n\n", "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(before + block + after)


def examine(results: Path) -> Report:
    """Build the suite, run it against a new ecr-emu and read what it found."""
    program = build_suite()
    results.mkdir(parents=True, exist_ok=True)
    with ecr_emu(results / "server.log") as url:
        user, password = prepare(url)
        run_suite(program, url.partition("://")[2], user, password, results)
    return read_report(results)


@click.command()
@click.option(
    "--results",
    type=click.Path(file_okay=False, path_type=Path, resolve_path=True),
    default=CACHE / "results",
    help="Where the suite's reports and the logs go.",
)
@click.option(
    "--docs",
    type=click.Path(dir_okay=False, path_type=Path),
    default=ROOT / "docs" / "conformance.md",
    help="The page that gets the totals.",
)
@click.option("--no-docs", is_flag=True, help="Leave that page as it is.")
def main(results: Path, docs: Path, no_docs: bool) -> None:
    """Run the OCI distribution conformance suite against ecr-emu; exit 1 unless all of it passes."""
    try:
        report = examine(results)
        if not no_docs:
            write_docs(docs, section(report, datetime.datetime.now(datetime.UTC).date()))
    except (RunError, subprocess.TimeoutExpired) as error:
        raise click.ClickException(str(error)) from error
    found = problems(report)
    for problem in found:
        click.echo(problem, err=True)
    click.echo(as_text(table(report)))
    click.echo(verdict_line(report))
    click.echo(f"OCI conformance: {f'{len(found)} problems' if found else 'passed'}; reports in {results}")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
