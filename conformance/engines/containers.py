"""podman, buildah and skopeo, each with its own storage and its own logins."""

from pathlib import Path

from engines.tools import Engine, Tool, find_tool, private_environment


def _environment(state: Path) -> dict[str, str]:
    return private_environment(state) | {"REGISTRY_AUTH_FILE": str(state / "auth.json")}


def _command(name: str, state: Path) -> list[str]:
    program = find_tool(name, f"install the Debian package {name}")
    storage = ["--root", f"{state}/root", "--runroot", f"{state}/runroot"]
    # vfs is the one driver that works on every file system and inside containers.
    return [program, *storage, "--storage-driver", "vfs"]


def _login(tool: Tool, host: str, password: str) -> None:
    options = ("--tls-verify=false", "--username", "AWS", "--password-stdin")
    tool.run("login", *options, host, stdin=password)


class Podman(Engine):
    def __init__(self, state: Path) -> None:
        # cgroupfs: the tests also run where no systemd is.
        options = ("--cgroup-manager", "cgroupfs", "--events-backend", "none")
        super().__init__(*_command("podman", state), *options, environment=_environment(state))

    def login(self, host: str, password: str) -> None:
        _login(self, host, password)

    def push(self, image: str) -> None:
        self.run("push", "--tls-verify=false", image)

    def pull(self, image: str) -> None:
        self.run("pull", "--tls-verify=false", image)


class Buildah(Tool):
    def __init__(self, state: Path) -> None:
        super().__init__(*_command("buildah", state), environment=_environment(state))

    def login(self, host: str, password: str) -> None:
        _login(self, host, password)

    def content(self, image: str, path: str) -> bytes:
        container = self.run("from", "--pull-never", image).strip()
        try:
            return (Path(self.run("mount", container).strip()) / path).read_bytes()
        finally:
            self.run("rm", container)

    def empty(self) -> None:
        self.run("rmi", "--all", "--force")
        assert self.run("images", "--quiet") == ""


class Skopeo(Tool):
    def __init__(self, state: Path) -> None:
        program = find_tool("skopeo", "install the Debian package skopeo")
        super().__init__(program, environment=_environment(state))

    def login(self, host: str, password: str) -> None:
        _login(self, host, password)

    def upload(self, source: str, image: str, *options: str) -> None:
        self.run("copy", *options, "--dest-tls-verify=false", source, f"docker://{image}")

    def download(self, image: str, target: str, *options: str) -> None:
        self.run("copy", *options, "--src-tls-verify=false", f"docker://{image}", target)
