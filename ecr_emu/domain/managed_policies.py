"""The policies for ECR that AWS manages, as they were in November 2026.

AWS managed policy reference guide, a page for each name. All four are as published; none is a guess.
"""

import re
from collections.abc import Mapping
from typing import Any

_PULL = ("GetAuthorizationToken", "BatchGetImage", "GetDownloadUrlForLayer", "BatchImportUpstreamImage")
_READ = (
    *("GetAuthorizationToken", "BatchCheckLayerAvailability", "GetDownloadUrlForLayer"),
    *("GetRepositoryPolicy", "DescribeRepositories", "ListImages", "DescribeImages", "BatchGetImage"),
    *("GetLifecyclePolicy", "GetLifecyclePolicyPreview", "ListTagsForResource"),
    "DescribeImageScanFindings",
)
_PUSH = ("InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage")
_ARN = re.compile(r"arn:aws[a-z-]*:iam::aws:policy/")


def _allowing(actions: tuple[str, ...]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": [f"ecr:{action}" for action in actions], "Resource": "*"}


_STATEMENTS: Mapping[str, list[dict[str, Any]]] = {
    "AmazonEC2ContainerRegistryFullAccess": [
        {"Effect": "Allow", "Action": ["ecr:*", "cloudtrail:LookupEvents"], "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": ["iam:CreateServiceLinkedRole"],
            "Resource": "*",
            "Condition": {"StringEquals": {"iam:AWSServiceName": ["replication.ecr.amazonaws.com"]}},
        },
    ],
    "AmazonEC2ContainerRegistryPowerUser": [_allowing(_READ + _PUSH)],
    "AmazonEC2ContainerRegistryReadOnly": [_allowing(_READ)],
    "AmazonEC2ContainerRegistryPullOnly": [_allowing(_PULL)],
}
NAMES = tuple(_STATEMENTS)


def name_of(text: str) -> str | None:
    """The name in a name or an ARN, or None when there is no such policy here."""
    name = _ARN.sub("", text, count=1)
    return name if name in _STATEMENTS else None


def document(name: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": _STATEMENTS[name]}
