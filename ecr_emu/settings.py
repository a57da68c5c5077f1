"""Every setting of the server: its name, its default and what it means."""

from dataclasses import dataclass, fields
from pathlib import Path

import platformdirs

DEFAULT_ACCOUNT = "000000000000"
DEFAULT_REGION = "us-east-1"
AUTH_MODES = ("token", "open", "iam")
DURABILITIES = ("safe", "fast")
SCANNERS = ("auto", "builtin", "trivy", "grype")
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("text", "json")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. It is `--name` on the command line and `ECR_EMU_NAME` in the environment."""

    name: str
    default: str | int | bool | None
    help: str
    choices: tuple[str, ...] = ()
    repeats: bool = False
    metavar: str = "NAME=VALUE"

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "ECR_EMU_" + self.name.upper()


SETTINGS = (
    Setting("host", "localhost", "Address to listen on; localhost means 127.0.0.1 and ::1."),
    Setting("port", 4566, "Port to listen on; 0 takes a free one."),
    Setting("data_dir", None, "Folder for metadata and layers; the user's data folder if not given."),
    Setting("ephemeral", False, "Keep everything in a temporary folder that goes when the server stops."),
    Setting(
        "durability",
        "safe",
        "What an answer means. safe: the disk has it, and it survives a loss of power. fast: nothing waits "
        "for the disk, and it survives a kill -9 only; so it is with --ephemeral.",
        DURABILITIES,
    ),
    Setting("account", DEFAULT_ACCOUNT, "Account of callers whose access key names none."),
    Setting("region", DEFAULT_REGION, "Region of registry hosts that name none."),
    Setting(
        "registry_host",
        None,
        "Template of registry host names, with {account}, {region} and {port}; "
        "an https:// in front shows in proxyEndpoint.",
    ),
    Setting(
        "auth",
        "token",
        "token: docker must log in, any access key is believed; open: nobody is asked anything; "
        "iam: signatures are verified and identity policies decide.",
        AUTH_MODES,
    ),
    Setting("iam_file", None, "Users, roles, access keys and policies for --auth iam: JSON, or YAML."),
    Setting(
        "sweep_interval",
        3600,
        "Seconds of the emulator's clock between two sweeps of unused bytes; 0 means never.",
    ),
    Setting(
        "lifecycle_interval",
        86_400,
        "Seconds of the emulator's clock between two runs of a lifecycle policy; 0 means only when asked.",
    ),
    Setting(
        "lifecycle_children",
        "counted",
        "Whether images that an index lists count for imageCountMoreThan; what AWS does is not known.",
        ("counted", "ignored"),
    ),
    Setting(
        "lifecycle_positions",
        False,
        "Say in a second sentence where a lifecycle policy is wrong; AWS does not.",
    ),
    Setting(
        "restore_seconds", 0, "Seconds that an image stays ACTIVATING when it is taken from the archive."
    ),
    Setting(
        "scanner",
        "builtin",
        "Who compares an image's packages with advisories: builtin, or the program trivy or grype on PATH; "
        "auto takes the first of these three that knows the image's system.",
        SCANNERS,
    ),
    Setting(
        "region_endpoint",
        None,
        "Another emulator that plays a region, as REGION=http://HOST:PORT: replication to that region goes "
        "there. Several with commas, or the option again.",
        repeats=True,
    ),
    Setting(
        "limit",
        None,
        "Another limit than AWS's, as NAME=VALUE; several with commas, or the option again.",
        repeats=True,
    ),
    Setting(
        "events",
        None,
        "Where events go: stdout, file:PATH, a URL, eventbridge:BUS[@URL], sqs:QUEUE_URL; may be said again.",
        repeats=True,
        metavar="TARGET",
    ),
    Setting(
        "trail",
        "off",
        "Which API calls are written down as CloudTrail has them; all slows reading.",
        ("off", "writes", "all"),
    ),
    Setting(
        "upstream",
        None,
        "Where an upstream registry of pull through cache rules is, as NAME=URL: docker-hub or another "
        "upstreamRegistry, or a host; several with commas, or the option again.",
        repeats=True,
    ),
    Setting("upstream_timeout", 30, "Seconds that an upstream registry may take to answer, or to go on."),
    Setting(
        "upstream_private",
        False,
        "Let upstream registries lead to private, loopback and link-local addresses.",
    ),
    Setting(
        "secrets_file",
        None,
        "Logins of upstream registries: JSON or YAML, by ARN or name, with username and accessToken.",
    ),
    Setting("secrets_endpoint", None, "URL of a Secrets Manager that has the logins of upstream registries."),
    Setting("cassette_record", None, "Folder to write the answers of upstream registries to."),
    Setting(
        "cassette_replay", None, "Folder to take the answers of upstream registries from, and only there."
    ),
    Setting("log_level", "info", "How much goes to stderr; debug shows each request.", LOG_LEVELS),
    Setting("log_format", "text", "What a line on stderr is: text, or a JSON object.", LOG_FORMATS),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The values in force. The members are those of SETTINGS, with data_dir made definite."""

    data_dir: Path
    host: str = "localhost"
    port: int = 4566
    ephemeral: bool = False
    durability: str = "safe"
    account: str = DEFAULT_ACCOUNT
    region: str = DEFAULT_REGION
    registry_host: str | None = None
    auth: str = "token"
    iam_file: str | None = None
    sweep_interval: int = 3600
    lifecycle_interval: int = 86_400
    lifecycle_children: str = "counted"
    lifecycle_positions: bool = False
    restore_seconds: int = 0
    scanner: str = "builtin"
    # By region; domain/region_endpoints.py reads them.
    region_endpoint: tuple[tuple[str, str], ...] = ()
    # By name; domain/limits.py knows the names, and the limits that are not here.
    limit: tuple[tuple[str, int], ...] = ()
    events: tuple[str, ...] = ()
    trail: str = "off"
    # Addresses by upstreamRegistry or host; upstream/addresses.py reads them.
    upstream: tuple[tuple[str, str], ...] = ()
    upstream_timeout: int = 30
    upstream_private: bool = False
    secrets_file: str | None = None
    secrets_endpoint: str | None = None
    cassette_record: str | None = None
    cassette_replay: str | None = None
    log_level: str = "info"
    log_format: str = "text"

    @property
    def has_trail(self) -> bool:
        """Whether any API call is written down because the user wants it."""
        return self.trail != "off"

    @property
    def is_durable(self) -> bool:
        """Whether what is acknowledged must be on the disk. Nobody wants the data of --ephemeral back."""
        return self.durability == "safe" and not self.ephemeral


def default_data_dir() -> Path:
    """Where a server keeps its data when nobody says otherwise."""
    return Path(platformdirs.user_data_dir("ecr-emu"))


if {setting.name for setting in SETTINGS} != {field.name for field in fields(Settings)}:
    raise AssertionError("SETTINGS and Settings name different settings")
