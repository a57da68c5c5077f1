"""What a start costs: nothing is imported that the first answers do not need."""

import json
import subprocess
import sys
from pathlib import Path

HEAVY = (
    "boto3",
    "botocore",
    "moto",
    "sqlalchemy",
    "flask",
    "werkzeug",
    "jwt",
    "requests",
    "jinja2",
    "cryptography",
)

PROGRAM = """
import http.client, json, sys
from contextlib import closing
from pathlib import Path

import ecr_emu.cli
from ecr_emu.app import build, is_quick
from ecr_emu.jobs.runner import Runner
from ecr_emu.server import Server, bind
from ecr_emu.settings import Settings

SCOPE = "test/20250101/us-east-1/ecr/aws4_request"

sockets = bind("127.0.0.1", 0)
application = build(Settings(data_dir=Path(sys.argv[1]), port=sockets[0].getsockname()[1]))
server = Server(application, sockets, is_quick)
server.start()
answers = []
with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
    headers = {
        "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=0",
    }
    connection.request("POST", "/", b"{}", headers)
    response = connection.getresponse()
    answers.append([response.status, response.read().decode()])
    connection.request("GET", "/v2/")
    response = connection.getresponse()
    response.read()
    answers.append([response.status, response.headers["WWW-Authenticate"][:5]])
    scope = SCOPE.replace("/ecr/", "/sts/")
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}"}
    connection.request("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", headers=headers)
    response = connection.getresponse()
    answers.append([response.status, "000000000000:root" in response.read().decode()])
print(json.dumps({"answers": answers, "modules": list(sys.modules)}))
server.stop()
application.close()
"""


def test_the_first_answers_need_no_heavy_module(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    seen = json.loads(done.stdout)
    assert seen["answers"] == [[200, '{"repositories":[]}'], [401, "Basic"], [200, True]]
    assert set(HEAVY) & {module.partition(".")[0] for module in seen["modules"]} == set()
    assert "ecr_emu.upstream.exchange" not in seen["modules"]
