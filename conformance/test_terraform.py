"""Terraform makes users, roles and policies, finds nothing to change, and takes all of it away again.

Needs the `terraform` command, and in ECR_EMU_TF_PLUGINS a folder with the AWS provider, as
`terraform providers mirror` makes it: nothing is downloaded.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.control.query.conftest import ACCOUNT, ROOT, Aws, aws, iam_file

__all__ = ["aws", "iam_file"]

PLUGINS = os.environ.get("ECR_EMU_TF_PLUGINS", "")

pytestmark = [
    pytest.mark.skipif(not (shutil.which("terraform") and PLUGINS), reason="no terraform, or no provider"),
    pytest.mark.timeout(300),
]

CONFIGURATION = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region     = "us-east-1"
  access_key = "%(key)s"
  secret_key = "%(secret)s"
  endpoints {
    ecr = "%(url)s"
    iam = "%(url)s"
    sts = "%(url)s"
  }
}

data "aws_caller_identity" "me" {}

resource "aws_ecr_repository" "app" {
  name = "team/app"
}

resource "aws_iam_user" "ci" {
  name = "ci"
  tags = { team = "red" }
}

resource "aws_iam_access_key" "ci" {
  user = aws_iam_user.ci.name
}

resource "aws_iam_group" "developers" {
  name = "developers"
}

resource "aws_iam_group_membership" "developers" {
  name  = "developers"
  users = [aws_iam_user.ci.name]
  group = aws_iam_group.developers.name
}

resource "aws_iam_role" "deploy" {
  name                 = "deploy"
  permissions_boundary = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryFullAccess"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { AWS = aws_iam_user.ci.arn }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_policy" "push" {
  name = "push"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "ecr:*", Resource = aws_ecr_repository.app.arn }]
  })
}

resource "aws_iam_role_policy_attachment" "push" {
  role       = aws_iam_role.deploy.name
  policy_arn = aws_iam_policy.push.arn
}

resource "aws_iam_instance_profile" "deploy" {
  name = "deploy"
  role = aws_iam_role.deploy.name
}

output "account" {
  value = data.aws_caller_identity.me.account_id
}

output "key" {
  value = aws_iam_access_key.ci.id
}

output "secret" {
  value     = aws_iam_access_key.ci.secret
  sensitive = true
}
"""


def test_terraform_makes_a_role_that_pushes_and_unmakes_it(aws: Aws, tmp_path: Path) -> None:
    folder = tmp_path / "terraform"
    folder.mkdir()
    values = {"key": ROOT[0], "secret": ROOT[1], "url": aws.running.url}
    (folder / "main.tf").write_text(CONFIGURATION % values)

    def terraform(*arguments: str) -> str:
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    terraform("init", f"-plugin-dir={PLUGINS}")
    terraform("apply", "-auto-approve", "-no-color")
    assert terraform("output", "-raw", "account") == ACCOUNT
    key = (terraform("output", "-raw", "key"), terraform("output", "-raw", "secret"))
    session = aws.session(key, f"arn:aws:iam::{ACCOUNT}:role/deploy")
    images: Any = aws.client("ecr", session).list_images(repositoryName="team/app")["imageIds"]
    assert images == []
    # With this option another status than 0 says that something would be changed.
    terraform("plan", "-detailed-exitcode", "-no-color")
    terraform("destroy", "-auto-approve", "-no-color")
    assert aws.client("iam", ROOT).list_roles()["Roles"] == []
