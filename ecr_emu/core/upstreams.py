"""Opening the upstream of a rule: its address, its login, and what is wrong with either."""

from pathlib import Path

from ecr_emu import errors
from ecr_emu.context import Call, Emulator
from ecr_emu.core import ecr_upstream
from ecr_emu.core.ecr_upstream import EcrUpstream
from ecr_emu.domain.pull_through import Rule
from ecr_emu.domain.registries import Registry
from ecr_emu.errors import EcrError
from ecr_emu.settings import Settings
from ecr_emu.upstream import addresses, cassette, ecr_login, problems, secrets
from ecr_emu.upstream.client import Client
from ecr_emu.upstream.exchange import Manners
from ecr_emu.upstream.login import Login
from ecr_emu.upstream.problems import NOT_ASKED, UpstreamProblem
from ecr_emu.upstream.secrets import SecretProblem

Upstream = Client | EcrUpstream


def prepare(emulator: Emulator) -> None:
    """Look at what the settings say of upstreams when the server starts. Raises ValueError with one line."""
    settings = emulator.settings
    if settings.secrets_file is not None:
        secrets.check_file(Path(settings.secrets_file))
    emulator.flights.cassette = cassette.load(settings.cassette_record, settings.cassette_replay)


def open_upstream(call: Call, registry: Registry, rule: Rule) -> Upstream:
    """Whom to ask for what a rule of a registry caches. Raises UpstreamProblem."""
    settings, flights = call.emulator.settings, call.emulator.flights
    given = dict(settings.upstream)
    is_elsewhere = rule.upstream_url in given or rule.upstream_registry in given
    if rule.upstream is not None and not is_elsewhere:
        return ecr_upstream.open_upstream(call, rule, registry, rule.upstream)
    is_replaying = flights.cassette is not None and flights.cassette.is_replaying
    url = addresses.of_rule(rule, given)
    # The other emulator tells its registries apart by the host.
    host = rule.upstream_url if rule.upstream is not None and is_elsewhere else None
    manners = Manners(settings.upstream_timeout, settings.upstream_private)
    login = None if is_replaying else _login(settings, registry, rule, str(url).rstrip("/"))
    cassette_name = rule.upstream_url
    return Client(url, login, flights.logins, manners, host, flights.cassette, cassette_name)


def try_out(call: Call, registry: Registry, rule: Rule) -> str | None:
    """Why pulls through a rule will not work, or None: network, secret, login (reference, data plane 6.4)."""
    settings = call.emulator.settings
    try:
        if rule.credential_arn is not None:
            _read(settings, registry, rule.credential_arn)
        open_upstream(call, registry, rule).try_out()
    except SecretProblem as problem:
        return str(problem)
    except UpstreamProblem as problem:
        return problem.reason[:1].upper() + problem.reason[1:] + "."
    return None


def check_secret(settings: Settings, registry: Registry, arn: str) -> None:
    """The error of a rule whose secret cannot be read; where secrets cannot be read at all, none."""
    try:
        _read(settings, registry, arn)
    except SecretProblem as problem:
        found = {
            secrets.MISSING: errors.secret_not_found,
            secrets.FORBIDDEN: errors.unable_to_access_secret,
            secrets.SEALED: errors.unable_to_decrypt_secret,
        }.get(problem.code)
        if found is not None:
            raise found() from None


def on_registry(problem: UpstreamProblem) -> EcrError:
    """The problem as the registry answers it."""
    code = problems.ACCESS_DENIED if problem.code == NOT_ASKED else problem.code
    return errors.upstream_failed(code, problem.reason)


def _login(settings: Settings, registry: Registry, rule: Rule, endpoint: str) -> Login | None:
    """The login of the rule; None where nobody asked for one, or where no secrets can be read."""
    if rule.upstream is not None:
        return ecr_login.get(endpoint, rule.upstream, registry.account, settings.upstream_timeout)
    if rule.credential_arn is None:
        return None
    try:
        return _read(settings, registry, rule.credential_arn)
    except SecretProblem as problem:
        if problem.code == secrets.NOWHERE:
            return None
        raise UpstreamProblem(NOT_ASKED, str(problem)) from None


def _read(settings: Settings, registry: Registry, arn: str) -> Login:
    return secrets.read(arn, settings.secrets_file, settings.secrets_endpoint, registry.region)
