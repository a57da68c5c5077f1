"""Commands, run in this process."""

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ecr_emu.cli import main

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `ecr-emu` with arguments; what is not an argument of the runner's comes in on stdin."""
    for name in ("AWS_ENDPOINT_URL", "ECR_EMU_DATA_DIR", "ECR_EMU_ACCOUNT", "ECR_EMU_REGION"):
        monkeypatch.delenv(name, raising=False)

    def run_one(*arguments: object, **options: Any) -> Result:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments], **options)
        # Whatever goes wrong is said, not thrown.
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    return run_one


@pytest.fixture
def refused(run: Run) -> Callable[..., str]:
    """The one line on stderr of a command that fails."""

    def run_one(*arguments: object, **options: Any) -> str:
        result = run(*arguments, **options)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.count("\n") == 1
        return result.stderr.removeprefix("Error: ").removesuffix("\n")

    return run_one
