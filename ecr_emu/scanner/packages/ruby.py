"""Ruby gems: the gemspec files that RubyGems writes into specifications when it installs a gem.

They are programs, and are not run: only the assignments that RubyGems itself writes are looked for (rubygems:
Specification#to_ruby).
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from ecr_emu.domain.inventory import Package
from ecr_emu.scanner.layers import Budget
from ecr_emu.scanner.packages.item import Broken, text

_NAME = re.compile(rb"""^\s{0,8}s\.name = ["']([\w.-]{1,200})["']""", re.MULTILINE)
_VERSION = re.compile(
    rb"""^\s{0,8}s\.version = (?:Gem::Version\.new\()?["']([\w.-]{1,100})["']""", re.MULTILINE
)


def read_gemspec(file: BinaryIO, budget: Budget) -> Iterator[Package]:
    """The gem. Raises Broken where the file has not the form that RubyGems writes."""
    budget.check_time()
    content = file.read()
    name, version = _NAME.search(content), _VERSION.search(content)
    if name is None or version is None:
        raise Broken("has no name or no version in the form that RubyGems writes")
    yield Package("gem", text(name[1]), text(version[1]))
