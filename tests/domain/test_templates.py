"""Repository creation templates as they are stored."""

from dataclasses import replace

import pytest

from ecr_emu.domain import templates
from ecr_emu.domain.templates import Template

PLAIN = Template("prod", ("CREATE_ON_PUSH",))
FULL = Template(
    "prod/team",
    ("CREATE_ON_PUSH", "REPLICATION"),
    "What it is for",
    "IMMUTABLE_WITH_EXCLUSION",
    ("dev-*", "*-dev"),
    "KMS",
    "arn:aws:kms:us-east-1:000000000000:key/1",
    (("team", "a"), ("cost", "")),
    "{}",
    "{}",
    "arn:aws:iam::000000000000:role/maker",
)


@pytest.mark.parametrize("template", [PLAIN, FULL])
def test_template_is_read_as_it_was_written(template: Template) -> None:
    assert templates.read(templates.write(template)) == template


@pytest.mark.parametrize(
    ("template", "lacks"),
    [
        (PLAIN, False),
        (FULL, False),
        (replace(FULL, role_arn=None), True),
        (replace(PLAIN, resource_tags=(("team", "a"),)), True),
        (replace(PLAIN, encryption_type="KMS_DSSE"), True),
    ],
)
def test_tags_and_kms_need_a_role(template: Template, lacks: bool) -> None:
    assert template.lacks_role is lacks
